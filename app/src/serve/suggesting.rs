//! What the desk suggests: the planner's own answers, by the catalogue in use.

use std::sync::Arc;

use desk::{Suggestion, Suggests, TemplateText};
use pipeline::broadcast::{Broadcasts, PerTenant, Swapped};
use responder::{Catalogue, Plan};
use schemas::conversation::Conversation;
use schemas::sealed::Keyring;

use super::line::utc_offsets;
use crate::config::Settings;

/// Asks the planner.
pub(super) struct Planner {
    plan: Plan,
    catalogue: Arc<Swapped<PerTenant<Catalogue>>>,
}

impl Planner {
    pub(super) fn new(
        keyring: &Arc<Keyring>,
        settings: &Settings,
        catalogue: Arc<Swapped<PerTenant<Catalogue>>>,
    ) -> Self {
        Self { plan: Plan::new(Arc::clone(keyring), utc_offsets(settings)), catalogue }
    }
}

impl Suggests for Planner {
    fn templates(&self, lines: &[(i64, Conversation)], now_ms: i64) -> Vec<TemplateText> {
        let catalogue = self.catalogue.latest();
        let Some((_, last)) = lines.last() else { return Vec::new() };
        let offered = self.plan.templates(catalogue.content.of(&last.tenant), lines, now_ms);
        let shown = |responder::TemplateText { answer_id, text }| TemplateText { answer_id, text };
        offered.into_iter().map(shown).collect()
    }

    fn suggest(&self, lines: &[(i64, Conversation)], now_ms: i64) -> Option<Suggestion> {
        let catalogue = self.catalogue.latest();
        let (_, last) = lines.last()?;
        let found = self.plan.suggest(catalogue.content.of(&last.tenant), lines, now_ms)?;
        let responder::Suggestion { answer_id, text, intent } = found;
        Some(Suggestion { answer_id, text, intent })
    }
}
