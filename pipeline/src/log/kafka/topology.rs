//! How topics are to be, how they are, and how the two differ.

use std::fmt;

use schemas::topics::{Retention, TopicSpec};

use super::Options;

/// Settings of topics that we have a say in.
pub(super) const CLEANUP: &str = "cleanup.policy";
pub(super) const RETENTION_MS: &str = "retention.ms";
pub(super) const MIN_INSYNC: &str = "min.insync.replicas";
pub(super) const UNCLEAN: &str = "unclean.leader.election.enable";
/// How far a record's time may be ahead of the broker's clock. Brokers from 4.0 on refuse after an
/// hour: a process whose clock is two hours ahead could finish nothing it has taken.
pub(super) const AHEAD_MS_MAX: &str = "message.timestamp.after.max.ms";
pub(super) const BYTES_MAX: &str = "max.message.bytes";

/// What comes to a record's key and value on its way: headers, framing, the envelope of a dead letter
/// that holds the record whole. Once for what clients send, twice for what brokers take.
pub(super) const ENVELOPE_BYTES: usize = 64 << 10;

/// A topic as it is to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Wanted {
    pub(super) name: String,
    pub(super) partitions: u32,
    /// `-1`: as many as the brokers think.
    pub(super) replication: i32,
    pub(super) settings: Vec<(&'static str, String)>,
}

/// A topic as it is.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Found {
    pub(super) partitions: u32,
    /// The fewest of any partition.
    pub(super) replication: u32,
    /// All that apply, also those nobody set.
    pub(super) settings: Vec<(String, String)>,
}

/// How a topic differs from what it is to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    /// The topic, as the brokers know it.
    pub topic: String,
    /// How.
    pub how: How,
}

/// How a topic differs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum How {
    /// There is none.
    Missing,
    /// It is divided otherwise. Cannot be changed: keys would move.
    Partitions {
        /// How many there are to be.
        wanted: u32,
        /// How many there are.
        found: u32,
    },
    /// Fewer brokers hold it than should.
    Replication {
        /// How many there are to be.
        wanted: u32,
        /// How many there are.
        found: u32,
    },
    /// A setting is another.
    Setting {
        /// Which.
        name: &'static str,
        /// What it is to be.
        wanted: String,
        /// What it is.
        found: String,
    },
}

impl Difference {
    /// Whether [`super::KafkaLog::apply`] changes it.
    #[must_use]
    pub fn can_be_applied(&self) -> bool {
        match &self.how {
            How::Missing => true,
            How::Setting { name, .. } => {
                [RETENTION_MS, MIN_INSYNC, UNCLEAN, AHEAD_MS_MAX, BYTES_MAX].contains(name)
            }
            How::Partitions { .. } | How::Replication { .. } => false,
        }
    }
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let topic = &self.topic;
        match &self.how {
            How::Missing => write!(f, "{topic} does not exist"),
            How::Partitions { wanted, found } => write!(
                f,
                "{topic} has {found} partitions instead of {wanted} (set the number it has, or use \
                 another prefix: it cannot be changed in place)"
            ),
            How::Replication { wanted, found } => write!(
                f,
                "{topic} is held by {found} brokers instead of {wanted} (have its partitions \
                 reassigned)"
            ),
            How::Setting { name, wanted, found } => {
                write!(f, "{topic} has {name}={found} instead of {wanted}")
            }
        }
    }
}

/// How `spec`'s topic is to be.
pub(super) fn wanted(options: &Options, spec: &TopicSpec) -> Wanted {
    let (cleanup, retention_ms) = kept(spec.retention, options.history_days);
    let mut settings = vec![
        (CLEANUP, cleanup.to_owned()),
        (RETENTION_MS, retention_ms.to_string()),
        (UNCLEAN, "false".to_owned()),
        (AHEAD_MS_MAX, (24 * 3_600_000).to_string()),
        (BYTES_MAX, (options.record_bytes_max + 2 * ENVELOPE_BYTES).to_string()),
    ];
    let min_insync = match options.min_insync {
        // With as many replicas as the brokers think, it is for them to say how many must have it.
        None if options.replication < 1 => None,
        None => Some(if options.replication >= 3 { 2 } else { 1 }),
        set => set,
    };
    settings.extend(min_insync.map(|least| (MIN_INSYNC, least.to_string())));
    Wanted {
        name: format!("{}{}", options.prefix, spec.topic),
        partitions: options.partitions,
        replication: options.replication,
        settings,
    }
}

