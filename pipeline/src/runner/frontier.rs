//! How far a partition has been taken account of when records finish out of order: the position is
//! the lowest record that is not finished. Contiguous by construction, not checked afterwards.

use std::collections::BTreeMap;

use crate::record::{Offset, Origin};
use crate::watermarks::Watermarks;

/// One partition's records in hand.
#[derive(Debug)]
pub(super) struct Frontier {
    open: BTreeMap<Offset, Open>,
    /// Behind the last record taken.
    next: Offset,
    /// Below this everything is finished.
    position: Offset,
    /// Origins of what was taken: tells repeats.
    seen: Watermarks,
    /// Origins of what lies below `position`: what a commit may hold.
    settled: Watermarks,
    moved: bool,
}

#[derive(Debug)]
struct Open {
    origin: Option<Origin>,
    finished: bool,
}

impl Frontier {
    pub(super) fn new(position: Offset, watermarks: Watermarks) -> Self {
        Self {
            open: BTreeMap::new(),
            next: position,
            position,
            seen: watermarks.clone(),
            settled: watermarks,
            moved: false,
        }
    }

    /// Takes a record in hand; `false` when it is a repeat and already finished.
    pub(super) fn take(&mut self, offset: Offset, origin: Option<&Origin>) -> bool {
        if offset < self.next {
            return false;
        }
        self.next = offset + 1;
        let news = origin.is_none_or(|origin| self.seen.advance(origin));
        self.open.insert(offset, Open { origin: origin.cloned(), finished: !news });
        if !news {
            self.settle();
        }
        news
    }

    /// A record is finished.
    pub(super) fn finish(&mut self, offset: Offset) {
        if let Some(open) = self.open.get_mut(&offset) {
            open.finished = true;
        }
        self.settle();
    }

    fn settle(&mut self) {
        while let Some(first) = self.open.first_entry().filter(|first| first.get().finished) {
            let (offset, open) = first.remove_entry();
            if let Some(origin) = &open.origin {
                self.settled.advance(origin);
            }
            self.position = offset + 1;
            self.moved = true;
        }
    }

    /// What may be committed, if anything is new.
    pub(super) fn take_commit(&mut self) -> Option<(Offset, Watermarks)> {
        std::mem::take(&mut self.moved).then(|| (self.position, self.settled.clone()))
    }

    /// Whether everything taken is finished.
    pub(super) fn is_clear(&self) -> bool {
        self.open.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn stays_below_the_first_unfinished_record() {
        let mut frontier = Frontier::new(10, Watermarks::default());
        for offset in [10, 11, 15] {
            assert!(frontier.take(offset, None));
        }
        frontier.finish(11);
        assert_eq!(frontier.take_commit(), None, "11 is done, 10 is not");
        frontier.finish(10);
        assert_eq!(frontier.take_commit().unwrap().0, 12);
        frontier.finish(15);
        assert_eq!(frontier.take_commit().unwrap().0, 16);
        assert!(frontier.is_clear());
    }

    #[test]
    fn the_watermark_of_a_commit_covers_only_what_is_below_it() {
        let origin = |offset| Origin { stage: "s".into(), partition: 0, offset, index: 0 };
        let mut frontier = Frontier::new(0, Watermarks::default());
        assert!(frontier.take(0, Some(&origin(5))));
        assert!(frontier.take(1, Some(&origin(6))));
        assert!(!frontier.take(2, Some(&origin(6))), "a repeat needs no work");
        frontier.finish(1);
        assert_eq!(frontier.take_commit(), None);
        frontier.finish(0);
        let (position, mut marks) = frontier.take_commit().unwrap();
        assert_eq!(position, 3);
        assert!(!marks.advance(&origin(6)));
        assert!(marks.advance(&origin(7)));
    }

    proptest! {
        #[test]
        fn never_passes_unfinished_work(order in Just((0u64..30).collect::<Vec<_>>()).prop_shuffle()) {
            let mut frontier = Frontier::new(0, Watermarks::default());
            for offset in 0..30 {
                frontier.take(offset, None);
            }
            let mut finished = std::collections::BTreeSet::new();
            for offset in order {
                frontier.finish(offset);
                finished.insert(offset);
                let lowest_open = (0..30).find(|offset| !finished.contains(offset)).unwrap_or(30);
                if let Some((position, _)) = frontier.take_commit() {
                    prop_assert_eq!(position, lowest_open);
                }
            }
            prop_assert!(frontier.is_clear());
        }
    }
}
