//! `X-Chatwoot-Signature`: HMAC-SHA-256 of `<timestamp>.<body>`, hex, after `sha256=`; the timestamp, in
//! seconds, is in `X-Chatwoot-Timestamp` (Chatwoot, pull request 13573). Older servers sign nothing and
//! are not believed.

use crate::channels::signed;

/// How far its clock and ours may be apart, in seconds: what is older may be somebody's copy.
const APART_S_MAX: i64 = 300;

/// Whether the request is signed with `secret`, and fresh.
#[must_use]
pub(super) fn is_signed(
    secret: &str,
    body: &[u8],
    timestamp: Option<&str>,
    signature: Option<&str>,
    now_ms: i64,
) -> bool {
    let (Some(timestamp), Some(hex)) =
        (timestamp, signature.and_then(|signature| signature.strip_prefix("sha256=")))
    else {
        return false;
    };
    let apart_s = timestamp.parse().map(|sent_s: i64| (now_ms / 1_000).saturating_sub(sent_s));
    apart_s.is_ok_and(|apart_s| (-APART_S_MAX..=APART_S_MAX).contains(&apart_s))
        && signed::fits(secret, &[timestamp.as_bytes(), b".", body], hex)
}

#[cfg(test)]
mod tests {
    use data_encoding::HEXLOWER_PERMISSIVE;
    use hmac::{Hmac, KeyInit, Mac};
    use sha2::Sha256;

    use super::*;

    const NOW_MS: i64 = 1_795_177_931_000;

    fn signed(secret: &str, timestamp: &str, body: &[u8]) -> String {
        let mut mac = <Hmac<Sha256> as KeyInit>::new_from_slice(secret.as_bytes()).unwrap();
        mac.update(format!("{timestamp}.").as_bytes());
        mac.update(body);
        format!("sha256={}", HEXLOWER_PERMISSIVE.encode(&mac.finalize().into_bytes()))
    }

    #[test]
    fn accepts_the_right_signature_and_no_other() {
        let body = br#"{"content":"liga\u00e7\u00e3o"}"#;
        let good = signed("secret", "1795177931", body);
        let ask = |secret: &str, body: &[u8], timestamp, signature| {
            is_signed(secret, body, timestamp, signature, NOW_MS)
        };
        assert!(ask("secret", body, Some("1795177931"), Some(&good)));
        assert!(!ask("other", body, Some("1795177931"), Some(&good)));
        assert!(!ask("secret", b"{}", Some("1795177931"), Some(&good)));
        assert!(!ask("secret", body, Some("1795177932"), Some(&good)), "another time");
        assert!(!ask("secret", body, None, Some(&good)));
        for bad in [None, Some(""), Some("sha256="), Some("sha256=zz"), Some(&good[7..])] {
            assert!(!ask("secret", body, Some("1795177931"), bad), "{bad:?}");
        }
        let empty = signed("", "1795177931", body);
        assert!(!ask("", body, Some("1795177931"), Some(&empty)), "no secret, no trust");
    }

    #[test]
    fn what_is_old_or_has_no_time_is_not_believed() {
        for timestamp in ["1795177630", "1795178232", "-9223372036854775808", "soon", ""] {
            let signature = signed("secret", timestamp, b"{}");
            assert!(
                !is_signed("secret", b"{}", Some(timestamp), Some(&signature), NOW_MS),
                "{timestamp}"
            );
        }
        let late = signed("secret", "1795177700", b"{}");
        assert!(is_signed("secret", b"{}", Some("1795177700"), Some(&late), NOW_MS));
    }
}
