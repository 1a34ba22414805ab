//! How well messages with two intents are seen as such.

use crate::rows::{Row, is_out_of_scope};
use crate::serve::head::Head;
use crate::serve::scratch::Scratch;
use serde::{Deserialize, Serialize};

/// Counts over in-scope rows.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Seconds {
    /// Rows marked with a second intent.
    pub with_second: usize,
    /// Of these, both intents are the two listed first, in either order.
    pub both_first: usize,
    /// Of these, both are among the three listed.
    pub both_listed: usize,
    /// Of these, the two named (primary and secondary) are the true two, in either order.
    pub both_named: usize,
    /// Rows without a second intent.
    pub without_second: usize,
    /// Of these, one was named.
    pub wrongly_named: usize,
}

/// Counts how often a head sees the second intent.
#[must_use]
pub fn seconds(head: &Head, rows: &[Row]) -> Seconds {
    let mut scratch = Scratch::new();
    let mut counts = Seconds::default();
    for row in rows.iter().filter(|row| !is_out_of_scope(&row.label)) {
        let said = head.predict(&row.text, &mut scratch);
        let Some(second) = row.second.as_deref() else {
            counts.without_second += 1;
            counts.wrongly_named += usize::from(said.secondary.is_some());
            continue;
        };
        let lists = |n: usize| {
            let listed =
                |wanted: &str| said.ranked.iter().take(n).any(|(label, _)| *label == wanted);
            listed(&row.label) && listed(second)
        };
        let named = [Some(said.label), said.secondary];
        counts.with_second += 1;
        counts.both_first += usize::from(lists(2));
        counts.both_listed += usize::from(lists(3));
        counts.both_named +=
            usize::from(named.contains(&Some(&*row.label)) && named.contains(&Some(second)));
    }
    counts
}
