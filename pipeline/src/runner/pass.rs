//! How a batch passes the links of a chain. Each record is finished by all links before the next is
//! begun, and what all of them make of the batch is published at once, in order.

use std::time::{Duration, Instant};

use super::RunError;
use super::chain::Post;
use super::dead_letter::{self, Rejected};
use super::outputs::{Outputs, Value};
use super::setup::{Setup, Step};
use super::stages::StageRunner;
use crate::partition;
use crate::record::Stored;
use crate::stage::DropReason;
use crate::telemetry::metrics::Batch;

impl StageRunner {
    pub(super) async fn take(&mut self, records: Vec<Stored>) -> Result<(), RunError> {
        let started = Instant::now();
        self.setup.at(&self.maker, Step::Taken)?;
        self.taken_ms = self.setup.clock.now_ms();
        self.posts.iter_mut().for_each(|post| post.batch = Batch::default());
        let received = records.len() as u64;
        let mut outputs = Outputs::new(
            self.maker.clone(),
            records.len() * self.posts.len(),
            self.setup.log.record_bytes_max(),
            self.posts.iter().skip(1).map(|post| post.link.input()).collect(),
        );
        let last_ms = records.last().map_or(0, |record| record.time_ms);
        for record in &records {
            self.take_one(record, &mut outputs)?;
        }
        self.setup.at(&self.maker, Step::Processed)?;
        self.hand_over(outputs.records).await?;
        let took = started.elapsed();
        let age_ms = self.setup.clock.now_ms() - last_ms;
        for (at, post) in self.posts.iter_mut().enumerate() {
            post.batch.took = took;
            if at == 0 {
                post.batch.received = received;
            }
            if post.batch.received > 0 {
                self.setup.metrics.batch(post.link.name(), post.batch, age_ms);
            }
        }
        Ok(())
    }

    /// Takes account of one record of the log.
    fn take_one(&mut self, record: &Stored, outputs: &mut Outputs) -> Result<(), RunError> {
        let Some(held) = self.held.get_mut(&record.partition) else {
            return Ok(()); // of a partition just taken away: its next holder reads it
        };
        if record.offset < held.position {
            return Ok(());
        }
        if record.headers.origin.as_ref().is_some_and(|origin| !held.watermarks.advance(origin)) {
            if let Some(first) = self.posts.first_mut() {
                first.batch.repeats += 1;
            }
        } else {
            outputs.begin(record);
            self.enter(record, outputs)?;
        }
        if let Some(held) = self.held.get_mut(&record.partition) {
            held.advance(record.offset + 1);
        }
        self.uncommitted += 1;
        self.uncommitted_since.get_or_insert_with(Instant::now);
        Ok(())
    }

    /// Lets the record in: at the first link, or, when it is a second try, at the link it is for.
    fn enter(&mut self, record: &Stored, outputs: &mut Outputs) -> Result<(), RunError> {
        let Some(stage) = record.headers.enters_at() else { return self.pass(0, record, outputs) };
        let mut posts = self.posts.iter().enumerate();
        let Some((at, post)) = posts.find(|(_, post)| post.link.name() == stage) else {
            // For a stage that runs elsewhere.
            if let Some(first) = self.posts.first() {
                let reason = DropReason::Irrelevant.as_str();
                self.setup.metrics.dropped(first.link.name(), reason);
            }
            return Ok(());
        };
        let mut again = Stored { topic: post.link.input(), ..record.clone() };
        again.headers.entered();
        self.pass(at, &again, outputs)
    }

    /// Lets the record pass the links from `first` on, one after the other: a link sees everything
    /// the one before it made of the record, in order.
    fn pass(
        &mut self,
        first: usize,
        record: &Stored,
        outputs: &mut Outputs,
    ) -> Result<(), RunError> {
        let (setup, taken_ms) = (&self.setup, self.taken_ms);
        let mut links = self.posts.iter_mut().skip(first);
        let mut made = outputs.records.len();
        if let Some(post) = links.next() {
            post.see(record, None, taken_ms, outputs, setup)?;
        }
        for post in links {
            let end = outputs.records.len();
            for at in made..end {
                let Some((inner, value)) = outputs.inner(at, post.link.input()) else { continue };
                post.check_place(record, &inner, setup)?;
                post.see(&inner, value, taken_ms, outputs, setup)?;
            }
            made = end;
        }
        Ok(())
    }
}

impl Post {
    /// Lets the link see a record at `now_ms` of our clock; what it cannot use is set aside.
    fn see(
        &mut self,
        record: &Stored,
        handed_on: Option<Value>,
        now_ms: i64,
        outputs: &mut Outputs,
        setup: &Setup,
    ) -> Result<(), RunError> {
        let before = outputs.records.len();
        let started = self.timed.then(Instant::now);
        let rejected = self.link.process(record, handed_on, now_ms, outputs, &setup.metrics)?;
        self.worked += started.map_or(Duration::ZERO, |started| started.elapsed());
        let reason = rejected.as_ref().map(|rejected| rejected.reason);
        if !self.brake.allows(&setup.policy.brake, reason) {
            // Nothing of this batch is published or committed: it is read again after the
            // cause is mended.
            let stage = self.link.name();
            setup.metrics.braked(stage, true);
            return Err(RunError::Braked { stage, reason: reason.unwrap_or_default() });
        }
        if let Some(rejected) = rejected {
            self.set_aside(record, rejected, outputs, setup)?;
        }
        self.batch.received += 1;
        self.batch.emitted += (outputs.records.len() - before) as u64;
        Ok(())
    }

    /// What is handed on must belong to the partition it was made in: its state is there.
    fn check_place(&self, taken: &Stored, inner: &Stored, setup: &Setup) -> Result<(), RunError> {
        let here = || partition::of(&inner.key, setup.log.partitions()) == taken.partition;
        if inner.key == taken.key || here() {
            return Ok(());
        }
        Err(RunError::Unchainable { stage: self.link.name() })
    }

    fn set_aside(
        &self,
        record: &Stored,
        rejected: Rejected,
        outputs: &mut Outputs,
        setup: &Setup,
    ) -> Result<(), RunError> {
        let stage = self.link.name();
        tracing::warn!(
            stage,
            topic = %record.topic,
            partition = record.partition,
            offset = record.offset,
            reason = rejected.reason.as_str(),
            detail = %rejected.detail,
            "record set aside as a dead letter"
        );
        setup.metrics.rejected(stage, rejected.reason.as_str());
        let origin = Some(outputs.origin());
        outputs.records.push(dead_letter::write(stage, record, rejected, origin)?);
        Ok(())
    }
}
