//! Doing what must not be done twice, guarded by the once-ledger.

use std::time::Duration;

use pipeline::Outcome;
use pipeline::ledger::{Claim, LedgerError, OnceKey, OnceLedger};
use serde::Serialize;
use serde::de::DeserializeOwned;

/// Pause before the ledger is asked again.
const LEDGER_RETRY_AFTER: Duration = Duration::from_millis(250);

/// Makes `attempt` unless somebody has begun it before, and remembers how it ended; what was begun
/// and has no known end is told as `interrupted`.
///
/// An attempt that fails certainly did not happen: the claim is taken back, or the next try could
/// not tell. One that may have happened must end in a value that says so.
pub(crate) async fn once<T: Serialize + DeserializeOwned>(
    ledger: &dyn OnceLedger,
    key: &OnceKey,
    interrupted: T,
    attempt: impl Future<Output = Result<T, Outcome>>,
) -> Result<T, Outcome> {
    match ledger.claim(key).await.map_err(again)? {
        Claim::Open => Ok(interrupted),
        Claim::Settled(bytes) => serde_json::from_slice(&bytes)
            .map_err(|_| Outcome::Reject("the ledger's entry is unreadable".to_owned())),
        Claim::Won => match attempt.await {
            Ok(ended) => {
                let bytes = serde_json::to_vec(&ended).unwrap_or_default();
                ledger.settle(key, bytes).await.map_err(again)?;
                Ok(ended)
            }
            Err(failed) => {
                ledger.release(key).await.map_err(again)?;
                Err(failed)
            }
        },
    }
}

#[allow(clippy::needless_pass_by_value)] // the shape map_err wants
pub(crate) fn again(error: LedgerError) -> Outcome {
    Outcome::Retry { after: LEDGER_RETRY_AFTER, why: error.to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use async_trait::async_trait;
    use parking_lot::Mutex;

    /// Answers every claim alike and notes what it is told.
    struct Scripted {
        claim: Result<Claim, LedgerError>,
        fails: bool,
        told: Mutex<Vec<String>>,
    }

    impl Scripted {
        fn note(&self, what: String) -> Result<(), LedgerError> {
            self.told.lock().push(what);
            if self.fails { Err(LedgerError("gone".to_owned())) } else { Ok(()) }
        }
    }

    #[async_trait]
    impl OnceLedger for Scripted {
        async fn claim(&self, _: &OnceKey) -> Result<Claim, LedgerError> {
            self.claim.as_ref().map(Clone::clone).map_err(|error| LedgerError(error.0.clone()))
        }

        async fn settle(&self, _: &OnceKey, outcome: Vec<u8>) -> Result<(), LedgerError> {
            self.note(format!("settled {}", String::from_utf8(outcome).unwrap()))
        }

        async fn release(&self, _: &OnceKey) -> Result<(), LedgerError> {
            self.note("released".to_owned())
        }
    }

    /// What comes of it, and all that happened on the way.
    async fn story(
        claim: Result<Claim, LedgerError>,
        fails: bool,
        attempt: Result<u32, Outcome>,
    ) -> String {
        let ledger = Scripted { claim, fails, told: Mutex::default() };
        let tried = async {
            ledger.told.lock().push("tried".to_owned());
            attempt
        };
        let ended = match once(&ledger, &OnceKey("k".to_owned()), 0, tried).await {
            Ok(ended) => ended.to_string(),
            Err(Outcome::Retry { why, .. }) => format!("retry: {why}"),
            Err(Outcome::Reject(why)) => format!("reject: {why}"),
            Err(Outcome::Done(_)) => unreachable!(),
        };
        let mut told = ledger.told.lock().clone();
        told.push(ended);
        told.join(", ")
    }

    fn failed() -> Outcome {
        Outcome::Retry { after: Duration::ZERO, why: "busy".to_owned() }
    }

    #[tokio::test]
    async fn is_tried_only_by_whoever_won() {
        let gone = || Err(LedgerError("x".to_owned()));
        let unreachable = "retry: the once-ledger cannot be reached: x";
        assert_eq!(story(gone(), false, Ok(7)).await, unreachable);
        assert_eq!(story(Ok(Claim::Open), false, Ok(7)).await, "0");
        assert_eq!(story(Ok(Claim::Settled(b"5".to_vec())), false, Ok(7)).await, "5");
        assert_eq!(
            story(Ok(Claim::Settled(b"?".to_vec())), false, Ok(7)).await,
            "reject: the ledger's entry is unreadable"
        );
    }

    #[tokio::test]
    async fn how_it_ended_is_remembered_before_it_is_told() {
        let won = || Ok(Claim::Won);
        assert_eq!(story(won(), false, Ok(7)).await, "tried, settled 7, 7");
        assert_eq!(story(won(), false, Err(failed())).await, "tried, released, retry: busy");
        let gone = "retry: the once-ledger cannot be reached: gone";
        assert_eq!(story(won(), true, Ok(7)).await, format!("tried, settled 7, {gone}"));
        assert_eq!(story(won(), true, Err(failed())).await, format!("tried, released, {gone}"));
    }
}
