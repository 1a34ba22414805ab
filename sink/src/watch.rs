//! Watching the models at work: what is counted of them, and what follows from the counts.
//!
//! The `metrics` stage counts under the names made here, so the counts are absolute by minute and
//! partition like all others. [`Watch`] holds a window of them by hour and version of the models.
//! Invariants: it is a view, the same whoever makes it from the same minutes; a drift is told against
//! the version's own first traffic, and an override rate with its interval.

use std::collections::BTreeMap;

use schemas::conversation::Route;
use schemas::labels::{LabelSource, Labeled};
use schemas::line::Classification;
use schemas::state::MinuteMetrics;
use serde::Serialize;

/// Turns of a version that later ones are compared with: the first minutes that hold so many.
const REFERENCE_TURNS: i64 = 500;
/// Fewest turns of an hour for its own figures of drift.
const HOUR_TURNS_MIN: i64 = 100;
/// Minutes in an hour.
const HOUR: i64 = 60;
/// What stands for intents none of which fits.
const OUT_OF_SCOPE: &str = "fora_escopo";
/// Normal quantile of a two-sided 95 % interval: what is shown.
pub const Z_SHOWN: f64 = 1.959_964;
/// Of a 99 % interval: what closes a path, looked at again and again.
pub const Z_CLOSES: f64 = 2.575_829;

/// What a classified turn counts for.
pub(crate) fn of_classification(c: &Classification) -> Vec<(String, i64)> {
    let model = &c.model_version;
    let intent = if c.in_scope { c.intent().unwrap_or(OUT_OF_SCOPE) } else { OUT_OF_SCOPE };
    #[allow(clippy::cast_possible_truncation)] // 0 to 1000, and 0 to 9
    let (unknown, tenth) = (
        (c.unknown_share.clamp(0.0, 1.0) * 1_000.0).round() as i64,
        ((c.confidence.clamp(0.0, 1.0) * 10.0) as i64).min(9),
    );
    vec![
        (format!("model/{model}/turns"), 1),
        (format!("model/{model}/unknown_pm"), unknown),
        (format!("model/{model}/intent/{intent}"), 1),
        (format!("model/{model}/confidence/{tenth}"), 1),
    ]
}

/// What a label counts for: only those of automatic answers do.
pub(crate) fn of_label(labeled: &Labeled) -> Option<(String, i64)> {
    let source = match labeled.source {
        LabelSource::Check => "check",
        LabelSource::Correction => "correction",
        LabelSource::Unknown => return None,
    };
    let kept = if labeled.intent == labeled.predicted { "kept" } else { "overridden" };
    let (model, intent) = (&labeled.model_version, &labeled.predicted);
    (labeled.route == Route::Auto).then(|| (format!("model/{model}/{source}/{intent}/{kept}"), 1))
}

/// Automatic answers on an intent that people looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Looks {
    /// Found right.
    pub kept: i64,
    /// Found to be about something else.
    pub overridden: i64,
}

impl Looks {
    fn add(&mut self, other: Self) {
        self.kept += other.kept;
        self.overridden += other.overridden;
    }

    /// How many.
    #[must_use]
    pub fn all(self) -> i64 {
        self.kept + self.overridden
    }

    /// The Wilson score interval of the share that was overridden; `None` without any.
    #[must_use]
    pub fn wilson(self, z: f64) -> Option<(f64, f64)> {
        if self.all() == 0 {
            return None;
        }
        #[allow(clippy::cast_precision_loss)] // counts of looks
        let (n, k) = (self.all() as f64, self.overridden as f64);
        let (p, z2) = (k / n, z * z);
        let middle = (p + z2 / (2.0 * n)) / (1.0 + z2 / n);
        let half = z * (p * (1.0 - p) / n + z2 / (4.0 * n * n)).sqrt() / (1.0 + z2 / n);
        Some(((middle - half).max(0.0), (middle + half).min(1.0)))
    }
}

