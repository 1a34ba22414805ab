//! The table as a picture (SVG): of each configuration a line from p50 over p95 to p99, on a scale of
//! powers of ten.

use std::fmt::Write;

use benches::runs::Group;
use benches::svg;
use serde_json::Value;

use crate::report::groups;

const WIDTH: f64 = 960.0;
const LEFT: f64 = 300.0;
const ROW: f64 = 22.0;
const TOP: f64 = 60.0;
/// The scale: from a tenth of a millisecond to ten seconds.
const DECADES: [f64; 6] = [0.1, 1.0, 10.0, 100.0, 1_000.0, 10_000.0];

fn x(ms: f64) -> f64 {
    let share = (ms.max(0.1).log10() + 1.0) / 5.0;
    LEFT + share.min(1.0) * (WIDTH - LEFT - 30.0)
}

/// Where a path ends: the row of the decision, or the forward's last topic.
fn end_of(group: &Group<'_>, share: &str) -> Option<f64> {
    let of = |figure: &str| group.median(&format!("/{figure}/{share}"));
    of("decision_stored_ms").or_else(|| of("forwarded_ms"))
}

/// Draws the runs.
pub fn svg(runs: &[Value]) -> String {
    let groups = groups(runs);
    #[allow(clippy::cast_precision_loss)] // some dozens of rows
    let height = TOP + ROW * (groups.len() as f64 + 1.0) + 20.0;
    let mut body =
        "<text x=\"10\" y=\"22\" font-size=\"15\">Door to the stored row of the decision: p50, \
                    p95, p99 (median of the valid runs)</text>\n"
            .to_owned();
    for ms in DECADES {
        let (x, bottom) = (x(ms), height - 20.0);
        let _ = writeln!(
            body,
            "<line x1=\"{x:.1}\" y1=\"{TOP}\" x2=\"{x:.1}\" y2=\"{bottom}\" stroke=\"#ddd\"/>\
             <text x=\"{x:.1}\" y=\"{}\" text-anchor=\"middle\" fill=\"#555\">{ms} ms</text>",
            TOP - 8.0
        );
    }
    let mut y = TOP + ROW;
    for group in &groups {
        let _ = writeln!(
            body,
            "<text x=\"{}\" y=\"{:.1}\" text-anchor=\"end\">{} at {}/s</text>",
            LEFT - 12.0,
            y + 4.0,
            group.name,
            group.rate.unwrap_or_default()
        );
        row(&mut body, group, y);
        y += ROW;
    }
    svg::document(WIDTH, height, 12, &body)
}

fn row(svg: &mut String, group: &Group<'_>, y: f64) {
    let found: Option<Vec<f64>> =
        ["p50", "p95", "p99"].iter().map(|share| end_of(group, share)).collect();
    let Some([p50, p95, p99]) = found.as_deref().and_then(|found| found.first_chunk()) else {
        let _ = writeln!(
            svg,
            "<text x=\"{}\" y=\"{:.1}\" fill=\"#a00\">no valid run</text>",
            LEFT + 6.0,
            y + 4.0
        );
        return;
    };
    let (x50, x95, x99) = (x(*p50), x(*p95), x(*p99));
    let colour = if group.name.starts_with("ours") { "#1463a5" } else { "#888" };
    let _ = writeln!(
        svg,
        "<line x1=\"{x50:.1}\" y1=\"{y:.1}\" x2=\"{x99:.1}\" y2=\"{y:.1}\" stroke=\"{colour}\" \
         stroke-width=\"3\"/><circle cx=\"{x50:.1}\" cy=\"{y:.1}\" r=\"4\" fill=\"{colour}\"/>\
         <circle cx=\"{x95:.1}\" cy=\"{y:.1}\" r=\"5\" fill=\"#fff\" stroke=\"{colour}\" \
         stroke-width=\"2\"/><line x1=\"{x99:.1}\" y1=\"{:.1}\" x2=\"{x99:.1}\" y2=\"{:.1}\" \
         stroke=\"{colour}\" stroke-width=\"2\"/><text x=\"{:.1}\" y=\"{:.1}\" fill=\"#333\">{p95:.1}\
         </text>",
        y - 6.0,
        y + 6.0,
        x99 + 6.0,
        y + 4.0
    );
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_row_is_drawn_for_each_configuration() {
        let figures = json!({ "p50": 1.0, "p95": 10.0, "p99": 100.0 });
        let runs = [
            json!({ "stages": "ours", "layout": "chained", "rate": 200.0, "valid": true,
                "decision_stored_ms": figures }),
            json!({ "stages": "forward_3", "rate": 200.0, "valid": false }),
        ];
        let svg = svg(&runs);
        assert!(svg.contains("ours chained at 200/s") && svg.contains("no valid run"), "{svg}");
        assert_eq!(svg.matches("<circle").count(), 2);
        assert!((x(0.1) - LEFT).abs() < 1e-9 && x(10.0) > x(1.0));
    }
}
