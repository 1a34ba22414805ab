//! Every metric of the running itself. Counted per batch, not per record; labels are bounded.

use std::time::Duration;

use prometheus::{
    Encoder, GaugeVec, Histogram, HistogramOpts, HistogramVec, IntCounterVec, IntGauge,
    IntGaugeVec, Opts, Registry, TextEncoder,
};

/// Name prefix of every metric.
const PREFIX: &str = "correnteza";

/// Bucket edges in seconds, with an edge at each figure an objective is written in.
const SECONDS: &[f64] = &[
    0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.2, 0.25, 0.5, 1.0, 2.5, 5.0,
    10.0,
];

/// The metrics of one process.
pub struct Metrics {
    registry: Registry,
    received: IntCounterVec,
    emitted: IntCounterVec,
    dropped: IntCounterVec,
    rejected: IntCounterVec,
    retried: IntCounterVec,
    repeats: IntCounterVec,
    commits: IntCounterVec,
    cpu_seconds: prometheus::CounterVec,
    batch_seconds: HistogramVec,
    publish_seconds: HistogramVec,
    commit_seconds: HistogramVec,
    age_seconds: HistogramVec,
    lag: IntGaugeVec,
    held: IntGaugeVec,
    in_flight: IntGaugeVec,
    braked: IntGaugeVec,
    side_input: IntGaugeVec,
    side_input_seconds: HistogramVec,
    log_append_seconds: Histogram,
    log_sync_seconds: Histogram,
    log_queue_bytes: IntGauge,
}

/// Figures of one name; see [`Metrics::figures`].
#[derive(Debug, Clone)]
pub struct Figures(GaugeVec);

impl Figures {
    /// Tells one.
    pub fn tell(&self, labels: &[&str], value: f64) {
        self.0.with_label_values(labels).set(value);
    }

    /// Forgets all: what is not told again is not known any more.
    pub fn forget(&self) {
        self.0.reset();
    }
}

/// How often something happened in another room; see [`Metrics::counts`].
#[derive(Debug, Clone)]
pub struct Counts(IntCounterVec);

impl Counts {
    /// It happened once more.
    pub fn add(&self, labels: &[&str]) {
        self.0.with_label_values(labels).inc();
    }
}

/// What a stage or effect did with a batch.
#[derive(Debug, Clone, Copy, Default)]
pub struct Batch {
    /// Records taken.
    pub received: u64,
    /// Records emitted.
    pub emitted: u64,
    /// Records seen before, by origin.
    pub repeats: u64,
    /// Wall time.
    pub took: Duration,
}

impl Metrics {
    /// Metrics that are not exposed yet.
    ///
    /// # Errors
    /// `prometheus::Error` when two metrics share a name: a mistake caught by the tests.
    pub fn new() -> Result<Self, prometheus::Error> {
        let registry = Registry::new();
        let metrics = Self {
            received: counters(&registry, "stage_received_total", "Records taken", &["stage"])?,
            emitted: counters(&registry, "stage_emitted_total", "Records emitted", &["stage"])?,
            dropped: counters(
                &registry,
                "stage_dropped_total",
                "Records let go without outputs",
                &["stage", "reason"],
            )?,
            rejected: counters(
                &registry,
                "stage_rejected_total",
                "Records set aside as dead letters",
                &["stage", "reason"],
            )?,
            retried: counters(&registry, "stage_retried_total", "Tries again", &["stage"])?,
            repeats: counters(
                &registry,
                "stage_repeats_total",
                "Records seen before, by origin",
                &["stage"],
            )?,
            commits: counters(&registry, "stage_commits_total", "Commits", &["stage"])?,
            cpu_seconds: seconds_counter(&registry)?,
            batch_seconds: histograms(
                &registry,
                "stage_batch_seconds",
                "Time from taking a batch to its outputs being published",
            )?,
            publish_seconds: histograms(
                &registry,
                "stage_publish_seconds",
                "Time until the outputs of a batch were confirmed",
            )?,
            commit_seconds: histograms(&registry, "stage_commit_seconds", "Time of a commit")?,
            age_seconds: histograms(
                &registry,
                "stage_age_seconds",
                "Age of the last record of a batch, since its intake",
            )?,
            lag: gauges(&registry, "lag_records", "Records not yet taken account of", "group")?,
            held: gauges(&registry, "stage_partitions", "Partitions held", "stage")?,
            in_flight: gauges(&registry, "effect_in_flight", "Records in hand", "stage")?,
            braked: gauges(
                &registry,
                "stage_braked",
                "1 when too many records were rejected and the stage stopped",
                "stage",
            )?,
            side_input: side_inputs(&registry)?,
            side_input_seconds: histograms_by(
                &registry,
                "side_input_reload_seconds",
                "Time from hearing of a version to having it ready",
                "name",
            )?,
            log_append_seconds: histogram(
                &registry,
                "log_append_seconds",
                "Time until an append survives a power cut",
            )?,
            log_sync_seconds: histogram(&registry, "log_sync_seconds", "Time of one fdatasync")?,
            log_queue_bytes: gauge(&registry, "log_queue_bytes", "Bytes waiting to be appended")?,
            registry,
        };
        Ok(metrics)
    }

