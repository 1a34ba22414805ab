//! Numbers that look drawn and are not: the same seed, the same numbers.

/// `SplitMix64` (Steele et al. 2014).
#[must_use]
pub fn mix(n: u64) -> u64 {
    let n = n.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let n = (n ^ (n >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let n = (n ^ (n >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    n ^ (n >> 31)
}

/// Numbers one after the other.
#[derive(Debug, Clone)]
pub struct Draw(u64);

impl Draw {
    /// The series of `seed`.
    #[must_use]
    pub fn of(seed: u64) -> Self {
        Self(mix(seed))
    }

    /// The next one, below `end`.
    pub fn below(&mut self, end: u64) -> u64 {
        self.0 = mix(self.0);
        self.0 % end.max(1)
    }

    /// One of `all`; the default where there is none.
    pub fn of_all<T: Copy + Default>(&mut self, all: &[T]) -> T {
        let at = usize::try_from(self.below(all.len() as u64)).unwrap_or_default();
        all.get(at).copied().unwrap_or_default()
    }

    /// Bytes.
    pub fn bytes(&mut self, length: usize) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(length + 7);
        while bytes.len() < length {
            bytes.extend(self.below(u64::MAX).to_le_bytes());
        }
        bytes.truncate(length);
        bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_always_draws_the_same_and_another_something_else() {
        let drawn = |seed| Draw::of(seed).bytes(13);
        assert_eq!(drawn(1), drawn(1));
        assert_ne!(drawn(1), drawn(2));
        let mut draw = Draw::of(3);
        assert!((0..1_000).all(|_| draw.below(7) < 7));
    }
}
