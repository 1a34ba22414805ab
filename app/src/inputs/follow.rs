//! A running process and its side inputs: it hears what is put into use, and hands its stages the new
//! versions. They take them up at a commit boundary.
//!
//! Reads `settings`, `answers` and `settings-in-use`. Invariant: what cannot be read here changes
//! nothing: the version before goes on deciding.

use std::sync::Arc;

use pipeline::LogError;
use pipeline::broadcast::{Broadcasts, Swapped, Versioned};
use pipeline::log::{self, Tail};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::Inputs;
use super::kind::{self, Kind, Texts};

/// Follows the log.
pub struct Follower {
    inputs: Inputs,
    tail: Box<dyn Tail>,
    heard: watch::Sender<u64>,
}

impl Follower {
    pub(super) fn new(inputs: Inputs, tail: Box<dyn Tail>) -> Self {
        Self { inputs, tail, heard: watch::Sender::new(0) }
    }

    /// Tells whenever something was heard.
    pub fn heard(&self) -> watch::Receiver<u64> {
        self.heard.subscribe()
    }

    /// Follows until `stop`; `policies_changed` is called when the policies were replaced.
    ///
    /// # Errors
    /// When the log cannot be read any more.
    pub async fn follow(
        self,
        stop: CancellationToken,
        policies_changed: impl Fn() + Send,
    ) -> Result<(), LogError> {
        let Self { inputs, tail, heard } = self;
        log::follow(tail, stop, |records| {
            let mut changed = false;
            for record in &records {
                match inputs.known.write().hear(record) {
                    Ok(news) => changed |= news,
                    Err(error) => {
                        tracing::error!(%error, "a setting cannot be read and is passed over");
                    }
                }
            }
            if !changed {
                return;
            }
            replace(&inputs, Kind::Grouping, &inputs.grouping, kind::groupings);
            replace(&inputs, Kind::Answers, &inputs.catalogue, kind::catalogues);
            if replace(&inputs, Kind::Policy, &inputs.policy, kind::policies) {
                policies_changed();
            }
            heard.send_modify(|count| *count += 1);
        })
        .await
    }
}

