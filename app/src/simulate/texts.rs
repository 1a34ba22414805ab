//! What simulated customers write: the ordinary part of the project's own corpus.

use classifier::corpus;

/// A small reproducible source of numbers (SplitMix64, Steele et al. 2014).
#[derive(Debug, Clone)]
pub struct Dice(u64);

impl Dice {
    /// The same seed gives the same numbers.
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// The next number.
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let n = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let n = (n ^ (n >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        n ^ (n >> 31)
    }

    /// A number below `end` (0 for 0).
    pub fn below(&mut self, end: u64) -> u64 {
        self.next().checked_rem(end).unwrap_or(0)
    }

    /// A share, from 0 to less than 1.
    pub fn share(&mut self) -> f64 {
        #[allow(clippy::cast_precision_loss)] // 53 bits are plenty
        let share = (self.next() >> 11) as f64 / (1u64 << 53) as f64;
        share
    }

    /// Whether something of probability `share` happens.
    pub fn happens(&mut self, share: f64) -> bool {
        self.share() < share
    }
}

/// What people write who have just lost their connection.
const OUTAGE: [&str; 8] = [
    "minha internet caiu",
    "estou sem internet desde agora há pouco",
    "caiu a internet aqui no bairro todo",
    "sem sinal aqui, caiu do nada",
    "a internet parou de funcionar",
    "internet fora do ar, meu vizinho também está sem",
    "não tenho conexão, o que aconteceu?",
    "caiu tudo aqui, preciso trabalhar",
];

/// What customers may write.
pub struct Texts(Vec<String>);

impl Texts {
    /// The corpus.
    pub fn load() -> anyhow::Result<Self> {
        let rows = corpus::training()?;
        // Rows written to be hard are for training: no provider's day is made of them.
        Ok(Self(rows.into_iter().filter(|row| !row.hard).map(|row| row.text).collect()))
    }

    /// What somebody writes whose district has an outage.
    pub fn of_outage(dice: &mut Dice) -> &'static str {
        let at = usize::try_from(dice.below(OUTAGE.len() as u64)).unwrap_or_default();
        OUTAGE.get(at).copied().unwrap_or("minha internet caiu")
    }

    /// One of them.
    pub fn pick(&self, dice: &mut Dice) -> &str {
        let at = usize::try_from(dice.below(self.0.len() as u64)).unwrap_or_default();
        self.0.get(at).map_or("oi", String::as_str)
    }
}
