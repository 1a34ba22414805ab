//! Requests no program should send. Each is answered in words, and none holds up who comes after.

use serde_json::json;

use super::{Scene, Struck};
use crate::api::Api;
use crate::chaos::facts::Written;

/// A text as large as a body may be, and one that fits.
const TOO_LARGE: usize = 1 << 20;
const LARGE: usize = 900 << 10;
const PATHS: [&str; 2] = ["/v1/messages", "/v1/channels/whatsapp_cloud/nobody"];

/// Bodies that are no message.
fn bodies() -> Vec<Vec<u8>> {
    let of = |text: &str| json!({ "channel": "api", "customer": { "id": "X" }, "text": text });
    let mut spoilt = of("oi").to_string().into_bytes();
    spoilt.splice(spoilt.len() - 4..spoilt.len() - 2, [0xff, 0xfe]);
    vec![
        of(&"a".repeat(TOO_LARGE)).to_string().into_bytes(),
        spoilt,
        b"{\"channel\":\"api\",\"customer\":{\"id\":".to_vec(),
        b"null".to_vec(),
        Vec::new(),
        "[".repeat(100_000).into_bytes(),
        b"{\"channel\":\"api\",\"customer\":{\"id\":\"\\ud800\"},\"text\":\"oi\"}".to_vec(),
        b"{\"object\":\"whatsapp_business_account\",\"entry\":{}}".to_vec(),
        vec![0; 4_096],
    ]
}

/// Every one to every door, each round; and a text of 900 KiB, which is a message like any other.
pub(super) async fn poison(scene: &Scene<'_>) -> anyhow::Result<Struck> {
    let mut struck = Struck::begins();
    let api = Api::new(&scene.installation.url);
    let headers = [("content-type", "application/json")];
    for round in 0..scene.rounds {
        for path in PATHS {
            for (n, body) in bodies().into_iter().enumerate() {
                let answer = api.post_raw(path, &headers, body).await;
                let status = answer.as_ref().map_or(0, |answer| answer.status);
                let said = answer.is_ok_and(|answer| !answer.str("/code").is_empty());
                if !(400..500).contains(&status) || !said {
                    struck.broken.push(format!("poison {n} at {path} was answered {status}"));
                }
            }
        }
        let customer = format!("L{}-{round}", scene.seed);
        let text = "internet ".repeat(LARGE / "internet ".len());
        let body = json!({ "channel": "api", "customer": { "id": customer }, "text": text });
        let answer = api.post("/v1/messages", &body).await?;
        if answer.status == 202 {
            let message_id = answer.str("/message_id").to_owned();
            let written = Written { message_id, customer: customer.clone(), text };
            struck.journal.insert(customer, vec![written]);
        } else {
            struck.broken.push(format!("a text of 900 KiB was answered {}", answer.status));
        }
    }
    Ok(struck.ends())
}
