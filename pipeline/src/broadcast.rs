//! Side inputs: settings, models, answers. Whole snapshots, each with a version that is pinned in
//! the committed position, so that a replayed span is read with the versions it first ran with.

mod per_tenant;

use std::sync::Arc;

use arc_swap::ArcSwap;
use smol_str::SmolStr;

pub use per_tenant::{Mistake, PerTenant, line_at, told};

/// One version of a side input.
#[derive(Debug)]
pub struct Versioned<B> {
    /// Names this content and no other: a hash of it.
    pub version: SmolStr,
    /// The content.
    pub content: B,
}

/// A pinned version that cannot be had any more.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "version {version} of {name} is pinned by records not yet committed but cannot be found: \
     {remedy}"
)]
pub struct Missing {
    /// Which side input.
    pub name: String,
    /// Which version of it.
    pub version: SmolStr,
    /// What to do about it.
    pub remedy: String,
}

/// Where a stage's side inputs come from.
pub trait Broadcasts<B>: Send + Sync {
    /// The newest version.
    fn latest(&self) -> Arc<Versioned<B>>;

    /// An earlier version.
    ///
    /// # Errors
    /// [`Missing`] when it is gone.
    fn at(&self, version: &str) -> Result<Arc<Versioned<B>>, Missing>;
}

type Load<B> = dyn Fn(&str) -> Result<Arc<Versioned<B>>, Missing> + Send + Sync;

/// A side input that is replaced as a whole while stages run.
pub struct Swapped<B> {
    current: ArcSwap<Versioned<B>>,
    load: Box<Load<B>>,
}

impl<B: Send + Sync> Swapped<B> {
    /// Begins with `first`; `load` finds earlier versions by name.
    pub fn new(
        first: Arc<Versioned<B>>,
        load: impl Fn(&str) -> Result<Arc<Versioned<B>>, Missing> + Send + Sync + 'static,
    ) -> Self {
        Self { current: ArcSwap::new(first), load: Box::new(load) }
    }

    /// What stages take up at their next commit boundary.
    pub fn replace(&self, next: Arc<Versioned<B>>) {
        self.current.store(next);
    }
}

impl<B: Send + Sync> Broadcasts<B> for Swapped<B> {
    fn latest(&self) -> Arc<Versioned<B>> {
        self.current.load_full()
    }

    fn at(&self, version: &str) -> Result<Arc<Versioned<B>>, Missing> {
        let current = self.current.load_full();
        if current.version == version { Ok(current) } else { (self.load)(version) }
    }
}

/// A side input of a stage that emits nothing: what it counts is committed with its position, so a span
/// that is read again may be read with the newest version, whatever it was begun with.
pub struct Newest<B>(ArcSwap<Versioned<B>>);

impl<B: Send + Sync> Newest<B> {
    /// Begins with `first`.
    pub fn new(first: Arc<Versioned<B>>) -> Self {
        Self(ArcSwap::new(first))
    }

    /// What the stage takes up at its next commit boundary.
    pub fn replace(&self, next: Arc<Versioned<B>>) {
        self.0.store(next);
    }
}

impl<B: Send + Sync> Broadcasts<B> for Newest<B> {
    fn latest(&self) -> Arc<Versioned<B>> {
        self.0.load_full()
    }

    fn at(&self, _: &str) -> Result<Arc<Versioned<B>>, Missing> {
        Ok(self.latest())
    }
}

/// A stage without side inputs.
#[derive(Debug, Clone, Default)]
pub struct Nothing(Arc<Versioned<()>>);

impl Default for Versioned<()> {
    fn default() -> Self {
        Self { version: SmolStr::default(), content: () }
    }
}

impl Broadcasts<()> for Nothing {
    fn latest(&self) -> Arc<Versioned<()>> {
        Arc::clone(&self.0)
    }

    fn at(&self, _: &str) -> Result<Arc<Versioned<()>>, Missing> {
        Ok(Arc::clone(&self.0))
    }
}
