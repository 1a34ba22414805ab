//! The once-ledger in its own table, by lightweight transactions and nothing else.
//!
//! Invariants: a claim is won only by who finds its own claimant id in the row, a random one for each
//! call; no statement is repeated before a serial read has told what became of it; a claim is
//! settled and taken back only by the claimant that holds it.
//!
//! A lightweight transaction whose answer is missing (a time-out, a broken connection) may have
//! happened, or may still happen. A read at SERIAL finishes what a majority has accepted and shuts
//! out what it has not, so what it shows is final for attempts that are over. One that is still
//! being carried out by its coordinator carries *our* claimant id: if it lands later, it is ours.

use std::collections::HashMap;
use std::time::Duration;

use async_trait::async_trait;
use parking_lot::Mutex;
use pipeline::ledger::{Claim, LedgerError, OnceKey, OnceLedger};
use scylla::client::session::Session;
use scylla::errors::ExecutionError;
use scylla::serialize::row::SerializeRow;
use scylla::statement::Consistency as Level;
use scylla::statement::prepared::PreparedStatement;
use scylla::value::{CqlValue, Row as CqlRow};

use super::connect::{self, Profiles};
use super::options::{CqlOptions, Serial};
use super::{migrate, statements};
use crate::store::StoreError;

/// Tries before the caller is told that the ledger cannot be reached.
const TRIES_MAX: u32 = 6;
/// Pause before the second try; later ones wait longer. Others contend for the same key.
const PAUSE: Duration = Duration::from_millis(40);

type Claimant = [u8; 16];

/// The ledger.
pub struct CqlLedger {
    session: Session,
    claim: PreparedStatement,
    begin_settled: PreparedStatement,
    settle: PreparedStatement,
    release: PreparedStatement,
    look: PreparedStatement,
    /// Ours that have neither been settled nor taken back.
    held: Mutex<HashMap<OnceKey, Claimant>>,
}

/// A row of the ledger.
struct Entry {
    claimant: Vec<u8>,
    outcome: Option<Vec<u8>>,
}

impl CqlLedger {
    /// Opens the ledger. Its table must be there: [`super::CqlStore::migrate`].
    ///
    /// # Errors
    /// As [`super::CqlStore::open`].
    pub async fn open(options: &CqlOptions) -> Result<Self, StoreError> {
        let profiles = Profiles::of(options);
        let session = connect::session(options, &profiles, true).await?;
        migrate::check(&session, &options.keyspace).await?;
        let once = async |text: &str| {
            let mut statement = statements::prepared(&session, text, &profiles.once).await?;
            statement.set_is_idempotent(false);
            // Its columns depend on whether it was applied.
            statement.set_use_cached_result_metadata(false);
            Ok::<_, StoreError>(statement)
        };
        let mut look = once("SELECT claimant, outcome FROM once_ledger WHERE once = ?").await?;
        look.set_consistency(match options.serial {
            Serial::AllDcs => Level::Serial,
            Serial::LocalDc => Level::LocalSerial,
        });
        let claim = once("INSERT INTO once_ledger (once, claimant) VALUES (?, ?) IF NOT EXISTS");
        let begin_settled =
            "INSERT INTO once_ledger (once, claimant, outcome) VALUES (?, ?, ?) IF NOT EXISTS";
        let settle = "UPDATE once_ledger SET outcome = ? WHERE once = ? IF claimant = ?";
        let release = "DELETE FROM once_ledger WHERE once = ? IF claimant = ?";
        let (claim, begin_settled) = (claim.await?, once(begin_settled).await?);
        let (settle, release) = (once(settle).await?, once(release).await?);
        let held = Mutex::default();
        Ok(Self { session, claim, begin_settled, settle, release, look, held })
    }

    /// Runs a lightweight transaction: whether it was applied, if that is known.
    async fn attempt(
        &self,
        statement: &PreparedStatement,
        cells: impl SerializeRow,
    ) -> Result<Option<bool>, LedgerError> {
        let done = match self.session.execute_unpaged(statement, cells).await {
            Ok(done) => done,
            Err(error @ (ExecutionError::BadQuery(_) | ExecutionError::EmptyPlan)) => {
                return Err(LedgerError(error.to_string())); // it was never sent
            }
            Err(error) => {
                tracing::debug!(%error, "what became of a claim is looked up");
                return Ok(None);
            }
        };
        // [applied] comes first; what follows differs between databases.
        let rows = done.into_rows_result().map_err(|error| LedgerError(error.to_string()))?;
        let row = rows.first_row::<CqlRow>().map_err(|error| LedgerError(error.to_string()))?;
        Ok(match row.columns.into_iter().next() {
            Some(Some(CqlValue::Boolean(applied))) => Some(applied),
            _ => None,
        })
    }

