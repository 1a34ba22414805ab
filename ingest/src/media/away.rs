//! Who could not be had lately: what has been asked for long enough does not wait for another try there, so
//! that a backlog of a server that hangs is told within moments once its time is over.

use std::collections::HashMap;

use parking_lot::Mutex;

/// Tries in vain, one after the other, from which on a party is away.
const IN_VAIN: u32 = 5;

/// Tries in vain since the last one that was not, by party.
#[derive(Default)]
pub(super) struct Away(Mutex<HashMap<String, u32>>);

impl Away {
    /// A try has ended; `had`: the party answered.
    pub(super) fn tried(&self, party: &str, had: bool) {
        let mut in_vain = self.0.lock();
        if had {
            in_vain.remove(party);
        } else {
            let tries = in_vain.entry(party.to_owned()).or_default();
            *tries = tries.saturating_add(1);
        }
    }

    /// Whether nothing was to be had of the party lately.
    pub(super) fn is_away(&self, party: &str) -> bool {
        self.0.lock().get(party).is_some_and(|tries| *tries >= IN_VAIN)
    }
}
