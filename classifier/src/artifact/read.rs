//! Bytes → a head, or a typed refusal; never a panic, whatever the bytes.

use super::error::ModelError;
use super::header::Header;
use super::model::Model;
use super::write::{FORMAT, MAGIC};
use crate::features::recipe::RECIPE_VERSION;
use crate::score::weights::Weights;
use crate::train::sums::ClassSums;
use sha2::{Digest, Sha256};

/// Bytes of the SHA-256 at the end.
const DIGEST_BYTES: usize = 32;

/// A position in the bytes of one file.
struct Cursor<'n, 'a> {
    name: &'n str,
    rest: &'a [u8],
}

impl<'a> Cursor<'_, 'a> {
    fn inconsistent(&self, what: &'static str) -> ModelError {
        ModelError::Inconsistent { name: self.name.to_owned(), what }
    }

    fn bytes(&mut self, len: usize, what: &'static str) -> Result<&'a [u8], ModelError> {
        let Some((bytes, rest)) = self.rest.split_at_checked(len) else {
            return Err(self.inconsistent(what));
        };
        self.rest = rest;
        Ok(bytes)
    }

    fn array<const N: usize>(&mut self, what: &'static str) -> Result<[u8; N], ModelError> {
        let Some((bytes, rest)) = self.rest.split_first_chunk::<N>() else {
            return Err(self.inconsistent(what));
        };
        self.rest = rest;
        Ok(*bytes)
    }

    fn u16(&mut self, what: &'static str) -> Result<u16, ModelError> {
        Ok(u16::from_le_bytes(self.array(what)?))
    }

    fn len(&mut self, what: &'static str) -> Result<usize, ModelError> {
        Ok(u32::from_le_bytes(self.array(what)?) as usize)
    }

    fn f64(&mut self, what: &'static str) -> Result<f64, ModelError> {
        let value = f64::from_le_bytes(self.array(what)?);
        if value.is_finite() { Ok(value) } else { Err(self.inconsistent(what)) }
    }

    fn f64s(&mut self, len: usize, what: &'static str) -> Result<Vec<f64>, ModelError> {
        // Bounds the allocation by what is really there.
        if self.rest.len() / 8 < len {
            return Err(self.inconsistent(what));
        }
        (0..len).map(|_| self.f64(what)).collect()
    }
}

/// Magic and format are judged before the check sum, so that an old file is named as such.
fn open<'n, 'a>(name: &'n str, bytes: &'a [u8]) -> Result<(Cursor<'n, 'a>, [u8; 32]), ModelError> {
    let name_owned = || name.to_owned();
    let mut cursor = Cursor { name, rest: bytes };
    if cursor.array::<8>("magic").ok() != Some(MAGIC) {
        return Err(ModelError::NotAModel { name: name_owned() });
    }
    let found = u32::from_le_bytes(cursor.array("format")?);
    if found != FORMAT {
        return Err(ModelError::Format { name: name_owned(), found, known: FORMAT });
    }
    let Some((content, digest)) = bytes.split_last_chunk::<DIGEST_BYTES>() else {
        return Err(ModelError::Damaged { name: name_owned() });
    };
    if Sha256::digest(content).as_slice() != digest {
        return Err(ModelError::Damaged { name: name_owned() });
    }
    cursor.rest = content.get(MAGIC.len() + 4..).unwrap_or_default();
    Ok((cursor, *digest))
}

fn header(cursor: &mut Cursor<'_, '_>) -> Result<Header, ModelError> {
    let len = cursor.len("header length")?;
    let json = cursor.bytes(len, "header")?;
    let header: Header =
        serde_json::from_slice(json).map_err(|_| cursor.inconsistent("header JSON"))?;
    if header.recipe.version != RECIPE_VERSION {
        let (found, known) = (header.recipe.version, RECIPE_VERSION);
        return Err(ModelError::Recipe { name: cursor.name.to_owned(), found, known });
    }
    let classes = header.labels.len();
    let fits = classes >= 2
        && classes < usize::from(u16::MAX)
        && header.labels.is_sorted_by(|a, b| a < b)
        && header.class_rows.len() == classes
        && header.log_prior.len() == classes
        && header.log_prior.iter().all(|prior| prior.is_finite())
        && header.thresholds.intents.len() == classes
        && header.calibration.oos_class.is_none_or(|class| class < classes);
    if fits { Ok(header) } else { Err(cursor.inconsistent("labels")) }
}

