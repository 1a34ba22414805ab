//! The dead letters the desk shows: read from the log, whichever it is, from the oldest on.
//!
//! Holds the newest ones only, within bounds; what does not fit is for the command line.

use std::collections::VecDeque;
use std::sync::Arc;

use async_trait::async_trait;
use parking_lot::Mutex;
use pipeline::ledger::OnceLedger;
use pipeline::log::{self, From, LogError, Tail};
use pipeline::{Log, Stored};
use schemas::Avro;
use schemas::ops::DeadLetter;
use schemas::topics::DEAD_LETTERS;
use tokio_util::sync::CancellationToken;

use super::backend::Backend;
use crate::config::Layout;
use crate::dead_letters::{self, PutBack};

/// The most that is held.
const LETTERS_MAX: usize = 500;
const BYTES_MAX: usize = 16 << 20;

/// Holds them.
pub(super) struct Letters {
    log: Arc<dyn Log>,
    ledger: Arc<dyn OnceLedger>,
    layout: Layout,
    held: Mutex<Held>,
    /// One at a time: of two who ask for the same letter the second is told so.
    putting: tokio::sync::Mutex<()>,
}

#[derive(Default)]
struct Held {
    letters: VecDeque<Letter>,
    bytes: usize,
    /// Older ones that did not fit.
    beyond: u64,
}

#[derive(Clone)]
struct Letter {
    place: String,
    letter: DeadLetter,
    put_back: bool,
}

impl Letters {
    pub(super) fn new(backend: &Backend, layout: Layout) -> Self {
        Self {
            log: Arc::clone(&backend.log),
            ledger: Arc::clone(&backend.ledger),
            layout,
            held: Mutex::default(),
            putting: tokio::sync::Mutex::default(),
        }
    }

    pub(super) async fn open(log: &dyn Log) -> Result<Box<dyn Tail>, LogError> {
        log.tail(&[DEAD_LETTERS], From::Start).await
    }

    pub(super) async fn listen(
        &self,
        tail: Box<dyn Tail>,
        stop: CancellationToken,
    ) -> Result<(), LogError> {
        log::follow(tail, stop, |records| records.iter().for_each(|record| self.hear(record))).await
    }

    fn hear(&self, record: &Stored) {
        let Some(value) = &record.value else { return };
        let letter = match DeadLetter::from_bytes(value) {
            Ok(letter) => letter,
            Err(error) => return tracing::warn!(%error, "a dead letter is unreadable"),
        };
        let place = format!("{}/{}", record.partition, record.offset);
        let mut held = self.held.lock();
        held.bytes += size(&letter);
        held.letters.push_back(Letter { place, letter, put_back: false });
        while held.letters.len() > LETTERS_MAX || held.bytes > BYTES_MAX {
            let Some(oldest) = held.letters.pop_front() else { break };
            held.bytes -= size(&oldest.letter);
            held.beyond += u64::from(!oldest.put_back);
        }
    }

    /// Those that wait: the one at `place`, or all.
    fn asked_for(&self, place: Option<&str>) -> Vec<Letter> {
        let held = self.held.lock();
        let asked = |one: &&Letter| !one.put_back && place.is_none_or(|place| one.place == place);
        held.letters.iter().filter(asked).cloned().collect()
    }

    fn is_put_back(&self, place: &str) {
        let mut held = self.held.lock();
        let found = held.letters.iter_mut().filter(|one| one.place == place);
        found.for_each(|one| one.put_back = true);
    }
}

fn size(letter: &DeadLetter) -> usize {
    letter.value.as_ref().map_or(0, Vec::len) + letter.key.len() + letter.headers.len()
}

#[async_trait]
impl desk::DeadLetters for Letters {
    fn waiting(&self) -> (Vec<desk::Letter>, u64) {
        let shown =
            self.asked_for(None).into_iter().rev().map(|Letter { place, letter, .. }| {
                desk::Letter {
                    place,
                    stage: letter.stage,
                    reason: letter.reason.as_str(),
                    detail: letter.detail,
                    from: format!("{}/{}/{}", letter.topic, letter.partition, letter.offset),
                    bytes: letter.value.map_or(0, |value| value.len()),
                    at_ms: letter.time_ms,
                }
            });
        (shown.collect(), self.held.lock().beyond)
    }

    async fn put_back(&self, place: Option<&str>) -> Result<desk::PutBack, String> {
        let _one_at_a_time = self.putting.lock().await;
        let mut told = desk::PutBack::default();
        for Letter { place, letter, .. } in self.asked_for(place) {
            let done = dead_letters::put_back(
                self.log.as_ref(),
                self.ledger.as_ref(),
                self.layout,
                &place,
                letter,
            );
            match done.await.map_err(|error| format!("{error:#}"))? {
                PutBack::Done => told.put_back += 1,
                PutBack::Before => told.before += 1,
                PutBack::Request => {
                    told.requests += 1;
                    continue;
                }
                PutBack::State => {
                    told.states += 1;
                    continue;
                }
            }
            self.is_put_back(&place);
        }
        Ok(told)
    }
}
