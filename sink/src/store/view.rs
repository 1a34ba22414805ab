//! Where conversations stand, in memory: what lists and queues are answered from when the database
//! keeps no queue as rows.
//!
//! Whoever answers queries keeps one. It is loaded from the database once for each tenant that is
//! asked about, and kept current by following the topic `conversations`.
//! Invariants: a stand never gives way to an older one of its conversation, so overlap and repeats
//! are harmless; every conversation people have or wait for is in it; of the others, every one that
//! changed after the tenant's floor.

use std::collections::{BTreeSet, HashMap};

use parking_lot::Mutex;
use pipeline::Offset;
use schemas::conversation::{Conversation, ConversationState, Priority};
use schemas::ids::ConversationId;
use schemas::topics::{CONVERSATIONS, Topic};

use super::columns::rank;
use super::{Filter, QueueRow, held};
use crate::rows::ConversationRow;

/// Conversations nobody waits for that are remembered of a tenant, so that the first pages of a list
/// need no search: some 2 MiB.
const IDLE_MAX: usize = 10_000;

/// Where one conversation stands, without what is sealed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stand {
    /// Identity.
    pub conversation_id: ConversationId,
    /// Where it stands.
    pub state: ConversationState,
    /// Who has it.
    pub owner: Option<String>,
    /// Where it waits, or waited last.
    pub queue: Option<String>,
    /// How soon.
    pub priority: Priority,
    /// When a person should have answered (Unix, ms).
    pub sla_due_ms: Option<i64>,
    /// When it began (Unix, ms).
    pub opened_at_ms: i64,
    /// When something happened last (Unix, ms).
    pub updated_at_ms: i64,
    /// Of the last line of the history.
    pub seq: i64,
}

impl Stand {
    /// After a row of the store.
    #[must_use]
    pub fn of_row(row: &ConversationRow) -> Self {
        Self {
            conversation_id: row.conversation_id,
            state: row.state,
            owner: row.owner.clone(),
            queue: row.queue.clone(),
            priority: row.priority,
            sla_due_ms: row.sla_due_ms,
            opened_at_ms: row.opened_at_ms,
            updated_at_ms: row.updated_at_ms,
            seq: row.seq,
        }
    }

    /// After a line of the history that was written at `at_ms` (Unix).
    #[must_use]
    pub fn of_record(record: &Conversation, at_ms: i64) -> Self {
        Self {
            conversation_id: record.conversation_id,
            state: record.state,
            owner: record.owner.clone(),
            queue: record.queue.clone(),
            priority: record.priority,
            sla_due_ms: record.sla_due_ms,
            opened_at_ms: record.opened_at_ms,
            updated_at_ms: at_ms,
            seq: record.seq,
        }
    }

    /// Puts itself over a row the database wrote earlier.
    #[must_use]
    pub fn over(self, row: ConversationRow) -> ConversationRow {
        ConversationRow {
            state: self.state,
            owner: self.owner,
            queue: self.queue,
            priority: self.priority,
            sla_due_ms: self.sla_due_ms,
            updated_at_ms: self.updated_at_ms,
            seq: self.seq,
            ..row
        }
    }

    /// Whether people have it or wait for it: what queues are made of.
    #[must_use]
    pub fn is_held(&self) -> bool {
        held(self.state)
    }

    /// Whether a list with `filter` shows it.
    #[must_use]
    pub fn fits(&self, filter: &Filter) -> bool {
        (filter.states.is_empty() || filter.states.contains(&self.state))
            && filter.queue.as_ref().is_none_or(|queue| self.queue.as_ref() == Some(queue))
            && filter.owner.as_ref().is_none_or(|owner| self.owner.as_ref() == Some(owner))
            && filter.updated_before_ms.is_none_or(|before_ms| self.updated_at_ms < before_ms)
    }

    /// What is to be looked at first is least.
    #[must_use]
    pub fn urgency(&self) -> impl Ord + use<> {
        (
            self.sla_due_ms.is_none(),
            self.sla_due_ms,
            -rank(self.priority),
            self.opened_at_ms,
            self.conversation_id,
        )
    }
}

/// Behind what a tail of `conversations` begins, given the first records the store has not applied:
/// all before them is loaded from the store.
#[must_use]
pub fn tail_behind(positions: &[(u32, Offset)]) -> HashMap<(Topic, u32), Offset> {
    // A partition that is not named is followed from its beginning.
    let behind = |(partition, first): &(u32, Offset)| {
        Some(((CONVERSATIONS, *partition), first.checked_sub(1)?))
    };
    positions.iter().filter_map(behind).collect()
}

/// How far a tenant's conversations have been taken from the database.
#[derive(Debug, Default, PartialEq, Eq)]
enum Load {
    #[default]
    Not,
    /// Seqs met: what was let go of meanwhile must not come back older.
    Going(HashMap<ConversationId, i64>),
    Done,
}

