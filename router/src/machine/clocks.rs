//! The clocks people work by: when they should have answered, when they should be done, and when an
//! agent who has claimed has been silent for too long. All of them stand still while nobody works
//! (see `hours.rs`); the second one also while the customer is waited for.

use schemas::state::RouterState;

use super::case::Case;

/// What is owed next: an answer or, once there was one, the end.
pub(super) fn due_ms(state: &RouterState) -> Option<i64> {
    state.sla_due_ms.or(state.resolution_due_ms)
}

impl Case<'_> {
    /// The moment at which people have had `ms` of working time from now on.
    fn after(&self, ms: i64) -> i64 {
        self.settings.after(self.tenant, self.now_ms, ms)
    }

    /// The customer waits for people of `queue`, who should answer at `due_ms`; clocks that run
    /// already go on.
    pub(super) fn owe_answer(&mut self, queue: &str, due_ms: i64) {
        if self.state.sla_due_ms.is_none() {
            self.state.sla_due_ms = Some(due_ms);
            self.state.sla_breached = false;
        }
        self.resume_resolution();
        if self.state.resolution_due_ms.is_none() {
            let within = self.settings.resolution_minutes.get(queue);
            self.state.resolution_due_ms = within.map(|minutes| self.after(minutes * 60_000));
        }
    }

    /// An agent wrote: the answer is given, and it is for the customer to go on.
    pub(super) fn wait_for_customer(&mut self) {
        self.state.sla_due_ms = None;
        self.state.agent_deadline_ms = None;
        self.state.snoozed_until_ms = None;
        if let Some(due_ms) = self.state.resolution_due_ms.take() {
            let left_ms = self.settings.working_ms(self.tenant, self.now_ms, due_ms);
            self.state.resolution_left_ms = Some(left_ms);
        }
    }

    /// It is for people to go on.
    pub(super) fn resume_resolution(&mut self) {
        if let Some(left_ms) = self.state.resolution_left_ms.take() {
            self.state.resolution_due_ms = Some(self.after(left_ms));
        }
    }

    /// The agent who has it must write within the policy's time.
    pub(super) fn expect_agent(&mut self) {
        let silent_ms = self.settings.times.agent_silent_s * 1000;
        self.state.agent_deadline_ms = Some(self.after(silent_ms));
    }

    /// Nothing is owed any more.
    pub(super) fn stop_clocks(&mut self) {
        let state = &mut self.state;
        state.sla_due_ms = None;
        state.agent_deadline_ms = None;
        state.snoozed_until_ms = None;
        state.resolution_due_ms = None;
        state.resolution_left_ms = None;
        state.resolution_breached = false;
    }
}
