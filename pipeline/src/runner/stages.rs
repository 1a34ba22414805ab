//! The loop of a chain of stages, most often of one: take, process, publish, and now and then commit.
//! How a batch passes the links is in `pass.rs`, what becomes of its outputs in `commits.rs`.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use smol_str::SmolStr;
use tokio_util::sync::CancellationToken;

use super::RunError;
use super::chain::{Chain, Post};
use super::commits::Prepared;
use super::held::Held;
use super::on_its_way::{OnItsWay, Publications};
use super::setup::{Setup, Step};
use crate::broadcast::Broadcasts;
use crate::log::{Event, Group, Lease, Member};
use crate::stage::Stage;

/// What one round of the loop did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stepped {
    /// Took records, was assigned or revoked partitions, ticked or committed.
    Worked,
    /// Found nothing to do.
    Idle,
}

/// Runs one stage, or a chain of them, as one member of its group.
pub struct StageRunner {
    group: Group,
    pub(super) setup: Setup,
    pub(super) posts: Vec<Post>,
    /// Whom the origins of its outputs name.
    pub(super) maker: SmolStr,
    pub(super) member: Box<dyn Member>,
    pub(super) held: BTreeMap<u32, Held>,
    /// Ends the wait for records, and nothing else: a round is never broken off in the middle.
    stop: CancellationToken,
    /// Records taken since the last commit, and when the first was.
    pub(super) uncommitted: usize,
    pub(super) uncommitted_since: Option<Instant>,
    /// When the batch in hand was taken, by our clock (Unix, ms).
    pub(super) taken_ms: i64,
    pub(super) publishing: Publications,
    pub(super) prepared: Option<Prepared>,
    pub(super) committing: OnItsWay,
}

impl StageRunner {
    /// Joins `group` with one stage.
    ///
    /// # Errors
    /// [`RunError::Log`].
    pub async fn join<S: Stage>(
        stage: S,
        group: &Group,
        setup: Setup,
        broadcasts: Arc<dyn Broadcasts<S::Broadcast>>,
        stop: CancellationToken,
    ) -> Result<Self, RunError> {
        Self::join_chain(Chain::of(group.input, stage, broadcasts), group, setup, stop).await
    }

    /// Joins `group` with a chain of stages.
    ///
    /// # Errors
    /// [`RunError::Log`].
    pub async fn join_chain(
        chain: Chain,
        group: &Group,
        setup: Setup,
        stop: CancellationToken,
    ) -> Result<Self, RunError> {
        let maker = chain.name();
        let posts = chain.into_posts()?;
        let member = setup.log.join(group).await?;
        Ok(Self {
            group: group.clone(),
            setup,
            posts,
            maker,
            member,
            held: BTreeMap::new(),
            stop,
            uncommitted: 0,
            uncommitted_since: None,
            taken_ms: 0,
            publishing: Publications::default(),
            prepared: None,
            committing: OnItsWay::default(),
        })
    }

    /// The group it is a member of.
    #[must_use]
    pub fn group(&self) -> &Group {
        &self.group
    }

    /// How many partitions it holds at present.
    #[must_use]
    pub fn holds(&self) -> usize {
        self.held.len()
    }

    /// Begins again from the last commit, as a new member.
    ///
    /// # Errors
    /// [`RunError::Log`].
    pub async fn rejoin(&mut self) -> Result<(), RunError> {
        let held: Vec<u32> = std::mem::take(&mut self.held).into_keys().collect();
        held.into_iter().for_each(|partition| self.release(partition));
        self.uncommitted = 0;
        self.uncommitted_since = None;
        self.publishing = Publications::default();
        self.prepared = None;
        self.committing = OnItsWay::default();
        self.member = self.setup.log.join(&self.group).await?;
        Ok(())
    }

