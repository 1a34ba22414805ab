//! A record no stage could use, put back at the input of the stage that could not: once, whoever asks, and
//! for that stage or effect alone.

use anyhow::bail;
use pipeline::ledger::{Claim, OnceKey, OnceLedger};
use pipeline::{Headers, Log, Record};
use schemas::ops::DeadLetter;
use schemas::topics::{
    self, CHAIN_STATE, DEAD_LETTERS, METRICS_STATE, RAW, ROUTER_STATE, SHADOW_STATE, TURNS_STATE,
    Topic,
};

use crate::config::Layout;
use crate::layout;
use crate::serve::is_read_by;

/// What stages write of themselves.
const STATES: [Topic; 5] = [TURNS_STATE, ROUTER_STATE, CHAIN_STATE, METRICS_STATE, SHADOW_STATE];

/// What came of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PutBack {
    /// It is read again.
    Done,
    /// It was put back before.
    Before,
    /// It is a provider's request: the adapter reads it again (`raw replay`), no stage does.
    Request,
    /// It is the state of a stage, which that stage alone writes: in front of what it writes next, an old
    /// state would be restored in place of the newer one. `store rebuild` reads such topics again.
    State,
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
    if STATES.contains(&spec.topic) {
        return Ok(PutBack::State);
    }
    if !is_read_by(&letter.stage) {
        bail!("{place} is of {}, which this release does not have", letter.stage);
    }
    let once = OnceKey(format!("replay/{place}"));
    // One that was begun and not finished is put back again: the state machines know messages,
    // commands and outcomes by their ids.
    if let Claim::Settled(_) = ledger.claim(&once).await? {
        return Ok(PutBack::Before);
    }
    let topic = layout::again(layout, &letter.stage, spec.topic);
    let mut again =
        Record::new(topic, letter.key, letter.value.unwrap_or_default(), letter.time_ms);
    // Without its origin: the reader has seen that, and would take this for a repeat.
    again.headers.trace = Headers::from_bytes(&letter.headers).trace;
    again.headers.replay_at(&format!("{}/{place}", DEAD_LETTERS.0), &letter.stage);
    log.append(vec![again]).await?;
    ledger.settle(&once, b"replayed".to_vec()).await?;
    Ok(PutBack::Done)
}
