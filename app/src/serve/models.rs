//! The models over HTTP: which there are, publishing, promoting, shadowing. What `correnteza model` asks
//! of a running server; whoever has the token may ask it too.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, Path, Query, State};
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use pipeline::Log;
use pipeline::clock::Clock;
use schemas::Avro;
use schemas::models::ModelFiles;
use serde::Deserialize;
use serde_json::json;
use tokio::sync::{Mutex, watch};

use super::backend::Backend;
use crate::config::Settings;
use crate::models::chunks;
use crate::models::follow::Known;
use crate::models::installed::{Installed, Listed};
use crate::models::kept::Kept;
use crate::models::releases::{By, Change};

/// Four heads of at most 32 MiB.
const UPLOAD_BYTES_MAX: usize = 160 << 20;
/// How long this process may take to hear of what it has written.
const HEARD_WITHIN: Duration = Duration::from_secs(20);

/// What the routes work with.
#[derive(Clone)]
struct Models {
    installed: Installed,
    clock: Arc<dyn Clock>,
    known: watch::Receiver<Known>,
    /// One change at a time.
    turn: Arc<Mutex<()>>,
}

/// Who asks.
#[derive(Deserialize)]
struct Asker {
    #[serde(default)]
    by: String,
}

/// A refusal.
struct Problem(StatusCode, &'static str, String);

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let Self(status, code, detail) = self;
        let body = json!({
            "type": format!("urn:correnteza:problem:{code}"),
            "title": status.canonical_reason().unwrap_or("refused"),
            "status": status.as_u16(),
            "code": code,
            "detail": detail,
        });
        (status, [(CONTENT_TYPE, "application/problem+json")], body.to_string()).into_response()
    }
}

fn refused(error: &anyhow::Error) -> Problem {
    Problem(StatusCode::UNPROCESSABLE_ENTITY, "refused", format!("{error:#}"))
}

/// The routes, for those who have the token.
pub(super) fn routes(
    backend: &Backend,
    settings: &Settings,
    known: watch::Receiver<Known>,
) -> Router {
    let log: Arc<dyn Log> = Arc::clone(&backend.log);
    let models = Models {
        installed: Installed {
            log,
            kept: Kept::of(&settings.server.data_dir),
            layout: settings.line.layout,
        },
        clock: Arc::clone(&backend.clock),
        known,
        turn: Arc::default(),
    };
    Router::new()
        .route("/v1/models", get(list).post(publish))
        .route("/v1/models/in-use", post(change))
        .route("/v1/models/shadow", get(report))
        .route("/v1/models/{version}", get(show))
        .layer(DefaultBodyLimit::max(UPLOAD_BYTES_MAX))
        .with_state(models)
}

impl Models {
    fn listed(&self) -> Listed {
        let known = self.known.borrow();
        Listed::of(&known.releases, known.ready.clone())
    }

    fn by(&self, name: &str) -> By {
        let name = if name.is_empty() { "api" } else { name };
        By { name: name.to_owned(), now_ms: self.clock.now_ms() }
    }

    /// Waits until this process has heard what it has written.
    async fn heard(&self, is: impl FnMut(&Known) -> bool) {
        let mut known = self.known.clone();
        let _ = tokio::time::timeout(HEARD_WITHIN, known.wait_for(is)).await;
    }
}

async fn list(State(models): State<Models>) -> Json<Listed> {
    Json(models.listed())
}

async fn show(
    State(models): State<Models>,
    Path(version): Path<String>,
) -> Result<Response, Problem> {
    let releases = models.known.borrow().releases.clone();
    if !releases.published.contains_key(&version) {
        let detail = format!("no version {version}; GET /v1/models lists them");
        return Err(Problem(StatusCode::NOT_FOUND, "not_found", detail));
    }
    let shown = models.installed.show(&releases, &version).await;
    shown.map(|card| Json(card).into_response()).map_err(|error| refused(&error))
}

/// Takes the files of a version (Avro, `ModelFiles`).
async fn publish(
    State(models): State<Models>,
    Query(asker): Query<Asker>,
    body: Bytes,
) -> Result<Response, Problem> {
    let files = ModelFiles::from_bytes(&body)
        .map_err(|error| Problem(StatusCode::BAD_REQUEST, "not_models", error.to_string()))?;
    let _turn = models.turn.lock().await;
    let by = models.by(&asker.by);
    let published = models.installed.publish(files, &by).await.map_err(|error| refused(&error))?;
    let version = &published.version;
    models.heard(|known| known.releases.published.get(version) == Some(&published)).await;
    Ok((StatusCode::CREATED, Json(published)).into_response())
}

/// Changes what is in use.
async fn change(
    State(models): State<Models>,
    Query(asker): Query<Asker>,
    Json(change): Json<Change>,
) -> Result<Json<Listed>, Problem> {
    let _turn = models.turn.lock().await;
    let releases = models.known.borrow().releases.clone();
    let by = models.by(&asker.by);
    let changed = models.installed.change(&releases, &change, &by).await;
    let in_use = changed.map_err(|error| refused(&error))?;
    let takes_up = models.known.borrow().ready.is_some();
    models
        .heard(|known| {
            let is_ready = !takes_up || known.ready.as_ref() == Some(&in_use.live);
            known.releases.in_use.as_ref() == Some(&in_use) && is_ready
        })
        .await;
    let releases = models.known.borrow().releases.clone();
    let reader = models.installed.reader();
    let log = Arc::clone(&models.installed.log);
    // Nobody waits for old versions to go.
    tokio::spawn(async move {
        if let Err(error) = chunks::trim(&*log, &releases, &reader, by.now_ms).await {
            tracing::warn!(error = %format!("{error:#}"), "old versions of the models stay");
        }
    });
    Ok(Json(models.listed()))
}

async fn report(State(models): State<Models>) -> Result<Response, Problem> {
    let known = models.known.borrow();
    let in_use = known.releases.in_use.as_ref();
    let pair = in_use.and_then(|now| Some((now.live.as_str(), now.candidate.as_deref()?)));
    let report = known.tallies.report(pair);
    let report = report.ok_or_else(|| {
        let detail =
            "no candidate has been shadowed; `correnteza model shadow DIR` begins".to_owned();
        Problem(StatusCode::NOT_FOUND, "not_found", detail)
    })?;
    Ok(Json(report).into_response())
}
