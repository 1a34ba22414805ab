//! The write timestamps and times to live of cells.
//!
//! Among cells of one column the greatest timestamp wins, in whatever order they arrive. So a
//! timestamp is made from what is written: applying a row twice, or after a later one, changes
//! nothing. Invariants: no clock; within a row, the order of timestamps is the order of the
//! conversation (`seq`); the same record always gives the same timestamp, so a tie is a tie between
//! equal values; nothing is deleted, so no tombstone can win a tie.

use std::time::Duration;

use schemas::ids::ConversationId;

/// Microseconds in a second: databases take timestamps for microseconds since 1970.
const SECOND_US: i64 = 1_000_000;

/// Later than any time of a door (ms, year 2255).
const FIRST_WINS: i64 = 9_000_000_000_000;

/// The longest time to live Cassandra takes: 20 years.
const TTL_S_MAX: i64 = 20 * 365 * 86_400;

/// When the conversation opened, out of its id (Unix, s): the same for all its lines.
fn opened_s(id: ConversationId) -> i64 {
    let [.., a, b, c, d] = id.0;
    i64::from(u32::from_be_bytes([a, b, c, d]))
}

/// Of a line: the later line wins. It begins with the opening second, so that it looks like the time
/// of writing to compaction by windows, and to operators.
pub(super) fn line(id: ConversationId, seq: i64) -> i64 {
    opened_s(id) * SECOND_US + seq
}

/// Of the latest conversation of a contact: the one that opened last wins.
pub(super) fn opened(id: ConversationId) -> i64 {
    opened_s(id) * SECOND_US + 1
}

/// Of a message as it was accepted: the first time wins, however often a provider sends it again.
pub(super) fn accepted(at_ms: i64) -> i64 {
    (FIRST_WINS - at_ms).max(1)
}

/// Of a message's text that was taken back: wins over every acceptance.
pub(super) fn taken_back() -> i64 {
    FIRST_WINS + 1
}

/// Of what was told at a time: the later telling wins.
pub(super) fn told(at_ms: i64) -> i64 {
    at_ms.saturating_mul(1_000).max(1)
}

/// Of a slot: always the same.
pub(super) fn slot(slot_ms: i64) -> i64 {
    slot_ms.saturating_mul(1_000).max(1)
}

/// Of a minute: values only grow within a minute and partition, so the greater total is later.
pub(super) fn minute(minute: i64, total: i64) -> i64 {
    minute.saturating_mul(60 * SECOND_US).saturating_add(total).max(0) + 1
}

/// Of a position: the furthest wins, so a process that lags behind its successor sets nothing back.
pub(super) fn position(position: u64) -> i64 {
    i64::try_from(position).unwrap_or(i64::MAX - 1) + 1
}

/// Seconds until what happened at `at_ms` has been kept for `retention`: 0 for ever, `None` when that
/// time is over and nothing is to be written. The clock decides only how long a cell stays, never
/// which one wins.
pub(super) fn ttl_s(retention: Option<Duration>, at_ms: i64, now_ms: i64) -> Option<i32> {
    let Some(retention) = retention else { return Some(0) };
    let kept_ms = i64::try_from(retention.as_millis()).unwrap_or(i64::MAX);
    let left_s = at_ms.saturating_add(kept_ms).saturating_sub(now_ms).div_euclid(1_000);
    i32::try_from(left_s.min(TTL_S_MAX)).ok().filter(|left_s| *left_s > 0)
}

#[cfg(test)]
mod tests {
    use schemas::ids::ContactKey;

    use super::*;

    const NOW_MS: i64 = 1_795_000_000_000;

    #[test]
    fn a_later_line_and_a_later_conversation_win() {
        let id = ConversationId::new(ContactKey([1; 16]), NOW_MS);
        assert!(line(id, 2) > line(id, 1));
        let next = ConversationId::new(ContactKey([1; 16]), NOW_MS + 1_000);
        assert!(opened(next) > opened(id) && line(next, 1) > line(id, 9_999));
    }

    #[test]
    fn the_first_acceptance_the_greatest_total_and_the_furthest_position_win() {
        assert!(accepted(NOW_MS) > accepted(NOW_MS + 1));
        assert!(minute(NOW_MS / 60_000, 8) > minute(NOW_MS / 60_000, 7));
        assert!(position(8) > position(7) && position(0) > 0);
    }

    #[test]
    fn what_is_kept_long_enough_is_not_written() {
        let day = Some(Duration::from_secs(86_400));
        assert_eq!(ttl_s(None, 0, NOW_MS), Some(0));
        assert_eq!(ttl_s(day, NOW_MS, NOW_MS), Some(86_400));
        assert_eq!(ttl_s(day, NOW_MS - 86_399_000, NOW_MS), Some(1));
        assert_eq!(ttl_s(day, NOW_MS - 86_400_000, NOW_MS), None);
        assert_eq!(ttl_s(Some(Duration::MAX), NOW_MS, NOW_MS), Some(630_720_000));
    }
}
