//! Records no stage could use, as people see them: where, why and when, and never what was in them.

use async_trait::async_trait;
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::api::Desk;
use crate::problem::Problem;

/// One of them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Letter {
    /// Names it: partition and offset in `dead-letters`.
    pub place: String,
    /// Who could not use it.
    pub stage: String,
    /// Why, a short code.
    pub reason: &'static str,
    /// Why, in words without customer data.
    pub detail: String,
    /// Where it stood: topic, partition and offset.
    pub from: String,
    /// How large it is.
    pub bytes: usize,
    /// When it was written (Unix, ms).
    pub at_ms: i64,
}

/// What came of putting some back.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct PutBack {
    /// So many are read again.
    pub put_back: u32,
    /// So many had been put back before.
    pub before: u32,
    /// So many are providers' requests, which `raw replay` reads again.
    pub requests: u32,
    /// So many are states of stages, which those alone write; `store rebuild` reads them again.
    pub states: u32,
}

/// Who knows them and can put them back.
#[async_trait]
pub trait DeadLetters: Send + Sync {
    /// Those nobody has put back, newest first, and how many older ones there are beside them.
    fn waiting(&self) -> (Vec<Letter>, u64);

    /// Puts the one at `place` back at the input it came from, or all of them.
    ///
    /// # Errors
    /// In words, when the log or the ledger does not answer; those before it are put back.
    async fn put_back(&self, place: Option<&str>) -> Result<PutBack, String>;
}

/// `GET /v1/dead-letters`.
pub(crate) async fn list(State(desk): State<Desk>) -> Json<Value> {
    let (letters, beyond) = desk.dead_letters.waiting();
    Json(json!({ "dead_letters": letters, "beyond": beyond }))
}

#[derive(Deserialize)]
pub(crate) struct Replay {
    /// Which; left out: all.
    place: Option<String>,
}

/// `POST /v1/dead-letters/replay`.
pub(crate) async fn replay(
    State(desk): State<Desk>,
    Json(asked): Json<Replay>,
) -> Result<Json<PutBack>, Problem> {
    let place = asked.place.as_deref();
    let told = desk.dead_letters.put_back(place).await.map_err(|error| {
        tracing::warn!(%error, "a dead letter was not put back");
        let detail = "it could not be put back; try again";
        Problem::new(StatusCode::SERVICE_UNAVAILABLE, "not_put_back", detail)
    })?;
    if place.is_some() && told == PutBack::default() {
        return Err(Problem::not_found("dead letter, or somebody has put it back"));
    }
    Ok(Json(told))
}