    /// One round: waits at most `wait` for an event, acts on it, ticks what is due, commits when it
    /// is time.
    ///
    /// # Errors
    /// [`RunError`]; the runner is of no use afterwards, what it had not committed is done again.
    pub async fn step(&mut self, wait: Duration) -> Result<Stepped, RunError> {
        self.note_published()?;
        let limit = self.setup.policy.limit(self.wait_at_most(wait));
        let full = self.is_full();
        let mut worked = true;
        tokio::select! {
            event = self.member.next(limit), if !full => match event? {
                Event::Idle => worked = false,
                Event::Assigned(leases) => self.assigned(leases).await?,
                Event::Revoked { leases, .. } => self.revoked(leases).await?,
                Event::Records(records) => self.take(records).await?,
            },
            published = self.publishing.end() => self.published(published)?,
            committed = self.committing.end() => self.committed(committed)?,
            () = tokio::time::sleep(limit.wait), if full => worked = false,
            () = self.stop.cancelled() => worked = false,
        }
        worked |= self.tick().await?;
        if self.commit_is_due() {
            self.prepare_commit().await?;
            worked = true;
        }
        Ok(if worked { Stepped::Worked } else { Stepped::Idle })
    }

    /// Commits what was taken, so that a planned stop replays nothing, and leaves the group.
    ///
    /// # Errors
    /// [`RunError`].
    pub async fn drain(mut self) -> Result<(), RunError> {
        self.commit().await?;
        self.member.leave().await;
        Ok(())
    }

    /// No longer than until the next deadline or commit.
    fn wait_at_most(&self, wait: Duration) -> Duration {
        let mut wait = wait;
        if let Some(deadline_ms) = self.posts.iter().filter_map(|p| p.link.next_deadline()).min() {
            let left = deadline_ms.saturating_sub(self.setup.clock.now_ms()).max(0);
            wait = wait.min(Duration::from_millis(left.unsigned_abs()));
        }
        if let (Some(since), false) = (self.uncommitted_since, self.commits()) {
            wait = wait.min(self.setup.policy.commit_every.saturating_sub(since.elapsed()));
        }
        wait
    }

    async fn assigned(&mut self, leases: Vec<Lease>) -> Result<(), RunError> {
        for lease in leases {
            let restored = self.member.restore(lease).await?;
            let hot_keys_max = self.setup.policy.hot_keys_max;
            let held = Held::restore(lease, restored, &mut self.posts, hot_keys_max)?;
            self.held.insert(lease.partition, held);
        }
        self.tell_held();
        // Records may only be read with versions the log knows of.
        if self.held.values().any(Held::must_commit_pin) {
            self.commit().await?;
        }
        Ok(())
    }

    async fn revoked(&mut self, leases: Vec<Lease>) -> Result<(), RunError> {
        self.commit().await?;
        for lease in leases {
            self.held.remove(&lease.partition);
            self.release(lease.partition);
        }
        self.tell_held();
        Ok(())
    }

    /// Shares out the CPU time of the thread: to each link as long as it worked of all of them.
    pub(super) fn used_cpu(&mut self, used: Duration) {
        let of_all: Duration = self.posts.iter().map(|post| post.worked).sum();
        for (at, post) in self.posts.iter_mut().enumerate() {
            let worked = std::mem::take(&mut post.worked);
            let share = match of_all.is_zero() {
                true => f64::from(u8::from(at == 0)),
                false => worked.as_secs_f64() / of_all.as_secs_f64(),
            };
            self.setup.metrics.cpu(post.link.name(), used.mul_f64(share));
        }
    }

    fn release(&mut self, partition: u32) {
        self.posts.iter_mut().for_each(|post| post.link.release(partition));
    }

    fn tell_held(&self) {
        let held = self.held.len();
        self.posts.iter().for_each(|post| self.setup.metrics.held(post.link.name(), held));
    }

    /// Writes down the deadlines that have passed.
    async fn tick(&mut self) -> Result<bool, RunError> {
        let Some(write) = self.setup.ticks else { return Ok(false) };
        let now_ms = self.setup.clock.now_ms();
        let mut ticks = Vec::new();
        for post in &mut self.posts {
            let stage = post.link.name();
            let due = post.link.due(now_ms, self.setup.policy.ticks_max);
            ticks.extend(
                due.iter().filter_map(|(key, deadline)| write(stage, key, *deadline, now_ms)),
            );
        }
        if ticks.is_empty() {
            return Ok(false);
        }
        self.member.publish(ticks).await?;
        self.setup.at(&self.maker, Step::Ticked)?;
        Ok(true)
    }
}