    /// Figures of another room, told anew whenever they are known.
    ///
    /// # Errors
    /// `prometheus::Error` when another metric has the name.
    pub fn figures(
        &self,
        rest: &str,
        help: &str,
        labels: &[&str],
    ) -> Result<Figures, prometheus::Error> {
        let gauge = GaugeVec::new(Opts::new(name(rest), help), labels)?;
        self.registry.register(Box::new(gauge.clone()))?;
        Ok(Figures(gauge))
    }

    /// How often something happens in another room.
    ///
    /// # Errors
    /// `prometheus::Error` when another metric has the name.
    pub fn counts(
        &self,
        rest: &str,
        help: &str,
        labels: &[&str],
    ) -> Result<Counts, prometheus::Error> {
        let counter = IntCounterVec::new(Opts::new(name(rest), help), labels)?;
        self.registry.register(Box::new(counter.clone()))?;
        Ok(Counts(counter))
    }

    /// Prometheus text exposition, format 0.0.4.
    ///
    /// # Errors
    /// `prometheus::Error` when a metric cannot be written.
    pub fn text(&self) -> Result<String, prometheus::Error> {
        let mut text = Vec::new();
        TextEncoder::new().encode(&self.registry.gather(), &mut text)?;
        Ok(String::from_utf8_lossy(&text).into_owned())
    }

    pub(crate) fn batch(&self, stage: &str, batch: Batch, age_ms: i64) {
        self.received.with_label_values(&[stage]).inc_by(batch.received);
        self.emitted.with_label_values(&[stage]).inc_by(batch.emitted);
        self.repeats.with_label_values(&[stage]).inc_by(batch.repeats);
        self.batch_seconds.with_label_values(&[stage]).observe(batch.took.as_secs_f64());
        #[allow(clippy::cast_precision_loss)] // ages are far below 2^53 ms
        self.age_seconds.with_label_values(&[stage]).observe(age_ms.max(0) as f64 / 1000.0);
    }

    /// Outputs are durable; `maker` is whom their origins name: a stage, or a chain by all its names.
    pub(crate) fn published(&self, maker: &str, took: Duration) {
        self.publish_seconds.with_label_values(&[maker]).observe(took.as_secs_f64());
    }

    pub(crate) fn dropped(&self, stage: &str, reason: &str) {
        self.dropped.with_label_values(&[stage, reason]).inc();
    }

    pub(crate) fn rejected(&self, stage: &str, reason: &str) {
        self.rejected.with_label_values(&[stage, reason]).inc();
    }

    pub(crate) fn retried(&self, stage: &str) {
        self.retried.with_label_values(&[stage]).inc();
    }

    pub(crate) fn committed(&self, stage: &str, took: Duration) {
        self.commits.with_label_values(&[stage]).inc();
        self.commit_seconds.with_label_values(&[stage]).observe(took.as_secs_f64());
    }

    pub(crate) fn held(&self, stage: &str, partitions: usize) {
        self.held.with_label_values(&[stage]).set(i64::try_from(partitions).unwrap_or(i64::MAX));
    }

    pub(crate) fn in_flight(&self, stage: &str, records: usize) {
        self.in_flight.with_label_values(&[stage]).set(i64::try_from(records).unwrap_or(i64::MAX));
    }

    pub(crate) fn braked(&self, stage: &str, braked: bool) {
        self.braked.with_label_values(&[stage]).set(i64::from(braked));
    }

    pub(crate) fn cpu(&self, stage: &str, used: Duration) {
        self.cpu_seconds.with_label_values(&[stage]).inc_by(used.as_secs_f64());
    }