/// How long records are kept, in the broker's words: cleanup policy and milliseconds.
fn kept(retention: Retention, history_days: Option<u32>) -> (&'static str, i64) {
    let hours = |hours: u32| i64::from(hours) * 3_600_000;
    match retention {
        Retention::Hours(kept) => ("delete", hours(kept)),
        Retention::History => {
            ("delete", history_days.map_or(-1, |days| i64::from(days) * 24 * 3_600_000))
        }
        Retention::Compacted => ("compact", -1),
        Retention::CompactedHours(kept) => ("compact,delete", hours(kept)),
    }
}

/// How `found` differs from `wanted`.
pub(super) fn differences(wanted: &Wanted, found: Option<&Found>) -> Vec<Difference> {
    let differs = |how| Difference { topic: wanted.name.clone(), how };
    let Some(found) = found else { return vec![differs(How::Missing)] };
    let mut differences = Vec::new();
    if found.partitions != wanted.partitions {
        let how = How::Partitions { wanted: wanted.partitions, found: found.partitions };
        differences.push(differs(how));
    }
    let replication = wanted.replication.max(0).unsigned_abs();
    if found.replication < replication {
        let how = How::Replication { wanted: replication, found: found.replication };
        differences.push(differs(how));
    }
    let compacted_only = wanted.settings.contains(&(CLEANUP, "compact".to_owned()));
    for (name, value) in &wanted.settings {
        // Of what is only compacted, nothing is dropped for its age.
        if *name == RETENTION_MS && compacted_only {
            continue;
        }
        let is = found.settings.iter().find(|(found, _)| found == name);
        let is = is.map_or("", |(_, value)| value.as_str());
        if !fits(name, value, is) {
            let how = How::Setting { name, wanted: value.clone(), found: is.to_owned() };
            differences.push(differs(how));
        }
    }
    differences
}

