//! The confusion matrix, and its worst cells in words.

use crate::artifact::header::Header;
use crate::train::curves::Confused;
use maud::{Markup, html};

/// Labels up to which cells are large enough to be numbered and named.
const NAMED_MAX: usize = 40;

/// Confusions told in words.
const WORST: usize = 12;

pub(super) fn confusion(header: &Header) -> Markup {
    let (labels, cells) = (&header.labels, &header.card.curves.confusion);
    let named = labels.len() <= NAMED_MAX;
    // The names across lean over the right border.
    let (size, edge, lean) = if named { (19, 150, 60) } else { (6, 4, 0) };
    let side = labels.len() * size;
    let row_total = |truth: usize| -> u64 {
        cells.iter().filter(|cell| cell.truth == truth).map(|cell| cell.rows).sum()
    };
    let totals: Vec<u64> = (0..labels.len()).map(row_total).collect();
    let share = |cell: &Confused| {
        let total = totals.get(cell.truth).copied().unwrap_or_default().max(1);
        cell.rows as f64 / total as f64
    };
    let place = |at: usize| at * size + size / 2;
    html! {
        h3 { "Confusion matrix" }
        p { "Held-out rows: what they are (down) and what would be decided (across), the gate included. \
             Colour is the share of the row; off the diagonal it is an error." }
        div.wide {
            svg.matrix viewBox={ "0 0 " (edge + side + 4 + lean) " " (edge + side + 4) } width=(edge + side + 4 + lean) role="img" aria-label="Confusion matrix" {
                @if named {
                    @for (at, label) in labels.iter().enumerate() {
                        text.tick x=(edge - 6) y=(edge + place(at) + 4) text-anchor="end" { (label) }
                        text.tick transform={ "translate(" (edge + place(at) + 4) " " (edge - 6) ") rotate(-60)" } { (label) }
                    }
                }
                rect.frame x=(edge) y=(edge) width=(side) height=(side) {}
                @for cell in cells {
                    @let right = cell.truth == cell.decided;
                    g {
                        rect class=(if right { "right" } else { "wrong" }) x=(edge + cell.decided * size) y=(edge + cell.truth * size) width=(size) height=(size) fill-opacity=(format!("{:.2}", 0.12 + 0.88 * share(cell))) {}
                        @if named {
                            text class=(if share(cell) > 0.5 { "cell strong" } else { "cell" }) x=(edge + cell.decided * size + size / 2) y=(edge + place(cell.truth) + 4) text-anchor="middle" { (cell.rows) }
                        }
                        title { (name(header, cell.truth)) " decided " (name(header, cell.decided)) ": " (cell.rows) " rows" }
                    }
                }
            }
        }
        (worst(header))
    }
}

fn worst(header: &Header) -> Markup {
    let mut wrong: Vec<&Confused> =
        header.card.curves.confusion.iter().filter(|cell| cell.truth != cell.decided).collect();
    wrong.sort_by(|a, b| b.rows.cmp(&a.rows).then((a.truth, a.decided).cmp(&(b.truth, b.decided))));
    html! {
        @if !wrong.is_empty() {
            p.worst {
                "Most often confused: "
                @for (at, cell) in wrong.iter().take(WORST).enumerate() {
                    @if at > 0 { ", " }
                    (name(header, cell.truth)) " \u{2192} " (name(header, cell.decided)) " " b { (cell.rows) }
                }
                "."
            }
        }
    }
}

fn name(header: &Header, label: usize) -> &str {
    header.labels.get(label).map_or("", String::as_str)
}
