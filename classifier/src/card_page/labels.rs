//! The table of the labels: how each fares, from where it is answered, and by what it is known.

use super::percent;
use crate::artifact::header::Header;
use maud::{Markup, html};

pub(super) fn labels(header: &Header) -> Markup {
    let oos = header.calibration.oos_class;
    let rows = header.card.labels.iter().zip(&header.thresholds.intents).enumerate();
    let optional = |share: Option<f64>| share.map_or_else(|| "\u{2013}".to_owned(), percent);
    html! {
        h3 { "Labels" }
        p {
            "Precision and recall are of held-out rows, the gate included. A label is answered alone from "
            "its threshold on; the bound is the 95 % lower one of the precision over it. "
            b { "own" } ": certified on this label's rows; " b { "pooled" } ": on all rows together; "
            b { "assist only" } ": suggested to a person, never answered alone."
        }
        div.wide {
            table {
                thead { tr {
                    th { "label" } th { "trained on" } th { "held out" } th { "precision" } th { "recall" }
                    th { "threshold" } th { "over it" } th { "bound" } th { "rule" } th.telling { "most telling n-grams" }
                } }
                tbody {
                    @for (at, (label, rule)) in rows {
                        @let held = label.held_out;
                        tr {
                            th scope="row" { (label.label) }
                            td { (label.rows) }
                            td { (held.map_or(0, |held| held.n)) }
                            td { (optional(held.and_then(|held| held.precision))) }
                            td { (optional(held.and_then(|held| held.recall))) }
                            @if oos == Some(at) {
                                td.rule colspan="4" { "out of scope: never answered" }
                            } @else if rule.assist_only {
                                td { "\u{2013}" } td { (rule.rows.accepted) } td { (percent(rule.rows.precision_bound)) }
                                td.rule { span.assist { "assist only" } }
                            } @else {
                                td { (format!("{:.3}", rule.rows.threshold)) }
                                td { (rule.rows.accepted) }
                                td { (percent(rule.rows.precision_bound)) }
                                td.rule { (if rule.own { "own" } else { "pooled" }) }
                            }
                            td.telling { @for gram in &label.telling { code { (gram) } " " } }
                        }
                    }
                }
            }
        }
    }
}
