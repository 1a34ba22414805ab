//! Which intents have lost their automatic path, as part of the policy's version.
//!
//! The policy of a log is pinned by its version. A closing must not change what an uncommitted span
//! was decided by, so it is part of the version too: `<policy>~<tenant>/<intent>,…` names the policy
//! and all that is closed in it, and can be made again from the policy alone.

use std::collections::{BTreeMap, BTreeSet};

use pipeline::broadcast::PerTenant;
use schemas::labels::AutomaticPath;

use crate::settings::Settings;

/// Between the policy's own version and what is closed.
const MARK: char = '~';

/// The latest closing and opening of each intent. Records may be taken in any order, and again.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Closings {
    closed: BTreeMap<(String, String), AutomaticPath>,
    opened: BTreeMap<(String, String), AutomaticPath>,
}

impl Closings {
    /// Takes account of a record.
    pub fn take(&mut self, path: AutomaticPath) {
        let paths = if path.open { &mut self.opened } else { &mut self.closed };
        let key = (path.tenant.clone(), path.intent.clone());
        if paths.get(&key).is_none_or(|known| known.at_ms < path.at_ms) {
            paths.insert(key, path);
        }
    }

    /// From when on checks of this intent count (Unix, ms): since it was opened again.
    #[must_use]
    pub fn counted_from_ms(&self, tenant: &str, intent: &str) -> i64 {
        let key = (tenant.to_owned(), intent.to_owned());
        self.opened.get(&key).map_or(0, |opened| opened.at_ms)
    }

    /// What closed each intent that is closed.
    pub fn closed(&self) -> impl Iterator<Item = &AutomaticPath> {
        self.closed.iter().filter_map(|(key, closed)| {
            let opened = self.opened.get(key).map_or(i64::MIN, |opened| opened.at_ms);
            (closed.at_ms > opened).then_some(closed)
        })
    }

    /// The names of all that is closed.
    #[must_use]
    pub fn names(&self) -> BTreeSet<(String, String)> {
        self.closed().map(|path| (path.tenant.clone(), path.intent.clone())).collect()
    }
}

/// The version of the policy `policy` with `closed` in it.
#[must_use]
pub fn version(policy: &str, closed: &BTreeSet<(String, String)>) -> String {
    if closed.is_empty() {
        return policy.to_owned();
    }
    let names: Vec<String> =
        closed.iter().map(|(tenant, intent)| format!("{tenant}/{intent}")).collect();
    format!("{policy}{MARK}{}", names.join(","))
}

/// Takes a version apart: that of the policy, and what is closed.
#[must_use]
pub fn take_apart(version: &str) -> (&str, BTreeSet<(String, String)>) {
    let Some((policy, names)) = version.split_once(MARK) else { return (version, BTreeSet::new()) };
    let closed = names
        .split(',')
        .filter_map(|name| name.split_once('/'))
        .map(|(tenant, intent)| (tenant.to_owned(), intent.to_owned()))
        .collect();
    (policy, closed)
}

impl Settings {
    /// The same policy with `closed` in it.
    #[must_use]
    pub fn with_closed(&self, closed: BTreeSet<(String, String)>) -> Self {
        Self { closed, ..self.clone() }
    }
}

/// The same policies with `closed` in them.
#[must_use]
pub fn with_closed(
    policies: &PerTenant<Settings>,
    closed: &BTreeSet<(String, String)>,
) -> PerTenant<Settings> {
    policies.map(|policy| policy.with_closed(closed.clone()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path(intent: &str, open: bool, at_ms: i64) -> AutomaticPath {
        AutomaticPath {
            tenant: "demo".to_owned(),
            intent: intent.to_owned(),
            open,
            at_ms,
            by: None,
            model_version: "m".to_owned(),
            checked: 20,
            overridden: 9,
            override_rate_min: 0.2,
        }
    }

    #[test]
    fn the_later_moment_holds_in_whatever_order() {
        let records = [path("pix", false, 1), path("pix", true, 2), path("planos", false, 1)];
        for order in [[0, 1, 2], [2, 1, 0], [1, 0, 2]] {
            let mut closings = Closings::default();
            for at in order.into_iter().chain(order) {
                closings.take(records[at].clone());
            }
            assert_eq!(closings.names(), [("demo".to_owned(), "planos".to_owned())].into());
            assert_eq!(closings.counted_from_ms("demo", "pix"), 2);
            closings.take(path("pix", false, 3));
            assert_eq!(closings.names().len(), 2, "closed once more");
        }
    }

    #[test]
    fn a_version_tells_what_is_closed() {
        let closed: BTreeSet<_> =
            [("a".to_owned(), "pix".to_owned()), ("b".to_owned(), "planos".to_owned())].into();
        let version = version("abc", &closed);
        assert_eq!(version, "abc~a/pix,b/planos");
        assert_eq!(take_apart(&version), ("abc", closed));
        assert_eq!(take_apart("abc"), ("abc", BTreeSet::new()));
        assert_eq!(super::version("abc", &BTreeSet::new()), "abc");
    }
}
