//! The brake: dead letters are for the odd bad record. When records fail in a row, or a good share
//! of them does, something else is wrong, and setting all of them aside would lose the order of
//! every conversation. Then the stage stops and the backlog waits for an operator.

use std::collections::BTreeMap;

use schemas::ops::DeadLetterReason;

/// How many dead letters are too many.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct BrakePolicy {
    /// So many in a row.
    pub consecutive_max: u32,
    /// Such a share of the last [`Self::window`] records.
    pub ratio_max: f64,
    /// Records over which the share is taken; before that many have been seen it is not.
    pub window: u32,
}

impl Default for BrakePolicy {
    fn default() -> Self {
        Self { consecutive_max: 100, ratio_max: 0.05, window: 2_000 }
    }
}

/// Counts rejections by reason.
#[derive(Debug, Default)]
pub(crate) struct Brake {
    counts: BTreeMap<DeadLetterReason, Count>,
    seen: u32,
}

#[derive(Debug, Default)]
struct Count {
    consecutive: u32,
    in_window: u32,
}

impl Brake {
    /// Notes what became of a record; `false`: stop before it.
    pub(crate) fn allows(
        &mut self,
        policy: &BrakePolicy,
        reason: Option<DeadLetterReason>,
    ) -> bool {
        self.seen += 1;
        if self.seen > policy.window {
            self.seen = 1;
            self.counts.values_mut().for_each(|count| count.in_window = 0);
        }
        for (other, count) in &mut self.counts {
            if Some(*other) != reason {
                count.consecutive = 0;
            }
        }
        let Some(reason) = reason else { return true };
        let count = self.counts.entry(reason).or_default();
        count.consecutive += 1;
        count.in_window += 1;
        let share_max = f64::from(policy.window) * policy.ratio_max;
        count.consecutive <= policy.consecutive_max && f64::from(count.in_window) <= share_max
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use DeadLetterReason::{Panicked, Undecodable};

    const POLICY: BrakePolicy = BrakePolicy { consecutive_max: 3, ratio_max: 0.1, window: 100 };

    #[test]
    fn stops_when_records_fail_in_a_row() {
        let mut brake = Brake::default();
        for _ in 0..3 {
            assert!(brake.allows(&POLICY, Some(Undecodable)));
        }
        assert!(!brake.allows(&POLICY, Some(Undecodable)));
        assert!(brake.allows(&POLICY, None));
        assert!(brake.allows(&POLICY, Some(Undecodable)), "a good record in between clears it");
        assert!(brake.allows(&POLICY, Some(Panicked)), "each reason has its own row");
    }

    #[test]
    fn stops_when_a_good_share_fails() {
        let mut brake = Brake::default();
        let mut stopped_at = None;
        for record in 0..100 {
            let reason = (record % 5 == 0).then_some(Undecodable);
            if !brake.allows(&POLICY, reason) {
                stopped_at = Some(record);
                break;
            }
        }
        assert_eq!(stopped_at, Some(50), "the eleventh of a hundred is over a tenth");
    }

    #[test]
    fn the_odd_bad_record_goes_on_forever() {
        let mut brake = Brake::default();
        for record in 0..100_000 {
            assert!(brake.allows(&POLICY, (record % 20 == 0).then_some(Undecodable)));
        }
    }
}
