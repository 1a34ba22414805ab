//! The model card as a page: one file, no network, plots as inline SVG.
//!
//! Invariant: shows what `card.json` holds and nothing else; every word of the data is escaped.

mod confusion;
mod labels;
mod plots;

use crate::artifact::header::Header;
use crate::evaluate::Evaluation;
use crate::train::card::{Card, TestFigures, TestSplit};
use maud::{DOCTYPE, Markup, PreEscaped, html};

const STYLE: &str = include_str!("card.css");

/// A head of the directory, or why it is none.
pub(crate) type Found<'a> = (&'static str, Result<&'a Header, String>);

/// The page of all heads of a directory.
pub(crate) fn page(heads: &[Found<'_>]) -> String {
    let markup = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                title { "Model card" }
                style { (PreEscaped(STYLE)) }
            }
            body {
                h1 { "Model card" }
                nav {
                    @for (name, _) in heads { a href={ "#" (name) } { (name) } }
                }
                @for (name, header) in heads {
                    section id=(name) {
                        h2 { (name) }
                        @match header {
                            Ok(header) => (head(header)),
                            Err(why) => p.bad { "Unusable: " (why) },
                        }
                    }
                }
            }
        }
    };
    markup.into_string()
}

fn head(header: &Header) -> Markup {
    let card = &header.card;
    html! {
        @if !card.failed_bars.is_empty() {
            div.bad {
                strong { "Published by force: it does not meet every bar." }
                ul { @for bar in &card.failed_bars { li { (bar) } } }
            }
        }
        @if !card.provenance.is_empty() { p.origin { (card.provenance) } }
        p { b { "What is promised: " } (card.promise) "." }
        (tiles(card))
        @if let Some(test) = &card.test { (test_part(test)) }
        div.plots {
            (plots::reliability(&card.curves))
            (plots::coverage(&card.curves, &header.thresholds))
            (plots::learning(&card.curves))
        }
        (confusion::confusion(header))
        (labels::labels(header))
        (data(header))
    }
}

/// A share in percent, with one decimal.
pub(super) fn percent(share: f64) -> String {
    format!("{:.1}\u{a0}%", share * 100.0)
}

fn tile(name: &str, value: &str, note: &str) -> Markup {
    html! { div.tile { span { (name) } b { (value) } small { (note) } } }
}

fn tiles(card: &Card) -> Markup {
    let held = &card.held_out;
    let change = |before: f64, after: f64| format!("{before:.3} raw \u{2192} {after:.3}");
    let guess = format!("commonest label: {}", percent(held.majority));
    html! {
        div.tiles {
            (tile("Accuracy", &percent(held.accuracy), &format!("{} held-out rows; {guess}", held.n)))
            (tile("Macro-F1", &format!("{:.3}", held.macro_f1), "mean over the labels"))
            (tile("Calibration error", &format!("{:.3}", held.ece), &change(held.ece_raw, held.ece)))
            (tile("Brier score", &format!("{:.3}", held.brier), &change(held.brier_raw, held.brier)))
            (tile("Coverage at 95 %", &percent(held.coverage_at_95), "share kept at that precision"))
            (tile("Coverage at 97 %", &percent(held.coverage_at_97), "share kept at that precision"))
            @if let Some(auroc) = held.oos_auroc {
                (tile("Out of scope, AUROC", &format!("{auroc:.3}"), &format!("{} rows", held.oos_n)))
            }
            @if let Some(auroc) = held.auroc {
                (tile("AUROC", &format!("{auroc:.3}"), "how well yes ranks over no"))
            }
            @if let Some(hard) = held.hard_accuracy {
                (tile("On hard rows", &percent(hard), "written as traps; in no other figure"))
            }
            @if let Some(seconds) = held.seconds {
                (tile(
                    "Second intents rightly named",
                    &format!("{} of {}", seconds.right, seconds.rows),
                    &format!("{} named in all", seconds.named),
                ))
            }
        }
    }
}

