//! The groups that are open: what customers are writing just now, as `turns` last wrote it down.
//!
//! Follows the changelog of `turns`, by itself or in a chain, from now on: a group is known a commit
//! after it was opened, and none lives longer than `age_ms_max`.

use std::collections::HashMap;

use bytes::Bytes;
use parking_lot::Mutex;
use pipeline::log::{self, From, LogError, Tail};
use pipeline::{Log, Stage, Stored};
use schemas::Avro;
use schemas::ids::LineKey;
use schemas::state::TurnsState;
use schemas::topics::{CHAIN_STATE, TURNS_STATE};
use tokio_util::sync::CancellationToken;

use ingest::turns::Turns;

/// One of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Group {
    /// Whose customer, and who.
    pub(super) key: LineKey,
    /// Time of the first message (Unix, ms).
    pub(super) opened_at_ms: i64,
    /// When it ends if nothing comes (Unix, ms).
    pub(super) closes_at_ms: i64,
    /// So many messages.
    pub(super) messages: usize,
}

/// All of them.
#[derive(Default)]
pub(super) struct Groups(Mutex<HashMap<Bytes, Group>>);

impl Groups {
    /// Opens what is followed. From then on nothing is missed.
    pub(super) async fn open(log: &dyn Log) -> Result<Box<dyn Tail>, LogError> {
        log.tail(&[TURNS_STATE, CHAIN_STATE], From::Now).await
    }

    /// Follows until `stop`.
    pub(super) async fn follow(
        &self,
        tail: Box<dyn Tail>,
        stop: CancellationToken,
    ) -> Result<(), LogError> {
        log::follow(tail, stop, |records| records.iter().for_each(|record| self.hear(record))).await
    }

    fn hear(&self, record: &Stored) {
        let key = if record.topic == CHAIN_STATE {
            // The name of the link stands before the key.
            let link = record.key.strip_prefix(Turns::NAME.as_bytes());
            match link.and_then(|rest| rest.strip_prefix(b"|")) {
                Some(key) => record.key.slice_ref(key),
                None => return,
            }
        } else {
            record.key.clone()
        };
        let state = record.value.as_ref().and_then(|value| TurnsState::from_bytes(value).ok());
        let open = state.and_then(|state| state.open).zip(LineKey::parse(&key));
        let mut groups = self.0.lock();
        match open {
            Some((open, of)) => {
                let (opened_at_ms, closes_at_ms) = (open.opened_at_ms, open.closes_at_ms);
                let messages = open.messages.len();
                groups.insert(key, Group { key: of, opened_at_ms, closes_at_ms, messages });
            }
            None => {
                groups.remove(&key);
            }
        }
    }

    /// Those of `tenant`, the oldest first.
    pub(super) fn of(&self, tenant: &str) -> Vec<Group> {
        let groups = self.0.lock();
        let ours = groups.values().filter(|group| group.key.tenant == tenant);
        let mut ours: Vec<Group> = ours.cloned().collect();
        ours.sort_by_key(|group| (group.opened_at_ms, group.key.contact.0));
        ours
    }
}

#[cfg(test)]
mod tests {
    use pipeline::log::memory::MemoryLog;
    use pipeline::{Record, partition};
    use schemas::ids::{ContactKey, MessageId};
    use schemas::message::MessageKind;
    use schemas::state::{OpenMessage, OpenTurn};
    use schemas::topics::Topic;

    use super::*;

    #[tokio::test]
    async fn what_is_open_is_known_in_either_layout_until_it_ends() {
        let log = MemoryLog::new(2);
        let (groups, mut tail) = (Groups::default(), Groups::open(&log).await.unwrap());
        let state = |opened_at_ms: Option<i64>| {
            let message = OpenMessage {
                message_id: MessageId([1; 16]),
                kind: MessageKind::Text,
                text_sealed: None,
            };
            let open = opened_at_ms.map(|opened_at_ms| OpenTurn {
                opened_at_ms,
                closes_at_ms: opened_at_ms + 8_000,
                messages: vec![message.clone(), message],
            });
            TurnsState { open, ..TurnsState::default() }.to_bytes().unwrap()
        };
        let mut put = async |topic: Topic, key: &str, opened_at_ms: Option<i64>| {
            let record = Record::new(topic, key.as_bytes().to_vec(), state(opened_at_ms), 1);
            let within = partition::of(key.as_bytes(), 2);
            log.append(vec![Record { partition: Some(within), ..record }]).await.unwrap();
            tail.next().await.unwrap().iter().for_each(|record| groups.hear(record));
        };
        let key = |tenant: &str, n: u8| {
            String::from_utf8(LineKey::new(tenant, ContactKey([n; 16])).to_bytes()).unwrap()
        };
        put(TURNS_STATE, &key("demo", 1), Some(50)).await;
        put(CHAIN_STATE, &format!("turns|{}", key("demo", 2)), Some(40)).await;
        put(CHAIN_STATE, &format!("router|{}", key("demo", 3)), Some(30)).await;
        put(TURNS_STATE, &key("acme", 1), Some(20)).await;
        let known = |tenant: &str| {
            let of = groups.of(tenant).into_iter();
            of.map(|group| (group.key.contact.0[0], group.opened_at_ms, group.messages))
                .collect::<Vec<_>>()
        };
        assert_eq!(known("demo"), [(2, 40, 2), (1, 50, 2)]);
        assert_eq!(known("acme"), [(1, 20, 2)]);
        put(TURNS_STATE, &key("demo", 1), None).await;
        assert_eq!(known("demo"), [(2, 40, 2)]);
    }
}
