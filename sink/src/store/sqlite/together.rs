//! Writing together: what is wanted written at one time goes into one transaction.
//!
//! A transaction costs by itself, and every page it touched is written. A message and its line of the
//! history come by two effects and change the same pages. So whoever comes while another writes waits, and then one
//! writes for all who wait; under load transactions begin [`PACE`] apart, while a write that comes by
//! itself is not held up.
//! Invariant: what was wanted earlier is written no later; each hears whether it was.

use std::time::Duration;

use parking_lot::Mutex;
use pipeline::Offset;
use rusqlite::Connection;
use schemas::topics::Topic;
use tokio::sync::oneshot;
use tokio::time::{Instant, sleep_until};

use super::{apply, broke_down, tables};
use crate::rows::Row;
use crate::store::StoreError;

/// From the beginning of a transaction to that of the next, at least.
const PACE: Duration = Duration::from_millis(20);

/// What somebody wants written.
pub(super) enum Wanted {
    Rows(Vec<Row>),
    /// Everything of the topic below is applied.
    Positions(Topic, Vec<(u32, Offset)>),
}

/// With whoever waits for it.
struct Job {
    wanted: Wanted,
    done: oneshot::Sender<Result<(), StoreError>>,
}

/// Those who wait.
pub(super) struct Together {
    waiting: Mutex<Vec<Job>>,
    /// Held by whoever writes for all: when the next may begin.
    turn: tokio::sync::Mutex<Instant>,
}

/// What is written in one transaction.
pub(super) struct Portion(Vec<Job>);

impl Together {
    pub(super) fn new() -> Self {
        Self { waiting: Mutex::default(), turn: tokio::sync::Mutex::new(Instant::now()) }
    }

    /// Has `wanted` written, by `write` unless somebody else is about to.
    pub(super) async fn write<W: Future<Output = Result<(), StoreError>>>(
        &self,
        wanted: Wanted,
        write: impl FnOnce(Portion) -> W,
    ) -> Result<(), StoreError> {
        let (done, mut told) = oneshot::channel();
        self.waiting.lock().push(Job { wanted, done });
        let mut next_at = self.turn.lock().await;
        if let Ok(result) = told.try_recv() {
            return result;
        }
        sleep_until(*next_at).await;
        *next_at = Instant::now() + PACE;
        let portion = Portion(std::mem::take(&mut *self.waiting.lock()));
        write(portion).await?;
        told.try_recv().unwrap_or_else(|_| Err(broke_down()))
    }
}

impl Portion {
    /// Writes it. When it cannot be written as a whole, each part is tried by itself: what is wrong with one
    /// holds up no other.
    pub(super) fn write(self, connection: &mut Connection) {
        let whole = in_one(connection, &self.0);
        let is_one = self.0.len() == 1;
        for job in self.0 {
            let written = match &whole {
                Ok(()) => Ok(()),
                Err(error) if is_one => Err(tables::unavailable(error)),
                Err(_) => in_one(connection, std::slice::from_ref(&job))
                    .map_err(|error| tables::unavailable(&error)),
            };
            // Who does not wait any more has been ended.
            let _ = job.done.send(written);
        }
    }
}

fn in_one(connection: &mut Connection, jobs: &[Job]) -> rusqlite::Result<()> {
    let transaction = connection.transaction()?;
    let rows = jobs.iter().filter_map(|job| match &job.wanted {
        Wanted::Rows(rows) => Some(rows),
        Wanted::Positions(..) => None,
    });
    apply::rows(&transaction, rows.flatten())?;
    for job in jobs {
        if let Wanted::Positions(topic, positions) = &job.wanted {
            apply::positions(&transaction, *topic, positions)?;
        }
    }
    transaction.commit()
}
