//! One changelog for all links of a chain: each link's keys begin with its name. A stage that runs
//! alone has its changelog to itself, and its keys are plain.

use std::sync::Arc;

use bytes::Bytes;

use crate::log::{LogError, StateReader, StateRow};

/// Between the name of a stage and its key; no name holds it.
const BEHIND_NAME: u8 = b'|';

/// `key` of the stage called `name` in the chain's changelog.
pub(super) fn key(name: &str, key: &[u8]) -> Bytes {
    let mut whole = Vec::with_capacity(name.len() + 1 + key.len());
    whole.extend_from_slice(name.as_bytes());
    whole.push(BEHIND_NAME);
    whole.extend_from_slice(key);
    whole.into()
}

/// What of `whole` belongs to the stage called `name`.
pub(super) fn reader(whole: &Arc<dyn StateReader>, name: &str) -> Arc<dyn StateReader> {
    Arc::new(Scoped { whole: Arc::clone(whole), name: name.into() })
}

struct Scoped {
    whole: Arc<dyn StateReader>,
    name: smol_str::SmolStr,
}

impl StateReader for Scoped {
    fn get(&self, of_link: &[u8]) -> Result<Option<StateRow>, LogError> {
        self.whole.get(&key(&self.name, of_link))
    }

    fn deadlines(&self) -> Result<Vec<(Bytes, i64)>, LogError> {
        let prefix = key(&self.name, b"");
        let mut deadlines = self.whole.deadlines()?;
        deadlines.retain(|(key, _)| key.starts_with(&prefix));
        deadlines.iter_mut().for_each(|(key, _)| *key = key.split_off(prefix.len()));
        Ok(deadlines)
    }

    fn rows(&self, after: &[u8], rows_max: usize) -> Result<Vec<(Bytes, StateRow)>, LogError> {
        let prefix = key(&self.name, b"");
        let mut rows = self.whole.rows(&key(&self.name, after), rows_max)?;
        rows.retain(|(key, _)| key.starts_with(&prefix));
        rows.iter_mut().for_each(|(key, _)| *key = key.split_off(prefix.len()));
        Ok(rows)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Rows(Vec<(&'static str, i64)>);

    impl StateReader for Rows {
        fn get(&self, key: &[u8]) -> Result<Option<StateRow>, LogError> {
            let row = self.0.iter().find(|(name, _)| name.as_bytes() == key);
            Ok(row.map(|(name, at)| StateRow { value: (*name).into(), wake_at_ms: Some(*at) }))
        }

        fn deadlines(&self) -> Result<Vec<(Bytes, i64)>, LogError> {
            Ok(self.0.iter().map(|(name, at)| (Bytes::from_static(name.as_bytes()), *at)).collect())
        }

        fn rows(&self, after: &[u8], rows_max: usize) -> Result<Vec<(Bytes, StateRow)>, LogError> {
            let mut rows: Vec<_> =
                self.0.iter().filter(|(key, _)| key.as_bytes() > after).collect();
            rows.sort();
            let rows = rows.into_iter().take(rows_max);
            Ok(rows
                .map(|(key, at)| {
                    let row = StateRow { value: (*key).into(), wake_at_ms: Some(*at) };
                    (Bytes::from_static(key.as_bytes()), row)
                })
                .collect())
        }
    }

    #[test]
    fn a_link_sees_its_own_keys_only() {
        let rows: Arc<dyn StateReader> =
            Arc::new(Rows(vec![("a|x", 1), ("ab|x", 2), ("a|b|y", 3), ("x", 4)]));
        let a = reader(&rows, "a");
        assert_eq!(a.get(b"x").unwrap().unwrap().wake_at_ms, Some(1));
        assert_eq!(a.get(b"b|y").unwrap().unwrap().wake_at_ms, Some(3));
        assert_eq!(a.get(b"y").unwrap(), None);
        assert_eq!(a.deadlines().unwrap(), [("x".into(), 1), ("b|y".into(), 3)]);
        assert_eq!(reader(&rows, "ab").deadlines().unwrap(), [("x".into(), 2)]);
        let keys = |after: &[u8]| {
            let found = a.rows(after, 10).unwrap();
            found.into_iter().map(|(key, _)| key).collect::<Vec<_>>()
        };
        assert_eq!(keys(b""), ["b|y", "x"]);
        assert_eq!(keys(b"b|y"), ["x"]);
    }
}
