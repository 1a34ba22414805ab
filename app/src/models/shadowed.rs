//! What the counts of `shadow` come to, over all partitions.
//!
//! Reads `shadow-state`.

use std::collections::{BTreeMap, HashMap};
use std::fmt::Write;

use bytes::Bytes;
use pipeline::Stored;
use schemas::Avro;
use schemas::models::{ShadowExample, ShadowTally};
use serde::{Deserialize, Serialize};

/// The route of a turn the machine answers.
pub const AUTO: &str = "auto";
/// Pairs and examples that are listed.
const PAIRS_MAX: usize = 15;
const EXAMPLES_MAX: usize = 10;

/// The newest counts of every partition.
#[derive(Debug, Clone, Default)]
pub struct Tallies(HashMap<(u32, Bytes), ShadowTally>);

/// So many turns differ so.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pair {
    /// What the live version says.
    pub live: String,
    /// What the candidate says.
    pub candidate: String,
    /// Turns.
    pub turns: i64,
}

/// A candidate beside the live version.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// Version that decided.
    pub live: String,
    /// Version that was scored beside it.
    pub candidate: String,
    /// Time of the first turn compared (Unix, ms).
    pub since_ms: i64,
    /// Time of the last one (Unix, ms).
    pub until_ms: i64,
    /// Turns compared.
    pub turns: i64,
    /// Of them with another intent.
    pub other_intent: i64,
    /// The machine answered, and people would have.
    pub auto_to_human: i64,
    /// People answered, and the machine would have.
    pub human_to_auto: i64,
    /// Other people would have answered.
    pub other_queue: i64,
    /// Mean confidence of the live version.
    pub confidence_live: f64,
    /// Mean confidence of the candidate.
    pub confidence_candidate: f64,
    /// Confidence higher by a tenth or more.
    pub raised: i64,
    /// Confidence lower by a tenth or more.
    pub lowered: i64,
    /// Intents that differ, the commonest first.
    pub intents: Vec<Pair>,
    /// Routes that differ, the commonest first.
    pub routes: Vec<Pair>,
    /// A few of the turns.
    pub examples: Vec<ShadowExample>,
}

impl Tallies {
    /// Takes account of a record of `shadow-state`.
    pub fn hear(&mut self, record: &Stored) {
        let key = (record.partition, record.key.clone());
        // On Kafka the changelog also holds where the stage was left, which is no count.
        match record.value.as_deref().map(ShadowTally::from_bytes) {
            Some(Ok(tally)) => drop(self.0.insert(key, tally)),
            Some(Err(_)) => {}
            None => drop(self.0.remove(&key)),
        }
    }

    /// The report on `candidate` beside `live`; without, on the pair compared last.
    pub fn report(&self, asked: Option<(&str, &str)>) -> Option<Report> {
        let last = self.0.values().max_by_key(|tally| tally.until_ms);
        let last = last.map(|tally| (tally.live.as_str(), tally.candidate.as_str()));
        let (live, candidate) = asked.or(last)?;
        let of_pair = |tally: &&ShadowTally| tally.live == live && tally.candidate == candidate;
        let tallies: Vec<&ShadowTally> = self.0.values().filter(of_pair).collect();
        Some(summed(live, candidate, &tallies))
    }
}

fn summed(live: &str, candidate: &str, tallies: &[&ShadowTally]) -> Report {
    let sum = |of: fn(&ShadowTally) -> i64| tallies.iter().map(|tally| of(tally)).sum::<i64>();
    let intents = pairs(tallies.iter().map(|tally| &tally.intents));
    let routes = pairs(tallies.iter().map(|tally| &tally.routes));
    let routed = |is: fn(&Pair) -> bool| -> i64 {
        routes.iter().filter(|pair| is(pair)).map(|pair| pair.turns).sum()
    };
    let turns = sum(|tally| tally.turns);
    let mean = |of: fn(&ShadowTally) -> f64| {
        #[allow(clippy::cast_precision_loss)] // counts are far below 2^53
        let turns = turns.max(1) as f64;
        tallies.iter().map(|tally| of(tally)).sum::<f64>() / turns
    };
    let mut examples: Vec<ShadowExample> =
        tallies.iter().flat_map(|tally| tally.examples.iter().cloned()).collect();
    // Those that would have gone elsewhere first.
    examples.sort_by_key(|one| (one.live.route == one.candidate.route, -one.time_ms));
    examples.truncate(EXAMPLES_MAX);
    Report {
        live: live.to_owned(),
        candidate: candidate.to_owned(),
        since_ms: tallies.iter().map(|tally| tally.since_ms).min().unwrap_or_default(),
        until_ms: tallies.iter().map(|tally| tally.until_ms).max().unwrap_or_default(),
        turns,
        other_intent: intents.iter().map(|pair| pair.turns).sum(),
        auto_to_human: routed(|pair| pair.live == AUTO),
        human_to_auto: routed(|pair| pair.candidate == AUTO),
        other_queue: routed(|pair| pair.live != AUTO && pair.candidate != AUTO),
        confidence_live: mean(|tally| tally.confidence_live),
        confidence_candidate: mean(|tally| tally.confidence_candidate),
        raised: sum(|tally| tally.raised),
        lowered: sum(|tally| tally.lowered),
        intents,
        routes,
        examples,
    }
}

