//! `intents`: which have lost their automatic path, asked of the running server.

use anyhow::{Context, bail};
use serde_json::{Value, json};

use super::print;
use crate::cli::{AtServer, Intents};
use crate::simulate::Client;

/// Does what is asked of intents.
pub(super) async fn run(asked: Intents) -> anyhow::Result<()> {
    match asked {
        Intents::List { server } => list(&server).await,
        Intents::Reopen { intent, agent, server } => reopen(&server, &intent, &agent).await,
    }
}

fn tenant(server: &AtServer) -> String {
    server.tenant.as_ref().map(|tenant| format!("?tenant={tenant}")).unwrap_or_default()
}

fn unreachable(server: &AtServer) -> String {
    format!("{} does not answer as a desk: is the server running, and --token right?", server.url)
}

async fn list(server: &AtServer) -> anyhow::Result<()> {
    let client = Client::new(&server.url, &server.token)?;
    let path = format!("/v1/metrics/model{}", tenant(server));
    let told = client.get(&path).await.with_context(|| unreachable(server))?;
    let closed =
        told.get("closed").and_then(Value::as_array).with_context(|| unreachable(server))?;
    if closed.is_empty() {
        return print("every automatic path of the policy is open");
    }
    let mut text = format!("{:<24} {:>8} {:>11}  models\n", "closed", "checked", "overridden");
    for path in closed {
        text += &format!(
            "{:<24} {:>8} {:>11}  {}\n",
            path["intent"].as_str().unwrap_or_default(),
            path["checked"].as_i64().unwrap_or_default(),
            path["overridden"].as_i64().unwrap_or_default(),
            path["model_version"].as_str().unwrap_or_default()
        );
    }
    print(text.trim_end())
}

async fn reopen(server: &AtServer, intent: &str, agent: &str) -> anyhow::Result<()> {
    let client = Client::new(&server.url, &server.token)?;
    let path = format!("/v1/intents/{intent}/reopen{}", tenant(server));
    let (status, told) = client
        .post(&path, &json!({ "agent": agent }))
        .await
        .with_context(|| unreachable(server))?;
    match status {
        200 => print(&format!("{intent} is answered by the machine again")),
        409 => bail!("{intent} is not closed; `correnteza intents list` shows what is"),
        _ => bail!(
            "{status}: {}",
            told.get("detail").and_then(Value::as_str).unwrap_or("no reason given")
        ),
    }
}
