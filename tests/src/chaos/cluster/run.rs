//! One fault done to an installation under load, from the first message to the judgement.

use std::path::Path;
use std::time::{Duration, Instant};

use super::brokers::Brokers;
use super::faults::{Fault, Scene, Struck, account, strike};
use super::installation::{Installation, Layout};
use super::probes::{self, Probe, Probes};
use super::proxy::Proxy;
use super::registry::FakeRegistry;
use super::report::{Answers, Report};
use super::services::Service;
use crate::api::Api;
use crate::chaos::channel::Channel;
use crate::chaos::customers::{Customers, Load};
use crate::chaos::judge::judge;
use crate::chaos::kill9::{answered, at_rest};
use crate::chaos::planted;

/// The first of the time before the fault is not measured, and of what follows no more than so much.
const WARM: Duration = Duration::from_secs(4);
const COUNTED_MAX: Duration = Duration::from_secs(20);
/// Over how long a p95 is taken after the fault.
const WINDOW: Duration = Duration::from_secs(5);
/// How long every group may take to have read everything once nobody writes.
const LAG_ZERO_WITHIN: Duration = Duration::from_secs(40);
/// How long doors may acknowledge nothing while a broker that is gone is given up by the others: its
/// session, and the election of another controller.
const SILENCE_MAX: Duration = Duration::from_secs(15);
/// Deadlines of conversations pass for minutes after the last message: so many records may be on their
/// way and not committed yet.
const LAG_AT_REST: u64 = 20;
/// How a record set aside, and a panic, show in what processes say.
const SET_ASIDE: &str = "set aside as a dead letter";
const PANICKED: &str = "panicked at";

/// What is asked for.
#[derive(Debug, Clone, Copy)]
pub struct Ordered {
    /// What happens.
    pub fault: Fault,
    /// How often.
    pub rounds: u32,
    /// How customers write.
    pub load: Load,
    /// How long an outage is.
    pub outage: Duration,
    /// How long customers write before the fault, and at most after it until they are served as before.
    pub watched: Watched,
}

/// How long latencies are watched.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Watched {
    /// Before the fault.
    pub before: Duration,
    /// After it, if it takes so long.
    pub after: Duration,
}

impl Watched {
    /// Just so that the fault meets work: what counts is what is left.
    #[must_use]
    pub fn briefly() -> Self {
        Self { before: WARM, after: Duration::ZERO }
    }

    /// Long enough for figures, on servers that have been at work for `before`.
    #[must_use]
    pub fn well(before: Duration) -> Self {
        Self { before: before.max(3 * WARM), after: Duration::from_secs(40) }
    }

    /// The part of the time before whose latencies count.
    fn counted(self) -> Duration {
        self.before.saturating_sub(WARM).min(COUNTED_MAX)
    }
}

/// An installation with everything around it.
pub struct Stand {
    // Dropped in this order: nobody is left without the server it speaks to.
    installation: Installation,
    proxy: Proxy,
    channel: Channel,
    servers: Servers,
}

/// What an installation runs on.
pub struct Servers {
    /// The broker or brokers.
    pub kafka: Brokers,
    /// The store.
    pub cassandra: Service,
    /// Whose schemas records are framed with; none: they travel by fingerprint.
    pub registry: Option<FakeRegistry>,
}

impl Stand {
    /// Starts an installation called `tag` in `root` on the servers given.
    ///
    /// # Errors
    /// When something does not come up; with what it said.
    pub async fn start(
        root: &Path,
        tag: &str,
        servers: Servers,
        settings: &[(&str, &str)],
    ) -> anyhow::Result<Self> {
        let (channel, proxy) =
            (Channel::open().await?, Proxy::open(&servers.cassandra.address).await?);
        let mut settings: Vec<(String, String)> =
            settings.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
        settings.push(("DELIVER__CALLBACK_URL".to_owned(), channel.url.clone()));
        settings.push(("KAFKA__REPLICATION".to_owned(), servers.kafka.count().to_string()));
        settings.extend(account());
        let url = servers.registry.iter().map(FakeRegistry::url);
        settings.extend(url.map(|url| ("KAFKA__REGISTRY__URL".to_owned(), url)));
        let installation = Installation::start(Layout {
            root: root.to_owned(),
            tag: tag.to_owned(),
            kafka: servers.kafka.address.clone(),
            cql: proxy.address.clone(),
            settings,
        });
        Ok(Self { installation: installation.await?, proxy, channel, servers })
    }

