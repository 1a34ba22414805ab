//! The project's own corpus, compiled in: what the bundled model is trained and checked on.
//!
//! Invariant: [`validation`] is never trained on; a test keeps it free of near-duplicates of the
//! training rows.

use crate::rows::{Row, RowError, read_rows};

const TRAINING: [(&str, &str); 11] = [
    ("contrato", include_str!("../corpus/contrato.jsonl")),
    ("cotidiano_falhas", include_str!("../corpus/cotidiano_falhas.jsonl")),
    ("cotidiano_faturas", include_str!("../corpus/cotidiano_faturas.jsonl")),
    ("cotidiano_geral", include_str!("../corpus/cotidiano_geral.jsonl")),
    ("cotidiano_vendas", include_str!("../corpus/cotidiano_vendas.jsonl")),
    ("falhas", include_str!("../corpus/falhas.jsonl")),
    ("faturas", include_str!("../corpus/faturas.jsonl")),
    ("fora", include_str!("../corpus/fora.jsonl")),
    ("geral", include_str!("../corpus/geral.jsonl")),
    ("vendas", include_str!("../corpus/vendas.jsonl")),
    ("visitas", include_str!("../corpus/visitas.jsonl")),
];

const VALIDATION: &str = include_str!("../corpus/validation/mensagens.jsonl");

/// The training rows, file by file.
///
/// # Errors
/// A line of the corpus is not a row (a test keeps this from happening).
pub fn training() -> Result<Vec<Row>, RowError> {
    let mut rows = Vec::new();
    for (_, jsonl) in TRAINING {
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
