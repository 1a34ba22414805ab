//! Who wrote: the names a contact goes by.

use serde::{Deserialize, Serialize};

use crate::codec::avro;
use crate::names::named;

named! {
    /// What kind of name a contact goes by.
    #[allow(missing_docs)] // the names are the documentation
    ContactIdKind default Other {
        Other = "other",
        Bsuid = "bsuid",
        WaPhone = "wa_phone",
        E164 = "e164",
        Email = "email",
        Telegram = "telegram",
        WebChat = "web_chat",
        Crm = "crm",
        Contract = "contract",
        Document = "document",
    }
}

/// One name of a contact.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ContactId {
    /// What kind of name.
    pub kind: ContactIdKind,
    /// The name.
    pub value: String,
    /// Within which the value is unique.
    pub scope: Option<String>,
}

/// Who wrote. Only ever travels sealed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Default)]
pub struct Contact {
    /// The one it was found by first.
    pub ids: Vec<ContactId>,
    /// As the channel shows it.
    pub name: Option<String>,
}

impl Contact {
    /// The contact's name of one kind.
    #[must_use]
    pub fn id(&self, kind: ContactIdKind) -> Option<&str> {
        self.ids.iter().find(|id| id.kind == kind).map(|id| id.value.as_str())
    }
}

avro!(Contact);
