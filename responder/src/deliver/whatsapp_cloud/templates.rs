//! The templates of a WhatsApp Business Account: `GET /{account}/message_templates`.

use std::collections::BTreeSet;

use reqwest::Url;
use serde::Deserialize;

use super::Account;
use crate::deliver::http::{ask, client};
use crate::template::Listed;

/// Most pages that are asked for; each has 100.
const PAGES_MAX: usize = 100;
const FIELDS: &str = "name,language,status,components";

#[derive(Deserialize)]
struct Page {
    data: Vec<Entry>,
    #[serde(default)]
    paging: Paging,
}

#[derive(Deserialize, Default)]
struct Paging {
    #[serde(default)]
    cursors: Cursors,
    /// There is another page.
    next: Option<String>,
}

#[derive(Deserialize, Default)]
struct Cursors {
    after: Option<String>,
}

#[derive(Deserialize)]
struct Entry {
    name: String,
    language: String,
    status: String,
    #[serde(default)]
    components: Vec<serde_json::Value>,
}

/// Every template of the account.
///
/// # Errors
/// Why they cannot be told, in words.
pub async fn listed(account: &Account) -> Result<Vec<Listed>, String> {
    let client = client()?;
    let id = &account.business_account_id;
    let url = format!("{}/{id}/message_templates", account.api_url.trim_end_matches('/'));
    let (mut found, mut after) = (Vec::new(), String::new());
    for _ in 0..PAGES_MAX {
        let query = [("fields", FIELDS), ("limit", "100"), ("after", after.as_str())];
        let page = Url::parse_with_params(&url, query).map_err(|error| error.to_string())?;
        let answer = ask(client.get(page).bearer_auth(&account.access_token))
            .await
            .map_err(|error| error.to_string())?;
        if answer.status != 200 {
            return Err(format!("the provider answered {} to {url}", answer.status));
        }
        let page: Page = serde_json::from_slice(&answer.body)
            .map_err(|error| format!("the provider's list cannot be read: {error}"))?;
        found.extend(page.data.into_iter().map(Entry::listed));
        match page.paging.cursors.after.filter(|_| page.paging.next.is_some()) {
            Some(cursor) => after = cursor,
            None => return Ok(found),
        }
    }
    Ok(found)
}

impl Entry {
    fn listed(self) -> Listed {
        let is_body = |part: &&serde_json::Value| part["type"] == "BODY";
        let gaps = self.components.iter().find(is_body).map_or(0, |body| gaps_of(&body["text"]));
        let others = self.components.iter().filter(|part| !is_body(part));
        let needs_more = others.into_iter().any(|part| {
            let pictured = part["format"].as_str().is_some_and(|format| format != "TEXT");
            pictured || part.to_string().contains("{{")
        });
        Listed {
            name: self.name,
            language: self.language,
            status: self.status.to_lowercase(),
            gaps,
            needs_more,
        }
    }
}

/// Gaps are `{{1}}` or `{{name}}`; one may stand twice.
fn gaps_of(text: &serde_json::Value) -> usize {
    let parts = text.as_str().unwrap_or_default().split("{{").skip(1);
    parts
        .filter_map(|rest| rest.split_once("}}"))
        .map(|(name, _)| name)
        .collect::<BTreeSet<_>>()
        .len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tells_what_may_be_sent() {
        let entry = |components: serde_json::Value, status: &str| {
            let entry = serde_json::json!({ "name": "a", "language": "pt_BR", "status": status,
                "components": components, "id": "1", "category": "UTILITY" });
            serde_json::from_value::<Entry>(entry).unwrap().listed()
        };
        let body = serde_json::json!({ "type": "BODY", "text": "Oi {{1}}, {{2}} e {{1}}" });
        let plain = entry(serde_json::json!([body]), "APPROVED");
        assert_eq!((plain.gaps, plain.mistake(2)), (2, None));
        assert_eq!(plain.mistake(1).unwrap(), "has 2 gaps, not 1");
        assert_eq!(entry(serde_json::json!([]), "PAUSED").mistake(0).unwrap(), "is paused");
        for more in [
            serde_json::json!({ "type": "HEADER", "format": "IMAGE" }),
            serde_json::json!({ "type": "HEADER", "format": "TEXT", "text": "{{1}}" }),
            serde_json::json!({ "type": "BUTTONS", "buttons": [{ "type": "URL", "url": "https://x/{{1}}" }] }),
        ] {
            assert!(entry(serde_json::json!([body, more]), "APPROVED").needs_more, "{more}");
        }
    }
}
