//! Everything in one process on one machine (`serve`), or parts of the line on Kafka and ScyllaDB
//! (`run`).

pub(crate) mod backend;
#[cfg(feature = "cluster")]
pub(crate) mod cluster;
mod doors;
mod estimate;
mod groups;
mod health;
mod history;
mod http;
mod letters;
mod line;
mod look;
mod mail;
mod maintenance;
mod models;
pub(crate) mod part;
mod paths;
mod phone;
mod problem;
mod suggesting;
mod tenants;
mod texts;
mod typing;
mod watching;

use std::io::Write;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, anyhow};
use ingest::door::Hub;
use ingest::media::Media;
use pipeline::{Effect, Policy, RunError, Setup};
use responder::act::Districts;
use tokio::task::{JoinError, JoinSet};
use tokio_util::sync::CancellationToken;

use self::backend::Backend;
use self::doors::Ears;
use self::groups::Groups;
use self::health::Health;
use self::letters::Letters;
pub(crate) use self::line::{answering_groups, classifying_group, is_read_by, other_groups};
use self::part::{Chosen, DOORS};
use self::paths::Paths;
use self::suggesting::Planner;
use self::watching::Watching;
use crate::config::Settings;
use crate::failpoints::Failpoint;
use crate::inputs::Inputs;
use crate::media::Directory;
use crate::models::follow::Follower;
use crate::simulate::{self, Demo};

/// How often a line that is to be drained is looked at, and how often it must be found empty.
const DRAINED_EVERY: Duration = Duration::from_millis(250);
const DRAINED_LOOKS: u32 = 4;

/// Serves everything from one directory until it is told to stop. `demo`: with a provider's day
/// flowing through it, so many times as fast as usual.
pub async fn run(settings: Settings, demo: Option<f64>) -> anyhow::Result<()> {
    let started = Instant::now();
    let listener = http::bind(settings.server.listen).await?;
    let backend = Backend::embedded(&settings).await?;
    let address = listener.local_addr()?;
    let demo =
        demo.map(|pace| Demo::at(&format!("http://{address}"), &settings.server.token, pace));
    go(settings, backend, &Chosen::all(), (listener, started), demo).await
}

/// Runs parts of the line on Kafka and ScyllaDB until it is told to stop.
#[cfg(feature = "cluster")]
pub async fn run_parts(settings: Settings, chosen: &Chosen) -> anyhow::Result<()> {
    let started = Instant::now();
    let listener = http::bind(settings.server.listen).await?;
    let backend = cluster::open(&settings).await?;
    go(settings, backend, chosen, (listener, started), None).await
}

/// Runs `chosen` until it is told to stop, then lets what is in hand finish.
async fn go(
    settings: Settings,
    backend: Backend,
    chosen: &Chosen,
    (listener, started): (tokio::net::TcpListener, Instant),
    demo: Option<Demo>,
) -> anyhow::Result<()> {
    let address = listener.local_addr()?;
    let stop = CancellationToken::new();
    let line_stop = CancellationToken::new();
    let city = demo.as_ref().map(Demo::city).unwrap_or_default();
    let running = start(&backend, &settings, (chosen, city), (&stop, &line_stop)).await?;
    let mut tasks = running.tasks;
    let http_stop = stop.clone();
    tasks.spawn(async move { http::serve(listener, running.router, http_stop).await });
    if let Some(demo) = demo {
        let stop = stop.clone();
        tasks.spawn(async move { simulate::live(demo, stop).await });
    }
    announce(&settings, chosen, address, started);
    let mut line = running.line;
    let result = wait(&mut tasks, &mut line, &running.health).await;
    tracing::info!("stopping: no more is taken in, what is in hand is finished");
    let drain = Duration::from_secs(settings.server.drain_s);
    stop.cancel();
    let drained = tokio::time::timeout(drain, async { while tasks.join_next().await.is_some() {} });
    if drained.await.is_err() {
        tracing::warn!("some requests did not finish in time; what was accepted is safe");
    }
    line_stop.cancel();
    let finished = tokio::time::timeout(drain, async { while line.join_next().await.is_some() {} });
    if finished.await.is_err() {
        tracing::warn!("the line did not finish in time; it goes on from its last commit");
    }
    tracing::info!("stopped");
    result
}

fn announce(settings: &Settings, chosen: &Chosen, address: std::net::SocketAddr, started: Instant) {
    let mut out = std::io::stdout().lock();
    let (version, took) = (env!("CARGO_PKG_VERSION"), started.elapsed().as_secs_f64());
    let _ = writeln!(out, "correnteza {version} ready in {took:.1} s");
    if chosen.has(DOORS) {
        let _ = writeln!(
            out,
            "  desk      http://{address}/\n  customer  http://{address}/chat\n  \
             API       http://{address}/openapi.json",
        );
    }
    if *chosen == Chosen::all() {
        let _ = writeln!(out, "  data      {}", settings.server.data_dir.display());
    } else {
        let _ = writeln!(out, "  parts     {chosen}\n  metrics   http://{address}/metrics");
    }
    let _ = writeln!(out, "Ctrl-C stops it.");
    let _ = out.flush();
}

