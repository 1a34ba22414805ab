//! What the pipeline knows of a customer and the message does not say, as a shift of the prior.
//!
//! Invariant: a fact that is not known shifts nothing, and without a table nothing is shifted; the
//! gate of scope is judged on the text alone, so that no fact makes another company's bill ours.
//! Shifts are log ratios P(fact | intent) / P(fact), as naive Bayes adds one more feature, and none
//! is larger than [`NATS_MAX`]: a fact may settle what the text leaves open, not overrule it.

use schemas::line::Turn;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The largest shift of one fact, in nats (a factor of about five).
pub const NATS_MAX: f64 = 1.6;

/// Contacts that a rate learned from counts is smoothed by.
const SMOOTHING: f64 = 20.0;

/// A fact about the customer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Fact {
    /// An invoice is open.
    OpenInvoice,
    /// The line does not answer.
    LineDown,
    /// An incident is open in the customer's district.
    DistrictIncident,
}

impl Fact {
    /// All there are.
    pub const ALL: [Self; 3] = [Self::OpenInvoice, Self::LineDown, Self::DistrictIncident];

    /// As it stands in records and in a table.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::OpenInvoice => "open_invoice",
            Self::LineDown => "line_down",
            Self::DistrictIncident => "district_incident",
        }
    }

    /// The fact of that name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|fact| fact.name() == name)
    }
}

/// What is known beside the text; facts that are absent are not known.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Context {
    /// True or false, where it is known.
    pub facts: BTreeMap<Fact, bool>,
    /// The intent of the customer's message before.
    pub previous_intent: Option<String>,
}

impl Context {
    /// What goes with a turn; names of no [`Fact`] are not for the models.
    #[must_use]
    pub fn of(turn: &Turn) -> Self {
        let named = |(name, is_true): (&String, &bool)| Some((Fact::named(name)?, *is_true));
        Self {
            facts: turn.facts.iter().filter_map(named).collect(),
            previous_intent: turn.previous_intent.clone(),
        }
    }

    /// Nothing is known.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.facts.is_empty() && self.previous_intent.is_none()
    }
}

/// How often one thing goes with each intent.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rates {
    /// Share of all contacts, 0..1.
    pub overall: f64,
    /// Share of the contacts of an intent, 0..1; intents that are not listed have the overall share.
    #[serde(default)]
    pub intents: BTreeMap<String, f64>,
}

/// The table of a model directory (`context.json`).
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ContextTable {
    /// Off: the facts are not asked.
    pub enabled: bool,
    /// Where the rates come from, in words.
    #[serde(default)]
    pub provenance: String,
    /// How often a fact is true.
    #[serde(default)]
    pub facts: BTreeMap<Fact, Rates>,
    /// By previous intent: how often an intent follows it, against how often it comes at all.
    #[serde(default)]
    pub previous: BTreeMap<String, BTreeMap<String, f64>>,
}

/// What one known fact adds to the log-prior of each label.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Shift {
    /// `line_down`, `no line_down`, `after pix`.
    pub(crate) name: String,
    /// Nats `[labels]`.
    pub(crate) nats: Vec<f64>,
}

impl ContextTable {
    /// Reads a table.
    ///
    /// # Errors
    /// It is not JSON of this shape, or a rate is no share.
    pub fn from_json(json: &str) -> Result<Self, serde_json::Error> {
        let table: Self = serde_json::from_str(json)?;
        let shares = table
            .facts
            .values()
            .flat_map(|rates| std::iter::once(&rates.overall).chain(rates.intents.values()));
        let ratios = table.previous.values().flat_map(BTreeMap::values);
        let is_share = |share: &f64| *share > 0.0 && *share < 1.0;
        if shares.clone().all(is_share)
            && ratios.clone().all(|ratio| *ratio > 0.0 && ratio.is_finite())
        {
            return Ok(table);
        }
        Err(serde::de::Error::custom("rates are over 0 and under 1, ratios over 0"))
    }

    /// Learns a table from contacts whose intent is known: each rate smoothed towards the overall one.
    #[must_use]
    pub fn learn(contacts: &[(String, Context)], provenance: &str) -> Self {
        let mut table =
            Self { enabled: true, provenance: provenance.to_owned(), ..Self::default() };
        for fact in Fact::ALL {
            let known = contacts.iter().filter_map(|(intent, context)| {
                Some((intent.as_str(), *context.facts.get(&fact)?))
            });
            if let Some(rates) = rates(known) {
                table.facts.insert(fact, rates);
            }
        }
        let mut after: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
        for (intent, context) in contacts {
            if let Some(previous) = &context.previous_intent {
                after.entry(previous).or_default().push(intent);
            }
        }
        let all: Vec<&str> = contacts.iter().map(|(intent, _)| intent.as_str()).collect();
        for (previous, followers) in after {
            let ratios = ratios(&followers, &all);
            table.previous.insert(previous.to_owned(), ratios);
        }
        table
    }

