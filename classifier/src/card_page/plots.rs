//! Curves in a unit square.

use super::percent;
use crate::calibrate::metrics::Bin;
use crate::calibrate::thresholds::Thresholds;
use crate::train::curves::Curves;
use maud::{Markup, html};

const WIDTH: f64 = 340.0;
const HEIGHT: f64 = 300.0;
const LEFT: f64 = 46.0;
const BOTTOM: f64 = 40.0;
const MARGIN: f64 = 14.0;

/// Rows from which a bin takes part in a line: with fewer, its share right says nothing.
const STEADY_ROWS: u64 = 10;

/// Ranges of the axes.
#[derive(Clone, Copy)]
struct Axes {
    x: (f64, f64),
    y: (f64, f64),
}

impl Axes {
    fn x(self, value: f64) -> String {
        let share = (value - self.x.0) / (self.x.1 - self.x.0);
        px(LEFT + share.clamp(0.0, 1.0) * (WIDTH - LEFT - MARGIN))
    }

    fn y(self, value: f64) -> String {
        let share = (value - self.y.0) / (self.y.1 - self.y.0);
        px(HEIGHT - BOTTOM - share.clamp(0.0, 1.0) * (HEIGHT - BOTTOM - MARGIN))
    }

    fn line(self, points: impl Iterator<Item = (f64, f64)>) -> String {
        let points = points.map(|(x, y)| format!("{},{}", self.x(x), self.y(y)));
        points.collect::<Vec<_>>().join(" ")
    }
}

/// A coordinate, in as few bytes as show it.
fn px(value: f64) -> String {
    format!("{value:.1}")
}

/// A figure: grid, axes, what is drawn and what it says.
fn figure(
    title: &str,
    axes: Axes,
    names: (&str, &str),
    ticks: &[(f64, String)],
    drawn: &Markup,
    legend: &Markup,
) -> Markup {
    let rises = (0..=5).map(|i| axes.y.0 + (axes.y.1 - axes.y.0) * f64::from(i) / 5.0);
    html! {
        figure {
            figcaption { (title) }
            svg viewBox={ "0 0 " (WIDTH) " " (HEIGHT) } role="img" aria-label=(title) {
                @for y in rises {
                    line.grid x1=(px(LEFT)) x2=(px(WIDTH - MARGIN)) y1=(axes.y(y)) y2=(axes.y(y)) {}
                    text.tick x=(px(LEFT - 6.0)) y=(axes.y(y)) text-anchor="end" dy="4" { (format!("{:.0}", y * 100.0)) }
                }
                @for (x, name) in ticks {
                    line.grid x1=(axes.x(*x)) x2=(axes.x(*x)) y1=(px(MARGIN)) y2=(px(HEIGHT - BOTTOM)) {}
                    text.tick x=(axes.x(*x)) y=(px(HEIGHT - BOTTOM + 15.0)) text-anchor="middle" { (name) }
                }
                text.axis x=(px((LEFT + WIDTH - MARGIN) / 2.0)) y=(px(HEIGHT - 6.0)) text-anchor="middle" { (names.0) }
                text.axis transform={ "translate(11 " (px((HEIGHT - BOTTOM + MARGIN) / 2.0)) ") rotate(-90)" } text-anchor="middle" { (names.1) }
                (drawn)
            }
            div.legend { (legend) }
        }
    }
}

fn shares() -> Vec<(f64, String)> {
    (0..=5).map(|i| (f64::from(i) / 5.0, format!("{}", i * 20))).collect()
}

/// The range that the share right of a calibrated bin is in, 95 times of 100 (normal approximation).
fn expected(bin: &Bin) -> (f64, f64) {
    let spread = 1.96 * (bin.confidence * (1.0 - bin.confidence) / bin.rows as f64).sqrt();
    ((bin.confidence - spread).max(0.0), (bin.confidence + spread).min(1.0))
}

