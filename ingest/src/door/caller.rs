//! Which tenant a program speaks for, where its token says so.

use std::convert::Infallible;
use std::sync::Arc;

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use schemas::sealed::SealError;

/// Whoever calls. Told by who checks tokens, as an extension of the request; where nobody does, a caller
/// speaks for whom it says.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Caller {
    /// The only tenant it may speak for.
    pub tenant: Option<Arc<str>>,
}

impl Caller {
    /// The tenant it speaks for when it names `asked`, or nobody.
    ///
    /// # Errors
    /// When that is another than its own: as if there were no such tenant.
    pub fn speaks_for(&self, asked: Option<&str>, default: &str) -> Result<String, SealError> {
        let meant = asked.unwrap_or(self.tenant.as_deref().unwrap_or(default));
        if self.may_see(meant) {
            Ok(meant.to_owned())
        } else {
            Err(SealError::UnknownTenant(meant.to_owned()))
        }
    }

    /// Whether it may know of `tenant`'s affairs.
    #[must_use]
    pub fn may_see(&self, tenant: &str) -> bool {
        self.tenant.as_deref().is_none_or(|own| own == tenant)
    }
}

impl<S: Sync> FromRequestParts<S> for Caller {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        Ok(parts.extensions.get().cloned().unwrap_or_default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_caller_speaks_for_its_own_tenant_only() {
        let anybody = Caller::default();
        assert_eq!(anybody.speaks_for(None, "demo").unwrap(), "demo");
        assert_eq!(anybody.speaks_for(Some("acme"), "demo").unwrap(), "acme");
        let acme = Caller { tenant: Some("acme".into()) };
        for asked in [None, Some("acme")] {
            assert_eq!(acme.speaks_for(asked, "demo").unwrap(), "acme");
        }
        assert!(acme.speaks_for(Some("demo"), "demo").is_err());
    }
}
