//! Keyed state of one partition: staged while a unit runs, handed over at its commit, hot keys kept
//! in memory.

use std::collections::HashMap;
use std::sync::Arc;

use bytes::Bytes;
use foldhash::fast::RandomState;

use crate::log::{LogError, StateReader, StateRow};
use crate::stage::Keyed;

/// State of a key and the deadline it waits for.
#[derive(Debug, Clone)]
pub(super) struct Entry<T> {
    pub(super) state: T,
    pub(super) wake_at_ms: Option<i64>,
}

/// By key of a state. Keys are ours, not anybody's choice: contacts are hashed under a secret.
pub(super) type ByKey<T> = HashMap<Bytes, T, RandomState>;

/// States of one partition.
pub(super) struct KeyedState<T> {
    reader: Arc<dyn StateReader>,
    /// Changed since the last commit.
    staged: ByKey<Option<Entry<T>>>,
    /// Of the last commit, which may still be on its way: until it has taken effect these can be read
    /// nowhere else.
    committing: ByKey<Option<Entry<T>>>,
    /// As committed; the keys used lately. Two generations: what was not used while the young one
    /// filled up is forgotten with the old one.
    young: ByKey<Option<Entry<T>>>,
    old: ByKey<Option<Entry<T>>>,
    hot_keys_max: usize,
}

impl<T: Keyed> KeyedState<T> {
    pub(super) fn new(reader: Arc<dyn StateReader>, hot_keys_max: usize) -> Self {
        Self {
            reader,
            staged: ByKey::default(),
            committing: ByKey::default(),
            young: ByKey::default(),
            old: ByKey::default(),
            hot_keys_max: hot_keys_max.max(2),
        }
    }

    /// The state of `key` as the last record left it.
    pub(super) fn get(&mut self, key: &Bytes) -> Result<Option<Entry<T>>, LogError> {
        if !T::KEPT {
            return Ok(None);
        }
        let at_hand = [&self.staged, &self.committing, &self.young];
        if let Some(entry) = at_hand.into_iter().find_map(|by_key| by_key.get(key)) {
            return Ok(entry.clone());
        }
        let entry = match self.old.remove(key) {
            Some(entry) => entry,
            None => self.reader.get(key)?.map(|row| read(&row)).transpose()?,
        };
        self.keep_hot(key.clone(), entry.clone());
        Ok(entry)
    }

    /// Stages what a record left.
    pub(super) fn put(&mut self, key: Bytes, entry: Option<Entry<T>>) {
        if T::KEPT {
            self.staged.insert(key, entry);
        }
    }

    /// What changed since the last commit, for the next. The last one has taken effect.
    pub(super) fn take_changes(&mut self) -> Result<Vec<(Bytes, Option<StateRow>)>, LogError> {
        let committing = std::mem::take(&mut self.staged);
        let mut changes = Vec::with_capacity(committing.len());
        for (key, entry) in &committing {
            changes.push((key.clone(), entry.as_ref().map(write).transpose()?));
        }
        // A changelog may be somebody's input: the same unit always writes it in the same order.
        changes.sort_unstable_by(|(a, _), (b, _)| a.cmp(b));
        for (key, entry) in std::mem::replace(&mut self.committing, committing) {
            self.old.remove(&key);
            self.keep_hot(key, entry);
        }
        Ok(changes)
    }

    fn keep_hot(&mut self, key: Bytes, entry: Option<Entry<T>>) {
        if self.young.len() >= self.hot_keys_max / 2 {
            self.old = std::mem::take(&mut self.young);
        }
        self.young.insert(key, entry);
    }
}

fn read<T: Keyed>(row: &StateRow) -> Result<Entry<T>, LogError> {
    let state = T::decode(&row.value).map_err(|error| {
        LogError::Fatal(format!("state in the changelog is unreadable: {error}"))
    })?;
    Ok(Entry { state, wake_at_ms: row.wake_at_ms })
}

fn write<T: Keyed>(entry: &Entry<T>) -> Result<StateRow, LogError> {
    let value = entry
        .state
        .encode()
        .map_err(|error| LogError::Fatal(format!("state does not fit its schema: {error}")))?;
    Ok(StateRow { value: value.into(), wake_at_ms: entry.wake_at_ms })
}
