//! How a tenant's web chat looks: what its catalogue in use says.

use std::sync::Arc;

use ingest::channels::web_chat::Looks;
use pipeline::broadcast::{Broadcasts, PerTenant, Swapped};
use responder::Catalogue;
use serde_json::Value;

/// By the catalogues.
pub(super) struct Look(pub(super) Arc<Swapped<PerTenant<Catalogue>>>);

impl Looks for Look {
    fn look(&self, tenant: &str) -> Value {
        let latest = self.0.latest();
        // Nothing of it can fail to be written; where it did, the chat looks as it does for all.
        serde_json::to_value(latest.content.of(tenant).web_chat()).unwrap_or_default()
    }
}