/// Probability against the share right: on the diagonal, a score means what it says.
pub(super) fn reliability(curves: &Curves) -> Markup {
    let axes = Axes { x: (0.0, 1.0), y: (0.0, 1.0) };
    let most = curves.reliability.iter().map(|bin| bin.rows).max().unwrap_or(1) as f64;
    let series = |class: &str, bins: &[Bin], sized: bool| {
        html! {
            @let steady = bins.iter().filter(|bin| bin.rows >= STEADY_ROWS);
            polyline class=(class) points=(axes.line(steady.map(|bin| (bin.confidence, bin.right)))) {}
            @for bin in bins {
                @if sized {
                    @let (low, high) = expected(bin);
                    line.whisker x1=(axes.x(bin.confidence)) x2=(axes.x(bin.confidence)) y1=(axes.y(low)) y2=(axes.y(high)) {}
                }
                @let size = if sized { 2.5 + 4.5 * (bin.rows as f64 / most).sqrt() } else { 2.0 };
                circle class=(class) cx=(axes.x(bin.confidence)) cy=(axes.y(bin.right)) r=(px(size)) {
                    title { (bin.rows) " rows at " (percent(bin.confidence)) ": " (percent(bin.right)) " right" }
                }
            }
        }
    };
    let drawn = html! {
        line.ideal x1=(axes.x(0.0)) y1=(axes.y(0.0)) x2=(axes.x(1.0)) y2=(axes.y(1.0)) {}
        (series("raw", &curves.reliability_raw, false))
        (series("own", &curves.reliability, true))
    };
    let legend = html! {
        span.raw { "raw" } span.own { "calibrated (dots by rows)" }
        span.ideal { "means what it says; bars: where 95 % of calibrated bins would be" }
    };
    figure(
        "Reliability",
        axes,
        ("probability of the label, %", "share right, %"),
        &shares(),
        &drawn,
        &legend,
    )
}

/// What precision is left when so much is answered.
pub(super) fn coverage(curves: &Curves, thresholds: &Thresholds) -> Markup {
    let lowest = curves.coverage.iter().map(|point| point.precision).fold(1.0, f64::min);
    let floor = (lowest * 20.0).floor().clamp(0.0, 18.0) / 20.0;
    let axes = Axes { x: (0.0, 1.0), y: (floor, 1.0) };
    let at = thresholds.pooled;
    let drawn = html! {
        line.ideal x1=(axes.x(0.0)) x2=(axes.x(1.0)) y1=(axes.y(thresholds.target)) y2=(axes.y(thresholds.target)) {}
        polyline.own points=(axes.line(curves.coverage.iter().map(|point| (point.coverage, point.precision)))) {}
        @for point in &curves.coverage {
            circle.own cx=(axes.x(point.coverage)) cy=(axes.y(point.precision)) r="2" {
                title { "from confidence " (format!("{:.3}", point.threshold)) ": " (percent(point.coverage)) " answered, " (percent(point.precision)) " right" }
            }
        }
        @if at.accepted > 0 {
            @let precision = 1.0 - at.wrong as f64 / at.accepted as f64;
            line.mark x1=(axes.x(thresholds.coverage)) x2=(axes.x(thresholds.coverage)) y1=(axes.y(at.precision_bound)) y2=(axes.y(precision)) {}
            circle.mark cx=(axes.x(thresholds.coverage)) cy=(axes.y(precision)) r="5" {
                title { "threshold " (format!("{:.3}", at.threshold)) ": " (at.accepted) " accepted, " (at.wrong) " wrong, bound " (percent(at.precision_bound)) }
            }
        }
    };
    let legend = html! {
        span.own { "by confidence" } span.mark { "certified threshold, down to its bound" } span.ideal { "target" }
    };
    figure(
        "Coverage against precision",
        axes,
        ("in-scope messages answered, %", "of all answered right, %"),
        &shares(),
        &drawn,
        &legend,
    )
}

/// What more rows bring.
pub(super) fn learning(curves: &Curves) -> Markup {
    let most = curves.learning.last().map_or(1, |point| point.rows.max(1));
    let lowest = curves.learning.iter().map(|p| p.accuracy.min(p.macro_f1)).fold(1.0, f64::min);
    let floor = (lowest * 10.0).floor().clamp(0.0, 9.0) / 10.0;
    let axes = Axes { x: (0.0, most as f64), y: (floor, 1.0) };
    let ticks: Vec<(f64, String)> = (0..=4)
        .map(|i| {
            let rows = most * i / 4;
            (rows as f64, rows.to_string())
        })
        .collect();
    let points = |of: fn(&crate::train::curves::LearningPoint) -> f64| {
        axes.line(curves.learning.iter().map(|point| (point.rows as f64, of(point))))
    };
    let drawn = html! {
        polyline.raw points=(points(|point| point.macro_f1)) {}
        polyline.own points=(points(|point| point.accuracy)) {}
        @for point in &curves.learning {
            circle.own cx=(axes.x(point.rows as f64)) cy=(axes.y(point.accuracy)) r="3" {
                title { (point.rows) " rows: accuracy " (percent(point.accuracy)) ", macro-F1 " (format!("{:.3}", point.macro_f1)) }
            }
        }
    };
    let legend = html! { span.own { "accuracy" } span.raw { "macro-F1" } };
    figure(
        "Learning curve",
        axes,
        ("training rows (one fold, raw scores)", "held-out rows, %"),
        &ticks,
        &drawn,
        &legend,
    )
}
