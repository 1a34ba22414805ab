//! The templates of an account: `GET /v1/ContentAndApprovals` of the Content API.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::Account;
use crate::deliver::http::{ask, client};
use crate::template::Listed;

/// Most pages that are asked for; each has 100.
const PAGES_MAX: usize = 100;

#[derive(Deserialize)]
struct Page {
    contents: Vec<Entry>,
    #[serde(default)]
    meta: Meta,
}

#[derive(Deserialize, Default)]
struct Meta {
    next_page_url: Option<String>,
}

#[derive(Deserialize)]
struct Entry {
    sid: String,
    language: String,
    /// The gaps, with an example each.
    #[serde(default)]
    variables: BTreeMap<String, serde_json::Value>,
    #[serde(default)]
    approval_requests: Approval,
}

#[derive(Deserialize, Default)]
struct Approval {
    #[serde(default)]
    status: String,
}

/// Every template of the account. Texts by SMS need no approval; what is told is WhatsApp's.
///
/// # Errors
/// Why they cannot be told, in words.
pub async fn listed(account: &Account) -> Result<Vec<Listed>, String> {
    let client = client()?;
    let base = account.content_url.trim_end_matches('/');
    let mut url = format!("{base}/v1/ContentAndApprovals?PageSize=100");
    let mut found = Vec::new();
    for _ in 0..PAGES_MAX {
        let request = client.get(&url).basic_auth(&account.account_sid, Some(&account.auth_token));
        let answer = ask(request).await.map_err(|error| error.to_string())?;
        if answer.status != 200 {
            return Err(format!("the provider answered {} to {url}", answer.status));
        }
        let page: Page = serde_json::from_slice(&answer.body)
            .map_err(|error| format!("the provider's list cannot be read: {error}"))?;
        found.extend(page.contents.into_iter().map(Entry::listed));
        // The next page is asked with the account's secret: of nobody but the provider.
        match page.meta.next_page_url.filter(|next| next.starts_with(&format!("{base}/"))) {
            Some(next) => url = next,
            None => return Ok(found),
        }
    }
    Ok(found)
}

impl Entry {
    fn listed(self) -> Listed {
        Listed {
            name: self.sid,
            language: self.language,
            status: self.approval_requests.status.to_lowercase(),
            gaps: self.variables.len(),
            needs_more: false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tells_what_may_be_sent() {
        let page = serde_json::json!({ "meta": { "next_page_url": null }, "contents": [
            { "sid": "HX1", "language": "pt_BR", "variables": { "1": "Ana" },
              "approval_requests": { "status": "approved", "category": "UTILITY" } },
            { "sid": "HX2", "language": "pt_BR", "variables": {} },
        ] });
        let page: Page = serde_json::from_value(page).unwrap();
        let listed: Vec<Listed> = page.contents.into_iter().map(Entry::listed).collect();
        assert_eq!(listed[0].mistake(1), None);
        assert_eq!(listed[1].mistake(0).unwrap(), "is ");
    }
}
