//! Protocol numbers: what the customer quotes. The day, nine digits nobody can guess or count, and a
//! check digit. No counter, so no two stages need to agree on the next one.

use jiff::Timestamp;
use jiff::tz::Offset;
use schemas::ids::ConversationId;
use schemas::sealed::TenantKeys;

/// The protocol of a conversation that opened at `opened_at_ms` (Unix), by the tenant's clock.
#[must_use]
pub fn protocol(
    keys: &TenantKeys,
    conversation: ConversationId,
    opened_at_ms: i64,
    utc_offset_minutes: i32,
) -> String {
    let offset = Offset::from_seconds(utc_offset_minutes * 60).unwrap_or(Offset::UTC);
    let opened = Timestamp::from_millisecond(opened_at_ms).unwrap_or_default();
    let day = offset.to_datetime(opened).date();
    let number = keys.protocol_number(conversation.as_bytes()) % 1_000_000_000;
    let digits = format!("{:04}{:02}{:02}{number:09}", day.year(), day.month(), day.day());
    let check = check_digit(&digits);
    format!("{digits}{check}")
}

/// Luhn (ISO/IEC 7812-1, annex B): catches a wrong digit and most swaps.
fn check_digit(digits: &str) -> u32 {
    let sum: u32 = digits
        .bytes()
        .rev()
        .enumerate()
        .map(|(at, byte)| {
            let digit = u32::from(byte.saturating_sub(b'0'));
            let doubled = if at % 2 == 0 { digit * 2 } else { digit };
            if doubled > 9 { doubled - 9 } else { doubled }
        })
        .sum();
    (10 - sum % 10) % 10
}

#[cfg(test)]
mod tests {
    use super::*;
    use schemas::ids::ContactKey;

    /// Whether `text` is a protocol number: 18 digits of which the last is right.
    fn is_protocol(text: &str) -> bool {
        text.len() == 18
            && text.bytes().all(|byte| byte.is_ascii_digit())
            && text
                .split_at_checked(17)
                .is_some_and(|(digits, check)| check == check_digit(digits).to_string())
    }

    #[test]
    fn carries_the_tenants_day_and_a_check_digit() {
        let keys = TenantKeys::derive("demo", "1", &[1; 32]);
        // 2026-11-21 01:30 UTC is still the 20th in São Paulo.
        let opened_at_ms = 1_795_224_600_000;
        let conversation = ConversationId::new(ContactKey([3; 16]), opened_at_ms);
        let protocol = protocol(&keys, conversation, opened_at_ms, -180);
        assert!(protocol.starts_with("20261120"), "{protocol}");
        assert!(is_protocol(&protocol));
        for at in 0..18 {
            let mut wrong = protocol.clone().into_bytes();
            wrong[at] = b'0' + (wrong[at] - b'0' + 1) % 10;
            assert!(!is_protocol(std::str::from_utf8(&wrong).unwrap()), "digit {at}");
        }
        assert!(!is_protocol("2026112012345678é"));
    }
}
