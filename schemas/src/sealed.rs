//! Customers' text at rest: sealed under a key that can be destroyed, and the keyed hashes that
//! stand for customers where a name would not do.
//!
//! AES-256-GCM-SIV (RFC 8452) with a nonce taken from the identity of what is sealed: the same text
//! of the same message always seals to the same bytes, so that a replay writes what the first run
//! wrote. GCM-SIV tolerates that a nonce repeats: a repeat with another text tells an observer
//! nothing but that the two differ.

use std::collections::BTreeMap;
use std::fmt;

use aes_gcm_siv::aead::{Aead, KeyInit, Payload};
use aes_gcm_siv::{Aes256GcmSiv, Nonce};
use hmac::{Hmac, Mac};
use serde::{Deserialize, Serialize};
use sha2::Sha256;

use crate::codec::{Avro, CodecError, avro};
use crate::ids::{Alias, CommandId, ContactKey, MessageId};
use crate::message::Contact;
use crate::thread::Thread;

/// Text encrypted under a tenant's (later: a contact's) key.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SealedText {
    /// Which key opens it.
    pub key_id: String,
    /// 12 bytes.
    #[serde(with = "serde_bytes")]
    pub nonce: Vec<u8>,
    /// Ciphertext and tag.
    #[serde(with = "serde_bytes")]
    pub bytes: Vec<u8>,
}

avro!(SealedText);

impl fmt::Debug for SealedText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SealedText({} bytes under {})", self.bytes.len(), self.key_id)
    }
}

/// Why a sealed text cannot be read or made. Never worth a retry.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SealError {
    /// No such tenant in the keyring.
    #[error("tenant '{0}' has no keys: add it to the configuration's tenants and restart")]
    UnknownTenant(String),
    /// Sealed under a key that is gone (erased, or of another installation).
    #[error("key '{0}' is not in the keyring: the text was erased or belongs elsewhere")]
    UnknownKey(String),
    /// The bytes were changed, or sealed for another tenant.
    #[error("sealed text does not open: it was altered or belongs to another tenant")]
    Altered,
    /// What was sealed is not the record it should be.
    #[error(transparent)]
    Codec(#[from] CodecError),
}

type HmacSha256 = Hmac<Sha256>;

/// Keyed hash, HMAC-SHA-256 (RFC 2104), of the parts, each preceded by its length.
fn keyed_hash(key: &[u8; 32], parts: &[&[u8]]) -> [u8; 32] {
    // A key of any length is valid for HMAC; the zero hash of the impossible branch would make
    // every id equal and fail every test.
    let Ok(mut mac) = <HmacSha256 as KeyInit>::new_from_slice(key) else { return [0; 32] };
    for part in parts {
        mac.update(&(part.len() as u64).to_le_bytes());
        mac.update(part);
    }
    mac.finalize().into_bytes().into()
}

fn first<const N: usize>(hash: [u8; 32]) -> [u8; N] {
    let mut head = [0; N];
    head.iter_mut().zip(hash).for_each(|(to, from)| *to = from);
    head
}

/// The keys of one tenant.
pub struct TenantKeys {
    tenant: String,
    key_id: String,
    cipher: Aes256GcmSiv,
    nonce_key: [u8; 32],
    contact_key: [u8; 32],
    protocol_key: [u8; 32],
    visitor_key: [u8; 32],
}

impl fmt::Debug for TenantKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TenantKeys({}, {})", self.tenant, self.key_id)
    }
}

impl TenantKeys {
    /// Derives all keys of `tenant` from its secret.
    #[must_use]
    pub fn derive(tenant: &str, key_id: &str, secret: &[u8; 32]) -> Self {
        let sub = |purpose: &[u8]| keyed_hash(secret, &[b"correnteza", purpose]);
        Self {
            tenant: tenant.to_owned(),
            key_id: key_id.to_owned(),
            cipher: Aes256GcmSiv::new(&sub(b"text").into()),
            nonce_key: sub(b"nonce"),
            contact_key: sub(b"contact"),
            protocol_key: sub(b"protocol"),
            visitor_key: sub(b"visitor"),
        }
    }

    /// Seals `plain`; `identity` names what it is the text of, e.g. a message id.
    ///
    /// # Errors
    /// [`SealError::Altered`] only for texts beyond the cipher's limit of 64 GiB.
    pub fn seal(&self, identity: &[u8], plain: &[u8]) -> Result<SealedText, SealError> {
        let nonce: [u8; 12] = first(keyed_hash(&self.nonce_key, &[identity, plain]));
        let bytes = self
            .cipher
            .encrypt(&Nonce::from(nonce), Payload { msg: plain, aad: self.tenant.as_bytes() })
            .map_err(|_| SealError::Altered)?;
        Ok(SealedText { key_id: self.key_id.clone(), nonce: nonce.to_vec(), bytes })
    }

