//! Measures what facts beside the text bring, and what they cost where they mislead: the bundled
//! intent head on the validation rows, with the declared table of `corpus/context.json`.
//!
//! The facts are simulated. Each row is taken for the second message of a conversation: each fact is
//! known half of the time, and so is what was talked of before; what they are is drawn for the row's
//! true intent in three worlds. In the first the table is right; in the second every fact tells
//! half as much as the table says (its log odds ratio is halved); in the third facts have nothing to
//! do with intents, and the table is wrong throughout. 20 draws a world; linfa prints to standard
//! error.

#![allow(clippy::print_stdout)]

use classifier::{
    Context, ContextTable, Models, Row, Scratch, Task, corpus, is_out_of_scope, train_bundled_head,
};
use std::collections::BTreeMap;

type Failure = Box<dyn std::error::Error>;

const DRAWS: u64 = 20;
/// Words up to which a message counts as short.
const SHORT: usize = 3;

/// How much of what the table says is so.
const WORLDS: [(&str, f64); 3] =
    [("as the table says", 1.0), ("half as telling", 0.5), ("telling nothing", 0.0)];

/// Chance by a hash: SplitMix64.
struct Chance(u64);

impl Chance {
    /// In 0..1.
    fn share(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let n = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let n = (n ^ (n >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((n ^ (n >> 31)) >> 11) as f64 / (1_u64 << 53) as f64
    }
}

/// Sums over rows and draws.
#[derive(Default)]
struct Sums {
    rows: u32,
    right: u32,
    answered: u32,
    answered_wrongly: u32,
}

impl Sums {
    fn tell(&self, name: &str) {
        let share = |n: u32, of: u32| f64::from(n) * 100.0 / f64::from(of.max(1));
        println!(
            "  {name:<22} {:>6.2} % right, {:>6.2} % answered, {:>5.2} % of these wrongly",
            share(self.right, self.rows),
            share(self.answered, self.rows),
            share(self.answered_wrongly, self.answered),
        );
    }
}

fn main() -> Result<(), Failure> {
    let table = ContextTable::from_json(include_str!("../corpus/context.json"))?;
    let head = train_bundled_head(Task::Intent, &corpus::training()?, &mut |_| {})?.into_head();
    let models = Models::from_heads(vec![head]).with_context(table.clone());
    let (rows, mut scratch) = (corpus::validation()?, Scratch::new());
    for (world, telling) in WORLDS {
        println!("{world}:");
        let mut chance = Chance(7);
        let mut sums: BTreeMap<&str, Sums> = BTreeMap::new();
        for row in (0..DRAWS).flat_map(|_| &rows) {
            let known = draw(&table, row, telling, &mut chance);
            let is_short = row.text.split_whitespace().count() <= SHORT;
            for (context, all, short) in [
                (&Context::default(), "text alone", "short, text alone"),
                (&known, "with facts", "short, with facts"),
            ] {
                count(&models, row, context, &mut scratch, sums.entry(all).or_default());
                if is_short {
                    count(&models, row, context, &mut scratch, sums.entry(short).or_default());
                }
            }
        }
        for name in ["text alone", "with facts", "short, text alone", "short, with facts"] {
            sums.entry(name).or_default().tell(name);
        }
    }
    Ok(())
}

/// What is known of the customer who wrote `row`.
fn draw(table: &ContextTable, row: &Row, telling: f64, chance: &mut Chance) -> Context {
    let mut known = Context::default();
    for (fact, rates) in &table.facts {
        let (is_known, at) = (chance.share() < 0.5, chance.share());
        let said = rates.intents.get(&row.label).copied().unwrap_or(rates.overall);
        let (said, overall) = (odds(said), odds(rates.overall));
        let so = overall * (said / overall).powf(telling);
        if is_known {
            known.facts.insert(*fact, at < so / (1.0 + so));
        }
    }
    // By how often the row's intent comes after each of those the table speaks of.
    let ratio = |follows: &BTreeMap<String, f64>| {
        follows.get(&row.label).copied().unwrap_or(1.0).powf(telling)
    };
    let all: f64 = table.previous.values().map(ratio).sum();
    let (is_known, mut at) = (chance.share() < 0.5, chance.share() * all);
    if is_known {
        known.previous_intent = table
            .previous
            .iter()
            .find(|(_, follows)| {
                at -= ratio(follows);
                at < 0.0
            })
            .map(|(previous, _)| previous.clone());
    }
    known
}

fn odds(share: f64) -> f64 {
    share / (1.0 - share)
}

fn count(models: &Models, row: &Row, context: &Context, scratch: &mut Scratch, sums: &mut Sums) {
    let said = models.classify_in(&row.text, context, scratch);
    let is_right = if is_out_of_scope(&row.label) {
        !said.in_scope
    } else {
        said.in_scope && said.intent == row.label
    };
    sums.rows += 1;
    sums.right += u32::from(is_right);
    sums.answered += u32::from(said.would_answer);
    sums.answered_wrongly += u32::from(said.would_answer && !is_right);
}
