//! What a message costs when there is ten times as much of something: messages, conversations held,
//! partitions, intents.
//!
//! Cost grows linearly when the cost *a message* stays what it was; with the intents, each of which is
//! a score, when it grows no faster than they do.

mod intents;
mod line;

use std::path::Path;

use clap::Args;

use crate::plot::Panel;
use crate::report::Case;

pub use intents::train;

/// What ten times the size may cost a message, as a multiple.
const TIMES_MAX: f64 = 1.25;
/// The same where the work itself is in proportion to the size.
const TIMES_OF_WORK_MAX: f64 = 10.0;

/// The curves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Curve {
    /// Messages that pass one after the other.
    Messages,
    /// Conversations whose state is held.
    Held,
    /// Partitions of each topic.
    Partitions,
    /// Labels a text is scored under.
    Intents,
}

#[derive(Args)]
pub struct Curves {
    /// Which; all by default.
    #[arg(long, value_enum, value_delimiter = ',')]
    only: Vec<Curve>,
    /// A share of every size, for a first look.
    #[arg(long, default_value_t = 1.0)]
    scale: f64,
}

impl Curves {
    /// Runs them.
    pub async fn run(&self) -> anyhow::Result<(Vec<Case>, Vec<Panel>)> {
        let all = <Curve as clap::ValueEnum>::value_variants();
        let asked = if self.only.is_empty() { all } else { &self.only };
        let place = tempfile::tempdir()?;
        let (mut cases, mut panels) = (Vec::new(), Vec::new());
        for curve in asked {
            let found = self.curve(*curve, place.path()).await?;
            for case in &found {
                eprintln!("{}", crate::report::table(std::slice::from_ref(case)));
            }
            panels.extend(drawn(*curve, &found));
            let most = if *curve == Curve::Intents { TIMES_OF_WORK_MAX } else { TIMES_MAX };
            cases.extend(found.iter().cloned());
            cases.extend(times(&found, most));
        }
        Ok((cases, panels))
    }

    async fn curve(&self, curve: Curve, place: &Path) -> anyhow::Result<Vec<Case>> {
        #[allow(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            clippy::cast_precision_loss
        )]
        let scaled = |size: u64| ((size as f64 * self.scale) as u64).max(1_000);
        Ok(match curve {
            Curve::Messages => {
                let mut cases = Vec::new();
                for messages in [100_000, 1_000_000] {
                    cases.push(line::messages(place, scaled(messages)).await?);
                }
                cases
            }
            Curve::Held => {
                let mut cases = Vec::new();
                for held in [10_000, 100_000, 1_000_000] {
                    cases.push(line::held(place, scaled(held), scaled(200_000)).await?);
                }
                cases
            }
            Curve::Partitions => {
                let mut cases = Vec::new();
                for partitions in [1, 4, 12, 40, 120] {
                    cases.push(line::partitions(place, partitions, scaled(200_000)).await?);
                }
                cases
            }
            Curve::Intents => intents::all(place, scaled(400_000))?,
        })
    }
}

/// The first figure over the size, and the time of a restore where there is one.
fn drawn(curve: Curve, cases: &[Case]) -> Vec<Panel> {
    let (title, across) = match curve {
        Curve::Messages => ("CPU µs a message", "messages"),
        Curve::Held => ("CPU µs a message", "conversations held"),
        Curve::Partitions => ("CPU µs a message", "partitions"),
        Curve::Intents => ("CPU µs a text scored", "intents"),
    };
    let panel = |title: &str, name: &str| {
        let figure = |case: &Case| {
            let found = case.figures.iter().find(|figure| figure.name == name)?;
            Some((case.size?, found.found))
        };
        let points = cases.iter().filter_map(figure).collect();
        let (title, across) = (title.to_owned(), across.to_owned());
        Panel::Line { title, across, log: true, points }
    };
    let mut panels = vec![panel(title, "cpu_us_a_message")];
    if curve == Curve::Held {
        panels.push(panel("restore, ms", "restore_ms"));
    }
    panels
}

/// What ten times as much costs a message, by the first and the last of a curve.
fn times(cases: &[Case], most: f64) -> Option<Case> {
    let (first, last) = (cases.first()?, cases.last()?);
    let cost = |case: &Case| case.figures.first().map(|figure| figure.found);
    let tens = (last.size? / first.size?).log10();
    let times = (cost(last)? / cost(first)?).powf(1.0 / tens);
    let name = format!("{}, ten times as many", first.name);
    Some(Case::of(name).held("times_the_cost_a_message", times, most))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_ten_times_as_much_costs_is_told_from_the_ends() {
        let case = |size, cost| Case::of("held").at(size).with("cpu_us_a_message", cost);
        let cases = [case(100, 2.0), case(1_000, 9.0), case(10_000, 8.0)];
        let found = times(&cases, 1.25).unwrap();
        assert!((found.figures[0].found - 2.0).abs() < 1e-9);
        assert_eq!(found.holds(), Some(false));
    }
}
