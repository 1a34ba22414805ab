//! The project's own corpus, compiled in: what the bundled model is trained and checked on.
//!
//! Invariant: [`validation`] is never trained on; a test keeps it free of near-duplicates of the
//! training rows.

use crate::rows::{Row, RowError, read_rows};

/// Written to be hard: traps, two wishes at once, other companies' affairs.
const HARD: [&str; 9] = [
    include_str!("../corpus/contrato.jsonl"),
    include_str!("../corpus/duas_vontades.jsonl"),
    include_str!("../corpus/falhas.jsonl"),
    include_str!("../corpus/faturas.jsonl"),
    include_str!("../corpus/fora.jsonl"),
    include_str!("../corpus/geral.jsonl"),
    include_str!("../corpus/vendas.jsonl"),
    include_str!("../corpus/visitas.jsonl"),
    include_str!("../corpus/vizinhanca.jsonl"),
];

/// Written as customers usually write.
const ORDINARY: [&str; 6] = [
    include_str!("../corpus/cotidiano_breves.jsonl"),
    include_str!("../corpus/cotidiano_falhas.jsonl"),
    include_str!("../corpus/cotidiano_faturas.jsonl"),
    include_str!("../corpus/cotidiano_geral.jsonl"),
    include_str!("../corpus/cotidiano_vendas.jsonl"),
    include_str!("../corpus/gente.jsonl"),
];

const VALIDATION: &str = include_str!("../corpus/validation/mensagens.jsonl");

/// The training rows: the hard ones, marked so, then the ordinary ones.
///
/// # Errors
/// A line of the corpus is not a row (a test keeps this from happening).
pub fn training() -> Result<Vec<Row>, RowError> {
    let mut rows = Vec::new();
    for jsonl in HARD {
        rows.extend(read_rows(jsonl)?.into_iter().map(|row| Row { hard: true, ..row }));
    }
    for jsonl in ORDINARY {
        rows.extend(read_rows(jsonl)?);
    }
    Ok(rows)
}

/// The held-out rows.
///
/// # Errors
/// As for [`training`].
pub fn validation() -> Result<Vec<Row>, RowError> {
    read_rows(VALIDATION)
}
