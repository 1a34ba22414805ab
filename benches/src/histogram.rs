//! Histograms of microseconds, and their figures in milliseconds.

use hdrhistogram::Histogram;
use serde_json::{Value, json};

/// Two minutes: what is longer counts as that.
const LONGEST_US: u64 = 120_000_000;

/// An empty histogram with three digits.
///
/// # Errors
/// None in practice: the bounds are fixed.
pub fn of_micros() -> Result<Histogram<u64>, hdrhistogram::CreationError> {
    Histogram::new_with_max(LONGEST_US, 3)
}

/// Its percentiles, in milliseconds.
#[must_use]
pub fn figures(histogram: &Histogram<u64>) -> Value {
    #[allow(clippy::cast_precision_loss)] // microseconds of a run
    let ms = |share: f64| histogram.value_at_quantile(share) as f64 / 1000.0;
    json!({
        "count": histogram.len(), "p50": ms(0.5), "p95": ms(0.95), "p99": ms(0.99),
        "p999": ms(0.999), "max": ms(1.0),
    })
}
