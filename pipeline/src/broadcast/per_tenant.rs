//! A side input of which tenants may have their own: one content for all, and some tenants' in its place.

use std::collections::BTreeMap;
use std::sync::Arc;

/// What holds for all tenants but some, and what holds for those.
#[derive(Debug, Clone, PartialEq)]
pub struct PerTenant<B> {
    all: Arc<B>,
    own: BTreeMap<String, Arc<B>>,
}

impl<B> PerTenant<B> {
    /// `all`, but for the tenants in `own`.
    #[must_use]
    pub fn new(all: Arc<B>, own: BTreeMap<String, Arc<B>>) -> Self {
        Self { all, own }
    }

    /// What holds for `tenant`.
    #[must_use]
    pub fn of(&self, tenant: &str) -> &B {
        // Most installations have one tenant: then nothing is looked up.
        if self.own.is_empty() { &self.all } else { self.own.get(tenant).unwrap_or(&self.all) }
    }

    /// The same tenants, with what `change` makes of each content.
    #[must_use]
    pub fn map(&self, change: impl Fn(&B) -> B) -> Self {
        let own = self.own.iter().map(|(tenant, own)| (tenant.clone(), Arc::new(change(own))));
        Self { all: Arc::new(change(&self.all)), own: own.collect() }
    }
}

impl<B> From<B> for PerTenant<B> {
    fn from(all: B) -> Self {
        Self::new(Arc::new(all), BTreeMap::new())
    }
}

/// Something that makes no sense in the text of a side input.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mistake {
    /// Where: the keys that lead there, `times.action_s` or `answer.3.text`.
    pub at: String,
    /// What, and what to do about it.
    pub wrong: String,
}

impl Mistake {
    /// `wrong`, found at `at`.
    pub fn new(at: impl Into<String>, wrong: impl Into<String>) -> Self {
        Self { at: at.into(), wrong: wrong.into() }
    }
}

impl std::fmt::Display for Mistake {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.wrong)
    }
}

/// The line in which byte `at` of a text stands, from 1.
#[must_use]
pub fn line_at(text: &str, at: usize) -> usize {
    text.bytes().take(at).filter(|byte| *byte == b'\n').count() + 1
}

/// All of them, in one line.
#[must_use]
pub fn told(mistakes: &[Mistake]) -> String {
    mistakes.iter().map(|mistake| mistake.wrong.as_str()).collect::<Vec<_>>().join("; ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tenants_own_goes_before_what_holds_for_all() {
        let own = BTreeMap::from([("acme".to_owned(), Arc::new(2))]);
        let both = PerTenant::new(Arc::new(1), own);
        assert_eq!((*both.of("acme"), *both.of("demo")), (2, 1));
        let more = both.map(|n| n * 10);
        assert_eq!((*more.of("acme"), *more.of("demo")), (20, 10));
        assert_eq!(*PerTenant::from(7).of("acme"), 7);
    }
}
