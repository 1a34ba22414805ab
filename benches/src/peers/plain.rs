//! The normaliser that peers have: lower case, no accents, letters and digits, abbreviations. Here only
//! to find the texts that it reads as the product's does.

use std::collections::{BTreeMap, HashMap};

use serde_json::Value;

/// Two readings are one when no value differs by more.
const DIFFERENCE_MAX: f64 = 1e-9;

/// What a peer knows of the model, so far as it concerns reading.
pub struct Plain {
    grams: HashMap<String, (u32, f64)>,
    abbreviations: HashMap<String, String>,
}

/// A text as a peer reads it.
pub struct Reading {
    values: Vec<(u32, f64)>,
    unknown_share: f64,
}

impl Reading {
    /// Whether the product read the same, its features being in the order of their numbers.
    pub fn is_same(&self, values: &[(u32, f64)], unknown_share: f64) -> bool {
        let near = |a: f64, b: f64| (a - b).abs() <= DIFFERENCE_MAX;
        self.values.len() == values.len()
            && self.values.iter().zip(values).all(|(a, b)| a.0 == b.0 && near(a.1, b.1))
            && near(self.unknown_share, unknown_share)
    }
}

impl Plain {
    /// Of the JSON that peers load.
    pub fn of(portable: &Value) -> Option<Self> {
        let mut grams = HashMap::new();
        for gram in portable.get("grams")?.as_array()? {
            let number = u32::try_from(gram.get("number")?.as_u64()?).ok()?;
            grams.insert(
                gram.get("gram")?.as_str()?.to_owned(),
                (number, gram.get("scale")?.as_f64()?),
            );
        }
        let abbreviations = portable.get("abbreviations")?.as_object()?;
        let abbreviations = abbreviations
            .iter()
            .filter_map(|(short, full)| Some((short.clone(), full.as_str()?.to_owned())))
            .collect();
        Some(Self { grams, abbreviations })
    }

    /// Reads a text; `None` where it holds characters that a plain normaliser may treat otherwise.
    pub fn read(&self, text: &str) -> Option<Reading> {
        let words = self.words(text)?;
        let pairs = words.windows(2).map(|pair| pair.join(" "));
        let mut counts: BTreeMap<u32, (f64, f64)> = BTreeMap::new();
        let (mut all, mut unknown) = (0.0, 0.0);
        for gram in words.iter().cloned().chain(pairs) {
            all += 1.0;
            match self.grams.get(&gram) {
                Some((number, scale)) => counts.entry(*number).or_insert((0.0, *scale)).0 += 1.0,
                None => unknown += 1.0,
            }
        }
        let mut values: Vec<(u32, f64)> = counts
            .into_iter()
            .map(|(number, (count, scale))| (number, (1.0 + count.ln()) * scale))
            .collect();
        let length = values.iter().map(|(_, value)| value * value).sum::<f64>().sqrt();
        values.iter_mut().for_each(|(_, value)| *value /= length);
        let unknown_share = if all == 0.0 { 1.0 } else { unknown / all };
        Some(Reading { values, unknown_share })
    }

    fn words(&self, text: &str) -> Option<Vec<String>> {
        let mut folded = String::with_capacity(text.len());
        for c in text.chars() {
            folded.push(fold(c)?);
        }
        let mut words = Vec::new();
        for word in folded.split(|c: char| !c.is_ascii_alphanumeric()) {
            match self.abbreviations.get(word) {
                _ if word.is_empty() => {}
                Some(full) => words.extend(full.split(' ').map(str::to_owned)),
                None => words.push(word.to_owned()),
            }
        }
        Some(words)
    }
}

/// Portuguese letters without their accents; nothing else beyond ASCII.
fn fold(c: char) -> Option<char> {
    let lower = c.to_lowercase().next()?;
    Some(match lower {
        'á' | 'à' | 'â' | 'ã' => 'a',
        'é' | 'ê' => 'e',
        'í' => 'i',
        'ó' | 'ô' | 'õ' => 'o',
        'ú' | 'ü' => 'u',
        'ç' => 'c',
        c if c.is_ascii() => c,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn texts_are_read_as_the_peers_read_them() {
        let portable = json!({
            "grams": [
                { "gram": "nao", "number": 0, "scale": 3.0 },
                { "gram": "nao internet", "number": 1, "scale": 4.0 },
            ],
            "abbreviations": { "net": "internet", "ñ": "nao" },
        });
        let plain = Plain::of(&portable).unwrap();
        let read = plain.read("NÃO... net?").unwrap();
        assert_eq!(read.values, [(0, 0.6), (1, 0.8)]);
        assert!((read.unknown_share - 1.0 / 3.0).abs() < 1e-9);
        assert!(read.is_same(&[(0, 0.6), (1, 0.8)], 1.0 / 3.0));
        assert!(!read.is_same(&[(0, 0.6)], 1.0 / 3.0) && !read.is_same(&[(0, 0.6), (1, 0.8)], 0.5));
        assert!(plain.read("日本").is_none());
    }
}