/// Counts of one version of the models.
#[derive(Debug, Clone, Default, PartialEq)]
struct Counts {
    turns: i64,
    unknown_pm: i64,
    intents: BTreeMap<String, i64>,
    confidence: BTreeMap<String, i64>,
}

impl Counts {
    fn add(&mut self, other: &Self) {
        self.turns += other.turns;
        self.unknown_pm += other.unknown_pm;
        for (to, from) in
            [(&mut self.intents, &other.intents), (&mut self.confidence, &other.confidence)]
        {
            for (name, by) in from {
                *to.entry(name.clone()).or_default() += by;
            }
        }
    }

    #[allow(clippy::cast_precision_loss)] // counts of turns
    fn unknown_share(&self) -> Option<f64> {
        (self.turns > 0).then(|| self.unknown_pm as f64 / 1_000.0 / self.turns as f64)
    }
}

/// The population stability index of `now` against `before`: 0 the same, above 0.25 by convention
/// another population. Counts are smoothed by a half, so that what was never seen is not infinite.
#[must_use]
pub fn psi(before: &BTreeMap<String, i64>, now: &BTreeMap<String, i64>) -> f64 {
    let mut names: Vec<&String> = before.keys().chain(now.keys()).collect();
    names.sort_unstable();
    names.dedup();
    #[allow(clippy::cast_precision_loss)] // counts of turns
    let share = |counts: &BTreeMap<String, i64>, name: &String| {
        let all: i64 = counts.values().sum();
        let one = counts.get(name).copied().unwrap_or_default();
        (one as f64 + 0.5) / (all as f64 + 0.5 * names.len() as f64)
    };
    names
        .iter()
        .map(|name| {
            let (q, p) = (share(before, name), share(now, name));
            (p - q) * (p / q).ln()
        })
        .sum()
}

/// One version's hour.
#[derive(Debug, Clone, Default)]
struct Hour {
    all: Counts,
    /// Without what is of the version's first turns.
    later: Counts,
}

/// The models at work, by hour, for a while.
#[derive(Debug, Clone, Default)]
pub struct Watch {
    /// By hour (since 1970, UTC) and version.
    hours: BTreeMap<i64, BTreeMap<String, Hour>>,
    /// The first minutes of each version, as many as hold [`REFERENCE_TURNS`].
    first: BTreeMap<String, BTreeMap<i64, Counts>>,
    /// By minute, version, how they came about, and intent.
    looks: BTreeMap<(i64, String, bool, String), Looks>,
}

impl Watch {
    /// Takes what was counted in `hour`, in place of what it knew of it. Earlier hours come first.
    pub fn take(&mut self, hour: i64, minutes: &[MinuteMetrics]) {
        self.looks.retain(|(minute, ..), _| minute.div_euclid(HOUR) != hour);
        let mut versions: BTreeMap<String, Hour> = BTreeMap::new();
        for minute in minutes {
            for (version, counts) in self.counted(minute) {
                let hour = versions.entry(version.clone()).or_default();
                hour.all.add(&counts);
                let first = self.first.entry(version).or_default();
                let turns: i64 = first.values().map(|counts| counts.turns).sum();
                if turns < REFERENCE_TURNS || first.contains_key(&minute.minute) {
                    first.insert(minute.minute, counts);
                } else {
                    hour.later.add(&counts);
                }
            }
        }
        self.hours.insert(hour, versions);
    }