    /// Notes how far `group` is behind.
    pub fn lag(&self, group: &str, records: u64) {
        self.lag.with_label_values(&[group]).set(i64::try_from(records).unwrap_or(i64::MAX));
    }

    /// Notes that `version` of the side input `name` now has the `role` that `before` had.
    pub fn side_input(&self, name: &str, role: &str, before: Option<&str>, version: Option<&str>) {
        if let Some(before) = before {
            let _ = self.side_input.remove_label_values(&[name, role, before]);
        }
        if let Some(version) = version {
            self.side_input.with_label_values(&[name, role, version]).set(1);
        }
    }

    /// Notes how long a version of the side input `name` took to be ready.
    pub fn side_input_ready(&self, name: &str, took: Duration) {
        self.side_input_seconds.with_label_values(&[name]).observe(took.as_secs_f64());
    }

    pub(crate) fn log_append(&self, took: Duration) {
        self.log_append_seconds.observe(took.as_secs_f64());
    }

    pub(crate) fn log_sync(&self, took: Duration) {
        self.log_sync_seconds.observe(took.as_secs_f64());
    }

    pub(crate) fn log_queue(&self, bytes: usize) {
        self.log_queue_bytes.set(i64::try_from(bytes).unwrap_or(i64::MAX));
    }
}

fn name(rest: &str) -> String {
    format!("{PREFIX}_{rest}")
}

fn counters(
    registry: &Registry,
    rest: &str,
    help: &str,
    labels: &[&str],
) -> Result<IntCounterVec, prometheus::Error> {
    let metric = IntCounterVec::new(Opts::new(name(rest), help), labels)?;
    registry.register(Box::new(metric.clone()))?;
    Ok(metric)
}

fn seconds_counter(registry: &Registry) -> Result<prometheus::CounterVec, prometheus::Error> {
    let options = Opts::new(name("stage_cpu_seconds_total"), "CPU time of the stage's own thread");
    let metric = prometheus::CounterVec::new(options, &["stage"])?;
    registry.register(Box::new(metric.clone()))?;
    Ok(metric)
}

fn side_inputs(registry: &Registry) -> Result<IntGaugeVec, prometheus::Error> {
    let options = Opts::new(name("side_input_info"), "1 for the version in use, by its role");
    let metric = IntGaugeVec::new(options, &["name", "role", "version"])?;
    registry.register(Box::new(metric.clone()))?;
    Ok(metric)
}

fn gauges(
    registry: &Registry,
    rest: &str,
    help: &str,
    label: &str,
) -> Result<IntGaugeVec, prometheus::Error> {
    let metric = IntGaugeVec::new(Opts::new(name(rest), help), &[label])?;
    registry.register(Box::new(metric.clone()))?;
    Ok(metric)
}

fn gauge(registry: &Registry, rest: &str, help: &str) -> Result<IntGauge, prometheus::Error> {
    let metric = IntGauge::new(name(rest), help)?;
    registry.register(Box::new(metric.clone()))?;
    Ok(metric)
}

fn histograms(
    registry: &Registry,
    rest: &str,
    help: &str,
) -> Result<HistogramVec, prometheus::Error> {
    histograms_by(registry, rest, help, "stage")
}

fn histograms_by(
    registry: &Registry,
    rest: &str,
    help: &str,
    label: &str,
) -> Result<HistogramVec, prometheus::Error> {
    let options = HistogramOpts::new(name(rest), help).buckets(SECONDS.to_vec());
    let metric = HistogramVec::new(options, &[label])?;
    registry.register(Box::new(metric.clone()))?;
    Ok(metric)
}

fn histogram(registry: &Registry, rest: &str, help: &str) -> Result<Histogram, prometheus::Error> {
    let options = HistogramOpts::new(name(rest), help).buckets(SECONDS.to_vec());
    let metric = Histogram::with_opts(options)?;
    registry.register(Box::new(metric.clone()))?;
    Ok(metric)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exposes_what_was_counted() {
        let metrics = Metrics::new().unwrap();
        metrics.batch("turns", Batch { received: 3, ..Batch::default() }, 12);
        metrics.rejected("turns", "undecodable");
        let text = metrics.text().unwrap();
        assert!(text.contains("correnteza_stage_received_total{stage=\"turns\"} 3"), "{text}");
        assert!(text.contains("# HELP correnteza_stage_rejected_total "), "{text}");
    }
}
