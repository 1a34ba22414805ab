//! E-mail threads the machine writes in: once a day each, or two machines would answer each other for
//! ever. Headers that say "written by a machine" are a courtesy not every machine has.

use schemas::state::AnsweredThread;

use super::case::Case;

const DAY_MS: i64 = 24 * 3_600_000;
/// Threads remembered of one contact; more in a day are answered by people.
const THREADS_MAX: usize = 64;

impl Case<'_> {
    /// Whether the machine may write to the customer about `turn` where the customer wrote last. It may
    /// write once more about a turn it has written about: that answer has not reached anybody.
    pub(super) fn may_write(&self, turn: i64) -> bool {
        let Some(thread) = &self.state.address.thread_key else { return true };
        let all = self.state.answered_threads.iter();
        let today: Vec<_> = all.filter(|answered| self.is_today(answered)).collect();
        let about_another =
            |answered: &&AnsweredThread| answered.turn != turn && answered.thread_key == *thread;
        today.len() < THREADS_MAX && !today.iter().any(|answered| about_another(answered))
    }

    /// The machine writes about `turn`. What answers it carries the protocol number and is of the same
    /// thread, whatever its subject.
    pub(super) fn note_written(&mut self, turn: i64) {
        let Some(thread) = self.state.address.thread_key.clone() else { return };
        let mut answered = std::mem::take(&mut self.state.answered_threads);
        answered.retain(|answered| self.is_today(answered));
        for thread_key in [thread, self.state.protocol.clone()] {
            if !answered.iter().any(|known| known.thread_key == thread_key) {
                answered.push(AnsweredThread { thread_key, turn, at_ms: self.now_ms });
            }
        }
        self.state.answered_threads = answered;
    }

    fn is_today(&self, answered: &AnsweredThread) -> bool {
        answered.at_ms > self.now_ms - DAY_MS
    }
}
