//! The parts of the line a process can be asked to run.

use std::collections::BTreeSet;

use anyhow::bail;
use classifier::shadow::Shadow;
use classifier::stage::Classify;
use ingest::media::Media;
use ingest::turns::Turns;
use pipeline::{Effect, Stage};
use responder::{Act, Deliver, Mirror, Plan};
use router::Router;
use sink::effects::{KeepAccepted, KeepCustomers, KeepHistory, KeepMetrics};
use sink::metrics::Metrics as CountMinutes;

use crate::config::Layout;
use crate::layout;

/// Doors and desk.
pub(crate) const DOORS: &str = "doors";
/// The effects that keep the store.
const STORE: &str = "store";
/// Everything.
const ALL: &str = "all";

/// Every stage and effect, in the order of the line.
pub(crate) const NAMES: [&str; 15] = [
    DOORS,
    Turns::NAME,
    Classify::NAME,
    Router::NAME,
    Plan::NAME,
    CountMinutes::NAME,
    Shadow::NAME,
    Act::NAME,
    Deliver::NAME,
    Media::NAME,
    KeepAccepted::NAME,
    KeepHistory::NAME,
    KeepMetrics::NAME,
    Mirror::NAME,
    KeepCustomers::NAME,
];

/// Which parts a process runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Chosen(BTreeSet<&'static str>);

impl Chosen {
    pub(crate) fn all() -> Self {
        Self(NAMES.into())
    }

    #[cfg_attr(not(feature = "cluster"), allow(dead_code))] // only a migration asks for it
    pub(crate) fn all_but(part: &str) -> Self {
        Self(NAMES.into_iter().filter(|name| *name != part).collect())
    }

    /// Reads what was asked for on the command line.
    pub(crate) fn parse(asked: &[String]) -> anyhow::Result<Self> {
        let mut chosen = BTreeSet::new();
        for word in asked.iter().flat_map(|word| word.split('+')) {
            match word {
                ALL => chosen.extend(NAMES),
                STORE => {
                    chosen.extend([
                        KeepAccepted::NAME,
                        KeepHistory::NAME,
                        KeepMetrics::NAME,
                        KeepCustomers::NAME,
                    ]);
                }
                word => match NAMES.iter().find(|name| **name == word) {
                    Some(name) => {
                        chosen.insert(name);
                    }
                    None => bail!(
                        "there is no part '{word}'; there are {}, {STORE} and {ALL}",
                        NAMES.join(", ")
                    ),
                },
            }
        }
        Ok(Self(chosen))
    }

    /// Refuses what `layout` cannot run: a chain is run whole.
    pub(crate) fn fits(&self, layout: Layout) -> anyhow::Result<()> {
        let count = layout::STAGES.iter().filter(|(name, _)| self.has(name)).count();
        if layout == Layout::Chained && count != 0 && count != layout::STAGES.len() {
            bail!(
                "line.layout is \"chained\": turns+classify+router+plan run in one process or not at \
                 all; name all four"
            );
        }
        Ok(())
    }

    pub(crate) fn has(&self, part: &str) -> bool {
        self.0.contains(part)
    }
}

impl std::fmt::Display for Chosen {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let names: Vec<&str> = NAMES.into_iter().filter(|name| self.has(name)).collect();
        f.write_str(&names.join(" "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_named_alone_together_and_all_at_once() {
        let parse = |words: &[&str]| {
            Chosen::parse(&words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>())
        };
        assert_eq!(parse(&["turns+classify", "act"]).unwrap().to_string(), "turns classify act");
        let store = parse(&["store"]).unwrap();
        assert_eq!(store.to_string(), "store-accepted store-history store-metrics store-customers");
        assert_eq!(parse(&["all"]).unwrap(), Chosen::all());
        assert!(parse(&["turns", "plan"]).unwrap().fits(Layout::Separate).is_ok());
        assert!(parse(&["turns", "plan"]).unwrap().fits(Layout::Chained).is_err());
        let chain = parse(&["turns+classify+router+plan", "act"]).unwrap();
        assert!(chain.fits(Layout::Chained).is_ok() && store.fits(Layout::Chained).is_ok());
        let error = parse(&["trun"]).unwrap_err().to_string();
        assert!(error.contains("'trun'") && error.contains("classify"), "{error}");
    }
}
