//! The stable 64-bit hash of n-grams.
//!
//! Invariant: part of the artifact format. A sequence of folded characters c₁…cₙ has the raw hash
//! Σ (cᵢ + 1)·Pⁿ⁻ⁱ mod 2⁶⁴ (Horner, P odd); a feature's hash is the finaliser of MurmurHash3
//! (Appleby 2011, public domain, `fmix64`) over that sum xor a seed for the kind of n-gram. Any
//! change must raise [`crate::RECIPE_VERSION`].

const P: u64 = 0x9E37_79B9_7F4A_7C15;
const PAIR: u64 = 0xD6E8_FEB8_6659_FD93;

/// Extends a raw hash by one character.
#[inline]
pub(crate) fn push(raw: u64, c: char) -> u64 {
    raw.wrapping_mul(P).wrapping_add(u64::from(u32::from(c)) + 1)
}

/// The raw hash of a sequence of characters.
#[inline]
pub(crate) fn raw(chars: &[char]) -> u64 {
    chars.iter().fold(0, |hash, &c| push(hash, c))
}

/// The raw hash of an ordered pair of raw hashes.
#[inline]
pub(crate) fn pair(first: u64, second: u64) -> u64 {
    finish(first, 0).wrapping_mul(PAIR).wrapping_add(second)
}

/// The feature hash: every bit of `raw` and `seed` moves every bit of the result.
#[inline]
pub(crate) fn finish(raw: u64, seed: u64) -> u64 {
    let mut hash = raw ^ seed.wrapping_mul(PAIR);
    hash ^= hash >> 33;
    hash = hash.wrapping_mul(0xFF51_AFD7_ED55_8CCD);
    hash ^= hash >> 33;
    hash = hash.wrapping_mul(0xC4CE_B9FE_1A85_EC53);
    hash ^ hash >> 33
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashMap;

    #[test]
    fn hashes_never_change() {
        let hash = |text: &str, seed| finish(raw(&text.chars().collect::<Vec<_>>()), seed);
        assert_eq!(hash("boleto", 1), 0x4DCF_3D3A_340D_6A49);
        assert_eq!(hash("", 0), 0);
    }

    #[test]
    fn short_sequences_do_not_collide() {
        let letters: Vec<char> = (b'a'..=b'z').map(char::from).chain([' ', '<']).collect();
        let mut seen = HashMap::new();
        for &a in &letters {
            for &b in &letters {
                for &c in &letters {
                    for seed in 0..3 {
                        let key = (a, b, c, seed);
                        assert_eq!(seen.insert(finish(raw(&[a, b, c]), seed), key), None);
                    }
                }
            }
        }
    }
}
