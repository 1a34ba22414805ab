//! Publications and commits of a runner. Both go on beside the path: a commit is prepared when it is
//! due, and begins when everything it covers is confirmed.

use std::time::Instant;

use super::RunError;
use super::on_its_way::{Ended, OnItsWay};
use super::setup::Step;
use super::stages::StageRunner;
use crate::log::Unit;
use crate::record::Record;

/// A commit that waits for publications.
pub(super) struct Prepared {
    unit: Unit,
    /// How many of those on their way it covers: the oldest.
    open: usize,
}

impl StageRunner {
    /// Whether no further batch may be taken until something of what is on its way is confirmed.
    pub(super) fn is_full(&self) -> bool {
        self.publishing.len() >= self.member.publications_max()
    }

    /// Whether a commit is on its way, or waits for what it covers.
    pub(super) fn commits(&self) -> bool {
        self.prepared.is_some() || self.committing.is_some()
    }

    /// Hands over what a batch made. It is confirmed beside what follows.
    pub(super) async fn hand_over(&mut self, outputs: Vec<Record>) -> Result<(), RunError> {
        if outputs.is_empty() {
            return self.setup.at(&self.maker, Step::Published);
        }
        let since = Instant::now();
        let publishing = self.member.hand_over(outputs).await?;
        self.publishing.push(OnItsWay::since(since, publishing));
        self.note_published()
    }

    /// Takes note of what is confirmed by now.
    pub(super) fn note_published(&mut self) -> Result<(), RunError> {
        while let Some(ended) = self.publishing.ended() {
            self.published(ended)?;
        }
        Ok(())
    }

    /// The oldest publication has ended.
    pub(super) fn published(&mut self, (done, took): Ended) -> Result<(), RunError> {
        done?;
        self.setup.metrics.published(&self.maker, took);
        self.setup.at(&self.maker, Step::Published)?;
        if let Some(prepared) = &mut self.prepared {
            prepared.open = prepared.open.saturating_sub(1);
        }
        self.begin_prepared()
    }

    /// While one commit is on its way the next waits, until as much again has been taken.
    pub(super) fn commit_is_due(&mut self) -> bool {
        if self.commits() && self.uncommitted < self.setup.policy.commit_records {
            return false;
        }
        let due = self
            .uncommitted_since
            .is_some_and(|since| since.elapsed() >= self.setup.policy.commit_every);
        self.posts.iter_mut().for_each(|post| post.link.look());
        due || self.uncommitted >= self.setup.policy.commit_records
            || self.held.values().any(|held| held.may_take_up(&self.posts))
    }

    /// Commits what was taken since the last commit, and waits until that has taken effect.
    pub(super) async fn commit(&mut self) -> Result<(), RunError> {
        self.prepare_commit().await?;
        self.end_commit().await
    }

    /// Prepares to commit what was taken since the last commit; what is configured changes here.
    pub(super) async fn prepare_commit(&mut self) -> Result<(), RunError> {
        self.end_commit().await?;
        self.uncommitted = 0;
        self.uncommitted_since = None;
        self.posts.iter_mut().for_each(|post| post.link.look());
        let mut unit = Unit { time_ms: self.setup.clock.now_ms(), partitions: Vec::new() };
        let mut pins_change = false;
        for held in self.held.values_mut() {
            held.take_up(&mut self.posts);
            pins_change |= held.must_commit_pin();
            unit.partitions.extend(held.unit(&mut self.posts)?);
        }
        if unit.partitions.is_empty() {
            return Ok(());
        }
        self.prepared = Some(Prepared { unit, open: self.publishing.len() });
        self.begin_prepared()?;
        // Records may only be read with versions the log knows of.
        if pins_change { self.end_commit().await } else { Ok(()) }
    }

    /// Begins the commit that is prepared, if all it covers is confirmed.
    fn begin_prepared(&mut self) -> Result<(), RunError> {
        let Some(Prepared { unit, .. }) = self.prepared.take_if(|prepared| prepared.open == 0)
        else {
            return Ok(());
        };
        self.setup.at(&self.maker, Step::Committing)?;
        self.committing = OnItsWay::begun(self.member.commit(unit));
        Ok(())
    }

    /// Waits for the commit that is prepared or on its way.
    pub(super) async fn end_commit(&mut self) -> Result<(), RunError> {
        while self.prepared.is_some() {
            let ended = self.publishing.end().await;
            self.published(ended)?;
        }
        self.committing.finish().await.map_or(Ok(()), |ended| self.committed(ended))
    }

    /// The commit has ended.
    pub(super) fn committed(&self, (done, took): Ended) -> Result<(), RunError> {
        done?;
        self.posts.iter().for_each(|post| self.setup.metrics.committed(post.link.name(), took));
        self.setup.at(&self.maker, Step::Committed)
    }
}