/// Whether a setting does as well as the one wanted.
fn fits(name: &str, wanted: &str, found: &str) -> bool {
    let policies = |list: &str| {
        let mut list: Vec<String> = list.split(',').map(|one| one.trim().to_owned()).collect();
        list.sort();
        list
    };
    match name {
        CLEANUP => policies(wanted) == policies(found),
        // Stricter, or more, is well.
        MIN_INSYNC | AHEAD_MS_MAX | BYTES_MAX => found.parse::<u64>().ok() >= wanted.parse().ok(),
        _ => wanted == found,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use schemas::topics::Topic;

    fn spec(retention: Retention) -> TopicSpec {
        TopicSpec { topic: Topic("t"), record: "Setting", retention, public: false }
    }

    fn found(partitions: u32, replication: u32, settings: [&str; 4]) -> Found {
        let names = [CLEANUP, RETENTION_MS, MIN_INSYNC, UNCLEAN].map(str::to_owned);
        let large = (BYTES_MAX.to_owned(), "8388608".to_owned());
        let ahead = (AHEAD_MS_MAX.to_owned(), i64::MAX.to_string());
        let settings = names.into_iter().zip(settings.map(str::to_owned)).chain([large, ahead]);
        Found { partitions, replication, settings: settings.collect() }
    }

    #[test]
    fn records_from_a_clock_that_is_ahead_are_let_in() {
        let mut strict = found(12, 1, ["compact", "-1", "1", "false"]);
        let wanted = wanted(&Options::at(""), &spec(Retention::Compacted));
        assert_eq!(differences(&wanted, Some(&strict)), []);
        strict.settings.pop();
        strict.settings.push((AHEAD_MS_MAX.to_owned(), "3600000".to_owned()));
        let told = differences(&wanted, Some(&strict));
        let [one] = told.as_slice() else { panic!("{told:?}") };
        assert!(one.can_be_applied() && one.to_string().contains("=3600000 instead of 86400000"));
    }

    #[test]
    fn what_differs_is_told_and_nothing_else() {
        let options = Options {
            prefix: "p-".to_owned(),
            replication: 3,
            history_days: Some(2),
            ..Options::at("")
        };
        let hours = Retention::Hours(1);
        let both = Retention::CompactedHours(1);
        let cases: [(Retention, Found, &[&str]); 11] = [
            (hours, found(12, 3, ["delete", "3600000", "2", "false"]), &[]),
            (hours, found(12, 5, ["delete", "3600000", "3", "false"]), &[]),
            (
                hours,
                found(6, 3, ["delete", "3600000", "2", "false"]),
                &["6 partitions instead of 12"],
            ),
            (
                hours,
                found(12, 1, ["delete", "3600000", "2", "false"]),
                &["by 1 brokers instead of 3"],
            ),
            (
                hours,
                found(12, 3, ["compact", "1", "1", "true"]),
                &[
                    "cleanup.policy=compact instead of delete",
                    "retention.ms=1 instead of 3600000",
                    "unclean.leader.election.enable=true instead of false",
                    "min.insync.replicas=1 instead of 2",
                ],
            ),
            (Retention::History, found(12, 3, ["delete", "172800000", "2", "false"]), &[]),
            (
                Retention::History,
                found(12, 3, ["delete", "-1", "2", "false"]),
                &["retention.ms=-1 instead of 172800000"],
            ),
            (Retention::Compacted, found(12, 3, ["compact", "604800000", "2", "false"]), &[]),
            (
                Retention::Compacted,
                found(12, 3, ["delete", "-1", "2", "false"]),
                &["cleanup.policy=delete instead of compact"],
            ),
            (both, found(12, 3, ["delete, compact", "3600000", "2", "false"]), &[]),
            (both, found(12, 3, ["compact,delete", "9", "2", "false"]), &["retention.ms=9"]),
        ];
        for (retention, found, told) in cases {
            let differences = differences(&wanted(&options, &spec(retention)), Some(&found));
            assert_eq!(differences.len(), told.len(), "{differences:?}");
            for (difference, told) in differences.iter().zip(told) {
                let words = difference.to_string();
                assert!(words.starts_with("p-t ") && words.contains(told), "{words}");
            }
        }
        let mut small = found(12, 3, ["delete", "3600000", "2", "false"]);
        small.settings.retain(|(name, _)| name != BYTES_MAX);
        small.settings.push((BYTES_MAX.to_owned(), "1048588".to_owned()));
        let small = differences(&wanted(&options, &spec(hours)), Some(&small));
        assert!(matches!(&small[..], [one] if one.can_be_applied()), "{small:?}");
        let missing = differences(&wanted(&options, &spec(hours)), None);
        assert_eq!(missing.first().map(|missing| &missing.how), Some(&How::Missing));
    }

    #[test]
    fn what_must_be_in_sync_follows_from_the_replicas() {
        let least = |replication, min_insync| {
            let options = Options { replication, min_insync, ..Options::at("") };
            let settings = wanted(&options, &spec(Retention::History)).settings;
            settings.into_iter().find(|(name, _)| *name == MIN_INSYNC).map(|(_, least)| least)
        };
        assert_eq!(least(1, None).as_deref(), Some("1"));
        assert_eq!(least(3, None).as_deref(), Some("2"));
        assert_eq!(least(5, Some(3)).as_deref(), Some("3"));
        assert_eq!(least(-1, None), None);
    }

    #[test]
    fn only_what_moves_no_key_and_no_record_is_applied() {
        let how = |how| Difference { topic: "t".to_owned(), how }.can_be_applied();
        let setting = |name| How::Setting { name, wanted: "1".to_owned(), found: "2".to_owned() };
        assert!(how(How::Missing) && how(setting(RETENTION_MS)) && how(setting(MIN_INSYNC)));
        assert!(!how(How::Partitions { wanted: 1, found: 2 }) && !how(setting(CLEANUP)));
        assert!(!how(How::Replication { wanted: 3, found: 1 }));
    }
}
