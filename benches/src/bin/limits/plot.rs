//! Figures as a picture (SVG): small panels, bars by name or lines over a size.

use std::fmt::Write;

use benches::svg;

use crate::report::{Case, number};

const WIDTH: f64 = 400.0;
const HEIGHT: f64 = 260.0;
const COLUMNS: usize = 2;
/// Around what is drawn: left, right, top, bottom.
const EDGE: [f64; 4] = [58.0, 16.0, 34.0, 38.0];
const BAR: f64 = 20.0;
const BAR_LEFT: f64 = 300.0;
const BAR_SPACE: f64 = 380.0;
const OURS: &str = "#1463a5";
const LIMIT: &str = "#b03030";

/// One picture of several.
pub enum Panel {
    /// A figure over a size.
    Line {
        /// What is shown, with its unit.
        title: String,
        /// What the size is.
        across: String,
        /// Whether sizes are multiples rather than amounts.
        log: bool,
        /// Size and figure.
        points: Vec<(f64, f64)>,
    },
    /// A figure of each of several things, with what it may be at most.
    Bars {
        /// What is shown, with its unit.
        title: String,
        /// Name, figure, most.
        rows: Vec<(String, f64, Option<f64>)>,
    },
}

impl Panel {
    /// The figure `name` of all cases that have it.
    pub fn bars(title: &str, cases: &[Case], name: &str) -> Self {
        let row = |case: &Case| {
            let figure = case.figures.iter().find(|figure| figure.name == name)?;
            Some((case.name.clone(), figure.found, figure.most))
        };
        Self::Bars { title: title.to_owned(), rows: cases.iter().filter_map(row).collect() }
    }
}

/// Draws the panels.
pub fn svg(panels: &[Panel]) -> String {
    let mut body = String::new();
    let (mut top, mut column) = (0.0, 0);
    for panel in panels {
        match panel {
            Panel::Line { title, across, log, points } => {
                #[allow(clippy::cast_precision_loss)] // two columns
                let left = column as f64 * WIDTH;
                line(&mut body, (left, top), (title, across), *log, points);
                column += 1;
                if column == COLUMNS {
                    (top, column) = (top + HEIGHT, 0);
                }
            }
            Panel::Bars { title, rows } => {
                top += if column == 0 { 0.0 } else { HEIGHT };
                column = 0;
                top = bars(&mut body, top, title, rows);
            }
        }
    }
    let height = top + if column == 0 { 20.0 } else { HEIGHT };
    #[allow(clippy::cast_precision_loss)] // two columns
    let width = COLUMNS as f64 * WIDTH;
    svg::document(width, height, 11, &body)
}

fn text(body: &mut String, (x, y): (f64, f64), anchor: &str, said: &str) {
    let _ =
        writeln!(body, "<text x=\"{x:.1}\" y=\"{y:.1}\" text-anchor=\"{anchor}\">{said}</text>");
}

fn stroke(body: &mut String, from: (f64, f64), to: (f64, f64), colour: &str) {
    let _ = writeln!(
        body,
        "<line x1=\"{:.1}\" y1=\"{:.1}\" x2=\"{:.1}\" y2=\"{:.1}\" stroke=\"{colour}\"/>",
        from.0, from.1, to.0, to.1
    );
}

