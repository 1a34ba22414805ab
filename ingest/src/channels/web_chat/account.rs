//! The sites a web chat is on: whose customers write there, from which origins, signed with what.

use std::collections::BTreeMap;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use super::limit::Limit;

/// What the account of a tenant is called that configures none, and the default tenant's for pages that
/// name none.
const SITE: &str = "site";

/// How often a visitor may tell that they are writing.
const SIGNS_PER_MINUTE: NonZeroU32 = NonZeroU32::MIN.saturating_add(59);

/// One site.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Account {
    /// Its name in addresses.
    pub name: String,
    /// Whose customers write.
    pub tenant: String,
    /// Origins (`https://www.isp.example`) whose pages may open the chat, beside our own; `*`: all.
    pub origins: Vec<String>,
    /// What the site signs its customers' identity with; empty: it vouches for nobody.
    pub site_secret: String,
    /// How long a visitor is known without coming back.
    pub visitor_lasts: Duration,
    /// How many messages a visitor may write.
    pub messages_per_minute: NonZeroU32,
}

impl Account {
    /// An account as it is without any configuration: our own page, nobody vouched for.
    #[must_use]
    pub fn plain(name: &str, tenant: &str) -> Self {
        Self {
            name: name.to_owned(),
            tenant: tenant.to_owned(),
            origins: Vec::new(),
            site_secret: String::new(),
            visitor_lasts: Duration::from_secs(30 * 24 * 3600),
            messages_per_minute: NonZeroU32::MIN.saturating_add(29),
        }
    }
}

/// An account at work.
pub(super) struct Site {
    pub(super) account: Account,
    pub(super) limit: Limit,
    /// Of signs of life, which are cheaper.
    pub(super) signs: Limit,
}

impl Site {
    fn new(account: Account) -> Arc<Self> {
        let limit = Limit::per_minute(account.messages_per_minute);
        let signs = Limit::per_minute(SIGNS_PER_MINUTE);
        Arc::new(Self { account, limit, signs })
    }

    /// Whether a page of `origin` may talk to us at `host`. Programs that are no browsers name none.
    pub(super) fn lets(&self, origin: Option<&str>, host: Option<&str>) -> bool {
        let Some(origin) = origin else { return true };
        let is_ours = origin.split_once("://").is_some_and(|(_, at)| Some(at) == host);
        let named = |known: &String| known == "*" || known.eq_ignore_ascii_case(origin);
        is_ours || self.account.origins.iter().any(named)
    }
}

/// Every account there is.
pub struct Accounts {
    configured: BTreeMap<String, Arc<Site>>,
    /// By tenant: those that configure none have one all the same. Nobody has to show a token there:
    /// nothing is protected yet.
    plain: BTreeMap<String, Arc<Site>>,
    default_tenant: String,
}

impl Accounts {
    /// The accounts configured, and one for each of `tenants` that has none.
    #[must_use]
    pub fn new<'a>(
        configured: Vec<Account>,
        tenants: impl IntoIterator<Item = &'a str>,
        default_tenant: &str,
    ) -> Self {
        let without = |tenant: &&str| configured.iter().all(|account| account.tenant != **tenant);
        let plain = tenants
            .into_iter()
            .filter(without)
            .map(|tenant| (tenant.to_owned(), Site::new(Account::plain(SITE, tenant))));
        Self {
            plain: plain.collect(),
            configured: configured
                .into_iter()
                .map(|account| (account.name.clone(), Site::new(account)))
                .collect(),
            default_tenant: default_tenant.to_owned(),
        }
    }

    /// The account of this name. A tenant that configures none is found by its own name, and the
    /// default tenant's first as `site`.
    pub(super) fn named(&self, name: &str) -> Option<Arc<Site>> {
        let found = self.configured.get(name).or_else(|| self.plain.get(name));
        let found = found.or_else(|| {
            let tenant = Some(&self.default_tenant).filter(|_| name == SITE)?;
            let mut configured = self.configured.values();
            let theirs = configured.find(|site| site.account.tenant == *tenant);
            theirs.or_else(|| self.plain.get(tenant))
        });
        found.cloned()
    }

    /// Where an unsigned session of `tenant` may write.
    pub(super) fn unsigned(&self, tenant: Option<&str>) -> Option<Arc<Site>> {
        self.plain.get(tenant.unwrap_or(&self.default_tenant)).cloned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn accounts() -> Accounts {
        let shop = Account {
            origins: vec!["https://www.isp.example".to_owned()],
            ..Account::plain("loja", "acme")
        };
        Accounts::new(vec![shop], ["acme", "demo"], "demo")
    }

    #[test]
    fn every_tenant_has_an_account() {
        let accounts = accounts();
        let tenant = |name: &str| accounts.named(name).map(|site| site.account.tenant.clone());
        assert_eq!(tenant("loja").as_deref(), Some("acme"));
        assert_eq!(tenant("site").as_deref(), Some("demo"));
        assert_eq!(tenant("demo").as_deref(), Some("demo"));
        assert_eq!(tenant("acme"), None, "it has one of another name");
        assert!(accounts.unsigned(None).is_some());
        assert!(accounts.unsigned(Some("acme")).is_none(), "signed visitors only");
        let others = Accounts::new(vec![Account::plain("loja", "demo")], ["demo"], "demo");
        assert_eq!(
            others.named("site").map(|site| site.account.name.clone()).as_deref(),
            Some("loja")
        );
    }

    #[test]
    fn only_pages_of_known_origins_may_talk() {
        let site = accounts().named("loja").unwrap();
        let host = Some("chat.isp.example");
        for (origin, lets) in [
            (None, true),
            (Some("https://www.isp.example"), true),
            (Some("https://chat.isp.example"), true),
            (Some("https://isp.example"), false),
            (Some("http://www.isp.example"), false),
            (Some("https://www.isp.example.evil.example"), false),
            (Some("null"), false),
        ] {
            assert_eq!(site.lets(origin, host), lets, "{origin:?}");
        }
    }
}
