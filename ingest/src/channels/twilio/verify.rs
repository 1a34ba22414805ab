//! `X-Twilio-Signature` (Twilio, "Webhooks Security"): base64 of HMAC-SHA-1, with the auth token, of the
//! address and of every parameter, sorted. Parameters come unannounced, so whatever is there is signed. Of
//! JSON the address carries the body's SHA-256 instead.

use std::collections::{BTreeMap, BTreeSet};

use data_encoding::{BASE64, HEXLOWER_PERMISSIVE};
use hmac::{Hmac, KeyInit, Mac};
use sha1::Sha1;
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

const BODY_HASH: &str = "bodySHA256";

/// Whether `header` signs a request to `url` (with its query) with `auth_token`.
#[must_use]
pub(super) fn is_signed(auth_token: &str, url: &str, body: &[u8], header: Option<&str>) -> bool {
    let Some(signature) = header.and_then(|header| BASE64.decode(header.as_bytes()).ok()) else {
        return false;
    };
    let query = url.split_once('?').map(|(_, query)| query).unwrap_or_default();
    let hash = form_urlencoded::parse(query.as_bytes()).find(|(name, _)| name == BODY_HASH);
    let signed = match hash {
        Some((_, hash)) if is_hash_of(&hash, body) => String::new(),
        Some(_) => return false,
        None => parameters(body),
    };
    // Proxies add and take ports: both forms are tried, and none of them is easier to forge.
    let fits = |url: String| {
        let Ok(mut mac) = <Hmac<Sha1> as KeyInit>::new_from_slice(auth_token.as_bytes()) else {
            return false;
        };
        mac.update(url.as_bytes());
        mac.update(signed.as_bytes());
        mac.verify_slice(&signature).is_ok()
    };
    !auth_token.is_empty() && with_and_without_port(url).into_iter().any(fits)
}

fn is_hash_of(hash: &str, body: &[u8]) -> bool {
    let told = HEXLOWER_PERMISSIVE.decode(hash.as_bytes()).unwrap_or_default();
    bool::from(Sha256::digest(body).as_slice().ct_eq(&told))
}

/// Names and values, in the order of names; of a name given several times each value once, in order.
fn parameters(body: &[u8]) -> String {
    let mut sorted: BTreeMap<_, BTreeSet<_>> = BTreeMap::new();
    for (name, value) in form_urlencoded::parse(body) {
        sorted.entry(name).or_default().insert(value);
    }
    let pairs = sorted.iter().flat_map(|(name, values)| values.iter().map(move |v| (name, v)));
    pairs.map(|(name, value)| format!("{name}{value}")).collect()
}

/// The address as given, without its port, and with the one its scheme stands for.
fn with_and_without_port(url: &str) -> Vec<String> {
    let mut forms = vec![url.to_owned()];
    let Some((scheme, rest)) = url.split_once("://") else { return forms };
    let (host, path) = rest.split_at(rest.find(['/', '?']).unwrap_or(rest.len()));
    match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => {
            forms.push(format!("{scheme}://{name}{path}"));
        }
        _ => {
            let port = if scheme == "https" { 443 } else { 80 };
            forms.push(format!("{scheme}://{host}:{port}{path}"));
        }
    }
    forms
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use serde_json::Value;

    use super::*;

    const TOKEN: &str = "12345";

    fn form(parameters: &Value) -> String {
        let pairs = parameters.as_object().unwrap().iter();
        let mut form = form_urlencoded::Serializer::new(String::new());
        form.extend_pairs(pairs.map(|(name, value)| (name.as_str(), value.as_str().unwrap())));
        form.finish()
    }

    #[test]
    fn case_11_twilios_own_vectors_with_and_without_port() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("../../shared/payloads/twilio/signature_vectors.json");
        let Ok(vectors) = std::fs::read(&path) else {
            println!("SKIPPED: no signature vectors in shared/payloads/twilio");
            return;
        };
        let vectors: Value = serde_json::from_slice(&vectors).unwrap();
        let cases = vectors["cases"].as_array().unwrap();
        assert_eq!(cases.len(), 6);
        for case in cases {
            let same = (case["same_params_as"] == 0).then_some(&cases[0]);
            let parameters = same.unwrap_or(case);
            let body = match (&case["raw_json_body"], &case["body"], &parameters["params"]) {
                (Value::String(json), ..) => json.clone(),
                (_, Value::String(body), _) => body.clone(),
                (.., parameters) => form(parameters),
            };
            let signature = case["expected"].as_str().or(case["accepts"].as_str());
            let url = case["url"].as_str().unwrap();
            assert!(is_signed(TOKEN, url, body.as_bytes(), signature), "{case}");
            assert!(!is_signed("54321", url, body.as_bytes(), signature), "{case}");
            let changed = format!("{body}&Extra=1");
            assert!(!is_signed(TOKEN, url, changed.as_bytes(), signature), "{case}");
        }
    }

    #[test]
    fn a_parameter_nobody_has_announced_is_signed_like_the_others() {
        let (url, body) =
            ("https://isp.example/v1/channels/twilio/sms", b"Body=oi&NewThing=7&From=1");
        let mut mac = <Hmac<Sha1> as KeyInit>::new_from_slice(TOKEN.as_bytes()).unwrap();
        mac.update(format!("{url}BodyoiFrom1NewThing7").as_bytes());
        let signature = BASE64.encode(&mac.finalize().into_bytes());
        assert!(is_signed(TOKEN, url, body, Some(&signature)));
        for bad in [None, Some(""), Some("?"), Some(&signature[..8])] {
            assert!(!is_signed(TOKEN, url, body, bad), "{bad:?}");
        }
        assert!(!is_signed("", url, body, Some(&signature)));
    }
}
