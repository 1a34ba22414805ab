//! What the pipeline knows of a customer beside the words speaks in the next message, and is told.

use std::path::Path;
use std::time::Duration;

use serde_json::Value;
use tests::api::Answer;
use tests::server::{Options, Server, models, root};

const PATIENCE: Duration = Duration::from_secs(60);
/// Whom the demo CRM knows: the line does not answer, nor do others in the district.
const CUSTOMER: &str = "C5";

/// The bundled models with the table of facts of the corpus beside them.
pub fn models_with_table(dir: &Path) -> String {
    let to = dir.join("models-with-table");
    std::fs::create_dir_all(&to).unwrap();
    for file in ["intent.model", "sentiment.model", "frustrated.model", "urgent.model"] {
        std::fs::copy(models().unwrap().join(file), to.join(file)).unwrap();
    }
    let table = root().join("classifier/corpus/context.json");
    std::fs::copy(table, to.join("context.json")).unwrap();
    to.to_str().unwrap().to_owned()
}

/// A customer's line is found down; what decides on the message after that.
async fn explained(options: Options) -> Vec<String> {
    let server = Server::start(options).await.unwrap();
    let api = server.api();
    let first = api.decide(CUSTOMER, "minha internet caiu").await.unwrap();
    assert_eq!(first["route"], "auto", "{first}");
    let path = format!("/v1/conversations/{}", first["conversation_id"].as_str().unwrap());
    let answered = |answer: &Answer| answer.text.contains("reply_sent");
    api.until(&path, PATIENCE, answered).await.unwrap();
    let second = api.decide(CUSTOMER, "alguma novidade?").await.unwrap();
    let parts = second["explanation"].as_array().unwrap().iter();
    parts.map(|part: &Value| part["ngram"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_the_crm_told_speaks_in_the_next_message_and_can_be_switched_off() {
    let dir = tempfile::tempdir().unwrap();
    let models = models_with_table(dir.path());
    let options = |name: &str| Options::at(&dir.path().join(name)).with("MODELS__DIR", &models);
    let told = explained(options("on")).await;
    for known in ["[line_down]", "[district_incident]", "[after sem_conexao]"] {
        assert!(told.iter().any(|part| part == known), "{known}: {told:?}");
    }
    let told = explained(options("off").with("MODELS__CONTEXT_HOURS", "0")).await;
    assert!(told.iter().all(|part| !part.starts_with('[')), "{told:?}");
}
