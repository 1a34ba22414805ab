//! Stages that follow one another, as one member of one group: each reads what the one before it
//! wrote, without the way through the log.

use std::sync::Arc;
use std::time::Duration;

use schemas::topics::Topic;
use smol_str::SmolStr;

use super::brake::Brake;
use super::link::Link;
use super::stage_link::StageLink;
use crate::broadcast::Broadcasts;
use crate::log::LogError;
use crate::stage::Stage;
use crate::telemetry::metrics::Batch;

/// Longest name of a chain: origins and watermarks count it in a byte.
const NAME_BYTES_MAX: usize = 200;

/// Stages in the order in which records pass them. A stage whose changelog somebody reads stays out:
/// a chain's states share one.
pub struct Chain {
    posts: Vec<Post>,
}

/// A link at work.
pub(super) struct Post {
    pub(super) link: Box<dyn Link>,
    pub(super) brake: Brake,
    /// What it did with the batch in hand.
    pub(super) batch: Batch,
    /// Whether it shares a thread with others, so that its part of the CPU time must be measured.
    pub(super) timed: bool,
    /// How long it worked since CPU time was last shared out.
    pub(super) worked: Duration,
}

impl Post {
    fn new<S: Stage>(
        input: Topic,
        stage: S,
        broadcasts: Arc<dyn Broadcasts<S::Broadcast>>,
    ) -> Self {
        Self {
            link: Box::new(StageLink::new(input, stage, broadcasts)),
            brake: Brake::default(),
            batch: Batch::default(),
            timed: false,
            worked: Duration::ZERO,
        }
    }
}

impl Chain {
    /// Begins with `stage`, which reads `input`.
    pub fn of<S: Stage>(
        input: Topic,
        stage: S,
        broadcasts: Arc<dyn Broadcasts<S::Broadcast>>,
    ) -> Self {
        Self { posts: vec![Post::new(input, stage, broadcasts)] }
    }

    /// Goes on with `stage`: of what the stage before it writes, it reads what is in `input`.
    #[must_use]
    pub fn then<S: Stage>(
        mut self,
        input: Topic,
        stage: S,
        broadcasts: Arc<dyn Broadcasts<S::Broadcast>>,
    ) -> Self {
        self.posts.push(Post::new(input, stage, broadcasts));
        self
    }

    /// Names of its stages, joined by `+`: what the origins of its outputs name.
    #[must_use]
    pub fn name(&self) -> SmolStr {
        match self.posts.as_slice() {
            [alone] => SmolStr::new_static(alone.link.name()),
            posts => name(posts.iter().map(|post| post.link.name())),
        }
    }

    /// The same, for as long as the process lives, as the names of stages are.
    pub(super) fn lasting_name(&self) -> &'static str {
        match self.posts.as_slice() {
            [alone] => alone.link.name(),
            _ => String::leak(self.name().into()),
        }
    }

    pub(super) fn into_posts(mut self) -> Result<Vec<Post>, LogError> {
        let name = self.name();
        if name.len() > NAME_BYTES_MAX {
            return Err(LogError::Fatal(format!("the chain {name} has too long a name")));
        }
        let among_others = self.posts.len() > 1;
        self.posts.iter_mut().for_each(|post| post.timed = among_others);
        Ok(self.posts)
    }
}

/// The name of a chain of stages.
pub(super) fn name(stages: impl Iterator<Item = &'static str>) -> SmolStr {
    stages.collect::<Vec<_>>().join("+").into()
}
