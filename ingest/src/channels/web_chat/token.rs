//! Signed words on who a visitor is: JSON Web Tokens (RFC 7519), HMAC-SHA-256 and nothing else.
//!
//! Who verifies chooses the algorithm, never who asks: a token that names another one is no token.

use data_encoding::BASE64URL_NOPAD;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::super::signed;

/// `{"alg":"HS256","typ":"JWT"}`
const HEADER: &str = "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9";
/// Longest token, in bytes.
const TOKEN_BYTES_MAX: usize = 4 << 10;
/// How far the clock of who signed may be ahead of ours.
const CLOCK_AHEAD_S_MAX: i64 = 60;

/// Why a token counts for nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum TokenError {
    #[error("the token is not signed with this account's key")]
    Bad,
    #[error("the token has expired; ask for another")]
    Expired,
}

#[derive(Deserialize)]
struct Header {
    alg: String,
}

/// Claims every token has.
#[derive(Deserialize)]
struct Times {
    /// Until when (Unix, s).
    exp: i64,
    /// From when (Unix, s).
    nbf: Option<i64>,
}

/// Signs `claims`, which have an `exp`.
pub(super) fn sign(key: &[u8], claims: &impl Serialize) -> Result<String, serde_json::Error> {
    let claims = BASE64URL_NOPAD.encode(&serde_json::to_vec(claims)?);
    let signature = signed::signature(key, &[HEADER.as_bytes(), b".", claims.as_bytes()]);
    Ok(format!("{HEADER}.{claims}.{}", BASE64URL_NOPAD.encode(&signature)))
}

/// The claims of `token`, if it is signed with `key` and holds at `now_ms`.
pub(super) fn verify<C: DeserializeOwned>(
    key: &[u8],
    token: &str,
    now_ms: i64,
) -> Result<C, TokenError> {
    let bytes = |part: &str| BASE64URL_NOPAD.decode(part.as_bytes()).map_err(|_| TokenError::Bad);
    let mut parts = token.split('.');
    let (Some(header), Some(claims), Some(signature), None) =
        (parts.next(), parts.next(), parts.next(), parts.next())
    else {
        return Err(TokenError::Bad);
    };
    let signed = token.len() <= TOKEN_BYTES_MAX
        && signed::signs(key, &[header.as_bytes(), b".", claims.as_bytes()], &bytes(signature)?);
    let named: Option<Header> = serde_json::from_slice(&bytes(header)?).ok();
    if !signed || named.is_none_or(|named| named.alg != "HS256") {
        return Err(TokenError::Bad);
    }
    let claims = bytes(claims)?;
    let times: Times = serde_json::from_slice(&claims).map_err(|_| TokenError::Bad)?;
    let now_s = now_ms.div_euclid(1000);
    if times.nbf.is_some_and(|from| from > now_s.saturating_add(CLOCK_AHEAD_S_MAX)) {
        return Err(TokenError::Bad);
    }
    if times.exp <= now_s {
        return Err(TokenError::Expired);
    }
    serde_json::from_slice(&claims).map_err(|_| TokenError::Bad)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    const KEY: &[u8] = b"a shared secret of the site";
    const NOW_MS: i64 = 1_764_000_000_000;

    fn token(claims: &Value) -> String {
        sign(KEY, claims).unwrap()
    }

    #[test]
    fn what_was_signed_is_read_until_it_expires() {
        let signed = token(&json!({ "sub": "C42", "exp": NOW_MS / 1000 + 60 }));
        let read: Value = verify(KEY, &signed, NOW_MS).unwrap();
        assert_eq!(read["sub"], "C42");
        assert_eq!(verify::<Value>(KEY, &signed, NOW_MS + 60_000), Err(TokenError::Expired));
    }

    #[test]
    fn a_published_example_verifies() {
        // jwt.io's, with an `exp` it does not have: signed elsewhere (Python's hmac).
        let key = b"your-256-bit-secret";
        let signed = "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiIxMjM0NTY3ODkwIiwibmFtZSI6Ik\
                      pvaG4gRG9lIiwiaWF0IjoxNTE2MjM5MDIyfQ.SflKxwRJSMeKKF2QT4fwpMeJf36POk6yJV_adQssw5c";
        // Its signature is right; what it lacks is a time to live.
        assert_eq!(verify::<Value>(key, signed, NOW_MS), Err(TokenError::Bad));
        let parts: Vec<&str> = signed.split('.').collect();
        let signature = BASE64URL_NOPAD.decode(parts[2].as_bytes()).unwrap();
        assert!(signed::signs(key, &[parts[0].as_bytes(), b".", parts[1].as_bytes()], &signature));
    }

    #[test]
    fn nothing_else_is_a_token() {
        let good = token(&json!({ "sub": "C42", "exp": NOW_MS / 1000 + 60 }));
        let none = BASE64URL_NOPAD.encode(br#"{"alg":"none"}"#);
        let claims = good.split('.').nth(1).unwrap();
        let other = sign(b"another", &json!({ "exp": NOW_MS / 1000 + 60 })).unwrap();
        let early = token(&json!({ "exp": NOW_MS / 1000 + 600, "nbf": NOW_MS / 1000 + 300 }));
        let forged = format!("{none}.{claims}.");
        let longer = format!("{good}.x");
        let cut = &good[..good.len() - 2];
        let endless = token(&json!({ "sub": "C42" }));
        for bad in ["", "..", "a.b.c", &other, &early, &forged, &longer, cut, &endless] {
            assert_eq!(verify::<Value>(KEY, bad, NOW_MS), Err(TokenError::Bad), "{bad}");
        }
        assert_eq!(verify::<Value>(b"", &good, NOW_MS), Err(TokenError::Bad));
        // Another algorithm under the right signature is refused, too.
        let header = BASE64URL_NOPAD.encode(br#"{"alg":"HS512"}"#);
        let mac = signed::signature(KEY, &[header.as_bytes(), b".", claims.as_bytes()]);
        let other_algorithm = format!("{header}.{claims}.{}", BASE64URL_NOPAD.encode(&mac));
        assert_eq!(verify::<Value>(KEY, &other_algorithm, NOW_MS), Err(TokenError::Bad));
    }
}
