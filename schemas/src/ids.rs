//! Identifiers: fixed-length bytes on the wire, short readable text for people and JSON.
//!
//! The text form is a prefix and base32hex in lower case (RFC 4648 §7, as in RFC 5155), so that it
//! survives URLs, e-mail subjects and being read aloud.

use std::fmt;
use std::str::FromStr;

use data_encoding::BASE32_DNSSEC;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// Text that is not an identifier of the wanted kind.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("'{text}' is not an id of the form {prefix}…; copy it whole from an earlier answer")]
pub struct IdError {
    text: String,
    prefix: &'static str,
}

macro_rules! id {
    ($(#[$doc:meta])* $name:ident, $length:literal, $prefix:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $name(pub [u8; $length]);

        impl $name {
            /// What its text form begins with.
            pub const PREFIX: &'static str = $prefix;

            /// The bytes as they stand in a record.
            #[must_use]
            pub fn as_bytes(&self) -> &[u8] {
                &self.0
            }

            /// Takes the bytes of a record.
            #[must_use]
            pub fn from_slice(bytes: &[u8]) -> Option<Self> {
                bytes.try_into().ok().map(Self)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}{}", $prefix, BASE32_DNSSEC.encode_display(&self.0))
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{self}")
            }
        }

        impl FromStr for $name {
            type Err = IdError;

            fn from_str(text: &str) -> Result<Self, IdError> {
                text.strip_prefix($prefix)
                    .and_then(|rest| BASE32_DNSSEC.decode(rest.as_bytes()).ok())
                    .and_then(|bytes| Self::from_slice(&bytes))
                    .ok_or_else(|| IdError {
                        text: text.chars().take(64).collect(),
                        prefix: $prefix,
                    })
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
                if to.is_human_readable() {
                    to.collect_str(self)
                } else {
                    to.serialize_bytes(&self.0)
                }
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
                struct Bytes;
                impl<'de> de::Visitor<'de> for Bytes {
                    type Value = $name;

                    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                        write!(f, "{} bytes or the text form {}…", $length, $prefix)
                    }

                    fn visit_bytes<E: de::Error>(self, bytes: &[u8]) -> Result<$name, E> {
                        $name::from_slice(bytes)
                            .ok_or_else(|| E::invalid_length(bytes.len(), &self))
                    }

                    fn visit_str<E: de::Error>(self, text: &str) -> Result<$name, E> {
                        text.parse().map_err(E::custom)
                    }
                }
                if from.is_human_readable() {
                    from.deserialize_str(Bytes)
                } else {
                    from.deserialize_bytes(Bytes)
                }
            }
        }
    };
}

id! {
    /// A customer's message: hash of tenant, account and the provider's id or Idempotency-Key.
    MessageId, 16, "m_"
}
id! {
    /// One channel identity of one tenant: keyed hash of its canonical name, never the name itself.
    ContactKey, 16, "k_"
}
id! {
    /// A name a contact goes by, as a keyed hash that is the same on every channel.
    Alias, 16, "a_"
}
id! {
    /// Contact key and opening time: whoever has it knows the partition.
    ConversationId, 20, "c_"
}
id! {
    /// One command of an agent or a program.
    CommandId, 16, "cmd_"
}

impl ConversationId {
    /// The conversation of `contact` that opened at `opened_at_ms` (Unix, milliseconds).
    ///
    /// A contact has one conversation open at a time and never opens two within a second.
    #[must_use]
    pub fn new(contact: ContactKey, opened_at_ms: i64) -> Self {
        let seconds = u32::try_from(opened_at_ms.div_euclid(1000)).unwrap_or_default();
        let mut bytes = [0; 20];
        let (key, opened) = bytes.split_at_mut(16);
        key.copy_from_slice(contact.as_bytes());
        opened.copy_from_slice(&seconds.to_be_bytes());
        Self(bytes)
    }

    /// Whose conversation it is.
    #[must_use]
    pub fn contact(&self) -> ContactKey {
        let mut key = [0; 16];
        key.iter_mut().zip(self.0).for_each(|(to, from)| *to = from);
        ContactKey(key)
    }
}

/// The key of every record of the line: `tenant:contact`.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct LineKey {
    /// The provider whose customer this is.
    pub tenant: String,
    /// The channel identity.
    pub contact: ContactKey,
}

impl LineKey {
    /// Puts the parts together.
    #[must_use]
    pub fn new(tenant: &str, contact: ContactKey) -> Self {
        Self { tenant: tenant.to_owned(), contact }
    }

    /// The bytes used as record key.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(self.tenant.len() + 27);
        bytes.extend_from_slice(self.tenant.as_bytes());
        bytes.push(b':');
        bytes.extend_from_slice(BASE32_DNSSEC.encode(self.contact.as_bytes()).as_bytes());
        bytes
    }

    /// Reads a record key.
    #[must_use]
    pub fn parse(bytes: &[u8]) -> Option<Self> {
        let text = std::str::from_utf8(bytes).ok()?;
        let (tenant, contact) = text.split_once(':')?;
        let contact = BASE32_DNSSEC.decode(contact.as_bytes()).ok()?;
        Some(Self { tenant: tenant.to_owned(), contact: ContactKey::from_slice(&contact)? })
    }
}

impl fmt::Debug for LineKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.tenant, self.contact)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_form_round_trips_and_refuses_strangers() {
        let id = MessageId([7; 16]);
        assert_eq!(id.to_string().parse(), Ok(id));
        assert_eq!(id.to_string().len(), 28);
        assert!("m_short".parse::<MessageId>().is_err());
        assert!(id.to_string().replace("m_", "c_").parse::<MessageId>().is_err());
    }

    #[test]
    fn a_conversation_tells_its_contact() {
        let contact = ContactKey([9; 16]);
        let conversation = ConversationId::new(contact, 1_763_700_000_123);
        assert_eq!(conversation.contact(), contact);
        assert_ne!(conversation, ConversationId::new(contact, 1_763_700_001_123));
        let key = LineKey::new("demo", contact);
        assert_eq!(LineKey::parse(&key.to_bytes()), Some(key));
    }
}