/// What runs.
struct Started {
    tasks: JoinSet<anyhow::Result<()>>,
    line: Runners,
    router: axum::Router,
    health: Arc<Health>,
}

async fn start(
    backend: &Backend,
    settings: &Settings,
    (chosen, city): (&Chosen, Arc<Districts>),
    (stop, line_stop): (&CancellationToken, &CancellationToken),
) -> anyhow::Result<Started> {
    chosen.fits(settings.line.layout)?;
    let failpoint = Failpoint::armed()?;
    let decides = line::NEED_MODELS.iter().any(|stage| chosen.has(stage));
    let follower = Follower::begin(backend, settings, decides).await?;
    let known = follower.known();
    let now_ms = backend.clock.now_ms();
    let (configured, settled) = Inputs::load(&*backend.log, settings, now_ms).await?;
    let policies = Arc::clone(&configured.policy);
    let (paths, closings) = Paths::open(&*backend.log, policies, now_ms).await?;
    let inputs = Inputs { policy: paths.policy(), ..configured.clone() };
    let texts = texts::Texts::new(backend, settings, configured, settled.heard());
    let planner = Planner::new(&backend.keyring, settings, Arc::clone(&inputs.catalogue));
    let media = Arc::new(Directory::configured(settings, &backend.keyring));
    let parts = line::Parts {
        media: Arc::clone(&media) as _,
        setup: failpoint.iter().fold(setup(backend), |setup, point| point.watch(setup)),
        failpoint,
        ledger: Arc::clone(&backend.ledger),
        clock: Arc::clone(&backend.clock),
        keyring: Arc::clone(&backend.keyring),
        store: Arc::clone(&backend.store),
        inputs,
        models: follower.ready(),
        city,
    };
    let mut runners = Runners::new();
    // Who listens begins before anything can happen.
    let ears = if chosen.has(DOORS) {
        Some(listening(backend, settings, &mut runners, line_stop).await?)
    } else {
        None
    };
    let line = line::start(&parts, settings, chosen, line_stop)?;
    for running in line.running {
        let name = running.name;
        runners.spawn(async move { (name, running.ended().await) });
    }
    let (following, stopping) = (Arc::clone(&paths), line_stop.clone());
    runners.spawn(async move {
        ("paths", following.follow(closings, stopping).await.map_err(RunError::from))
    });
    let (changed, stopping) = (Arc::clone(&paths), line_stop.clone());
    runners.spawn(async move {
        let follow = settled.follow(stopping, move || changed.policies_changed());
        ("settings", follow.await.map_err(RunError::from))
    });
    let files = chosen.has(Media::NAME).then(|| Directory::clone(&media));
    let mut tasks = maintained(backend, settings, (line.groups, files), stop);
    tasks.spawn(follower.follow(stop.clone()));
    if ears.is_some() {
        Watching::begin(backend, &paths, &mut tasks, stop)?;
    }
    let health = Arc::new(Health::default());
    let doors = ears.map_or_else(axum::Router::new, |ears| {
        let heard = (&ears, doors::door(backend, settings, &ears));
        tasks.spawn(mail::read(backend, settings, heard.1.clone(), stop));
        tasks.spawn(phone::listen(settings, heard.1.clone(), stop));
        let suggests = Arc::new(planner) as Arc<dyn desk::Suggests>;
        let told = (paths.board(), suggests, media as Arc<dyn desk::Files>);
        doors::routes(backend, settings, heard, told, (texts, known), stop)
    });
    let router = http::router(doors, Arc::clone(&backend.metrics), Arc::clone(&health));
    Ok(Started { tasks, line: runners, router, health })
}

/// What all runners share.
fn setup(backend: &Backend) -> Setup {
    Setup {
        log: Arc::clone(&backend.log),
        clock: Arc::clone(&backend.clock),
        metrics: Arc::clone(&backend.metrics),
        ticks: Some(line::tick),
        policy: Policy { commit_every: backend.commit_every, ..Policy::default() },
        probe: None,
    }
}

