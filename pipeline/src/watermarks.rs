//! Repeats removed: the highest origin seen of each stage and partition.
//!
//! A stage publishes the outputs of one input partition in order, from a contiguous position, and
//! the same input always gives the same outputs. So anything at or below the highest origin seen is
//! a repeat, also while a zombie writes beside its successor.

use std::collections::BTreeMap;

use smol_str::SmolStr;

use crate::record::{Offset, Origin};

/// Highest origin seen, by stage and partition of origin. A few numbers an input partition.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Watermarks(BTreeMap<(SmolStr, u32), (Offset, u32)>);

impl Watermarks {
    /// Notes `origin`; `false` when it is a repeat.
    pub fn advance(&mut self, origin: &Origin) -> bool {
        let at = (origin.offset, origin.index);
        match self.0.get_mut(&(origin.stage.clone(), origin.partition)) {
            Some(seen) if at <= *seen => false,
            Some(seen) => {
                *seen = at;
                true
            }
            None => {
                self.0.insert((origin.stage.clone(), origin.partition), at);
                true
            }
        }
    }

    /// Bytes for the commit: count, then stage length, stage, partition, offset, index of each.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(32 * self.0.len());
        for ((stage, partition), (offset, index)) in &self.0 {
            bytes.push(u8::try_from(stage.len()).unwrap_or(u8::MAX));
            bytes.extend_from_slice(stage.as_bytes());
            bytes.extend_from_slice(&partition.to_le_bytes());
            bytes.extend_from_slice(&offset.to_le_bytes());
            bytes.extend_from_slice(&index.to_le_bytes());
        }
        bytes
    }

    /// Reads what [`Self::to_bytes`] wrote; `None` when it is something else.
    #[must_use]
    pub fn from_bytes(mut bytes: &[u8]) -> Option<Self> {
        let mut seen = BTreeMap::new();
        while let [length, rest @ ..] = bytes {
            let (stage, rest) = rest.split_at_checked(usize::from(*length))?;
            let (partition, rest) = rest.split_first_chunk::<4>()?;
            let (offset, rest) = rest.split_first_chunk::<8>()?;
            let (index, rest) = rest.split_first_chunk::<4>()?;
            seen.insert(
                (SmolStr::new(std::str::from_utf8(stage).ok()?), u32::from_le_bytes(*partition)),
                (u64::from_le_bytes(*offset), u32::from_le_bytes(*index)),
            );
            bytes = rest;
        }
        Some(Self(seen))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn origin(stage: &str, partition: u32, offset: Offset, index: u32) -> Origin {
        Origin { stage: stage.into(), partition, offset, index }
    }

    #[test]
    fn tells_repeats_from_news() {
        let mut marks = Watermarks::default();
        assert!(marks.advance(&origin("turns", 0, 5, 0)));
        assert!(marks.advance(&origin("turns", 0, 5, 1)));
        assert!(!marks.advance(&origin("turns", 0, 5, 0)));
        assert!(!marks.advance(&origin("turns", 0, 4, 7)));
        assert!(marks.advance(&origin("turns", 1, 4, 0)), "another partition has its own order");
        assert!(marks.advance(&origin("router", 0, 1, 0)), "another stage has its own order");
        assert!(marks.advance(&origin("turns", 0, 9, 0)), "offsets may skip");
    }

    proptest! {
        /// A zombie repeats any stretch at any time: each origin is let through once, in order.
        #[test]
        fn a_zombie_changes_nothing(
            total in 1u64..60,
            repeats in prop::collection::vec((0u64..60, 0u64..20), 0..20),
        ) {
            let mut written: Vec<u64> = (0..total).collect();
            for (from, length) in repeats {
                // What a zombie repeats was written before by somebody.
                let at = usize::try_from(from % (written.len() as u64)).unwrap();
                let stretch: Vec<u64> = written[..=at].iter().rev().take(
                    usize::try_from(length).unwrap()).rev().copied().collect();
                written.splice(at + 1..=at, stretch);
            }
            let mut marks = Watermarks::default();
            let kept: Vec<u64> = written
                .into_iter()
                .filter(|offset| marks.advance(&origin("s", 0, *offset, 0)))
                .collect();
            prop_assert_eq!(kept, (0..total).collect::<Vec<_>>());
            let read = Watermarks::from_bytes(&marks.to_bytes());
            prop_assert_eq!(read, Some(marks));
        }
    }
}
