//! `correnteza serve`: everything in one process, on one machine.

mod health;
mod history;
mod http;
mod line;
mod maintenance;

use std::io::Write;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, anyhow};
use ingest::Door;
use ingest::channels::api::ApiSettings;
use ingest::channels::{api, web_chat, whatsapp_cloud};
use ingest::door::{DoorSettings, Hub, body_limit};
use pipeline::clock::{Clock, SystemClock};
use pipeline::log::embedded::{self, EmbeddedLog, Options};
use pipeline::telemetry::metrics::Metrics;
use pipeline::{Log, Policy, RunError, Setup};
use schemas::sealed::Keyring;
use schemas::topics::TOPICS;
use sink::Store;
use sink::store::sqlite::SqliteStore;
use tokio::task::{JoinError, JoinSet};
use tokio_util::sync::CancellationToken;

use self::health::Health;
use self::history::StoredHistory;
use crate::config::{Durability, Settings};
use crate::inputs::Inputs;
use crate::simulate::{self, Demo};
use crate::{keys, models};

/// Serves until it is told to stop. `demo`: with a provider's day flowing through it.
pub async fn run(settings: Settings, demo: bool) -> anyhow::Result<()> {
    let started = Instant::now();
    let listener = http::bind(settings.server.listen).await?;
    let address = listener.local_addr()?;
    let server = Server::open(&settings).await?;
    let stop = CancellationToken::new();
    let line_stop = CancellationToken::new();
    let running = server.start(&settings, &stop, &line_stop).await?;
    let mut tasks = running.tasks;
    let http_stop = stop.clone();
    tasks.spawn(async move { http::serve(listener, running.router, http_stop).await });
    if demo {
        let demo = Demo::at(&format!("http://{address}"), &settings.server.token);
        let stop = stop.clone();
        tasks.spawn(async move { simulate::live(demo, stop).await });
    }
    announce(&settings, address, started);
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

fn announce(settings: &Settings, address: std::net::SocketAddr, started: Instant) {
    let mut out = std::io::stdout().lock();
    let _ = writeln!(
        out,
        "correnteza {} ready in {:.1} s\n  desk      http://{address}/\n  customer  http://{address}/chat\n  \
         API       http://{address}/openapi.json\n  data      {}\nCtrl-C stops it.",
        env!("CARGO_PKG_VERSION"),
        started.elapsed().as_secs_f64(),
        settings.server.data_dir.display(),
    );
    let _ = out.flush();
}

/// What is open before anything runs.
struct Server {
    log: EmbeddedLog,
    metrics: Arc<Metrics>,
    clock: Arc<dyn Clock>,
    keyring: Arc<Keyring>,
    store: Arc<dyn Store>,
}

/// What runs.
struct Started {
    tasks: JoinSet<anyhow::Result<()>>,
    line: Runners,
    router: axum::Router,
    health: Arc<Health>,
}

impl Server {
    async fn open(settings: &Settings) -> anyhow::Result<Self> {
        let data_dir = &settings.server.data_dir;
        let metrics = Arc::new(Metrics::new()?);
        let options = Options {
            partitions: settings.log.partitions,
            durability: match settings.log.durability {
                Durability::Fsync => embedded::Durability::Fsync,
                Durability::Os => embedded::Durability::Os,
            },
            queued_bytes_max: settings.log.queue_bytes_max,
            ..Options::at(data_dir)
        };
        let log = EmbeddedLog::open(&options, Arc::clone(&metrics))?;
        log.ensure(TOPICS).await?;
        let keyring = Arc::new(keys::keyring(data_dir, settings.tenants.keys())?);
        let store = Arc::new(SqliteStore::open(&data_dir.join("store.db"))?);
        Ok(Self { log, metrics, clock: Arc::new(SystemClock), keyring, store })
    }

    async fn start(
        &self,
        settings: &Settings,
        stop: &CancellationToken,
        line_stop: &CancellationToken,
    ) -> anyhow::Result<Started> {
        let dir = models::directory(settings);
        let opened = tokio::task::spawn_blocking({
            let dir = dir.clone();
            move || models::open_or_train(&dir)
        });
        let models = models::side_input(joined(opened.await)??, &dir, &settings.server.data_dir)?;
        let inputs = Inputs::load(&self.log, settings, self.clock.now_ms()).await?;
        let intent_groups = inputs.intent_groups.clone();
        let log: Arc<dyn Log> = Arc::new(self.log.clone());
        let parts = line::Parts {
            setup: Setup {
                log: Arc::clone(&log),
                clock: Arc::clone(&self.clock),
                metrics: Arc::clone(&self.metrics),
                ticks: Some(line::tick),
                policy: Policy::default(),
                probe: None,
            },
            ledger: Arc::new(self.log.clone()),
            clock: Arc::clone(&self.clock),
            keyring: Arc::clone(&self.keyring),
            store: Arc::clone(&self.store),
            inputs,
            models,
        };
        let mut tasks = JoinSet::new();
        let hub = Arc::new(Hub::default());
        let floor = Arc::new(desk::Floor::default());
        let heard = Hub::open(&self.log).await?;
        let seen = desk::Floor::open(&self.log).await?;
        let line = line::start(&parts, settings, line_stop)?;
        let mut runners = Runners::new();
        let (listening, stopping) = (Arc::clone(&hub), line_stop.clone());
        runners.spawn(async move {
            ("hub", listening.listen(heard, stopping).await.map_err(RunError::from))
        });
        let (watching, stopping) = (Arc::clone(&floor), line_stop.clone());
        runners.spawn(async move {
            ("floor", watching.listen(seen, stopping).await.map_err(RunError::from))
        });
        for running in line.running {
            let name = running.name;
            runners.spawn(async move { (name, running.ended().await) });
        }
        let metrics = Arc::clone(&self.metrics);
        let lag = maintenance::lag(self.log.clone(), line.groups, metrics, stop.clone());
        tasks.spawn(async move {
            lag.await;
            Ok(())
        });
        let clock = Arc::clone(&self.clock);
        let days = settings.retention.history_days;
        let forget = maintenance::forget(self.log.clone(), clock, days, stop.clone());
        tasks.spawn(async move {
            forget.await;
            Ok(())
        });
        tasks.spawn(maintenance::disk(self.log.clone(), stop.clone()));
        let health = Arc::new(Health::default());
        let doors = self.doors(settings, log, hub, floor, intent_groups, stop);
        let router = http::router(doors, Arc::clone(&self.metrics), Arc::clone(&health));
        Ok(Started { tasks, line: runners, router, health })
    }

    /// The doors and the desk.
    fn doors(
        &self,
        settings: &Settings,
        log: Arc<dyn Log>,
        hub: Arc<Hub>,
        floor: Arc<desk::Floor>,
        intent_groups: std::collections::BTreeMap<String, String>,
        stop: &CancellationToken,
    ) -> axum::Router {
        let default_tenant = settings.default_tenant().to_owned();
        let history =
            StoredHistory { store: Arc::clone(&self.store), clock: Arc::clone(&self.clock) };
        let door_settings = DoorSettings { wait: Duration::from_millis(settings.door.wait_ms) };
        let door = Door::new(
            Arc::clone(&log),
            Arc::clone(&self.keyring),
            Arc::clone(&self.clock),
            hub,
            Arc::new(history),
            door_settings,
        );
        let accounts = settings
            .channels
            .whatsapp_cloud
            .iter()
            .map(|(name, account)| {
                let account = whatsapp_cloud::Account {
                    tenant: account.tenant.clone(),
                    app_secret: account.app_secret.clone(),
                    verify_token: account.verify_token.clone(),
                };
                (name.clone(), account)
            })
            .collect();
        let desk = desk::Desk {
            log,
            store: Arc::clone(&self.store),
            keyring: Arc::clone(&self.keyring),
            clock: Arc::clone(&self.clock),
            floor,
            default_tenant: default_tenant.as_str().into(),
            stop: stop.clone(),
        };
        let token = &settings.server.token;
        let access =
            if token.is_empty() { desk::Access::open() } else { desk::Access::token(token) };
        let api_settings = ApiSettings { default_tenant: default_tenant.clone(), intent_groups };
        let for_programs = access.guard(api::routes(door.clone(), api_settings));
        let doors = for_programs
            .merge(whatsapp_cloud::routes(door.clone(), accounts))
            .merge(web_chat::routes(door, &default_tenant, stop.clone()))
            .merge(desk::routes(desk, &access));
        body_limit(doors, settings.door.body_bytes_max)
    }
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
