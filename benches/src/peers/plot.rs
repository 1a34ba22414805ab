//! The tables as a picture (SVG): bars of CPU a message in bulk, and of each rate p50, p95 and p99 as
//! bars in one another.

use std::fmt::Write;

use serde_json::Value;

use crate::peers::report::groups;
use crate::runs::Group;
use crate::svg;

const WIDTH: f64 = 860.0;
const LEFT: f64 = 260.0;
const ROW: f64 = 26.0;
const SPACE: f64 = 440.0;

/// A panel: its title and unit, its rows, and the figures of a row from the widest bar to the narrowest.
pub struct Panel<'a> {
    /// What it shows, and its unit.
    pub title: &'a str,
    /// A row each.
    pub rows: Vec<&'a Group<'a>>,
    /// By their pointers, three at most.
    pub figures: &'a [&'a str],
}

impl Panel<'_> {
    fn draw(&self, svg: &mut String, top: f64) -> f64 {
        if self.rows.is_empty() {
            return top;
        }
        let value = |group: &Group<'_>, figure: &str| group.median(figure).unwrap_or(0.0);
        let widest = self.figures.first().copied().unwrap_or_default();
        let most = self.rows.iter().map(|group| value(group, widest)).fold(1e-9, f64::max);
        let mut y = top + 30.0;
        let _ = writeln!(svg, "<text x=\"10\" y=\"{y}\" font-size=\"15\">{}</text>", self.title);
        y += 14.0;
        for group in &self.rows {
            let rate = group.rate.map(|rate| format!(" at {rate}/s")).unwrap_or_default();
            let ours = group.name.starts_with("ours");
            let colours = if ours {
                ["#b5d0e8", "#5d9bcf", "#1463a5"]
            } else {
                ["#dddddd", "#aaaaaa", "#777777"]
            };
            let _ = writeln!(
                svg,
                "<text x=\"{}\" y=\"{:.1}\" text-anchor=\"end\">{}{rate}</text>",
                LEFT - 10.0,
                y + 14.0,
                group.name
            );
            let skip = colours.len() - self.figures.len().min(colours.len());
            for (figure, colour) in self.figures.iter().zip(colours.iter().skip(skip)) {
                let width = value(group, figure) / most * SPACE;
                let _ = writeln!(
                    svg,
                    "<rect x=\"{LEFT}\" y=\"{y:.1}\" width=\"{width:.1}\" height=\"18\" \
                     fill=\"{colour}\"/>"
                );
            }
            let told: Vec<String> =
                self.figures.iter().rev().map(|f| format!("{:.1}", value(group, f))).collect();
            let told =
                if group.valid.is_empty() { "no valid run".to_owned() } else { told.join(" / ") };
            let x = LEFT + value(group, widest) / most * SPACE + 6.0;
            let _ = writeln!(svg, "<text x=\"{x:.1}\" y=\"{:.1}\">{told}</text>", y + 14.0);
            y += ROW;
        }
        y
    }
}

/// Draws the runs.
#[must_use]
pub fn svg(runs: &[Value]) -> String {
    let groups = groups(runs);
    let (bulk, rate) = groups.iter().partition(|group| group.rate.is_none());
    let panels = [
        Panel {
            title: "CPU seconds of the peer a million messages, steady bulk (median of the valid runs)",
            rows: bulk,
            figures: &["/cpu_s_per_million/app"],
        },
        Panel {
            title: "Intended time of sending to both records read: p50 / p95 / p99, ms",
            rows: rate,
            figures: &["/latency_ms/p99", "/latency_ms/p95", "/latency_ms/p50"],
        },
    ];
    picture(&panels)
}

/// Draws panels below each other.
#[must_use]
pub fn picture(panels: &[Panel<'_>]) -> String {
    let mut body = String::new();
    let height = panels.iter().fold(0.0, |top, panel| panel.draw(&mut body, top)) + 20.0;
    svg::document(WIDTH, height, 12, &body)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn every_peer_has_a_row() {
        let runs = [
            json!({ "peer": "ours", "valid": true, "cpu_s_per_million": { "app": 5.0 } }),
            json!({ "peer": "python", "valid": false }),
            json!({ "peer": "flink", "rate": 10.0, "valid": true,
                "latency_ms": { "p50": 1.0, "p95": 2.0, "p99": 4.0 } }),
        ];
        let svg = svg(&runs);
        assert!(svg.contains(">ours<") && svg.contains("no valid run"), "{svg}");
        assert!(svg.contains("flink at 10/s") && svg.contains("1.0 / 2.0 / 4.0"), "{svg}");
    }
}