    /// The row as it was agreed on.
    async fn look(&self, key: &OnceKey) -> Result<Option<Entry>, LedgerError> {
        let found = self.session.execute_unpaged(&self.look, (&key.0,)).await;
        let found = found.map_err(|error| LedgerError(error.to_string()))?;
        let rows = found.into_rows_result().map_err(|error| LedgerError(error.to_string()))?;
        let row = rows
            .maybe_first_row::<(Option<Vec<u8>>, Option<Vec<u8>>)>()
            .map_err(|error| LedgerError(error.to_string()))?;
        Ok(row.map(|(claimant, outcome)| Entry { claimant: claimant.unwrap_or_default(), outcome }))
    }

    /// Who holds `key`: we, or else whoever the row names.
    async fn claimant_of(&self, key: &OnceKey) -> Result<Option<Vec<u8>>, LedgerError> {
        if let Some(ours) = self.held.lock().get(key) {
            return Ok(Some(ours.to_vec()));
        }
        Ok(self.look(key).await?.map(|entry| entry.claimant))
    }
}

async fn pause(tried: u32) {
    // Not all at once again: the pauses differ by a random part.
    let [random] = random::<1>().unwrap_or_default();
    let part = PAUSE * u32::from(random) / 256;
    tokio::time::sleep(PAUSE * tried + part).await;
}

fn random<const N: usize>() -> Result<[u8; N], LedgerError> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).map_err(|error| LedgerError(error.to_string()))?;
    Ok(bytes)
}

fn unknown() -> LedgerError {
    LedgerError(format!("{TRIES_MAX} tries did not come to an end; it is tried again later"))
}

#[async_trait]
impl OnceLedger for CqlLedger {
    async fn claim(&self, key: &OnceKey) -> Result<Claim, LedgerError> {
        // One id for all tries of this call: whichever of them lands is ours.
        let claimant: Claimant = random()?;
        for tried in 1..=TRIES_MAX {
            let applied = self.attempt(&self.claim, (&key.0, claimant.as_slice())).await?;
            let entry = match applied {
                Some(true) => Some(Entry { claimant: claimant.to_vec(), outcome: None }),
                Some(false) | None => self.look(key).await?,
            };
            match entry {
                Some(Entry { claimant: found, outcome: None }) if found == claimant => {
                    self.held.lock().insert(key.clone(), claimant);
                    return Ok(Claim::Won);
                }
                Some(Entry { outcome: Some(outcome), .. }) => return Ok(Claim::Settled(outcome)),
                Some(Entry { outcome: None, .. }) => return Ok(Claim::Open),
                // It did not happen, or somebody took his claim back in between.
                None => pause(tried).await,
            }
        }
        Err(unknown())
    }

    async fn settle(&self, key: &OnceKey, outcome: Vec<u8>) -> Result<(), LedgerError> {
        for tried in 1..=TRIES_MAX {
            let applied = match self.claimant_of(key).await? {
                Some(claimant) => self.attempt(&self.settle, (&outcome, &key.0, &claimant)).await?,
                // Nobody began it; that it ended is still to be remembered.
                None => {
                    let claimant: Claimant = random()?;
                    let cells = (&key.0, claimant.as_slice(), &outcome);
                    self.attempt(&self.begin_settled, cells).await?
                }
            };
            let settled = match applied {
                Some(true) => true,
                Some(false) | None => {
                    let entry = self.look(key).await?;
                    entry.is_some_and(|entry| entry.outcome.as_ref() == Some(&outcome))
                }
            };
            if settled {
                self.held.lock().remove(key);
                return Ok(());
            }
            if applied == Some(false) && self.held.lock().remove(key).is_some() {
                return Err(LedgerError("the claim is not ours any more".to_owned()));
            }
            pause(tried).await;
        }
        Err(unknown())
    }

    async fn release(&self, key: &OnceKey) -> Result<(), LedgerError> {
        // The same claimant for all tries: what somebody else has begun meanwhile stays.
        let Some(claimant) = self.claimant_of(key).await? else { return Ok(()) };
        for tried in 1..=TRIES_MAX {
            let applied = self.attempt(&self.release, (&key.0, &claimant)).await?;
            let gone = match applied {
                Some(_) => true,
                None => self.look(key).await?.is_none_or(|entry| entry.claimant != claimant),
            };
            if gone {
                self.held.lock().remove(key);
                return Ok(());
            }
            pause(tried).await;
        }
        Err(unknown())
    }
}
