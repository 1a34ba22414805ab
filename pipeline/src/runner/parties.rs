//! Who is waited for by how many lanes: one that is slow keeps its share of them, one that cannot be had a
//! single one, and the rest is for the others.

use std::collections::{HashMap, VecDeque};

use bytes::Bytes;

/// All parties that are waited for, or could not be had the last time.
pub(super) struct Parties {
    lanes_max: usize,
    known: HashMap<String, Party>,
}

#[derive(Default)]
struct Party {
    /// Lanes that wait for it.
    lanes: usize,
    failing: bool,
    /// Keys whose first record has to wait until a lane may.
    keys: VecDeque<Bytes>,
}

impl Parties {
    pub(super) fn new(lanes_max: usize) -> Self {
        Self { lanes_max: lanes_max.max(1), known: HashMap::new() }
    }

    /// Whether one more lane may wait for `party`; if not, `key` is kept until one may.
    pub(super) fn enter(&mut self, party: &str, key: &Bytes) -> bool {
        let lanes_max = self.lanes_max;
        let found = self.known.entry(party.to_owned()).or_default();
        if found.lanes < found.share(lanes_max) {
            found.lanes += 1;
            return true;
        }
        found.keys.push_back(key.clone());
        false
    }

    /// A lane waits for `party` no more; `failed`: it was in vain. The keys that may try now.
    pub(super) fn leave(&mut self, party: &str, failed: bool) -> Vec<Bytes> {
        let lanes_max = self.lanes_max;
        let Some(found) = self.known.get_mut(party) else { return Vec::new() };
        found.lanes = found.lanes.saturating_sub(1);
        found.failing = failed;
        let room = found.share(lanes_max).saturating_sub(found.lanes).min(found.keys.len());
        let next = found.keys.drain(..room).collect();
        if found.lanes == 0 && found.keys.is_empty() && !failed {
            self.known.remove(party);
        }
        next
    }
}

impl Party {
    fn share(&self, lanes_max: usize) -> usize {
        if self.failing { 1 } else { lanes_max }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(n: u8) -> Bytes {
        Bytes::from(vec![n])
    }

    #[test]
    fn a_party_keeps_its_share_of_the_lanes_and_the_next_key_gets_what_is_free() {
        let mut parties = Parties::new(2);
        let entered: Vec<bool> = (0..4).map(|n| parties.enter("slow", &key(n))).collect();
        assert_eq!(entered, [true, true, false, false]);
        assert!(parties.enter("other", &key(9)), "others have their own share");
        assert_eq!(parties.leave("slow", false), [key(2)], "in order");
        assert!(parties.enter("slow", &key(2)));
        assert!(!parties.enter("slow", &key(5)));
    }

    #[test]
    fn what_cannot_be_had_is_tried_by_one_lane_until_it_can() {
        let mut parties = Parties::new(3);
        for n in 0..6 {
            assert_eq!(parties.enter("away", &key(n)), n < 3);
        }
        assert_eq!(parties.leave("away", true), Vec::<Bytes>::new(), "two lanes still try");
        assert_eq!(parties.leave("away", true), Vec::<Bytes>::new());
        assert_eq!(parties.leave("away", true), [key(3)]);
        assert!(parties.enter("away", &key(3)));
        assert!(!parties.enter("away", &key(7)), "one at a time");
        // It is back: everybody who waits gets a lane.
        assert_eq!(parties.leave("away", false), [key(4), key(5), key(7)]);
    }
}
