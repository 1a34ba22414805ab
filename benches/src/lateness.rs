//! When a generator kept its times well enough for a run to count.

/// A generator later than this (p99) measures itself.
const LATE_MS_MAX: f64 = 5.0;
/// The same, as a share of the p95 that is reported.
const LATE_SHARE_MAX: f64 = 0.1;

/// Why a run does not count, if its generator was late; in milliseconds.
#[must_use]
pub fn late(late_ms_p99: f64, reported_ms_p95: f64) -> Option<String> {
    let most = LATE_MS_MAX.min(reported_ms_p95 * LATE_SHARE_MAX);
    (late_ms_p99 > most)
        .then(|| format!("the generator was {late_ms_p99:.2} ms late (p99), {most:.2} allowed"))
}

#[cfg(test)]
mod tests {
    use super::late;

    #[test]
    fn lateness_is_measured_against_what_is_reported() {
        assert!(late(0.9, 10.0).is_none() && late(1.1, 10.0).is_some());
        assert!(late(4.9, 300.0).is_none() && late(5.1, 300.0).is_some());
    }
}
