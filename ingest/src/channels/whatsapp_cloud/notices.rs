//! What a body tells of the account, not of a customer: errors, templates, reviews, limits. Pure.

use serde_json::Value;

use super::wire::{Changed, WireError};
use crate::door::Notice;

/// The field of a change that is about customers, and those that are about templates.
const MESSAGES: &[&str] = &["", "messages", "calls", "smb_message_echoes", "message_echoes"];
const TEMPLATE_STATUS: &str = "message_template_status_update";

/// Longest word of the provider's that is handed on, in characters.
const WORD_MAX: usize = 80;

/// Everything a change tells of the account.
pub(super) fn of(field: &str, changed: &Changed) -> Vec<Notice> {
    let mut notices: Vec<Notice> = changed.errors.iter().map(error).collect();
    if field == TEMPLATE_STATUS {
        notices.push(template(changed));
    } else if !MESSAGES.contains(&field) {
        notices.push(Notice { what: word(field), detail: text(changed, "event") });
    }
    notices
}

/// An element of a list that says nothing to us.
pub(super) fn passed_over(what: &str, why: &str) -> Notice {
    Notice { what: format!("{what}_passed_over"), detail: why.to_owned() }
}

fn error(error: &WireError) -> Notice {
    let code = error.code.unwrap_or_default();
    let title = error.title.as_deref().unwrap_or_default();
    Notice { what: format!("error_{code}"), detail: title.chars().take(WORD_MAX).collect() }
}

/// A template was approved, rejected, paused: the provider refuses one that is not approved, and a person takes
/// over.
fn template(changed: &Changed) -> Notice {
    let of = |name| text(changed, name);
    let event = word(&of("event").to_lowercase());
    let (name, language) = (of("message_template_name"), of("message_template_language"));
    let detail = format!("{name} {language}: {}", of("reason"));
    Notice { what: format!("template_{event}"), detail }
}

fn text(changed: &Changed, name: &str) -> String {
    let told = changed.rest.get(name).and_then(Value::as_str).unwrap_or_default();
    told.chars().take(WORD_MAX).collect()
}

/// A label of a metric.
fn word(told: &str) -> String {
    let plain = |c: char| if c.is_ascii_alphanumeric() { c } else { '_' };
    told.chars().take(WORD_MAX).map(plain).collect()
}