    /// Opens what [`Self::seal`] sealed.
    ///
    /// # Errors
    /// [`SealError::UnknownKey`], [`SealError::Altered`].
    pub fn open(&self, sealed: &SealedText) -> Result<Vec<u8>, SealError> {
        if sealed.key_id != self.key_id {
            return Err(SealError::UnknownKey(sealed.key_id.clone()));
        }
        let nonce: [u8; 12] = sealed.nonce.as_slice().try_into().map_err(|_| SealError::Altered)?;
        self.cipher
            .decrypt(
                &Nonce::from(nonce),
                Payload { msg: &sealed.bytes, aad: self.tenant.as_bytes() },
            )
            .map_err(|_| SealError::Altered)
    }

    /// Opens a sealed text as text.
    ///
    /// # Errors
    /// As [`Self::open`]; [`SealError::Altered`] when it is not UTF-8.
    pub fn open_text(&self, sealed: &SealedText) -> Result<String, SealError> {
        String::from_utf8(self.open(sealed)?).map_err(|_| SealError::Altered)
    }

    /// Seals a contact.
    ///
    /// # Errors
    /// As [`Self::seal`].
    pub fn seal_contact(&self, contact: &Contact) -> Result<SealedText, SealError> {
        self.seal(b"contact", &contact.to_bytes()?)
    }

    /// Opens a contact.
    ///
    /// # Errors
    /// As [`Self::open`], or [`SealError::Codec`].
    pub fn open_contact(&self, sealed: &SealedText) -> Result<Contact, SealError> {
        Ok(Contact::from_bytes(&self.open(sealed)?)?)
    }

    /// Seals what an answer refers to; `identity` names the message it is of.
    ///
    /// # Errors
    /// As [`Self::seal`].
    pub fn seal_thread(&self, identity: &[u8], thread: &Thread) -> Result<SealedText, SealError> {
        self.seal(&[identity, b"thread"].concat(), &thread.to_bytes()?)
    }

    /// Opens what an answer refers to.
    ///
    /// # Errors
    /// As [`Self::open_contact`].
    pub fn open_thread(&self, sealed: &SealedText) -> Result<Thread, SealError> {
        Ok(Thread::from_bytes(&self.open(sealed)?)?)
    }

    /// What the e-mail thread with the subject `subject` is called: a digest, because subjects are
    /// customers' words.
    #[must_use]
    pub fn thread(&self, subject: &str) -> String {
        let hash =
            keyed_hash(&self.contact_key, &[b"thread", self.tenant.as_bytes(), subject.as_bytes()]);
        data_encoding::HEXLOWER.encode(&first::<16>(hash))
    }

    /// The contact known on `channel` by the canonical name `name`.
    #[must_use]
    pub fn contact(&self, channel: &str, name: &str) -> ContactKey {
        let hash = keyed_hash(
            &self.contact_key,
            &[self.tenant.as_bytes(), channel.as_bytes(), name.as_bytes()],
        );
        ContactKey(first(hash))
    }

    /// The name `name` of the kind `kind`, whichever channel it was heard on.
    #[must_use]
    pub fn alias(&self, kind: &str, name: &str) -> Alias {
        let hash = keyed_hash(
            &self.contact_key,
            &[b"alias", self.tenant.as_bytes(), kind.as_bytes(), name.as_bytes()],
        );
        Alias(first(hash))
    }

    /// The customer the CRM calls `id`: an end of links, which never writes.
    #[must_use]
    pub fn customer(&self, id: &str) -> ContactKey {
        self.contact("crm-customer", id)
    }

    /// The link a machine makes between `contact` and `other`: the same whenever it is made.
    #[must_use]
    pub fn link(&self, contact: ContactKey, other: ContactKey) -> CommandId {
        let hash = keyed_hash(
            &self.contact_key,
            &[b"link", self.tenant.as_bytes(), contact.as_bytes(), other.as_bytes()],
        );
        CommandId(first(hash))
    }

    /// The message the provider's account calls `provider_id`.
    #[must_use]
    pub fn message(&self, account: &str, provider_id: &str) -> MessageId {
        let hash = keyed_hash(
            &self.contact_key,
            &[b"message", self.tenant.as_bytes(), account.as_bytes(), provider_id.as_bytes()],
        );
        MessageId(first(hash))
    }

