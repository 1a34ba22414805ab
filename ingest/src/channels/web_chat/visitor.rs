//! Who writes: a visitor with a token of ours, a customer the site vouches for, or, where nothing is
//! configured, whoever names a session.

use std::sync::Arc;
use std::time::Duration;

use data_encoding::BASE32_DNSSEC;
use schemas::message::{Contact, ContactId, ContactIdKind};
use schemas::sealed::{SealError, TenantKeys};
use serde::{Deserialize, Serialize};

use super::account::Site;
use super::token::{self, TokenError};
use crate::door::{Door, phone_number, random_bytes};

/// Longest names and ids, in bytes.
pub(super) const NAME_BYTES_MAX: usize = 128;
/// A customer's token lasts no longer than that: the site signs anew whenever its page is opened.
const CUSTOMER_LASTS: Duration = Duration::from_secs(12 * 3600);

/// Why somebody is not let in.
#[derive(Debug, thiserror::Error)]
pub(super) enum NotLet {
    #[error(transparent)]
    Token(#[from] TokenError),
    #[error("the site vouches for nobody: set site_secret of the account")]
    NoSecret,
    #[error("{0}")]
    Name(&'static str),
    #[error(transparent)]
    Keys(#[from] SealError),
}

/// What a site says of its customer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Identity {
    /// What the site calls the customer.
    sub: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    email: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    phone_number: Option<String>,
    /// The customer's number in the CRM.
    #[serde(skip_serializing_if = "Option::is_none")]
    crm_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    contract: Option<String>,
}

/// What a token of ours says.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Claims {
    #[serde(flatten)]
    identity: Identity,
    exp: i64,
    /// The site vouches for it.
    #[serde(default)]
    known: bool,
}

/// Somebody at the door.
#[derive(Clone)]
pub(super) struct Visitor {
    pub(super) site: Arc<Site>,
    /// What they are called within their scope.
    pub(super) id: String,
    pub(super) name: Option<String>,
    /// The site vouches for who they are.
    pub(super) verified: bool,
    /// Within which the id is unique; absent for those who chose theirs.
    scope: Option<String>,
    others: Vec<ContactId>,
}

/// A token that was just made.
#[derive(Debug, Serialize)]
pub(super) struct Issued {
    pub(super) token: String,
    pub(super) visitor: String,
    pub(super) expires_at_ms: i64,
}

impl Visitor {
    /// Somebody who shows a token of ours.
    pub(super) fn with_token(
        door: &Door,
        site: &Arc<Site>,
        token: &str,
        name: Option<String>,
    ) -> Result<Self, NotLet> {
        let keys = door.keyring().of(&site.account.tenant)?;
        let key = keys.visitor_key(&site.account.name);
        let claims: Claims = token::verify(&key, token, door.now_ms())?;
        Ok(Self::claimed(site, claims, name))
    }

    /// Somebody who names a session, where that is enough.
    pub(super) fn unsigned(
        site: Arc<Site>,
        session: Option<String>,
        name: Option<String>,
    ) -> Result<Self, NotLet> {
        let id = session.unwrap_or_else(|| new_id("s_"));
        if id.is_empty() || id.len() > NAME_BYTES_MAX {
            return Err(NotLet::Name("session must be 1 to 128 bytes"));
        }
        let name = name.filter(|name| is_name(name));
        Ok(Self { site, id, name, verified: false, scope: None, others: Vec::new() })
    }

    fn claimed(site: &Arc<Site>, claims: Claims, name: Option<String>) -> Self {
        let Claims { identity, known, .. } = claims;
        let Identity { sub, name: signed, email, phone_number: phone, crm_id, contract } = identity;
        let other = |kind, value: Option<String>| {
            value.filter(|value| is_name(value)).map(|value| ContactId { kind, value, scope: None })
        };
        let others = [
            other(ContactIdKind::Crm, crm_id),
            other(ContactIdKind::Contract, contract),
            other(ContactIdKind::E164, phone.map(|phone| phone_number(&phone))),
            other(ContactIdKind::Email, email.map(|email| email.to_lowercase())),
        ];
        let account = &site.account.name;
        let scope = if known { format!("{account}/customer") } else { account.clone() };
        Self {
            site: Arc::clone(site),
            id: sub,
            name: signed.or_else(|| name.filter(|name| is_name(name))),
            verified: known,
            scope: Some(scope),
            others: others.into_iter().flatten().collect(),
        }
    }

    /// As the log knows them.
    pub(super) fn contact(&self) -> Contact {
        let (kind, value) = (ContactIdKind::WebChat, self.id.clone());
        let mut ids = vec![ContactId { kind, value, scope: self.scope.clone() }];
        ids.extend(self.others.iter().cloned());
        Contact { ids, name: self.name.clone() }
    }
}

/// A token for a new visitor, or for `again`, who has one that still holds.
pub(super) fn issue(door: &Door, site: &Site, again: Option<&str>) -> Result<Issued, NotLet> {
    let keys = door.keyring().of(&site.account.tenant)?;
    let now_ms = door.now_ms();
    let stranger = || Claims {
        identity: Identity {
            sub: new_id("v_"),
            name: None,
            email: None,
            phone_number: None,
            crm_id: None,
            contract: None,
        },
        exp: 0,
        known: false,
    };
    let key = keys.visitor_key(&site.account.name);
    let claims = again.map(|token| token::verify::<Claims>(&key, token, now_ms)).transpose()?;
    // A customer's own token is not made to last by us: the site does.
    match claims {
        Some(claims) if claims.known => Ok(Issued {
            visitor: claims.identity.sub,
            expires_at_ms: claims.exp * 1000,
            token: again.unwrap_or_default().to_owned(),
        }),
        claims => {
            let claims = claims.unwrap_or_else(stranger);
            signed(keys, site, claims, now_ms, site.account.visitor_lasts)
        }
    }
}

/// A token for the customer of whom the site says `identity`.
pub(super) fn issue_known(door: &Door, site: &Site, identity: &str) -> Result<Issued, NotLet> {
    let secret = site.account.site_secret.as_bytes();
    if secret.is_empty() {
        return Err(NotLet::NoSecret);
    }
    let keys = door.keyring().of(&site.account.tenant)?;
    let now_ms = door.now_ms();
    let identity: Identity = token::verify(secret, identity, now_ms)?;
    if !is_name(&identity.sub) || identity.name.as_ref().is_some_and(|name| !is_name(name)) {
        return Err(NotLet::Name("sub and name must be 1 to 128 bytes"));
    }
    let lasts = CUSTOMER_LASTS.min(site.account.visitor_lasts);
    signed(keys, site, Claims { identity, exp: 0, known: true }, now_ms, lasts)
}

fn signed(
    keys: &TenantKeys,
    site: &Site,
    claims: Claims,
    now_ms: i64,
    lasts: Duration,
) -> Result<Issued, NotLet> {
    let exp = now_ms.div_euclid(1000) + i64::try_from(lasts.as_secs()).unwrap_or(i64::MAX >> 12);
    let visitor = claims.identity.sub.clone();
    let key = keys.visitor_key(&site.account.name);
    let token = token::sign(&key, &Claims { exp, ..claims }).map_err(|_| TokenError::Bad)?;
    Ok(Issued { token, visitor, expires_at_ms: exp * 1000 })
}

fn is_name(name: &str) -> bool {
    !name.trim().is_empty() && name.len() <= NAME_BYTES_MAX
}

fn new_id(prefix: &str) -> String {
    format!("{prefix}{}", BASE32_DNSSEC.encode(&random_bytes::<16>()))
}
