//! The watch over the models: reads what was counted of them, tells the desk and the metrics, and
//! closes the automatic path of an intent whose answers people override too often.
//!
//! Reads the store's minutes; writes `automatic-paths`. Every process with doors watches; what two of
//! them write is the same.

use std::sync::Arc;
use std::time::Duration;

use pipeline::Log;
use pipeline::clock::Clock;
use pipeline::telemetry::metrics::{Figures, Metrics};
use router::settings::Checks;
use schemas::labels::AutomaticPath;
use sink::Store;
use sink::watch::{Looks, Watch, Z_CLOSES};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::backend::Backend;
use super::paths::{self, Paths};

/// How often the hour under way is looked at.
const EVERY: Duration = Duration::from_secs(5);
/// Hours looked at again each time: what was counted late is in the one before.
const AGAIN: i64 = 2;
/// How far back the watch looks, in hours.
const HOURS: i64 = 14 * 24;
/// Figures in the metrics are of the last so many hours.
const TOLD_HOURS: i64 = 24;
const HOUR_MS: i64 = 3_600_000;
const DAY_MINUTES: i64 = 24 * 60;

/// What it works with.
pub(super) struct Watching {
    pub(super) store: Arc<dyn Store>,
    pub(super) log: Arc<dyn Log>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) paths: Arc<Paths>,
    pub(super) tenants: Vec<String>,
    pub(super) gauges: Gauges,
}

/// What the metrics tell of the models.
pub(super) struct Gauges {
    unknown_share: Figures,
    psi: Figures,
    override_rate: Figures,
    closed: Figures,
}

impl Gauges {
    pub(super) fn new(metrics: &Metrics) -> anyhow::Result<Self> {
        Ok(Self {
            unknown_share: metrics.figures(
                "model_unknown_share",
                "Share of n-grams the models never saw, of the last 24 hours",
                &["tenant", "model"],
            )?,
            psi: metrics.figures(
                "model_psi",
                "Population stability index of the last 24 hours against the version's first turns",
                &["tenant", "model", "of"],
            )?,
            override_rate: metrics.figures(
                "model_override_rate",
                "Share of checked automatic answers that were about something else",
                &["tenant", "model", "intent"],
            )?,
            closed: metrics.figures(
                "automatic_path_closed",
                "1 when people overrode too many answers on the intent",
                &["tenant", "intent"],
            )?,
        })
    }

    fn reset(&self) {
        for gauge in [&self.unknown_share, &self.psi, &self.override_rate, &self.closed] {
            gauge.forget();
        }
    }

    fn tell(&self, tenant: &str, watch: &Watch, from_hour: i64) {
        let Some(version) = watch.version() else { return };
        let report = watch.report(version, from_hour);
        if let Some(share) = report.unknown_share {
            self.unknown_share.tell(&[tenant, version], share);
        }
        if let Some(drift) = report.drift {
            self.psi.tell(&[tenant, version, "intents"], drift.psi_intents);
            self.psi.tell(&[tenant, version, "confidence"], drift.psi_confidence);
        }
        for checked in &report.checked {
            let labels = [tenant, version, checked.intent.as_str()];
            self.override_rate.tell(&labels, checked.rate);
        }
    }
}

/// The intents whose override rate breaks its bound, with the count that breaks it.
fn broken(
    watch: &Watch,
    checks: &Checks,
    from_minute: impl Fn(&str) -> i64,
) -> Vec<(String, String, Looks, f64)> {
    let Some(version) = watch.version() else { return Vec::new() };
    watch
        .checked(version, from_minute)
        .into_iter()
        .filter_map(|(intent, looks)| {
            let (min, _) = looks.wilson(Z_CLOSES)?;
            let breaks =
                looks.overridden >= checks.overridden_min && min > checks.override_rate_max;
            breaks.then(|| (version.to_owned(), intent, looks, min))
        })
        .collect()
}

impl Watching {
    /// Watches the models of every tenant, among `tasks`, until `stop`.
    ///
    /// # Errors
    /// When its figures cannot be told.
    pub(super) fn begin(
        backend: &Backend,
        paths: &Arc<Paths>,
        tasks: &mut JoinSet<anyhow::Result<()>>,
        stop: &CancellationToken,
    ) -> anyhow::Result<()> {
        let watching = Self {
            store: Arc::clone(&backend.store),
            log: Arc::clone(&backend.log),
            clock: Arc::clone(&backend.clock),
            paths: Arc::clone(paths),
            tenants: backend.keyring.tenants().map(str::to_owned).collect(),
            gauges: Gauges::new(&backend.metrics)?,
        };
        let stop = stop.clone();
        tasks.spawn(async move {
            watching.run(stop).await;
            Ok(())
        });
        Ok(())
    }