    /// What the tokens of the visitors of a web chat's `account` are signed with.
    #[must_use]
    pub fn visitor_key(&self, account: &str) -> [u8; 32] {
        keyed_hash(&self.visitor_key, &[self.tenant.as_bytes(), account.as_bytes()])
    }

    /// A number nobody can guess for `identity`: what protocol numbers are made of.
    #[must_use]
    pub fn protocol_number(&self, identity: &[u8]) -> u64 {
        u64::from_be_bytes(first(keyed_hash(&self.protocol_key, &[identity])))
    }
}

/// The keys of every tenant of this installation.
#[derive(Debug, Default)]
pub struct Keyring {
    tenants: BTreeMap<String, TenantKeys>,
}

impl Keyring {
    /// Holds `tenants`.
    #[must_use]
    pub fn new(tenants: impl IntoIterator<Item = TenantKeys>) -> Self {
        Self { tenants: tenants.into_iter().map(|keys| (keys.tenant.clone(), keys)).collect() }
    }

    /// The keys of `tenant`.
    ///
    /// # Errors
    /// [`SealError::UnknownTenant`].
    pub fn of(&self, tenant: &str) -> Result<&TenantKeys, SealError> {
        self.tenants.get(tenant).ok_or_else(|| SealError::UnknownTenant(tenant.to_owned()))
    }

    /// The tenants, in order of name.
    pub fn tenants(&self) -> impl Iterator<Item = &str> {
        self.tenants.keys().map(String::as_str)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys(tenant: &str) -> TenantKeys {
        TenantKeys::derive(tenant, "1", &[42; 32])
    }

    #[test]
    fn seals_the_same_text_to_the_same_bytes_and_opens_it() {
        let keys = keys("demo");
        let sealed = keys.seal(b"m1", "olá".as_bytes()).unwrap();
        assert_eq!(sealed, keys.seal(b"m1", "olá".as_bytes()).unwrap());
        assert_ne!(sealed.nonce, keys.seal(b"m2", "olá".as_bytes()).unwrap().nonce);
        assert_ne!(sealed.nonce, keys.seal(b"m1", "oi".as_bytes()).unwrap().nonce);
        assert_eq!(keys.open_text(&sealed).unwrap(), "olá");
    }

    #[test]
    fn refuses_altered_bytes_strangers_and_lost_keys() {
        let keys = keys("demo");
        let sealed = keys.seal(b"m1", b"oi").unwrap();
        for at in 0..sealed.bytes.len() {
            let mut altered = sealed.clone();
            altered.bytes[at] ^= 1;
            assert_eq!(keys.open(&altered), Err(SealError::Altered));
        }
        assert_eq!(self::keys("other").open(&sealed), Err(SealError::Altered));
        let gone = SealedText { key_id: "0".to_owned(), ..sealed };
        assert_eq!(keys.open(&gone), Err(SealError::UnknownKey("0".to_owned())));
    }

    #[test]
    fn the_same_phone_in_two_tenants_is_two_contacts() {
        let phone = "+5511987654321";
        assert_ne!(keys("a").contact("whatsapp", phone), keys("b").contact("whatsapp", phone));
        assert_ne!(keys("a").contact("whatsapp", phone), keys("a").contact("sms", phone));
        assert_eq!(keys("a").contact("sms", phone), keys("a").contact("sms", phone));
    }

    #[test]
    fn what_a_contact_goes_by_is_the_same_on_every_channel_and_never_in_two_tenants() {
        let (a, b) = (keys("a"), keys("b"));
        let phone = "+5511987654321";
        assert_eq!(a.alias("phone", phone), a.alias("phone", phone));
        assert_ne!(a.alias("phone", phone), b.alias("phone", phone));
        assert_ne!(a.alias("phone", phone), a.alias("email", phone));
        assert_ne!(a.customer("C7"), b.customer("C7"));
        let (one, two) = (a.contact("sms", phone), a.contact("whatsapp", phone));
        assert_eq!(a.link(one, two), a.link(one, two));
        assert_ne!(a.link(one, two), b.link(one, two));
    }

    #[test]
    fn debug_output_shows_no_text_and_no_key() {
        let keys = keys("demo");
        let sealed = keys.seal(b"m1", b"segredo").unwrap();
        assert_eq!(format!("{sealed:?}"), "SealedText(23 bytes under 1)");
        assert_eq!(format!("{keys:?}"), "TenantKeys(demo, 1)");
    }
}