    /// Takes the looks of a minute, and gives what else was counted, by version.
    fn counted(&mut self, minute: &MinuteMetrics) -> BTreeMap<String, Counts> {
        let mut versions: BTreeMap<String, Counts> = BTreeMap::new();
        for (name, by) in &minute.values {
            let Some((version, what)) =
                name.strip_prefix("model/").and_then(|rest| rest.split_once('/'))
            else {
                continue;
            };
            let (kind, rest) = what.split_once('/').unwrap_or((what, ""));
            if matches!(kind, "check" | "correction") {
                let (intent, found) = rest.split_once('/').unwrap_or((rest, ""));
                let key = (minute.minute, version.to_owned(), kind == "check", intent.to_owned());
                let looks = self.looks.entry(key).or_default();
                match found {
                    "kept" => looks.kept += by,
                    _ => looks.overridden += by,
                }
                continue;
            }
            let counts = versions.entry(version.to_owned()).or_default();
            match kind {
                "turns" => counts.turns += by,
                "unknown_pm" => counts.unknown_pm += by,
                "intent" => *counts.intents.entry(rest.to_owned()).or_default() += by,
                "confidence" => *counts.confidence.entry(rest.to_owned()).or_default() += by,
                _ => {}
            }
        }
        versions
    }

    /// Lets go of everything before `hour`.
    pub fn forget(&mut self, hour: i64) {
        self.hours = self.hours.split_off(&hour);
        self.looks.retain(|(minute, ..), _| minute.div_euclid(HOUR) >= hour);
    }

    /// The version that read turns last; of several in its last hour, the one that read most.
    #[must_use]
    pub fn version(&self) -> Option<&str> {
        let (_, versions) = self.hours.iter().rev().find(|(_, versions)| !versions.is_empty())?;
        versions.iter().max_by_key(|(_, hour)| hour.all.turns).map(|(version, _)| version.as_str())
    }

    /// Random looks at `version`'s automatic answers on each intent, from the minute that
    /// `from_minute` says for it.
    #[must_use]
    pub fn checked(
        &self,
        version: &str,
        from_minute: impl Fn(&str) -> i64,
    ) -> BTreeMap<String, Looks> {
        self.looked_at(version, true, from_minute)
    }

    fn looked_at(
        &self,
        version: &str,
        checks: bool,
        from_minute: impl Fn(&str) -> i64,
    ) -> BTreeMap<String, Looks> {
        let mut found: BTreeMap<String, Looks> = BTreeMap::new();
        for ((minute, of, by_chance, intent), looks) in &self.looks {
            if of == version && *by_chance == checks && *minute >= from_minute(intent) {
                found.entry(intent.clone()).or_default().add(*looks);
            }
        }
        found
    }

    /// The counts that later ones of `version` are compared with.
    fn reference(&self, version: &str) -> Counts {
        let mut reference = Counts::default();
        self.first.get(version).into_iter().flatten().for_each(|(_, counts)| reference.add(counts));
        reference
    }

    /// How `version` does from `from_hour` on.
    #[must_use]
    pub fn report(&self, version: &str, from_hour: i64) -> Report {
        let reference = self.reference(version);
        let mut total = Counts::default();
        let mut later = Counts::default();
        let mut hours = Vec::new();
        for (hour, versions) in self.hours.range(from_hour..) {
            let Some(Hour { all: counts, later: behind }) = versions.get(version) else { continue };
            total.add(counts);
            later.add(behind);
            let drift = (behind.turns >= HOUR_TURNS_MIN).then(|| Drift::of(&reference, behind));
            hours.push(HourReport {
                hour: *hour,
                turns: counts.turns,
                unknown_share: counts.unknown_share(),
                psi_intents: drift.map(|drift| drift.psi_intents),
                psi_confidence: drift.map(|drift| drift.psi_confidence),
            });
        }
        let checked = self.looked_at(version, true, |_| from_hour.saturating_mul(HOUR));
        let corrected = self.looked_at(version, false, |_| from_hour.saturating_mul(HOUR));
        Report {
            model_version: version.to_owned(),
            turns: total.turns,
            unknown_share: total.unknown_share(),
            unknown_share_reference: reference.unknown_share(),
            reference_turns: reference.turns,
            drift: (later.turns >= HOUR_TURNS_MIN).then(|| Drift::of(&reference, &later)),
            intents: total.intents,
            confidence: (0..10)
                .map(|tenth| total.confidence.get(&tenth.to_string()).copied().unwrap_or_default())
                .collect(),
            checked: overrides(checked),
            corrected: overrides(corrected),
            hours,
        }
    }
}

