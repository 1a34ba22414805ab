//! A reader outside any group: every partition, only what survives a power cut.

use std::sync::Arc;

use async_trait::async_trait;
use futures::future::select_all;
use tokio::sync::watch;

use super::member::closed;
use super::shared::{Cold, Shared, TopicState};
use crate::log::{From, LogError, Tail};
use crate::record::{Offset, Stored};
use schemas::topics::Topic;

/// Records handed out at once at most, and about how many bytes.
const RECORDS_MAX: usize = 1_000;
const BYTES_MAX: usize = 1 << 20;

pub(super) struct EmbeddedTail {
    followed: Vec<Followed>,
    cold: Cold,
}

struct Followed {
    topic: Arc<TopicState>,
    durable: watch::Receiver<Offset>,
    next: Offset,
}

impl EmbeddedTail {
    pub(super) fn open(shared: &Shared, topics: &[Topic], from: &From) -> Result<Self, LogError> {
        let followed = topics
            .iter()
            .map(|topic| {
                let state = shared.topic(*topic)?;
                let durable = state.durable.subscribe();
                let next = match from {
                    From::Now => *durable.borrow(),
                    From::Start => 0,
                    // All partitions of a topic count one sequence: begin with the lowest.
                    From::Positions(at) => (0..shared.partitions)
                        .map(|partition| at.get(&(*topic, partition)).copied().unwrap_or(0))
                        .min()
                        .unwrap_or(0),
                };
                Ok(Followed { topic: state, durable, next })
            })
            .collect::<Result<_, LogError>>()?;
        Ok(Self { followed, cold: Cold::new(shared.database.clone()) })
    }
}

#[async_trait]
impl Tail for EmbeddedTail {
    async fn next(&mut self) -> Result<Vec<Stored>, LogError> {
        loop {
            let mut found = Vec::new();
            for followed in &mut self.followed {
                let end = *followed.durable.borrow_and_update();
                let records = followed.topic.read(
                    &mut self.cold,
                    followed.next,
                    end,
                    RECORDS_MAX,
                    BYTES_MAX,
                )?;
                followed.next = records.last().map_or(end.max(followed.next), |r| r.offset + 1);
                found.extend(records);
            }
            if !found.is_empty() {
                return Ok(found);
            }
            let changes = self.followed.iter_mut().map(|f| Box::pin(f.durable.changed()));
            let changes: Vec<_> = changes.collect();
            if changes.is_empty() {
                std::future::pending::<()>().await;
            }
            let (changed, _, _) = select_all(changes).await;
            changed.map_err(|_| closed())?;
        }
    }
}