    /// Does one fault to it and judges what is left.
    ///
    /// # Errors
    /// When something does not come back.
    pub async fn suffer(&self, asked: Ordered) -> anyhow::Result<Report> {
        let Ordered { fault, rounds, load, .. } = asked;
        let installation = &self.installation;
        installation.reset()?;
        self.proxy.misbehave(Duration::ZERO, 0);
        self.proxy.cut(false);
        self.channel.be_unkind(false);
        installation.at_work().await?;
        let (rss, ended) = (installation.rss_mb(), installation.ended_by_itself());
        let (aside, panics) = (installation.said(SET_ASIDE), installation.said(PANICKED));
        let customers = Customers::start(&installation.url, load)?;
        let probing = Probes::start(&installation.url, format!("P{}-{}", fault.name(), load.seed));
        let began = Instant::now();
        let Watched { before, after } = asked.watched;
        tokio::time::sleep(before).await;
        let from = began + before - asked.watched.counted();
        let p95_before = probes::p95(&probing.seen(), from, began + before - WINDOW / 5);
        let struck = self.strike(asked).await?;
        installation.at_work().await?;
        let p95_back = recovered(&probing, &struck, p95_before, after).await;
        let (mut journal, pace) = customers.finish().await?;
        let probes = probing.finish().await?;
        let rested = Instant::now();
        journal.extend(probes::journal(&probes));
        journal.extend(struck.journal.clone());
        let sent = || self.channel.sent_to(&journal);
        let mut facts = at_rest(&Api::new(&installation.url), &journal, sent).await?;
        let lag_zero = self.lag_zero(rested).await;
        facts.dead_letters = installation.said(SET_ASIDE) - aside;
        let mut broken = struck.broken.clone();
        broken.extend(undurable(&probes, &struck));
        let (silent, gaps) = silences(&probes, &struck);
        broken.extend(silent);
        if lag_zero.is_none() {
            broken.push(format!("the lag never came to 0: {:?}", installation.lag().await));
        }
        let panics = installation.said(PANICKED) - panics;
        broken.extend((panics > 0).then(|| format!("{panics} panics")));
        Ok(Report {
            fault: fault.name(),
            rounds,
            seed: load.seed,
            acknowledged: journal.values().map(Vec::len).sum(),
            answered: answered(&facts),
            sent: facts.sent.len(),
            violations: judge(&facts),
            broken,
            planted: planted::missed(&facts),
            p95_before,
            drained: drained(&probes, struck.ended),
            p95_back,
            lag_zero,
            slowest: probes.iter().filter_map(|probe| probe.decided).max().unwrap_or_default(),
            answers: answers(&probes, &struck),
            ended_by_itself: installation.ended_by_itself() - ended,
            late_max: pace.late_max,
            rss_mb: [rss, installation.rss_mb()],
            load: std::fs::read_to_string("/proc/loadavg").unwrap_or_default().trim().to_owned(),
            timeline: timeline(&probes, began),
            notes: struck.notes.into_iter().chain(gaps).collect(),
        })
    }

    async fn strike(&self, asked: Ordered) -> anyhow::Result<Struck> {
        let scene = Scene {
            installation: &self.installation,
            kafka: &self.servers.kafka,
            cassandra: &self.servers.cassandra,
            registry: self.servers.registry.as_ref(),
            proxy: &self.proxy,
            channel: &self.channel,
            rounds: asked.rounds,
            seed: asked.load.seed,
            outage: asked.outage,
        };
        strike(asked.fault, &scene).await
    }

    /// Time from `since` until no group has more left to read than deadlines make go by.
    async fn lag_zero(&self, since: Instant) -> Option<Duration> {
        // Looked at once in any case: gathering what is left may have taken longer than that.
        loop {
            if self.installation.lag().await.values().all(|records| *records <= LAG_AT_REST) {
                return Some(since.elapsed());
            }
            if since.elapsed() > LAG_ZERO_WITHIN {
                return None;
            }
            tokio::time::sleep(Duration::from_millis(500)).await;
        }
    }
}

