//! A head → bytes.
//!
//! Layout, little-endian: magic `[8]`, format u32, header length u32, header (JSON), features u32,
//! classes u32; hashes u64 `[features]`, scales f64 `[features]`, background f64 `[features]`, base
//! weight f64 `[classes]`; a feature after the other: cells u16, then class u16, sum f64, weight f64
//! a cell; a feature after the other: name length u8, name (UTF-8); SHA-256 of all before `[32]`.
//! A cell that is absent has sum 0 and its class's base weight, which is exact: linfa gives every
//! feature a class has never seen the same weight. Same head, same bytes.

use super::header::Header;
use crate::score::weights::Weights;
use crate::train::sums::ClassSums;
use sha2::{Digest, Sha256};

/// First bytes of every model file.
pub(crate) const MAGIC: [u8; 8] = *b"CRTZMODL";
/// Version of the layout.
pub(crate) const FORMAT: u32 = 2;

/// What goes into a file beside the header; features sorted by hash.
#[derive(Debug)]
pub(crate) struct Content<'a> {
    pub(crate) hashes: &'a [u64],
    pub(crate) scales: &'a [f64],
    pub(crate) names: &'a [String],
    pub(crate) weights: &'a Weights,
    pub(crate) sums: &'a ClassSums,
}

/// Lays out a head.
///
/// # Errors
/// The header cannot be written as JSON (a number is not finite).
pub(crate) fn write(header: &Header, content: &Content<'_>) -> Result<Vec<u8>, serde_json::Error> {
    let json = serde_json::to_vec(header)?;
    let classes = content.weights.classes();
    let base = base_weights(content, header.recipe.alpha);
    let mut out = Vec::with_capacity(json.len() + content.hashes.len() * 96);
    out.extend_from_slice(&MAGIC);
    push_u32(&mut out, FORMAT as usize);
    push_u32(&mut out, json.len());
    out.extend_from_slice(&json);
    push_u32(&mut out, content.hashes.len());
    push_u32(&mut out, classes);
    out.extend(content.hashes.iter().flat_map(|hash| hash.to_le_bytes()));
    out.extend(content.scales.iter().flat_map(|scale| scale.to_le_bytes()));
    for (_, feature) in content.hashes.iter().zip(0u32..) {
        out.extend_from_slice(&content.weights.weight(feature, classes).to_le_bytes());
    }
    out.extend(base.iter().flat_map(|weight| weight.to_le_bytes()));
    let sums = content.sums.sums.chunks_exact(classes.max(1));
    for (sums, feature) in sums.zip(0u32..) {
        push_cells(&mut out, content.weights.row(feature), sums, &base);
    }
    for name in content.names {
        push_name(&mut out, name);
    }
    let digest = Sha256::digest(&out);
    out.extend_from_slice(&digest);
    Ok(out)
}

/// The weight of a feature a class has never seen `[classes]`.
fn base_weights(content: &Content<'_>, alpha: f64) -> Vec<f64> {
    let mut base: Vec<Option<f64>> = vec![None; content.weights.classes()];
    let sums = content.sums.sums.chunks_exact(base.len().max(1));
    for (sums, feature) in sums.zip(0u32..) {
        for ((base, weight), sum) in base.iter_mut().zip(content.weights.row(feature)).zip(sums) {
            if base.is_none() && *sum == 0.0 {
                *base = Some(*weight);
            }
        }
    }
    let log_totals = content.sums.log_totals(alpha);
    base.iter().zip(log_totals).map(|(base, log)| base.unwrap_or(alpha.ln() - log)).collect()
}

fn push_cells(out: &mut Vec<u8>, row: &[f64], sums: &[f64], base: &[f64]) {
    let cells = row.iter().zip(sums).zip(base).zip(0u16..);
    let kept = cells
        .filter(|(((weight, sum), base), _)| **sum != 0.0 || weight.to_bits() != base.to_bits());
    let start = out.len();
    out.extend_from_slice(&[0, 0]);
    let mut count = 0u16;
    for (((weight, sum), _), class) in kept {
        out.extend_from_slice(&class.to_le_bytes());
        out.extend_from_slice(&sum.to_le_bytes());
        out.extend_from_slice(&weight.to_le_bytes());
        count += 1;
    }
    if let Some(slot) = out.get_mut(start..start + 2) {
        slot.copy_from_slice(&count.to_le_bytes());
    }
}

fn push_name(out: &mut Vec<u8>, name: &str) {
    // Cut between characters, so that the name stays UTF-8.
    let mut end = name.len().min(255);
    while !name.is_char_boundary(end) {
        end -= 1;
    }
    let name = name.get(..end).unwrap_or_default();
    out.push(u8::try_from(name.len()).unwrap_or_default());
    out.extend_from_slice(name.as_bytes());
}

fn push_u32(out: &mut Vec<u8>, value: usize) {
    out.extend_from_slice(&u32::try_from(value).unwrap_or(u32::MAX).to_le_bytes());
}