/// Doors and desk hear what happens, whichever process did it.
async fn listening(
    backend: &Backend,
    settings: &Settings,
    runners: &mut Runners,
    line_stop: &CancellationToken,
) -> anyhow::Result<Ears> {
    let ears = Ears {
        hub: Arc::new(Hub::default()),
        floor: Arc::new(desk::Floor::default()),
        groups: Arc::new(Groups::default()),
        letters: Arc::new(Letters::new(backend, settings.line.layout)),
    };
    let written = Groups::open(&*backend.log).await?;
    let (groups, stopping) = (Arc::clone(&ears.groups), line_stop.clone());
    runners.spawn(async move {
        ("groups", groups.follow(written, stopping).await.map_err(RunError::from))
    });
    // One reader for both: each asks the brokers anew for every few records.
    let happens = backend.log.tail(&Hub::TOPICS, pipeline::log::From::Now).await?;
    let (hub, floor) = (Arc::clone(&ears.hub), Arc::clone(&ears.floor));
    let stopping = line_stop.clone();
    runners.spawn(async move {
        let follow = pipeline::log::follow(happens, stopping, |records| {
            floor.hear(&records);
            hub.hear(records);
        });
        ("hub", follow.await.map_err(RunError::from))
    });
    let unusable = Letters::open(&*backend.log).await?;
    let (letters, stopping) = (Arc::clone(&ears.letters), line_stop.clone());
    runners.spawn(async move {
        ("letters", letters.listen(unusable, stopping).await.map_err(RunError::from))
    });
    if let Some(told) = backend.told.clone() {
        let from = pipeline::log::From::Positions(told.from);
        let tail = backend.log.tail(&[schemas::topics::CONVERSATIONS], from);
        let (tail, stopping) = (tail.await?, line_stop.clone());
        runners.spawn(async move {
            let follow = pipeline::log::follow(tail, stopping, |records| {
                records.iter().for_each(|record| (told.tell)(record));
            });
            ("lists", follow.await.map_err(RunError::from))
        });
    }
    Ok(ears)
}

/// What runs beside the line.
fn maintained(
    backend: &Backend,
    settings: &Settings,
    (groups, files): (Vec<pipeline::Group>, Option<Directory>),
    stop: &CancellationToken,
) -> JoinSet<anyhow::Result<()>> {
    let mut tasks = JoinSet::new();
    let (log, metrics) = (Arc::clone(&backend.log), Arc::clone(&backend.metrics));
    let lag = maintenance::lag(log, groups, metrics, stop.clone());
    tasks.spawn(async move {
        lag.await;
        Ok(())
    });
    if let Some(files) = files {
        let (clock, days) = (Arc::clone(&backend.clock), settings.retention.history_days);
        let forget = maintenance::forget_media(files, clock, days, stop.clone());
        tasks.spawn(async move {
            forget.await;
            Ok(())
        });
    }
    if let Some(log) = &backend.own_log {
        let (clock, days) = (Arc::clone(&backend.clock), settings.retention.history_days);
        let forget = maintenance::forget(log.clone(), clock, days, stop.clone());
        tasks.spawn(async move {
            forget.await;
            Ok(())
        });
        tasks.spawn(maintenance::disk(log.clone(), stop.clone()));
    }
    tasks
}

/// Runs `chosen` until it has nothing in hand, then stops.
pub(crate) async fn drain(
    backend: &Backend,
    settings: &Settings,
    chosen: &Chosen,
) -> anyhow::Result<()> {
    let stop = CancellationToken::new();
    let mut running = start(backend, settings, (chosen, Arc::default()), (&stop, &stop)).await?;
    let groups = answering_groups(settings.line.layout).into_iter().chain(other_groups());
    let groups: Vec<_> =
        groups.filter(|group| group.name.split('+').all(|part| chosen.has(part))).collect();
    let mut empty = 0;
    // Outcomes come back into the line: it is drained when nothing is left several times in a row.
    while empty < DRAINED_LOOKS {
        tokio::select! {
            Some(ended) = running.line.join_next() => {
                let (name, ended) = joined(ended)?;
                ended.with_context(|| format!("{name} stopped before everything was done"))?;
            }
            () = tokio::time::sleep(DRAINED_EVERY) => {}
        }
        let mut lag = 0;
        for group in &groups {
            lag += backend.log.lag(group).await?;
        }
        empty = if lag == 0 { empty + 1 } else { 0 };
    }
    stop.cancel();
    while let Some(ended) = running.line.join_next().await {
        let (name, ended) = joined(ended)?;
        ended.with_context(|| format!("{name} did not finish"))?;
    }
    while running.tasks.join_next().await.is_some() {}
    Ok(())
}

/// The runners of the line, by name, and how they end.
type Runners = JoinSet<(&'static str, Result<(), RunError>)>;

/// What a task came to. The library's account of a panic repeats its words, which may hold a
/// customer's.
fn joined<T>(ended: Result<T, JoinError>) -> anyhow::Result<T> {
    ended.map_err(|error| match error.is_panic() {
        true => anyhow!("a part of the server panicked; the log says where"),
        false => error.into(),
    })
}

/// Waits for a signal, or for a part without which nothing is worth going on.
async fn wait(
    tasks: &mut JoinSet<anyhow::Result<()>>,
    line: &mut Runners,
    health: &Health,
) -> anyhow::Result<()> {
    let mut terminate = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate())?;
    loop {
        tokio::select! {
            _ = terminate.recv() => return Ok(()),
            _ = tokio::signal::ctrl_c() => return Ok(()),
            Some(ended) = tasks.join_next() => joined(ended)??,
            Some(ended) = line.join_next() => match joined(ended)? {
                // A stage that stopped for too many bad records leaves the others at work: what it
                // has not read is kept, and the readiness check says so.
                (name, Err(error @ RunError::Braked { .. })) => {
                    health.broke(name, error.to_string());
                }
                (name, ended) => ended.with_context(|| format!("{name} broke down"))?,
            },
        }
    }
}
