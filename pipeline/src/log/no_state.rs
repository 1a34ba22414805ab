//! The state of a group without a changelog: there is none.

use bytes::Bytes;

use super::{LogError, StateReader, StateRow};

pub(super) struct NoState;

impl StateReader for NoState {
    fn get(&self, _: &[u8]) -> Result<Option<StateRow>, LogError> {
        Ok(None)
    }

    fn deadlines(&self) -> Result<Vec<(Bytes, i64)>, LogError> {
        Ok(Vec::new())
    }

    fn rows(&self, _: &[u8], _: usize) -> Result<Vec<(Bytes, StateRow)>, LogError> {
        Ok(Vec::new())
    }
}