/// Reads a head from the bytes of a file; `name` is for error messages.
pub(crate) fn read(name: &str, bytes: &[u8]) -> Result<Model, ModelError> {
    let mut hashes: Vec<u64> = Vec::new();
    let mut scales: Vec<f64> = Vec::new();
    let (header, digest, rows, _) = walk(name, bytes, |part| match part {
        Part::Hash(hash) => hashes.push(hash),
        Part::Scale(scale) => scales.push(scale),
        Part::Name(_) => {}
    })?;
    let width = header.labels.len() + 1;
    let row = |place: &u32| rows.get(*place as usize * width..(*place as usize + 1) * width);
    let places = common_first(rows.chunks_exact(width).map(|row| row.last()));
    let sorted = places.iter().map(|place| row(place).unwrap_or_default());
    let weights = Weights::new(places.len(), sorted, header.log_prior.clone());
    let pick = |place: &u32| *place as usize;
    Ok(Model {
        hashes: places.iter().filter_map(|p| hashes.get(pick(p)).copied()).collect(),
        scales: places.iter().filter_map(|p| scales.get(pick(p)).copied()).collect(),
        header,
        weights,
        places,
        digest,
    })
}

/// Reads the names of the features out of the bytes of a model file, in the order of the class sums:
/// n-grams as a person reads them. `name` is for error messages.
///
/// # Errors
/// As for opening a model.
pub fn read_feature_names(name: &str, bytes: &[u8]) -> Result<Vec<String>, ModelError> {
    let mut names = Vec::new();
    walk(name, bytes, |part| {
        if let Part::Name(text) = part {
            names.push(text.to_owned());
        }
    })?;
    Ok(names)
}

/// The places of the features in the file, by falling background weight: what is common in messages
/// lies close together in memory.
fn common_first<'a>(background: impl Iterator<Item = Option<&'a f64>>) -> Vec<u32> {
    let weights: Vec<f64> =
        background.map(|weight| weight.copied().unwrap_or(f64::NEG_INFINITY)).collect();
    let weight = |place: &u32| weights.get(*place as usize).copied().unwrap_or_default();
    let mut places: Vec<u32> = weights.iter().zip(0u32..).map(|(_, place)| place).collect();
    places.sort_by(|a, b| weight(b).total_cmp(&weight(a)).then_with(|| a.cmp(b)));
    places
}

/// Reads the class sums out of the bytes of a model file: what adding labelled messages to a head
/// starts from. `name` is for error messages.
///
/// # Errors
/// As for opening a model.
pub fn read_class_sums(name: &str, bytes: &[u8]) -> Result<ClassSums, ModelError> {
    let (header, _, _, sums) = walk(name, bytes, |_| {})?;
    Ok(ClassSums { classes: header.labels.len(), sums, rows: header.class_rows })
}

/// A part of the file that is handed out as it is met.
enum Part<'a> {
    Hash(u64),
    Scale(f64),
    Name(&'a str),
}

/// Header, digest, weight rows `[features, classes + 1]` and sums `[features, classes]`.
type Walked = (Header, [u8; 32], Vec<f64>, Vec<f64>);

fn walk<'a>(
    name: &str,
    bytes: &'a [u8],
    mut part: impl FnMut(Part<'a>),
) -> Result<Walked, ModelError> {
    let (mut cursor, digest) = open(name, bytes)?;
    let header = header(&mut cursor)?;
    let features = cursor.len("features")?;
    let classes = cursor.len("classes")?;
    if classes != header.labels.len() || cursor.rest.len() / 8 < features {
        return Err(cursor.inconsistent("sizes"));
    }
    let mut before = 0;
    for _ in 0..features {
        let hash = u64::from_le_bytes(cursor.array("hashes")?);
        if hash <= before {
            return Err(cursor.inconsistent("order of hashes"));
        }
        before = hash;
        part(Part::Hash(hash));
    }
    for scale in cursor.f64s(features, "scales")? {
        part(Part::Scale(scale));
    }
    let background = cursor.f64s(features, "background")?;
    let base = cursor.f64s(classes, "base weights")?;
    let (rows, sums) = cells(&mut cursor, &background, &base)?;
    for _ in 0..features {
        let len = usize::from(u8::from_le_bytes(cursor.array("name length")?));
        let text = cursor.bytes(len, "names")?;
        part(Part::Name(std::str::from_utf8(text).map_err(|_| cursor.inconsistent("names"))?));
    }
    if !cursor.rest.is_empty() {
        return Err(cursor.inconsistent("length"));
    }
    Ok((header, digest, rows, sums))
}

fn cells(
    cursor: &mut Cursor<'_, '_>,
    background: &[f64],
    base: &[f64],
) -> Result<(Vec<f64>, Vec<f64>), ModelError> {
    let mut rows = Vec::with_capacity(background.len() * (base.len() + 1));
    let mut sums = vec![0.0; background.len() * base.len()];
    for (background, sums) in background.iter().zip(sums.chunks_exact_mut(base.len().max(1))) {
        let start = rows.len();
        rows.extend_from_slice(base);
        rows.push(*background);
        for _ in 0..cursor.u16("cells")? {
            let class = usize::from(cursor.u16("cells")?);
            let (sum, weight) = (cursor.f64("cells")?, cursor.f64("cells")?);
            let slots = (rows.get_mut(start + class), sums.get_mut(class));
            let (Some(weight_slot), Some(sum_slot)) = slots else {
                return Err(cursor.inconsistent("cells"));
            };
            (*weight_slot, *sum_slot) = (weight, sum);
        }
    }
    Ok((rows, sums))
}