fn overrides(looks: BTreeMap<String, Looks>) -> Vec<OverrideRate> {
    let rate = |(intent, looks): (String, Looks)| {
        let (min, max) = looks.wilson(Z_SHOWN)?;
        #[allow(clippy::cast_precision_loss)] // counts of looks
        let rate = looks.overridden as f64 / looks.all() as f64;
        let (checked, overridden) = (looks.all(), looks.overridden);
        Some(OverrideRate { intent, checked, overridden, rate, min, max })
    };
    looks.into_iter().filter_map(rate).collect()
}

/// How far traffic has moved from what it was.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Drift {
    /// Of what customers want.
    pub psi_intents: f64,
    /// Of how sure the models are, in tenths.
    pub psi_confidence: f64,
    /// What chance alone makes of the first, given how few turns are compared.
    pub psi_intents_by_chance: f64,
}

impl Drift {
    #[allow(clippy::cast_precision_loss)] // counts of turns
    fn of(reference: &Counts, now: &Counts) -> Self {
        let kinds = reference.intents.keys().chain(now.intents.keys());
        let kinds = kinds.collect::<std::collections::BTreeSet<_>>().len() as f64;
        let chance = 1.0 / (reference.turns.max(1) as f64) + 1.0 / (now.turns.max(1) as f64);
        Self {
            psi_intents: psi(&reference.intents, &now.intents),
            psi_confidence: psi(&reference.confidence, &now.confidence),
            psi_intents_by_chance: (kinds - 1.0).max(0.0) * chance,
        }
    }
}

/// How often people found an intent's automatic answers to be about something else.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct OverrideRate {
    /// What the machine took them for.
    pub intent: String,
    /// How many were looked at.
    pub checked: i64,
    /// How many were about something else.
    pub overridden: i64,
    /// Their share.
    pub rate: f64,
    /// Wilson interval, 95 %.
    pub min: f64,
    /// Wilson interval, 95 %.
    pub max: f64,
}

/// One hour of a version.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct HourReport {
    /// Since 1970, UTC.
    pub hour: i64,
    /// Turns read.
    pub turns: i64,
    /// Share of their n-grams that the model never saw, on average.
    pub unknown_share: Option<f64>,
    /// Against the version's first traffic; `None` while that is still gathered, or for few turns.
    pub psi_intents: Option<f64>,
    /// The same for confidence.
    pub psi_confidence: Option<f64>,
}

