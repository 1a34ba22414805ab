//! The bundled model: all heads from the project's own corpus, and writing model directories.

use crate::artifact::header::Header;
use crate::card_page::{Found, page};
use crate::corpus;
use crate::features::recipe::Recipe;
use crate::rows::{Row, Task};
use crate::serve::head::Head;
use crate::serve::models::Models;
use crate::train::error::TrainError;
use crate::train::head::{TrainedHead, train};
use crate::train::options::{Progress, TrainOptions};
use serde_json::json;
use std::path::Path;

/// Precision that the bundled heads' automatic answers are certified for. With 97 % the certified
/// part of the ordinary rows is a half; at this lower bound, held-out precision is about 97 %.
const TARGET_PRECISION: f64 = 0.96;

/// Share of the held-out rows out of scope that may be answered. Two in a hundred, because strangers
/// write what the corpus's authors did not think of, and three is what is promised.
const OOS_SHARE_MAX: f64 = 0.02;

/// What the card says of where the bundled rows come from.
pub const PROVENANCE: &str = "Authored text, not customers': messages to an imaginary provider, written \
    by the project's authors as they think customers write. Figures on it say little of a \
    provider's own traffic: certify again on real messages, checked by people.";

/// Trains the four heads from the corpus compiled into this program and writes them to `out_dir`,
/// which is made if need be; takes some seconds. Same program, same bytes.
///
/// linfa prints to standard error while fitting (see [`train`]).
///
/// # Errors
/// A bar is not met, or `out_dir` cannot be written.
pub fn train_bundled(
    out_dir: &Path,
    progress: &mut dyn FnMut(Progress),
) -> Result<Models, TrainError> {
    let rows = corpus::training()?;
    let mut heads = Vec::new();
    for task in Task::ALL {
        let head = train_bundled_head(task, &rows, progress)?;
        write_head(out_dir, &head)?;
        heads.push(head.into_head());
    }
    Ok(Models::from_heads(heads))
}

/// Trains one head as [`train_bundled`] does, on the given rows of the corpus.
///
/// # Errors
/// As for [`train`].
pub fn train_bundled_head(
    task: Task,
    rows: &[Row],
    progress: &mut dyn FnMut(Progress),
) -> Result<TrainedHead, TrainError> {
    let recipe =
        if task == Task::Intent { Recipe::provider_intent() } else { Recipe::provider_tone() };
    let options = TrainOptions {
        recipe: Some(recipe),
        target_precision: TARGET_PRECISION,
        oos_share_max: OOS_SHARE_MAX,
        test: corpus::validation()?,
        provenance: PROVENANCE.to_owned(),
        ..TrainOptions::default()
    };
    train(task, rows, &options, progress)
}

/// Writes a head into a model directory and renews its `card.json` and `card.html`. The file
/// appears whole or not at all.
///
/// # Errors
/// The directory cannot be written.
pub fn write_head(dir: &Path, head: &TrainedHead) -> Result<(), TrainError> {
    std::fs::create_dir_all(dir)
        .map_err(|source| TrainError::Write { path: dir.to_owned(), source })?;
    write_whole(&dir.join(head.head().task().file_name()), head.bytes())?;
    let mut found = Vec::new();
    for task in Task::ALL {
        let path = dir.join(task.file_name());
        if path.exists() {
            // A head of an older program does not keep this one from being published.
            found.push((task.name(), Head::open(&path).map_err(|error| error.to_string())));
        }
    }
    let headers: Vec<Found<'_>> = found
        .iter()
        .map(|(name, head)| {
            (*name, head.as_ref().map(|head| &head.model.header).map_err(Clone::clone))
        })
        .collect();
    let mut cards = serde_json::Map::new();
    for (name, header) in &headers {
        let card = match header {
            Ok(header) => card_of(header)?,
            Err(error) => json!({ "unusable": error }),
        };
        cards.insert((*name).to_owned(), card);
    }
    write_whole(&dir.join("card.json"), &serde_json::to_vec_pretty(&cards)?)?;
    write_whole(&dir.join("card.html"), page(&headers).as_bytes())
}

/// The card of a head together with its calibration and thresholds.
fn card_of(header: &Header) -> Result<serde_json::Value, serde_json::Error> {
    Ok(json!({
        "card": serde_json::to_value(&header.card)?,
        "recipe": serde_json::to_value(&header.recipe)?,
        "calibration": serde_json::to_value(&header.calibration)?,
        "thresholds": serde_json::to_value(&header.thresholds)?,
    }))
}

fn write_whole(path: &Path, bytes: &[u8]) -> Result<(), TrainError> {
    let failed = |source| TrainError::Write { path: path.to_owned(), source };
    let draft = path.with_extension("new");
    std::fs::write(&draft, bytes).map_err(failed)?;
    std::fs::rename(&draft, path).map_err(failed)
}
