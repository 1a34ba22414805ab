//! A build without failpoints: asked for one, it refuses to start.

use std::sync::Arc;

use pipeline::Setup;
use pipeline::clock::Clock;
use pipeline::ledger::OnceLedger;

use crate::config::ConfigError;

/// The clock as it is.
pub(crate) fn clock(clock: Arc<dyn Clock>) -> Result<Arc<dyn Clock>, ConfigError> {
    unasked("CORRENTEZA_CLOCK_AHEAD_MS").map(|()| clock)
}

fn unasked(variable: &str) -> Result<(), ConfigError> {
    match std::env::var_os(variable) {
        None => Ok(()),
        Some(_) => Err(ConfigError::Wrong(vec![format!(
            "{variable}: this build has no failpoints; unset it, or build with --features failpoints"
        )])),
    }
}

/// There is none.
#[derive(Debug)]
pub(crate) enum Failpoint {}

impl Failpoint {
    /// What the environment asks for.
    pub(crate) fn armed() -> Result<Option<Arc<Self>>, ConfigError> {
        unasked("CORRENTEZA_FAILPOINT").map(|()| None)
    }

    pub(crate) fn watch(self: &Arc<Self>, _: Setup) -> Setup {
        match **self {}
    }

    pub(crate) fn guard(
        self: &Arc<Self>,
        _: &'static str,
        _: Arc<dyn OnceLedger>,
    ) -> Arc<dyn OnceLedger> {
        match **self {}
    }
}