/// Hands stages what is in use now, if it is another combination and all of it is here; says whether it
/// did.
fn replace<B: Send + Sync>(
    inputs: &Inputs,
    kind: Kind,
    swapped: &Swapped<B>,
    put_together: fn(&Texts) -> Result<B, String>,
) -> bool {
    let known = inputs.known.read();
    let Some(combination) = known.combination(kind) else { return false };
    if swapped.latest().version == combination {
        return false;
    }
    // A version may be heard of before its content comes from another partition.
    let Ok(texts) = known.texts(kind, &combination) else { return false };
    match put_together(&texts) {
        Ok(content) => {
            tracing::info!(input = kind.name(), version = %combination, "taken up at the next commit");
            swapped.replace(Arc::new(Versioned { version: combination.into(), content }));
            true
        }
        Err(error) => {
            tracing::error!(
                input = kind.name(), version = %combination, error,
                "what was put into use cannot be read here; the version before decides on"
            );
            false
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};
    use std::time::Duration;

    use pipeline::Log;
    use pipeline::log::memory::MemoryLog;
    use schemas::ops::SettingInUse;

    use super::*;
    use crate::config::Settings;
    use crate::inputs::in_use::{content, putting, version_of};

    async fn put(log: &MemoryLog, kind: Kind, tenant: &str, text: &str, at_ms: i64) {
        let in_use = SettingInUse {
            name: kind.name().to_owned(),
            tenant: tenant.to_owned(),
            version: version_of(text),
            configured: String::new(),
            by: "Ana".to_owned(),
            at_ms,
        };
        // The other way round than it should be: processes wait for what they are told of.
        log.append(vec![putting(log, &in_use).unwrap()]).await.unwrap();
        log.append(vec![content(kind, text, at_ms).unwrap()]).await.unwrap();
    }

    #[tokio::test]
    async fn what_is_put_into_use_reaches_a_running_process_and_what_is_broken_changes_nothing() {
        let log = MemoryLog::new(3);
        let settings = Settings::load(None).unwrap();
        let (inputs, follower) = Inputs::load(&log, &settings, 1).await.unwrap();
        let first = inputs.catalogue.latest();
        let mut heard = follower.heard();
        let (stop, policies) = (CancellationToken::new(), Arc::new(AtomicU32::new(0)));
        let (stopping, counted) = (stop.clone(), Arc::clone(&policies));
        let following = tokio::spawn(follower.follow(stopping, move || {
            counted.fetch_add(1, Ordering::Relaxed);
        }));
        let own = responder::catalogue::BUILT_IN.replace("Pronto: ", "Feito: ");
        put(&log, Kind::Answers, "demo", &own, 2).await;
        let until = |done: fn(&Inputs) -> bool| {
            let (inputs, mut heard) = (inputs.clone(), heard.clone());
            async move {
                let waiting = async {
                    while !done(&inputs) {
                        heard.changed().await.unwrap();
                    }
                };
                tokio::time::timeout(Duration::from_secs(10), waiting).await.unwrap();
            }
        };
        until(|inputs| inputs.catalogue.latest().version.contains("+demo=")).await;
        put(&log, Kind::Answers, "demo", "broken", 3).await;
        let hours = format!(
            "{}\n[business_hours.\"*\"]\nmonday = [\"08:00-12:00\"]\n",
            router::settings::BUILT_IN
        );
        put(&log, Kind::Policy, "", &hours, 4).await;
        until(|inputs| !inputs.policy.latest().content.of("demo").business_hours.is_empty()).await;
        assert_eq!(policies.load(Ordering::Relaxed), 1);
        let now = inputs.catalogue.latest();
        let name = format!("{}+demo={}", first.version, version_of(&own));
        assert_eq!(now.version, name, "the broken one changed nothing");
        assert_eq!(now.content.of("demo").version, version_of(&own));
        assert_eq!(now.content.of("acme").version, first.content.of("demo").version);
        // A span that was begun before is read with what was in use then.
        assert_eq!(inputs.catalogue.at(&first.version).unwrap().version, first.version);
        heard.mark_unchanged();
        stop.cancel();
        following.await.unwrap().unwrap();
        // Whoever begins now begins with it, but for what nobody can read.
        assert!(Inputs::load(&log, &settings, 5).await.is_err());
        put(&log, Kind::Answers, "demo", &own, 6).await;
        let (again, _) = Inputs::load(&log, &settings, 7).await.unwrap();
        assert_eq!(again.catalogue.latest().version, name);
    }

    #[tokio::test]
    async fn a_new_release_replaces_what_came_with_the_old_one_and_not_what_was_applied() {
        let log = MemoryLog::new(3);
        let mut settings = Settings::load(None).unwrap();
        // Of a release that came with other texts.
        let old = SettingInUse {
            name: Kind::Answers.name().to_owned(),
            tenant: String::new(),
            version: version_of("old"),
            configured: "built-in".to_owned(),
            by: "configuration".to_owned(),
            at_ms: 1,
        };
        let policy = router::settings::BUILT_IN.replace("bot_answers = 8", "bot_answers = 7");
        let applied = SettingInUse {
            name: Kind::Policy.name().to_owned(),
            version: version_of(&policy),
            by: "Ana".to_owned(),
            ..old.clone()
        };
        for in_use in [old, applied] {
            log.append(vec![putting(&log, &in_use).unwrap()]).await.unwrap();
        }
        log.append(vec![content(Kind::Policy, &policy, 1).unwrap()]).await.unwrap();
        settings.tenants.get_mut("demo").unwrap().utc_offset_minutes = -240;
        for now_ms in 2..4 {
            let (inputs, _) = Inputs::load(&log, &settings, now_ms).await.unwrap();
            let built_in = version_of(responder::catalogue::BUILT_IN);
            assert_eq!(inputs.catalogue.latest().version, built_in);
            let policies = inputs.policy.latest();
            let policy = policies.content.of("demo");
            assert_eq!((policy.limits.bot_answers, policy.utc_offset_minutes("demo")), (7, -240));
            assert_eq!(inputs.known.read().own(Kind::Policy, "").unwrap().by, "Ana");
        }
    }

    #[tokio::test]
    async fn a_tenants_own_files_hold_for_that_tenant_alone() {
        let dir = tempfile::tempdir().unwrap();
        let file = |name: &str, text: String| {
            let path = dir.path().join(name);
            std::fs::write(&path, text).unwrap();
            path.to_str().unwrap().to_owned()
        };
        let hours = "[business_hours.\"*\"]\nmonday = [\"08:00-12:00\", \"13:00-18:00\"]\n\
                     holidays = [\"2026-12-25\"]\n";
        let mut settings = Settings::load(None).unwrap();
        let mut acme = settings.tenants["demo"].clone();
        acme.policy_file = file("policy.toml", format!("{}\n{hours}", router::settings::BUILT_IN));
        let answers = format!("brand = \"Acme\"\n{}", responder::catalogue::BUILT_IN);
        acme.answers_file = file("answers.toml", answers);
        settings.tenants.insert("acme".to_owned(), acme.clone());
        let log = MemoryLog::new(3);
        let (inputs, _) = Inputs::load(&log, &settings, 1).await.unwrap();
        let (policies, answers) = (inputs.policy.latest(), inputs.catalogue.latest());
        assert_eq!(policies.content.of("acme").business_hours["*"].monday.len(), 2);
        assert!(policies.content.of("demo").business_hours.is_empty());
        assert_ne!(policies.content.of("acme").version, policies.content.of("demo").version);
        assert_eq!(answers.content.of("acme").brand(), Some("Acme"));
        assert_eq!(answers.content.of("demo").brand(), None);
        // A file that is wrong is told by its tenant, and nothing begins with it.
        acme.answers_file = file("wrong.toml", "protocol = 1".to_owned());
        settings.tenants.insert("acme".to_owned(), acme);
        let told = crate::inputs::mistakes(&settings).unwrap();
        assert!(told[0].starts_with("catalogue of acme:1:"), "{told:?}");
        assert!(Inputs::load(&log, &settings, 2).await.is_err());
    }

    #[tokio::test]
    async fn what_was_applied_stays_until_the_configuration_says_something_new() {
        let log = MemoryLog::new(3);
        let mut settings = Settings::load(None).unwrap();
        let loaded = async |settings: &Settings, at_ms| {
            let (inputs, _) = Inputs::load(&log, settings, at_ms).await.unwrap();
            inputs.grouping.latest()
        };
        let begun = loaded(&settings, 1).await;
        put(&log, Kind::Grouping, "demo", "enabled = false", 2).await;
        let applied = loaded(&settings, 3).await;
        assert!(!applied.content.of("demo").enabled && begun.content.of("demo").enabled);
        let own: crate::config::OwnGrouping = toml::from_str("window_ms = 77").unwrap();
        settings.tenants.get_mut("demo").unwrap().grouping = Some(own);
        let configured = loaded(&settings, 4).await;
        assert_eq!(configured.content.of("demo").window_ms, 77);
        settings.tenants.get_mut("demo").unwrap().grouping = None;
        assert_eq!(loaded(&settings, 5).await.version, begun.version);
    }
}