/// How a version of the models does.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Report {
    /// Which.
    pub model_version: String,
    /// Turns read.
    pub turns: i64,
    /// Share of their n-grams that the model never saw, on average.
    pub unknown_share: Option<f64>,
    /// The same, of the version's first traffic.
    pub unknown_share_reference: Option<f64>,
    /// Turns of the version's first traffic.
    pub reference_turns: i64,
    /// How far traffic has moved since; `None` before there is enough of it.
    pub drift: Option<Drift>,
    /// Turns by intent.
    pub intents: BTreeMap<String, i64>,
    /// Turns by tenth of confidence.
    pub confidence: Vec<i64>,
    /// Automatic answers picked by chance and looked at.
    pub checked: Vec<OverrideRate>,
    /// Automatic answers somebody came across: not by chance, so only told.
    pub corrected: Vec<OverrideRate>,
    /// Hour by hour.
    pub hours: Vec<HourReport>,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn minute(minute: i64, values: &[(&str, i64)]) -> MinuteMetrics {
        MinuteMetrics {
            tenant: "demo".to_owned(),
            minute,
            source_partition: 0,
            values: values.iter().map(|(name, by)| ((*name).to_owned(), *by)).collect(),
        }
    }

    fn busy(at: i64, pix: i64, planos: i64, unknown_pm: i64) -> MinuteMetrics {
        let turns = pix + planos;
        minute(
            at,
            &[
                ("model/m-1/turns", turns),
                ("model/m-1/unknown_pm", unknown_pm * turns),
                ("model/m-1/intent/pix", pix),
                ("model/m-1/intent/planos", planos),
                ("model/m-1/confidence/9", turns),
                ("settled/auto", 5),
            ],
        )
    }

    #[test]
    fn the_interval_is_wilsons() {
        // Newcombe (1998), table I: 81 of 263, and 0 of 20.
        let (min, max) = Looks { kept: 263 - 81, overridden: 81 }.wilson(Z_SHOWN).unwrap();
        assert!((min - 0.2553).abs() < 5e-5 && (max - 0.3662).abs() < 5e-5, "{min} {max}");
        let (min, max) = Looks { kept: 20, overridden: 0 }.wilson(Z_SHOWN).unwrap();
        assert!(min.abs() < 1e-12 && (max - 0.1611).abs() < 5e-5, "{min} {max}");
        assert_eq!(Looks::default().wilson(Z_SHOWN), None);
    }

    #[test]
    fn what_stays_the_same_has_no_index_and_what_is_new_has_one() {
        let counts = |pairs: &[(&str, i64)]| -> BTreeMap<String, i64> {
            pairs.iter().map(|(name, by)| ((*name).to_owned(), *by)).collect()
        };
        let before = counts(&[("a", 600), ("b", 400)]);
        assert!(psi(&before, &counts(&[("a", 60), ("b", 40)])).abs() < 1e-3);
        assert!(psi(&before, &counts(&[("a", 40), ("b", 30), ("c", 30)])) > 0.25);
    }

    #[test]
    fn a_version_is_held_to_its_own_first_turns() {
        let mut watch = Watch::default();
        watch.take(10, &[busy(600, 300, 0, 20), busy(601, 100, 100, 20), busy(602, 9, 1, 20)]);
        watch.take(11, &[busy(660, 160, 40, 20)]);
        watch.take(12, &[busy(720, 20, 180, 200)]);
        let report = watch.report("m-1", 0);
        assert_eq!((report.turns, report.reference_turns), (910, 500));
        assert_eq!(report.hours[0].psi_intents, None, "few behind the reference");
        assert!(report.hours[1].psi_intents.unwrap() < 0.01, "{report:#?}");
        assert!(report.hours[2].psi_intents.unwrap() > 1.0);
        assert!(report.drift.unwrap().psi_intents > report.drift.unwrap().psi_intents_by_chance);
        assert_eq!(report.hours[2].unknown_share, Some(0.2));
        assert_eq!(report.unknown_share_reference, Some(0.02));
        assert_eq!(watch.version(), Some("m-1"));
        // What is counted later replaces what was counted before.
        watch.take(12, &[busy(720, 160, 40, 20)]);
        assert!(watch.report("m-1", 12).hours[0].psi_intents.unwrap() < 0.01);
        watch.forget(13);
        assert_eq!((watch.version(), watch.report("m-1", 0).turns), (None, 0));
    }

    #[test]
    fn looks_count_from_a_minute_on_and_by_how_they_came_about() {
        let mut watch = Watch::default();
        let looks = |at| {
            minute(
                at,
                &[
                    ("model/m-1/check/pix/kept", 3),
                    ("model/m-1/check/pix/overridden", 1),
                    ("model/m-1/correction/pix/overridden", 2),
                ],
            )
        };
        watch.take(10, &[looks(600), looks(630)]);
        let checked = watch.checked("m-1", |_| 601);
        assert_eq!(checked["pix"], Looks { kept: 3, overridden: 1 });
        assert_eq!(watch.checked("m-1", |_| 0)["pix"].all(), 8);
        assert!(watch.checked("m-2", |_| 0).is_empty());
        let report = watch.report("m-1", 0);
        assert_eq!((report.checked[0].checked, report.corrected[0].overridden), (8, 4));
        assert!(report.checked[0].min < 0.25 && report.checked[0].max > 0.25);
    }
}
