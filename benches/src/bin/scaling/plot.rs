//! How far outputs were behind after each stop, as curves (SVG).

use std::fmt::Write;

use benches::runs::{is_valid, number};
use benches::svg;
use serde_json::Value;

const WIDTH: f64 = 860.0;
const HEIGHT: f64 = 360.0;
const LEFT: f64 = 70.0;
const TOP: f64 = 50.0;
const RIGHT: f64 = WIDTH - 20.0;
const BOTTOM: f64 = HEIGHT - 40.0;

/// A curve: seconds from the start of the worker, and messages behind.
fn curve(run: &Value) -> Vec<(f64, f64)> {
    run.get("lag").and_then(|lag| serde_json::from_value(lag.clone()).ok()).unwrap_or_default()
}

/// Draws the stops, and by when each should have been over.
pub fn lag(runs: &[&Value]) -> String {
    let points: Vec<(f64, f64)> = runs.iter().flat_map(|run| curve(run)).collect();
    let bars = runs.iter().map(|run| number(run, "/bar_s")).filter(|bar| bar.is_finite());
    let from = points.iter().map(|(at, _)| *at).fold(0.0, f64::min);
    let to = points.iter().map(|(at, _)| *at).chain(bars).fold(from + 1.0, f64::max);
    let most = points.iter().map(|(_, behind)| *behind).fold(1.0, f64::max);
    let x = |at: f64| LEFT + (at - from) / (to - from) * (RIGHT - LEFT);
    let y = |behind: f64| BOTTOM - behind / most * (BOTTOM - TOP);
    let mut body = String::new();
    let _ = writeln!(
        body,
        "<text x=\"10\" y=\"20\" font-size=\"15\">Messages due and not done, by seconds from the \
         start of the worker; dashed: the bar</text>\n\
         <path d=\"M{LEFT} {TOP}V{BOTTOM}H{RIGHT}\" fill=\"none\" stroke=\"#777\"/>\n\
         <text x=\"{}\" y=\"{TOP}\" text-anchor=\"end\">{most:.0}</text>\n\
         <text x=\"{}\" y=\"{BOTTOM}\" text-anchor=\"end\">0</text>",
        LEFT - 6.0,
        LEFT - 6.0
    );
    for at in [0.0, to] {
        let _ = writeln!(
            body,
            "<text x=\"{:.1}\" y=\"{}\" text-anchor=\"middle\">{at:.1} s</text>",
            x(at),
            BOTTOM + 18.0
        );
    }
    for run in runs {
        let colour = if is_valid(run) { "#1463a5" } else { "#aaaaaa" };
        let points: Vec<String> = curve(run)
            .iter()
            .map(|(at, behind)| format!("{:.1},{:.1}", x(*at), y(*behind)))
            .collect();
        let _ = writeln!(
            body,
            "<polyline points=\"{}\" fill=\"none\" stroke=\"{colour}\" stroke-width=\"2\"/>",
            points.join(" ")
        );
        let bar = number(run, "/bar_s");
        if bar.is_finite() {
            let _ = writeln!(
                body,
                "<path d=\"M{:.1} {TOP}V{BOTTOM}\" stroke=\"{colour}\" stroke-dasharray=\"4 4\"/>",
                x(bar)
            );
        }
    }
    svg::document(WIDTH, HEIGHT, 12, &body)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn every_stop_has_a_curve_and_a_bar() {
        let run = |valid: bool| json!({ "valid": valid, "bar_s": 2.0, "lag": [[-1.0, 0], [0.0, 100], [3.0, 0]] });
        let (good, bad) = (run(true), run(false));
        let svg = lag(&[&good, &bad]);
        // The axis ends at the last point; all that is behind is at the top.
        assert!(svg.contains("262.5,50.0 840.0,320.0\""), "{svg}");
        assert_eq!(svg.matches("stroke-dasharray").count(), 2);
        assert_eq!(svg.matches("#aaaaaa").count(), 2);
    }
}