fn line(
    body: &mut String,
    (left, top): (f64, f64),
    (title, across): (&str, &str),
    log: bool,
    points: &[(f64, f64)],
) {
    let [at_left, at_right, at_top, at_bottom] = EDGE;
    let place = |x: f64| if log { x.max(f64::MIN_POSITIVE).ln() } else { x };
    let (mut least, mut greatest, mut highest) = (f64::INFINITY, f64::NEG_INFINITY, 1e-9_f64);
    for &(x, y) in points {
        (least, greatest) = (least.min(place(x)), greatest.max(place(x)));
        highest = highest.max(y);
    }
    highest *= 1.15;
    let span = (greatest - least).max(1e-9);
    let (wide, high) = (WIDTH - at_left - at_right, HEIGHT - at_top - at_bottom);
    let floor = top + at_top + high;
    let x_of = |x: f64| left + at_left + (place(x) - least) / span * wide;
    let y_of = |y: f64| floor - y / highest * high;
    let _ = writeln!(
        body,
        "<text x=\"{}\" y=\"{}\" font-size=\"13\">{title}</text>",
        left + 10.0,
        top + 20.0
    );
    stroke(body, (left + at_left, floor), (left + at_left + wide, floor), "#888");
    stroke(body, (left + at_left, top + at_top), (left + at_left, floor), "#888");
    for share in [0.0, 0.5, 1.0] {
        let y = highest * share / 1.15;
        text(body, (left + at_left - 6.0, y_of(y) + 4.0), "end", &number(y));
    }
    text(body, (left + at_left + wide / 2.0, floor + 32.0), "middle", across);
    let path: Vec<String> =
        points.iter().map(|&(x, y)| format!("{:.1},{:.1}", x_of(x), y_of(y))).collect();
    let _ = writeln!(
        body,
        "<polyline points=\"{}\" fill=\"none\" stroke=\"{OURS}\" stroke-width=\"1.5\"/>",
        path.join(" ")
    );
    // Few points are told one by one.
    let few = points.len() <= 8;
    for (n, &(x, y)) in points.iter().enumerate() {
        if few {
            let (px, py) = (x_of(x), y_of(y));
            let _ =
                writeln!(body, "<circle cx=\"{px:.1}\" cy=\"{py:.1}\" r=\"3\" fill=\"{OURS}\"/>");
            text(body, (px, py - 7.0), "middle", &number(y));
            text(body, (px, floor + 15.0), "middle", &number(x));
        } else if n == 0 || n + 1 == points.len() {
            text(body, (x_of(x), floor + 15.0), "middle", &number(x));
        }
    }
}

fn bars(body: &mut String, top: f64, title: &str, rows: &[(String, f64, Option<f64>)]) -> f64 {
    let reach = |row: &(String, f64, Option<f64>)| row.1.max(row.2.unwrap_or(0.0));
    // One that is far off must not hide the others.
    let most = rows.iter().filter_map(|row| row.2).fold(0.0, f64::max);
    let longest = rows.iter().map(reach).fold(1e-9, f64::max);
    let longest = if most > 0.0 { longest.min(4.0 * most) } else { longest };
    let _ =
        writeln!(body, "<text x=\"10\" y=\"{:.1}\" font-size=\"13\">{title}</text>", top + 22.0);
    let mut y = top + 34.0;
    for (name, found, most) in rows {
        text(body, (BAR_LEFT - 8.0, y + 13.0), "end", name);
        let width = (found / longest).min(1.0) * BAR_SPACE;
        let _ = writeln!(
            body,
            "<rect x=\"{BAR_LEFT}\" y=\"{y:.1}\" width=\"{width:.1}\" height=\"{:.1}\" fill=\"{OURS}\"/>",
            BAR - 5.0
        );
        text(body, (BAR_LEFT + width + 6.0, y + 12.0), "start", &number(*found));
        if let Some(most) = most {
            let x = BAR_LEFT + most / longest * BAR_SPACE;
            stroke(body, (x, y - 2.0), (x, y + BAR - 3.0), LIMIT);
        }
        y += BAR;
    }
    y + 10.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_case_has_a_bar_and_every_point_its_figure() {
        let cases = [Case::of("append").held("us", 4.0, 5.0), Case::of("read").with("us", 2.5)];
        let points = vec![(10.0, 3.25), (100.0, 6.5)];
        let line = Panel::Line { title: "t".into(), across: "a".into(), log: true, points };
        let svg = svg(&[line, Panel::bars("cost", &cases, "us")]);
        for told in [">3.25<", ">6.50<", ">append<", ">read<", ">2.50<", LIMIT] {
            assert!(svg.contains(told), "{told} is missing: {svg}");
        }
    }
}