/// Time from the fault's end until p95 over a window is below twice what it was before.
async fn recovered(
    probing: &Probes,
    struck: &Struck,
    before: Option<Duration>,
    within: Duration,
) -> Option<Duration> {
    let bar = before?.saturating_mul(2);
    while struck.ended.elapsed() < within {
        let probes = probing.seen();
        let mut from = struck.ended;
        // A window is looked at once its probes have had the time they may take.
        while from + WINDOW + bar < Instant::now() {
            if probes::p95(&probes, from, from + WINDOW).is_some_and(|p95| p95 < bar) {
                return Some(from.duration_since(struck.ended));
            }
            from += WINDOW / 10;
        }
        tokio::time::sleep(WINDOW / 10).await;
    }
    None
}

/// The slowest probe of each window since `began`, by the window it was begun in.
fn timeline(probes: &[Probe], began: Instant) -> Vec<Duration> {
    let mut slowest = Vec::new();
    for probe in probes {
        let window = probe.begun.saturating_duration_since(began).as_secs() / WINDOW.as_secs();
        let window = usize::try_from(window).unwrap_or_default();
        slowest.resize(slowest.len().max(window + 1), Duration::ZERO);
        if let Some(most) = slowest.get_mut(window) {
            *most = probe.decided.unwrap_or_default().max(*most);
        }
    }
    slowest
}

/// Time from `ended` until everything written before was decided.
fn drained(probes: &[Probe], ended: Instant) -> Duration {
    let before = probes.iter().filter(|probe| probe.begun < ended);
    let done = before.filter_map(|probe| Some(probe.begun + probe.decided?)).max();
    done.map_or(Duration::ZERO, |done| done.saturating_duration_since(ended))
}

/// What doors said to what was asked while the fault lasted.
fn answers(probes: &[Probe], struck: &Struck) -> Answers {
    let mut answers = Answers::default();
    let tries = probes.iter().flat_map(|probe| &probe.tries);
    for one in tries.filter(|one| one.begun >= struck.began && one.begun < struck.ended) {
        match one.status {
            Some(200..=299) => answers.acknowledged += 1,
            Some(503) => answers.refused += 1,
            Some(_) => answers.other += 1,
            None => answers.none += 1,
        }
        answers.longest = answers.longest.max(one.took);
    }
    answers
}

/// The longest time without an acknowledgement while some brokers were gone and enough were there: as
/// what may not be, and as what is told.
fn silences(probes: &[Probe], struck: &Struck) -> (Vec<String>, Vec<String>) {
    let (mut broken, mut told) = (Vec::new(), Vec::new());
    for (from, to) in &struck.acknowledging {
        let tries = probes.iter().flat_map(|probe| &probe.tries);
        let taken = tries.filter(|one| one.status.is_some_and(|status| status < 300));
        let mut moments: Vec<Instant> = taken.map(|one| one.begun + one.took).collect();
        moments.retain(|at| at > from && at < to);
        moments.sort_unstable();
        let ends = std::iter::once(from).chain(&moments).zip(moments.iter().chain([to]));
        let gap = ends.map(|(last, next)| next.duration_since(*last)).max().unwrap_or_default();
        let (gap, all) = (gap.as_secs_f64(), to.duration_since(*from).as_secs_f64());
        told.push(format!("the longest gap between acknowledgements was {gap:.1} s of {all:.1} s"));
        if gap > SILENCE_MAX.as_secs_f64() {
            broken.push(format!(
                "nothing was acknowledged for {gap:.1} s although brokers were there"
            ));
        }
    }
    (broken, told)
}

/// Acknowledgements given while there was nothing to keep them.
fn undurable(probes: &[Probe], struck: &Struck) -> Vec<String> {
    let mut broken = Vec::new();
    for (from, to) in &struck.down {
        let tries = probes.iter().flat_map(|probe| &probe.tries);
        let inside = tries.filter(|one| one.begun > *from && one.begun + one.took < *to);
        let (mut taken, mut said) = (0, 0);
        for one in inside {
            said += u32::from(one.status.is_some());
            taken += u32::from(one.status.is_some_and(|status| status < 300));
        }
        if taken > 0 {
            broken.push(format!("{taken} acknowledged while nothing could be kept"));
        }
        if said == 0 {
            broken.push("nobody was answered during the outage: it shows nothing".to_owned());
        }
    }
    broken
}