#[derive(Debug, Default)]
struct OfTenant {
    stands: HashMap<ConversationId, Stand>,
    /// Those nobody waits for, by change: the oldest are let go of.
    idle: BTreeSet<(i64, ConversationId)>,
    /// Of the idle, those that changed at this moment or before may be missing (Unix, ms).
    floor_ms: i64,
    load: Load,
}

impl OfTenant {
    fn take(&mut self, stand: Stand) {
        let id = stand.conversation_id;
        let known = self.stands.get(&id).map_or(0, |known| known.seq);
        let met = match &mut self.load {
            Load::Going(met) => {
                let met = met.entry(id).or_insert(0);
                std::mem::replace(met, stand.seq.max(*met))
            }
            Load::Not | Load::Done => 0,
        };
        if stand.seq <= known.max(met) {
            return;
        }
        if !stand.is_held() {
            self.idle.insert((stand.updated_at_ms, id));
        }
        let later = (stand.updated_at_ms, stand.is_held());
        if let Some(before) = self.stands.insert(id, stand)
            && !before.is_held()
            && later != (before.updated_at_ms, false)
        {
            self.idle.remove(&(before.updated_at_ms, id));
        }
        while self.idle.len() > IDLE_MAX {
            let Some((at_ms, id)) = self.idle.pop_first() else { break };
            self.stands.remove(&id);
            self.floor_ms = self.floor_ms.max(at_ms);
        }
    }
}

/// The view of one process.
#[derive(Debug, Default)]
pub struct OpenView {
    tenants: Mutex<HashMap<String, OfTenant>>,
}

impl OpenView {
    /// Takes a line of `conversations` off the log. The tail must begin where
    /// [`tail_behind`] says, or conversations may be missed that the store has not applied yet.
    pub fn follow(&self, record: &Conversation, at_ms: i64) {
        if record.seq == 0 {
            return; // a refusal without a conversation
        }
        let stand = Stand::of_record(record, at_ms);
        let mut tenants = self.tenants.lock();
        if let Some(tenant) = tenants.get_mut(&record.tenant) {
            tenant.take(stand);
        } else {
            tenants.entry(record.tenant.clone()).or_default().take(stand);
        }
    }

    /// Forgets everything: the tail that fed it has ended. The next query loads it again; begin the
    /// next tail before that.
    pub fn forget(&self) {
        self.tenants.lock().clear();
    }

    /// Takes what has just been written to the database. A tenant nobody asked about is left to be
    /// loaded.
    pub(super) fn applied(&self, tenant: &str, stand: Stand) {
        if let Some(tenant) = self.tenants.lock().get_mut(tenant)
            && tenant.load != Load::Not
        {
            tenant.take(stand);
        }
    }

    pub(super) fn is_loaded(&self, tenant: &str) -> bool {
        self.tenants.lock().get(tenant).is_some_and(|tenant| tenant.load == Load::Done)
    }

    /// From now on what is written is taken, then the database is read: nothing falls between.
    pub(super) fn begin_load(&self, tenant: &str) {
        let mut tenants = self.tenants.lock();
        let tenant = tenants.entry(tenant.to_owned()).or_default();
        let met = tenant.stands.values().map(|stand| (stand.conversation_id, stand.seq)).collect();
        tenant.load = Load::Going(met);
    }

    /// Takes what was found in the database while loading.
    pub(super) fn found(&self, tenant: &str, stands: Vec<Stand>) {
        if let Some(tenant) = self.tenants.lock().get_mut(tenant) {
            stands.into_iter().for_each(|stand| tenant.take(stand));
        }
    }

    /// Everything that changed after `floor_ms` has been found. False when it was forgotten meanwhile.
    pub(super) fn end_load(&self, tenant: &str, floor_ms: i64) -> bool {
        let mut tenants = self.tenants.lock();
        let loading = |tenant: &&mut OfTenant| matches!(tenant.load, Load::Going(_));
        let Some(tenant) = tenants.get_mut(tenant).filter(loading) else { return false };
        tenant.floor_ms = tenant.floor_ms.max(floor_ms);
        tenant.load = Load::Done;
        true
    }

    /// The stands a list shows, and the moment at or before which idle ones may be missing.
    pub(super) fn fitting(&self, tenant: &str, filter: &Filter) -> (Vec<Stand>, i64) {
        let tenants = self.tenants.lock();
        let Some(tenant) = tenants.get(tenant) else { return (Vec::new(), i64::MIN) };
        let fitting = tenant.stands.values().filter(|stand| stand.fits(filter)).cloned().collect();
        (fitting, tenant.floor_ms)
    }

