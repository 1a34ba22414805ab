//! A record no stage could use, put back at the input of the stage that could not: once, whoever asks.

use anyhow::bail;
use pipeline::ledger::{Claim, OnceKey, OnceLedger};
use pipeline::{Headers, Log, Record};
use schemas::ops::DeadLetter;
use schemas::topics::{self, DEAD_LETTERS, RAW};

use crate::config::Layout;
use crate::layout;

/// What came of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PutBack {
    /// It is read again.
    Done,
    /// It was put back before.
    Before,
    /// It is a provider's request: the adapter reads it again (`raw replay`), no stage does.
    Request,
}

/// Puts the letter at `place` back.
///
/// # Errors
/// When its topic is not one of this release, or the log or the ledger does not answer.
pub async fn put_back(
    log: &dyn Log,
    ledger: &dyn OnceLedger,
    layout: Layout,
    place: &str,
    letter: DeadLetter,
) -> anyhow::Result<PutBack> {
    let Some(spec) = topics::named(&letter.topic) else {
        bail!("{place} is from topic {}, which this release does not have", letter.topic);
    };
    if spec.topic == RAW {
        return Ok(PutBack::Request);
    }
    let once = OnceKey(format!("replay/{place}"));
    // One that was begun and not finished is put back again: the state machines know messages,
    // commands and outcomes by their ids.
    if let Claim::Settled(_) = ledger.claim(&once).await? {
        return Ok(PutBack::Before);
    }
    let (topic, link) = layout::again(layout, &letter.stage, spec.topic);
    let mut again =
        Record::new(topic, letter.key, letter.value.unwrap_or_default(), letter.time_ms);
    let whole = format!("{}/{place}", DEAD_LETTERS.0);
    again.headers = Headers {
        // Without its origin: the reader has seen that, and would take this for a repeat.
        origin: None,
        replay_of: Some(whole.as_str().into()),
        trace: Headers::from_bytes(&letter.headers).trace,
    };
    if let Some(stage) = link {
        again.headers.replay_at(&whole, stage);
    }
    log.append(vec![again]).await?;
    ledger.settle(&once, b"replayed".to_vec()).await?;
    Ok(PutBack::Done)
}
