//! Clopper–Pearson lower bound of a proportion.

/// One-sided error of every bound here: 95 % confidence.
pub(crate) const ERROR: f64 = 0.05;

/// The lower end of the exact one-sided 95 % interval for `right` successes of `n` (Clopper &
/// Pearson 1934): the p with P(X ≥ right | n, p) = 0.05. 0 without rows or successes.
pub(crate) fn lower_bound(right: u64, n: u64) -> f64 {
    if right == 0 || n == 0 || right > n {
        return 0.0;
    }
    // P(X ≥ k | n, p) = I_p(k, n − k + 1) rises with p: halve the interval.
    let (a, b) = (right as f64, (n - right) as f64 + 1.0);
    let (mut low, mut high) = (0.0, 1.0);
    for _ in 0..60 {
        let p = (low + high) / 2.0;
        if incomplete_beta(a, b, p) < ERROR { low = p } else { high = p }
    }
    low
}

/// The regularised incomplete beta function I_x(a, b), by its continued fraction (Press et al.
/// 2007, §6.4).
fn incomplete_beta(a: f64, b: f64, x: f64) -> f64 {
    if x <= 0.0 || x >= 1.0 {
        return x.clamp(0.0, 1.0);
    }
    let log_front = ln_gamma(a + b) - ln_gamma(a) - ln_gamma(b) + a * x.ln() + b * (-x).ln_1p();
    if x < (a + 1.0) / (a + b + 2.0) {
        log_front.exp() * continued_fraction(a, b, x) / a
    } else {
        1.0 - log_front.exp() * continued_fraction(b, a, 1.0 - x) / b
    }
}

/// Lentz's method for the fraction of I_x(a, b).
fn continued_fraction(a: f64, b: f64, x: f64) -> f64 {
    let tiny = 1e-300;
    let safe = |value: f64| if value.abs() < tiny { tiny } else { value };
    let mut c = 1.0;
    let mut d = 1.0 / safe(1.0 - (a + b) * x / (a + 1.0));
    let mut fraction = d;
    for m in 1..=1_000 {
        let m = f64::from(m);
        let even = m * (b - m) * x / ((a + 2.0 * m - 1.0) * (a + 2.0 * m));
        d = 1.0 / safe(1.0 + even * d);
        c = safe(1.0 + even / c);
        fraction *= d * c;
        let odd = -(a + m) * (a + b + m) * x / ((a + 2.0 * m) * (a + 2.0 * m + 1.0));
        d = 1.0 / safe(1.0 + odd * d);
        c = safe(1.0 + odd / c);
        fraction *= d * c;
        if (d * c - 1.0).abs() < 1e-14 {
            break;
        }
    }
    fraction
}

/// ln Γ(x) for x > 0 (Lanczos 1964, g = 7, nine terms).
fn ln_gamma(x: f64) -> f64 {
    const TERMS: [f64; 8] = [
        676.520_368_121_885_1,
        -1_259.139_216_722_402_8,
        771.323_428_777_653_1,
        -176.615_029_162_140_6,
        12.507_343_278_686_905,
        -0.138_571_095_265_720_12,
        9.984_369_578_019_572e-6,
        1.505_632_735_149_311_6e-7,
    ];
    let x = x - 1.0;
    let mut series = 0.999_999_999_999_809_9;
    for (i, term) in (1u32..).zip(TERMS) {
        series += term / (x + f64::from(i));
    }
    let t = x + 7.5;
    0.5 * (2.0 * std::f64::consts::PI).ln() + (x + 0.5) * t.ln() - t + series.ln()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bounds_of_known_cases() {
        // Without errors the bound is 0.05^(1/n): 59 rows for 95 %, 99 for 97 %, 299 for 99 %.
        for (n, bound) in [(59, 0.95), (99, 0.97), (299, 0.99), (20, 0.861)] {
            assert!((lower_bound(n, n) - 0.05f64.powf(1.0 / n as f64)).abs() < 1e-9);
            assert!((lower_bound(n, n) - bound).abs() < 1e-3, "{n}");
        }
        // One error: 93 rows for 95 %, 157 for 97 %.
        assert!(lower_bound(92, 93) >= 0.949 && lower_bound(91, 92) < 0.95);
        assert!(lower_bound(156, 157) >= 0.9699 && lower_bound(155, 156) < 0.97);
        assert_eq!(lower_bound(0, 10), 0.0);
        assert_eq!(lower_bound(0, 0), 0.0);
        // Large counts approach the normal interval.
        let p = lower_bound(19_400, 20_000);
        assert!((p - (0.97 - 1.645 * (0.97f64 * 0.03 / 20_000.0).sqrt())).abs() < 2e-4);
    }
}
