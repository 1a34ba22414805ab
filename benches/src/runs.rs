//! Runs as they are written down, a JSON object each, and which of them count.
//!
//! Invariant: a run that is not valid enters no figure.

use serde_json::Value;

/// A number of a run by its pointer; not a number where there is none.
#[must_use]
pub fn number(run: &Value, pointer: &str) -> f64 {
    run.pointer(pointer).and_then(Value::as_f64).unwrap_or(f64::NAN)
}

/// Whether a run counts.
#[must_use]
pub fn is_valid(run: &Value) -> bool {
    run.get("valid") == Some(&Value::Bool(true))
}

/// The runs of one name at one rate.
pub struct Group<'a> {
    /// What ran.
    pub name: String,
    /// Messages a second; nothing where all were there at once.
    pub rate: Option<f64>,
    /// Those that count.
    pub valid: Vec<&'a Value>,
    /// How many there were.
    pub runs: usize,
}

impl Group<'_> {
    /// A figure of the runs that count, the least first.
    #[must_use]
    pub fn sorted(&self, pointer: &str) -> Vec<f64> {
        let mut found: Vec<f64> =
            self.valid.iter().map(|run| number(run, pointer)).filter(|n| n.is_finite()).collect();
        found.sort_by(f64::total_cmp);
        found
    }

    /// The median of a figure over the runs that count.
    #[must_use]
    pub fn median(&self, pointer: &str) -> Option<f64> {
        let found = self.sorted(pointer);
        let middle = found.len().checked_sub(1)? / 2;
        found.get(middle).copied()
    }
}

/// The runs by rate and what `name` calls them, in the order they are first met.
#[must_use]
pub fn groups(runs: &[Value], name: impl Fn(&Value) -> String) -> Vec<Group<'_>> {
    let mut groups: Vec<Group<'_>> = Vec::new();
    for run in runs {
        let (name, rate) = (name(run), run.get("rate").and_then(Value::as_f64));
        let at = groups.iter().position(|group| group.name == name && group.rate == rate);
        let at = at.unwrap_or(groups.len());
        if at == groups.len() {
            groups.push(Group { name, rate, valid: Vec::new(), runs: 0 });
        }
        if let Some(group) = groups.get_mut(at) {
            group.runs += 1;
            group.valid.extend(is_valid(run).then_some(run));
        }
    }
    groups
}