    /// How the queues of `tenant` stand at `now_ms` (Unix).
    pub(super) fn queues(&self, tenant: &str, now_ms: i64) -> Vec<QueueRow> {
        let tenants = self.tenants.lock();
        let mut rows: std::collections::BTreeMap<&str, QueueRow> = Default::default();
        let stands = tenants.get(tenant).into_iter().flat_map(|tenant| tenant.stands.values());
        for stand in stands.filter(|stand| stand.is_held()) {
            let Some(queue) = stand.queue.as_deref() else { continue };
            let row = rows.entry(queue).or_insert_with(|| QueueRow {
                queue: queue.to_owned(),
                waiting: 0,
                assigned: 0,
                oldest_ms: None,
                overdue: 0,
            });
            if stand.state != ConversationState::Queued {
                row.assigned += 1;
                continue;
            }
            row.waiting += 1;
            row.overdue += u64::from(stand.sla_due_ms.is_some_and(|due_ms| due_ms < now_ms));
            let oldest_ms = row.oldest_ms.unwrap_or(i64::MAX).min(stand.opened_at_ms);
            row.oldest_ms = Some(oldest_ms);
        }
        rows.into_values().collect()
    }

    /// How many conversations are to be looked at before this one, in its queue.
    pub(super) fn ahead_of(&self, tenant: &str, id: ConversationId) -> Option<u64> {
        let tenants = self.tenants.lock();
        let stands = &tenants.get(tenant)?.stands;
        let waits = |stand: &&Stand| stand.state == ConversationState::Queued;
        let mine = stands.get(&id).filter(waits)?;
        let place = mine.urgency();
        let before = stands.values().filter(waits).filter(|other| {
            other.queue == mine.queue && mine.queue.is_some() && other.urgency() < place
        });
        Some(before.count() as u64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stand(n: u32, seq: i64, state: ConversationState, updated_at_ms: i64) -> Stand {
        let mut id = [0; 20];
        id[..4].copy_from_slice(&n.to_be_bytes());
        Stand {
            conversation_id: ConversationId(id),
            state,
            owner: None,
            queue: Some("suporte".to_owned()),
            priority: Priority::Normal,
            sla_due_ms: None,
            opened_at_ms: 0,
            updated_at_ms,
            seq,
        }
    }

    fn waiting(view: &OpenView) -> u64 {
        view.queues("t", 0).first().map_or(0, |row| row.waiting)
    }

    const MANY: u32 = 10_000;

    #[test]
    fn idle_ones_are_let_go_of_oldest_first_and_held_ones_never() {
        use ConversationState::{Closed, Queued};
        let view = OpenView::default();
        view.begin_load("t");
        view.found("t", vec![stand(0, 1, Queued, 1)]);
        view.found("t", (1..=MANY + 5).map(|n| stand(n, 1, Closed, i64::from(n) * 10)).collect());
        assert!(view.end_load("t", 0));
        let (all, floor_ms) = view.fitting("t", &Filter::default());
        assert_eq!((all.len(), floor_ms), (10_001, 50));
        assert!(all.iter().all(|stand| stand.is_held() || stand.updated_at_ms > floor_ms));
        assert_eq!(waiting(&view), 1);
    }

    #[test]
    fn what_was_let_go_of_while_loading_does_not_come_back_older() {
        use ConversationState::{Closed, Queued};
        let view = OpenView::default();
        view.begin_load("t");
        view.applied("t", stand(0, 9, Closed, 1));
        view.found("t", (1..=MANY).map(|n| stand(n, 1, Closed, 100)).collect());
        view.found("t", vec![stand(0, 5, Queued, 1)]);
        assert_eq!(waiting(&view), 0, "it has been closed since");
        assert!(view.end_load("t", 0));
    }

    #[test]
    fn a_stand_gives_way_to_a_newer_one_only() {
        use ConversationState::{Assigned, Closed, Queued};
        let view = OpenView::default();
        view.applied("t", stand(0, 1, Queued, 1));
        assert_eq!(waiting(&view), 0, "nobody asked about the tenant: it is left to be loaded");
        view.begin_load("t");
        for (seq, state, waits) in
            [(2, Queued, 1), (4, Assigned, 0), (3, Queued, 0), (5, Queued, 1)]
        {
            view.applied("t", stand(0, seq, state, seq));
            assert_eq!(waiting(&view), waits, "after {seq}");
        }
        view.applied("t", stand(0, 6, Closed, 6));
        view.applied("t", stand(0, 7, Queued, 7));
        let tenants = view.tenants.lock();
        assert!(tenants["t"].idle.is_empty(), "who waits again is not let go of");
    }

    #[test]
    fn what_is_forgotten_while_it_is_loaded_is_loaded_again() {
        let view = OpenView::default();
        view.begin_load("t");
        view.forget();
        view.found("t", vec![stand(0, 1, ConversationState::Queued, 1)]);
        assert!(!view.end_load("t", 0) && !view.is_loaded("t"));
    }
}
