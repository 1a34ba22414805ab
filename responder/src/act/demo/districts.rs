//! The made-up provider's city: twenty districts, any of which may have lost its connection.

use std::collections::BTreeSet;

use parking_lot::Mutex;

const NAMES: [&str; 20] = [
    "Centro",
    "Vila Nova",
    "Boa Vista",
    "Santa Luzia",
    "São José",
    "Jardim das Flores",
    "Alto da Serra",
    "Bela Vista",
    "Cidade Nova",
    "Santo Antônio",
    "Parque Industrial",
    "Vila Rica",
    "Planalto",
    "Jardim América",
    "São Francisco",
    "Nossa Senhora de Fátima",
    "Lagoa Seca",
    "Morada do Sol",
    "Cruzeiro",
    "Beira-Rio",
];
/// Down as long as nobody lives through a day: without one there is an outage to see all the same.
const DOWN: u64 = 5;

/// Which of them are down.
pub struct Districts(Mutex<BTreeSet<u64>>);

impl Default for Districts {
    fn default() -> Self {
        Self(Mutex::new(BTreeSet::from([DOWN])))
    }
}

impl Districts {
    /// How many there are: customer `n` lives in district `n` modulo this.
    pub const COUNT: u64 = NAMES.len() as u64;

    /// A city in which everything works.
    #[must_use]
    pub fn connected() -> Self {
        Self(Mutex::default())
    }

    /// What a district is called.
    #[must_use]
    pub fn name(district: u64) -> &'static str {
        let at = usize::try_from(district % Self::COUNT).unwrap_or_default();
        NAMES.get(at).copied().unwrap_or_default()
    }

    /// Everybody in `district` loses the connection.
    pub fn lose(&self, district: u64) {
        self.0.lock().insert(district % Self::COUNT);
    }

    /// Everybody in `district` has it back.
    pub fn mend(&self, district: u64) {
        self.0.lock().remove(&(district % Self::COUNT));
    }

    /// The district of `customer`, if it is down.
    pub(super) fn outage_of(&self, customer: u64) -> Option<&'static str> {
        let district = customer % Self::COUNT;
        self.0.lock().contains(&district).then(|| Self::name(district))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_outage_is_one_districts_and_ends() {
        let districts = Districts::connected();
        assert_eq!(districts.outage_of(25), None);
        districts.lose(5);
        assert_eq!(
            (districts.outage_of(25), districts.outage_of(26)),
            (Some("Jardim das Flores"), None)
        );
        districts.mend(5);
        assert_eq!(districts.outage_of(25), None);
    }
}
