//! `X-Hub-Signature-256`: HMAC-SHA-256 of the body as received, hex, after `sha256=` (Meta, "Validate
//! payloads"). Never of re-written JSON: escapes would differ.

use crate::channels::signed;

/// Whether `header` signs `body` with `app_secret`. Takes the same time for every wrong signature.
#[must_use]
pub(super) fn is_signed(app_secret: &str, body: &[u8], header: Option<&str>) -> bool {
    let hex = header.and_then(|header| header.strip_prefix("sha256="));
    hex.is_some_and(|hex| signed::fits(app_secret, &[body], hex))
}

#[cfg(test)]
mod tests {
    use data_encoding::HEXLOWER_PERMISSIVE;
    use hmac::{Hmac, KeyInit, Mac};
    use sha2::Sha256;

    use super::*;

    fn signed(secret: &str, body: &[u8]) -> String {
        let mut mac = <Hmac<Sha256> as KeyInit>::new_from_slice(secret.as_bytes()).unwrap();
        mac.update(body);
        format!("sha256={}", HEXLOWER_PERMISSIVE.encode(&mac.finalize().into_bytes()))
    }

    #[test]
    fn accepts_the_right_signature_and_no_other() {
        // A body with escapes: re-written JSON would not verify.
        let body = br#"{"text":"liga\u00e7\u00e3o \u2705"}"#;
        let good = signed("secret", body);
        assert!(is_signed("secret", body, Some(&good)));
        assert!(is_signed(
            "secret",
            body,
            Some(&good.to_uppercase().replace("SHA256=", "sha256="))
        ));
        let mut flipped = body.to_vec();
        flipped[3] ^= 1;
        assert!(!is_signed("secret", &flipped, Some(&good)));
        assert!(!is_signed("other", body, Some(&good)));
        for bad in [
            None,
            Some(""),
            Some("sha256="),
            Some("sha256=zz"),
            Some(&good[..20]),
            Some(&good[7..]),
        ] {
            assert!(!is_signed("secret", body, bad), "{bad:?}");
        }
        assert!(!is_signed("", body, Some(&signed("", body))), "no secret, no trust");
    }
}
