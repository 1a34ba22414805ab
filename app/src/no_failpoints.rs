//! A build without failpoints: asked for one, it refuses to start.

use std::sync::Arc;

use pipeline::Setup;
use pipeline::ledger::OnceLedger;

use crate::config::ConfigError;

/// There is none.
#[derive(Debug)]
pub(crate) enum Failpoint {}

impl Failpoint {
    /// What the environment asks for.
    pub(crate) fn armed() -> Result<Option<Arc<Self>>, ConfigError> {
        match std::env::var_os("CORRENTEZA_FAILPOINT") {
            None => Ok(None),
            Some(_) => Err(ConfigError::Wrong(vec![
                "CORRENTEZA_FAILPOINT: this build has no failpoints; unset it, or build with \
                 --features failpoints"
                    .to_owned(),
            ])),
        }
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
