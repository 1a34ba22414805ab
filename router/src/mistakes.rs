//! What makes no sense in a routing policy: alone, and beside what the rest of the product knows.

use std::collections::BTreeSet;

use pipeline::broadcast::Mistake;

use crate::settings::{Settings, Times};

/// Longest time of a policy, in seconds: 25 days.
const SECONDS_MAX: i64 = 60 * 60 * 24 * 25;

/// What the rest of the product knows of what a policy names.
#[derive(Debug, Clone, Default)]
pub struct Known<'a> {
    /// What the models score.
    pub intents: BTreeSet<&'a str>,
    /// What the CRM can be asked.
    pub actions: BTreeSet<&'a str>,
    /// What it may find.
    pub findings: BTreeSet<&'a str>,
}

impl Settings {
    /// What makes no sense by itself: such a policy is not used.
    pub(crate) fn mistakes(&self) -> Vec<Mistake> {
        let mut wrong = self.queues();
        for (tenant, hours) in &self.business_hours {
            let at = format!("business_hours.{tenant}");
            wrong.extend(hours.mistakes().map(|told| Mistake::new(&*at, format!("{at}: {told}"))));
        }
        wrong.extend(self.agreements_mistaken());
        wrong.extend(self.times.mistakes());
        for (name, share) in [
            ("limits.queue_confidence_min", self.limits.queue_confidence_min),
            ("checks.share", self.checks.share),
            ("checks.override_rate_max", self.checks.override_rate_max),
        ] {
            if !(0.0..=1.0).contains(&share) {
                wrong.push(Mistake::new(name, format!("{name} must be 0 to 1")));
            }
        }
        for (name, count, most) in [
            ("checks.overridden_min", self.checks.overridden_min, 1_000),
            ("checks.days", self.checks.days, 90),
        ] {
            if !(1..=most).contains(&count) {
                wrong.push(Mistake::new(name, format!("{name} must be 1 to {most}")));
            }
        }
        wrong
    }

    fn queues(&self) -> Vec<Mistake> {
        let mut wrong = Vec::new();
        let intents = self.intents.iter().map(|(id, of)| (format!("intents.{id}"), &of.queue));
        let found = self.findings.iter().map(|(id, of)| (format!("findings.{id}"), &of.queue));
        let default = [("default_queue".to_owned(), &self.default_queue)];
        let mut told = BTreeSet::new();
        for (at, queue) in intents.chain(found).chain(default) {
            if !self.first_response_minutes.contains_key(queue) && told.insert(queue) {
                let missing = format!("queue {queue} has no first_response_minutes");
                wrong.push(Mistake::new(at, missing));
            }
        }
        for (name, table) in [
            ("first_response_minutes", &self.first_response_minutes),
            ("resolution_minutes", &self.resolution_minutes),
        ] {
            for (queue, _) in table.iter().filter(|(_, n)| !(1..=60 * 24 * 30).contains(*n)) {
                let at = format!("{name}.{queue}");
                wrong.push(Mistake::new(&*at, format!("{at} must be 1 to 43200")));
            }
        }
        wrong
    }

    /// What names something nobody knows. A policy in use may: what it names may have been known to
    /// the release it was written for.
    #[must_use]
    pub fn lint(&self, known: &Known<'_>) -> Vec<Mistake> {
        let mut wrong = Vec::new();
        for (id, policy) in &self.intents {
            let at = format!("intents.{id}");
            if !known.intents.contains(id.as_str()) {
                let told =
                    format!("{at}: no model scores this intent; correct the name or remove it");
                wrong.push(Mistake::new(&*at, told));
            }
            if policy.threshold.is_some_and(|threshold| !(0.0..=1.0).contains(&threshold)) {
                wrong.push(Mistake::new(&*at, format!("{at}: threshold must be 0 to 1")));
            }
        }
        wrong.extend(self.actions_nobody_knows(known));
        for id in known.intents.iter().filter(|id| !self.intents.contains_key(**id)) {
            let told = format!("intents: '{id}' is scored and has no policy; add a line for it");
            wrong.push(Mistake::new("intents", told));
        }
        for id in self.findings.keys().filter(|id| !known.findings.contains(id.as_str())) {
            let at = format!("findings.{id}");
            let told =
                format!("{at}: the CRM finds no such thing; there are {}", listed(&known.findings));
            wrong.push(Mistake::new(at, told));
        }
        wrong
    }
}

impl Settings {
    fn actions_nobody_knows(&self, known: &Known<'_>) -> impl Iterator<Item = Mistake> {
        let first = self.intents.iter().filter_map(|(id, policy)| {
            policy.action.as_deref().map(|action| (format!("intents.{id}"), action))
        });
        let agreed = self.agreements.iter();
        let agreed = agreed.map(|(id, of)| (format!("agreements.{id}"), of.action.as_str()));
        first.chain(agreed).filter(|(_, action)| !known.actions.contains(action)).map(
            |(at, action)| {
                let there = listed(&known.actions);
                let told =
                    format!("{at}: the CRM cannot be asked for '{action}'; there are {there}");
                Mistake::new(at, told)
            },
        )
    }
}

fn listed(names: &BTreeSet<&str>) -> String {
    names.iter().copied().collect::<Vec<_>>().join(", ")
}

impl Times {
    fn mistakes(&self) -> impl Iterator<Item = Mistake> {
        let Self {
            action_s,
            reply_age_s_max,
            delivery_s,
            bot_answered_s,
            agent_silent_s,
            waiting_customer_s,
            reopen_s,
            queued_s_max,
        } = self;
        [
            ("times.action_s", action_s),
            ("times.reply_age_s_max", reply_age_s_max),
            ("times.delivery_s", delivery_s),
            ("times.bot_answered_s", bot_answered_s),
            ("times.agent_silent_s", agent_silent_s),
            ("times.waiting_customer_s", waiting_customer_s),
            ("times.reopen_s", reopen_s),
            ("times.queued_s_max", queued_s_max),
        ]
        .into_iter()
        .filter(|(_, seconds)| !(1..=SECONDS_MAX).contains(*seconds))
        .map(|(name, _)| Mistake::new(name, format!("{name} must be 1 to 2160000 (25 days)")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_nobody_knows_is_told_with_its_place() {
        let sound = Settings::built_in().unwrap();
        let mut known = Known {
            intents: sound.intents.keys().map(String::as_str).collect(),
            actions: sound
                .intents
                .values()
                .filter_map(|of| of.action.as_deref())
                .chain(sound.agreements.values().map(|of| of.action.as_str()))
                .collect(),
            findings: sound.findings.keys().map(String::as_str).collect(),
        };
        assert_eq!(sound.lint(&known), []);
        let mut policy = sound.clone();
        known.actions.remove("line_check");
        known.actions.remove("change_plan");
        known.findings.remove("line_los");
        known.intents.insert("nova");
        let pix = policy.intents.remove("pix").unwrap();
        policy.intents.insert("piks".to_owned(), pix);
        let places: Vec<String> = policy.lint(&known).into_iter().map(|wrong| wrong.at).collect();
        for place in [
            "intents.piks",
            "intents.lentidao",
            "agreements.upgrade",
            "findings.line_los",
            "intents",
        ] {
            assert!(places.iter().any(|at| at == place), "{place}: {places:?}");
        }
        assert_eq!(sound.lint(&known).iter().filter(|wrong| wrong.at == "intents").count(), 1);
    }
}