    /// Watches until `stop`.
    pub(super) async fn run(self, stop: CancellationToken) {
        let mut watches: Vec<(String, Watch)> =
            self.tenants.iter().map(|tenant| (tenant.clone(), Watch::default())).collect();
        let mut again = HOURS;
        loop {
            let now_ms = self.clock.now_ms();
            self.gauges.reset();
            for (tenant, watch) in &mut watches {
                if let Err(error) = self.look(tenant, watch, now_ms, again).await {
                    tracing::warn!(%error, %tenant, "the models are not watched just now");
                }
            }
            for path in self.paths.closings().closed() {
                self.gauges.closed.tell(&[&path.tenant, &path.intent], 1.0);
            }
            again = AGAIN;
            if stop.run_until_cancelled(tokio::time::sleep(EVERY)).await.is_none() {
                return;
            }
        }
    }

    async fn look(
        &self,
        tenant: &str,
        watch: &mut Watch,
        now_ms: i64,
        again: i64,
    ) -> anyhow::Result<()> {
        let this_hour = now_ms.div_euclid(HOUR_MS);
        for hour in this_hour - again + 1..=this_hour {
            let minutes = self.store.minutes(tenant, hour * 60, (hour + 1) * 60).await?;
            watch.take(hour, &minutes);
        }
        watch.forget(this_hour - HOURS);
        self.gauges.tell(tenant, watch, this_hour + 1 - TOLD_HOURS);
        self.paths.board().watched(tenant, watch.clone());
        self.close(tenant, watch, now_ms).await
    }

    /// Closes what breaks its bound.
    async fn close(&self, tenant: &str, watch: &Watch, now_ms: i64) -> anyhow::Result<()> {
        let checks = self.paths.checks(tenant);
        let closings = self.paths.closings();
        let closed = closings.names();
        let window = now_ms.div_euclid(60_000) - checks.days * DAY_MINUTES;
        let since = |intent: &str| {
            // The minute it was opened again in counts no more: what was checked before is in it.
            window.max(closings.counted_from_ms(tenant, intent).div_euclid(60_000) + 1)
        };
        for (model_version, intent, looks, override_rate_min) in broken(watch, &checks, since) {
            if closed.contains(&(tenant.to_owned(), intent.clone())) {
                continue;
            }
            tracing::warn!(
                %tenant, %intent, %model_version, checked = looks.all(),
                overridden = looks.overridden,
                "people override too many automatic answers: the intent loses its automatic path"
            );
            let path = AutomaticPath {
                tenant: tenant.to_owned(),
                intent,
                open: false,
                at_ms: now_ms,
                by: None,
                model_version,
                checked: looks.all(),
                overridden: looks.overridden,
                override_rate_min,
            };
            let record = paths::record(&*self.log, &path.key(), &path, now_ms)?;
            self.log.append(vec![record]).await?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use schemas::state::MinuteMetrics;

    use super::*;

    fn watch(kept: i64, overridden: i64) -> Watch {
        let values = [
            ("model/m-1/turns".to_owned(), 100),
            ("model/m-1/check/pix/kept".to_owned(), kept),
            ("model/m-1/check/pix/overridden".to_owned(), overridden),
            // Whoever corrects picks what is wrong: no measure of how much is.
            ("model/m-1/correction/planos/overridden".to_owned(), 50),
        ];
        let mut watch = Watch::default();
        watch.take(
            10,
            &[MinuteMetrics {
                tenant: "demo".to_owned(),
                minute: 600,
                source_partition: 0,
                values: values.into(),
            }],
        );
        watch
    }

    #[test]
    fn a_bound_breaks_by_more_than_chance_explains() {
        let checks = Checks::default();
        let breaks =
            |kept, overridden| !broken(&watch(kept, overridden), &checks, |_| 0).is_empty();
        assert!(!breaks(0, 2), "too few to tell");
        assert!(!breaks(36, 4), "10 % of 40 may be chance");
        assert!(breaks(15, 5) && breaks(160, 40));
        assert!(!breaks(970, 30), "within the bound");
        let found = broken(&watch(15, 5), &checks, |_| 0);
        assert_eq!((found.len(), found[0].1.as_str()), (1, "pix"));
        assert!(broken(&watch(15, 5), &checks, |_| 601).is_empty(), "opened again since");
    }
}