    /// What is added to the log-prior of each of `labels`, one shift a known fact.
    pub(crate) fn shifts(&self, context: &Context, labels: &[String]) -> Vec<Shift> {
        if !self.enabled {
            return Vec::new();
        }
        let mut shifts = Vec::new();
        for (fact, is_true) in &context.facts {
            let Some(rates) = self.facts.get(fact) else { continue };
            let name = format!("{}{}", if *is_true { "" } else { "no " }, fact.name());
            let side = |rate: f64| if *is_true { rate } else { 1.0 - rate };
            let of = |label: &String| rates.intents.get(label).copied().unwrap_or(rates.overall);
            let nats = labels.iter().map(|label| nats(side(of(label)) / side(rates.overall)));
            shifts.push(Shift { name, nats: nats.collect() });
        }
        let previous = context.previous_intent.as_ref();
        if let Some((previous, ratios)) = previous.and_then(|p| Some((p, self.previous.get(p)?))) {
            let ratio = |label: &String| ratios.get(label).copied().unwrap_or(1.0);
            let nats = labels.iter().map(|label| nats(ratio(label))).collect();
            shifts.push(Shift { name: format!("after {previous}"), nats });
        }
        shifts
    }
}

fn nats(ratio: f64) -> f64 {
    ratio.ln().clamp(-NATS_MAX, NATS_MAX)
}

fn rates<'a>(known: impl Iterator<Item = (&'a str, bool)>) -> Option<Rates> {
    let mut counts: BTreeMap<&str, (f64, f64)> = BTreeMap::new();
    for (intent, is_true) in known {
        let (all, yes) = counts.entry(intent).or_default();
        *all += 1.0;
        *yes += f64::from(u8::from(is_true));
    }
    let (all, yes) =
        counts.values().fold((0.0, 0.0), |sum, count| (sum.0 + count.0, sum.1 + count.1));
    let overall = (yes + 1.0) / (all + 2.0);
    let smoothed = |(all, yes): (f64, f64)| (yes + SMOOTHING * overall) / (all + SMOOTHING);
    let intents = counts.into_iter().map(|(intent, count)| (intent.to_owned(), smoothed(count)));
    (all > 0.0).then(|| Rates { overall, intents: intents.collect() })
}

fn ratios(followers: &[&str], all: &[&str]) -> BTreeMap<String, f64> {
    let count = |list: &[&str], intent: &str| list.iter().filter(|i| **i == intent).count() as f64;
    let mut intents = all.to_vec();
    intents.sort_unstable();
    intents.dedup();
    let ratio = |intent: &str| {
        let overall = count(all, intent) / all.len() as f64;
        let smoothed = count(followers, intent) + SMOOTHING * overall;
        smoothed / (followers.len() as f64 + SMOOTHING) / overall
    };
    intents.into_iter().map(|intent| (intent.to_owned(), ratio(intent))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels() -> Vec<String> {
        ["lentidao", "segunda_via", "sem_conexao"].map(str::to_owned).to_vec()
    }

    fn known(fact: Fact, is_true: bool) -> Context {
        Context { facts: [(fact, is_true)].into(), previous_intent: None }
    }

    #[test]
    fn a_fact_raises_what_it_goes_with_and_no_fact_nothing() {
        let contacts: Vec<(String, Context)> = (0..600)
            .map(|i| {
                let (intent, share) =
                    [("lentidao", 5), ("segunda_via", 5), ("sem_conexao", 70)][i % 3];
                (intent.to_owned(), known(Fact::LineDown, i / 3 % 100 < share))
            })
            .collect();
        let table = ContextTable::learn(&contacts, "made up");
        let [shift] = &table.shifts(&known(Fact::LineDown, true), &labels())[..] else { panic!() };
        assert_eq!(shift.name, "line_down");
        assert!(shift.nats[2] > 0.7 && shift.nats[0] < -0.7, "{shift:?}");
        assert!(shift.nats.iter().all(|nats| nats.abs() <= NATS_MAX));
        let [none] = &table.shifts(&known(Fact::LineDown, false), &labels())[..] else { panic!() };
        assert!(none.nats[2] < -0.5 && none.name == "no line_down");
        assert!(table.shifts(&Context::default(), &labels()).is_empty());
        assert!(table.shifts(&known(Fact::OpenInvoice, true), &labels()).is_empty());
        let off = ContextTable { enabled: false, ..table };
        assert!(off.shifts(&known(Fact::LineDown, true), &labels()).is_empty());
    }

    #[test]
    fn what_came_before_is_learned_too() {
        let contact = |i: usize| {
            let intent = if i.is_multiple_of(2) { "segunda_via" } else { "sem_conexao" };
            let before = if (i % 10 < 8) == i.is_multiple_of(2) { "pix" } else { "lentidao" };
            let previous_intent = Some(before.to_owned());
            (intent.to_owned(), Context { previous_intent, ..Context::default() })
        };
        let contacts: Vec<(String, Context)> = (0..400).map(contact).collect();
        let table = ContextTable::learn(&contacts, "made up");
        let after = Context { previous_intent: Some("pix".to_owned()), ..Context::default() };
        let shifts = table.shifts(&after, &labels());
        assert_eq!(shifts[0].name, "after pix");
        assert!(shifts[0].nats[1] > 0.0 && shifts[0].nats[2] < 0.0, "{shifts:?}");
        assert_eq!(shifts[0].nats[0], 0.0);
        let json = serde_json::to_string(&table).unwrap();
        assert_eq!(ContextTable::from_json(&json).unwrap(), table);
        assert!(ContextTable::from_json(&json.replace("true", "1")).is_err());
        assert!(
            ContextTable::from_json(
                "{\"enabled\":true,\"facts\":{\"line_down\":{\"overall\":1.5}}}"
            )
            .is_err()
        );
    }
}