/// All pairs of all partitions, the commonest first.
fn pairs<'a>(counts: impl Iterator<Item = &'a BTreeMap<String, i64>>) -> Vec<Pair> {
    let mut sums: BTreeMap<&str, i64> = BTreeMap::new();
    for (pair, turns) in counts.flatten() {
        *sums.entry(pair).or_default() += turns;
    }
    let mut pairs: Vec<Pair> = sums
        .into_iter()
        .filter_map(|(pair, turns)| {
            let (live, candidate) = pair.split_once('>')?;
            Some(Pair { live: live.to_owned(), candidate: candidate.to_owned(), turns })
        })
        .collect();
    pairs.sort_by_key(|pair| -pair.turns);
    pairs
}

impl Report {
    /// Figures by name, for `/metrics`.
    pub fn figures(&self) -> [(&'static str, i64); 7] {
        [
            ("turns", self.turns),
            ("other_intent", self.other_intent),
            ("auto_to_human", self.auto_to_human),
            ("human_to_auto", self.human_to_auto),
            ("other_queue", self.other_queue),
            ("confidence_raised", self.raised),
            ("confidence_lowered", self.lowered),
        ]
    }

    /// The same for people.
    pub fn table(&self) -> String {
        let mut text = format!("candidate {} beside {}\n", self.candidate, self.live);
        if self.turns == 0 {
            return text + "no turn has been compared yet: does a process run `shadow`?";
        }
        #[allow(clippy::cast_precision_loss)] // counts are far below 2^53
        let share = |turns: i64| 100.0 * turns as f64 / self.turns as f64;
        let mut line = |what: &str, turns: i64| {
            let _ = writeln!(text, "  {what:<44}{turns:>9}{:>8.2} %", share(turns));
        };
        line("turns compared", self.turns);
        line("another intent", self.other_intent);
        line("machine now, people with the candidate", self.auto_to_human);
        line("people now, machine with the candidate", self.human_to_auto);
        line("other people", self.other_queue);
        line("confidence higher by a tenth or more", self.raised);
        line("confidence lower by a tenth or more", self.lowered);
        let (live, candidate) = (self.confidence_live, self.confidence_candidate);
        let shift = candidate - live;
        let _ = writeln!(text, "  mean confidence {live:.3} -> {candidate:.3} ({shift:+.3})");
        for (title, pairs) in [("intents", &self.intents), ("routes", &self.routes)] {
            if !pairs.is_empty() {
                let _ = writeln!(text, "{title} (live -> candidate)");
            }
            for pair in pairs.iter().take(PAIRS_MAX) {
                let (live, candidate) = (&pair.live, &pair.candidate);
                let _ = writeln!(text, "{:>9}  {live} -> {candidate}", pair.turns);
            }
        }
        if !self.examples.is_empty() {
            let _ = writeln!(text, "examples (masked)");
        }
        for example in &self.examples {
            let said = |verdict: &schemas::models::ShadowVerdict| {
                format!("{} {:.2} {}", verdict.intent, verdict.confidence, verdict.route)
            };
            let (live, candidate) = (said(&example.live), said(&example.candidate));
            let words = example.text_masked.replace('\n', " / ");
            let _ = writeln!(text, "  {live} -> {candidate}\n    {words}");
        }
        text.trim_end().to_owned()
    }
}

#[cfg(test)]
mod tests {
    use pipeline::Headers;
    use schemas::topics::SHADOW_STATE;

    use super::*;

    fn tally(partition: i32, candidate: &str, routes: &[(&str, i64)]) -> ShadowTally {
        ShadowTally {
            live: "m-a".to_owned(),
            candidate: candidate.to_owned(),
            source_partition: partition,
            since_ms: 1,
            until_ms: 10 + i64::from(partition),
            turns: 10,
            intents: [("fatura>boleto".to_owned(), 2)].into(),
            routes: routes.iter().map(|(pair, turns)| ((*pair).to_owned(), *turns)).collect(),
            confidence_live: 5.0,
            confidence_candidate: 8.0,
            raised: 3,
            lowered: 1,
            examples: Vec::new(),
        }
    }

    fn told(tallies: &mut Tallies, tally: Option<&ShadowTally>, partition: u32) {
        tallies.hear(&Stored {
            topic: SHADOW_STATE,
            partition,
            offset: 0,
            key: partition.to_string().into(),
            value: tally.map(|tally| tally.to_bytes().unwrap().into()),
            headers: Headers::default(),
            time_ms: 0,
        });
    }

    #[test]
    fn partitions_are_summed_and_other_versions_left_out() {
        let mut tallies = Tallies::default();
        assert_eq!(tallies.report(None), None);
        told(&mut tallies, Some(&tally(0, "m-b", &[("auto>suporte", 2)])), 0);
        // Counts are whole: the later ones take the place of the earlier ones.
        let routes = [("auto>suporte", 1), ("vendas>auto", 4), ("vendas>suporte", 3)];
        told(&mut tallies, Some(&tally(1, "m-b", &[])), 1);
        told(&mut tallies, Some(&tally(1, "m-b", &routes)), 1);
        told(&mut tallies, Some(&tally(2, "m-c", &[])), 2);
        let report = tallies.report(Some(("m-a", "m-b"))).unwrap();
        assert_eq!((report.turns, report.other_intent), (20, 4));
        let routed = (report.auto_to_human, report.human_to_auto, report.other_queue);
        assert_eq!(routed, (3, 4, 3));
        assert!((report.confidence_candidate - report.confidence_live - 0.3).abs() < 1e-12);
        assert!(report.table().contains("vendas -> auto"), "{}", report.table());
        assert_eq!(tallies.report(None).unwrap().candidate, "m-c", "the pair compared last");
        told(&mut tallies, None, 2);
        assert_eq!(tallies.report(None).unwrap().candidate, "m-b");
    }
}