fn test_part(test: &TestFigures) -> Markup {
    let told = match test.split {
        TestSplit::Given => "Rows given apart; this head has seen none of them.",
        TestSplit::Time => {
            "The latest rows, tested on a head of the earlier ones; the published head is of all."
        }
        TestSplit::Groups => {
            "Rows held back by near-duplicate group, tested on a head of the others; the published \
             head is of all. The live head may have been trained on them."
        }
    };
    let optional = |share: Option<f64>| share.map_or_else(|| "\u{2013}".to_owned(), percent);
    let row = |name: &str, of: &Evaluation| {
        html! {
            tr {
                th scope="row" { (name) }
                td { (of.n) } td { (percent(of.accuracy)) } td { (format!("{:.3}", of.macro_f1)) }
                td { (format!("{:.3}", of.ece)) } td { (percent(of.coverage_auto)) }
                td { (optional(of.precision_auto)) } td { (optional(of.oos_auto)) }
            }
        }
    };
    html! {
        h3 { "Test part" }
        p {
            (told) " Below, the same rows as hasty hands would have written them, by fixed rules: what a "
            "model loses there it knows by spelling alone."
        }
        table {
            thead { tr {
                th { } th { "rows" } th { "accuracy" } th { "macro-F1" } th { "ECE" }
                th { "answered alone" } th { "of these right" } th { "out of scope answered" }
            } }
            tbody {
                (row("this head", &test.own))
                @if let Some(live) = &test.live { (row("live head", &live.figures)) }
                @for (way, figures) in &test.hasty { (row(way, figures)) }
            }
        }
    }
}

fn data(header: &Header) -> Markup {
    let (card, recipe) = (&header.card, &header.recipe);
    let checks = &card.checks;
    let temperature = card.temperature;
    let found = [
        ("rows given", checks.rows),
        ("trained on", checks.kept),
        ("left out: without text or label", checks.empty),
        ("left out: repeated", checks.repeated),
        ("left out: same text, different labels", checks.contradictory),
        ("left out: too like a test row", checks.leaked),
        ("of those trained on: hard, never measured on", checks.hard),
    ];
    let thin = checks.thin_labels.join(", ");
    html! {
        h3 { "Data and training" }
        table.facts {
            tbody {
                @for (name, rows) in found { tr { th scope="row" { (name) } td { (rows) } } }
                tr { th scope="row" { "labels with few rows" }
                     td { (if thin.is_empty() { "none" } else { &thin }) } }
                tr { th scope="row" { "features" } td { (card.features) } }
                tr { th scope="row" { "weighting, alpha" }
                     td { (format!("{:?}, {}", recipe.weighting, recipe.alpha)) } }
                tr { th scope="row" { "prior" } td { (format!("{:?}", recipe.prior)) } }
                tr { th scope="row" { "temperature" }
                     td { (format!("{:.3}\u{b7}n^{:.3}", temperature.temperature, temperature.exponent)) } }
                tr { th scope="row" { "softened by unknown n-grams, words, pairs" }
                     td { (temperature.novelty.map(|nats| format!("{nats:.2}")).join(", ")) } }
                tr { th scope="row" { "folds" } td { (card.folds) } }
                tr { th scope="row" { "trained by" } td { (card.trained_by) } }
                tr { th scope="row" { "SHA-256 of the rows" } td { code { (card.data_sha256) } } }
            }
        }
        @if !card.trials.is_empty() {
            details {
                summary { "Recipes tried on held-out rows" }
                table {
                    thead { tr { th { "weighting" } th { "alpha" } th { "accuracy" } th { "macro-F1" } } }
                    tbody {
                        @for trial in &card.trials {
                            tr {
                                td { (format!("{:?}", trial.recipe.weighting)) }
                                td { (trial.recipe.alpha) }
                                td { (percent(trial.accuracy)) }
                                td { (format!("{:.3}", trial.macro_f1)) }
                            }
                        }
                    }
                }
            }
        }
    }
}
