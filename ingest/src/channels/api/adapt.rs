//! From a program's JSON to a normalized message.

use std::collections::BTreeMap;

use schemas::message::{AnswerVia, Channel, Contact, ContactId, ContactIdKind, MessageKind};
use serde::Deserialize;

use crate::door::{HeardMessage, Identity, Problem, phone_number};

/// Longest ids and names, in bytes.
const NAME_BYTES_MAX: usize = 256;

/// The body of `POST /v1/messages`.
#[derive(Deserialize)]
pub(super) struct ApiMessage {
    tenant: Option<String>,
    channel: String,
    customer: Customer,
    text: String,
    /// The caller's own id of the message, if it has one.
    message_id: Option<String>,
    #[serde(default)]
    attributes: BTreeMap<String, String>,
}

/// Who wrote, as the caller knows them.
#[derive(Deserialize)]
pub(super) struct Customer {
    id: Option<String>,
    name: Option<String>,
    phone: Option<String>,
    email: Option<String>,
}

impl ApiMessage {
    /// Of a caller with one name for everything: a number on channels that have numbers, an address
    /// where there is an @, else an id.
    pub(super) fn new(channel: String, customer: String, text: String) -> Self {
        let mut found = Customer { id: None, name: None, phone: None, email: None };
        let digits = customer.bytes().filter(u8::is_ascii_digit).count();
        let letters = customer.chars().any(char::is_alphabetic);
        let numbers = matches!(channel.as_str(), "whatsapp" | "sms" | "phone");
        if customer.contains('@') {
            found.email = Some(customer);
        } else if numbers && !letters && (10..=15).contains(&digits) {
            found.phone = Some(customer);
        } else {
            found.id = Some(customer);
        }
        Self {
            tenant: None,
            channel,
            customer: found,
            text,
            message_id: None,
            attributes: BTreeMap::new(),
        }
    }

    /// Whose customer wrote, where the caller says so.
    pub(super) fn tenant(&self) -> Option<&str> {
        self.tenant.as_deref()
    }

    /// The message, or why it makes no sense. `flush`: the caller waits for the answer.
    pub(super) fn heard(self, key: Option<String>, flush: bool) -> Result<HeardMessage, Problem> {
        let channel = Channel::named(&self.channel).filter(|channel| *channel != Channel::Other);
        let channel = channel.ok_or_else(|| {
            let detail = "channel must be api, whatsapp, sms, email, web_chat, phone or telegram";
            Problem::invalid("unknown_channel", detail)
        })?;
        if self.text.trim().is_empty() {
            return Err(Problem::invalid("empty_text", "text must not be empty"));
        }
        let contact = self.customer.contact()?;
        let identity = match (key, self.message_id) {
            (Some(key), _) => Identity::Key(key),
            (None, Some(id)) if !id.is_empty() && id.len() <= NAME_BYTES_MAX => {
                Identity::Provider(id)
            }
            (None, Some(_)) => {
                return Err(Problem::invalid(
                    "bad_message_id",
                    "message_id must be 1 to 256 bytes",
                ));
            }
            (None, None) => Identity::None,
        };
        Ok(HeardMessage {
            text: Some(self.text),
            // A program with access vouches for the customers it names.
            verified: true,
            answer_via: if flush { AnswerVia::Caller } else { AnswerVia::Channel },
            flush,
            attributes: self.attributes,
            ..HeardMessage::of("api", "api", (channel, contact), identity, MessageKind::Text)
        })
    }
}

impl Customer {
    fn contact(self) -> Result<Contact, Problem> {
        let mut ids = Vec::new();
        let mut add = |kind, value: Option<String>| {
            if let Some(value) = value.filter(|value| !value.trim().is_empty()) {
                ids.push(ContactId { kind, value, scope: None });
            }
        };
        add(ContactIdKind::Crm, self.id);
        // One without digits is nobody's: it must not become everybody's.
        let phone = self.phone.filter(|phone| phone.bytes().any(|byte| byte.is_ascii_digit()));
        add(ContactIdKind::E164, phone.map(|phone| phone_number(&phone)));
        add(ContactIdKind::Email, self.email.map(|email| email.trim().to_lowercase()));
        if ids.is_empty() {
            let detail = "customer needs an id, a phone or an email";
            return Err(Problem::invalid("unknown_customer", detail));
        }
        let longest = ids.iter().map(|id| id.value.len()).max().unwrap_or_default();
        if longest.max(self.name.as_ref().map_or(0, String::len)) > NAME_BYTES_MAX {
            return Err(Problem::invalid("too_long", "ids and names have at most 256 bytes"));
        }
        Ok(Contact { ids, name: self.name })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ids(customer: serde_json::Value) -> Option<Vec<(ContactIdKind, String)>> {
        let customer: Customer = serde_json::from_value(customer).unwrap();
        let contact = customer.contact().ok()?;
        Some(contact.ids.into_iter().map(|id| (id.kind, id.value)).collect())
    }

    #[test]
    fn a_phone_without_digits_is_nobodys() {
        let email = (ContactIdKind::Email, "ana@exemplo.com.br".to_owned());
        for phone in ["", " ", "não tem"] {
            let customer = serde_json::json!({ "phone": phone, "email": "Ana@exemplo.com.br" });
            assert_eq!(ids(customer), Some(vec![email.clone()]));
            assert_eq!(ids(serde_json::json!({ "phone": phone })), None);
        }
    }

    #[test]
    fn one_name_for_everything_is_told_by_its_form() {
        let kind = |channel: &str, name: &str| {
            let message = ApiMessage::new(channel.to_owned(), name.to_owned(), "oi".to_owned());
            message.customer.contact().unwrap().ids.remove(0).kind
        };
        assert_eq!(kind("whatsapp", "+55 (11) 98765-4321"), ContactIdKind::E164);
        assert_eq!(kind("email", "ana@exemplo.com.br"), ContactIdKind::Email);
        assert_eq!(kind("phone", "C000000123"), ContactIdKind::Crm);
        assert_eq!(kind("web_chat", "11987654321"), ContactIdKind::Crm);
    }
}
