//! Places and cards as words: what providers tell in fields is what a person has to read.

/// What an agent reads of a customer with another number.
pub(super) const NEW_NUMBER: &str = "O cliente mudou de número.";

/// `Padaria Sol, Rua A 10 (-23.550000, -46.630000)`.
pub(super) fn place(
    (latitude, longitude): (f64, f64),
    name: Option<&str>,
    address: Option<&str>,
) -> String {
    let at = format!("{latitude:.6}, {longitude:.6}");
    let named: Vec<&str> =
        [name, address].into_iter().flatten().filter(|text| !text.is_empty()).collect();
    if named.is_empty() { at } else { format!("{} ({at})", named.join(", ")) }
}

/// `Maria Souza: +55 11 98765-4321, …`.
pub(super) fn card<'a>(name: &str, phones: impl Iterator<Item = &'a str>) -> Option<String> {
    let phones: Vec<&str> = phones.filter(|phone| !phone.is_empty()).collect();
    match (name.is_empty(), phones.is_empty()) {
        (true, true) => None,
        (false, true) => Some(name.to_owned()),
        (true, false) => Some(phones.join(", ")),
        (false, false) => Some(format!("{name}: {}", phones.join(", "))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_its_name_and_where_it_is() {
        let at = (-23.55, -46.63);
        assert_eq!(place(at, None, Some("")), "-23.550000, -46.630000");
        assert_eq!(
            place(at, Some("Padaria"), Some("Rua A 10")),
            "Padaria, Rua A 10 (-23.550000, -46.630000)"
        );
    }

    #[test]
    fn a_card_is_a_name_and_its_numbers() {
        let told = |name: &str, phones: &[&str]| card(name, phones.iter().copied());
        assert_eq!(told("Ana", &["1", "", "2"]).as_deref(), Some("Ana: 1, 2"));
        assert_eq!(told("Ana", &[]).as_deref(), Some("Ana"));
        assert_eq!(told("", &["1"]).as_deref(), Some("1"));
        assert_eq!(told("", &[""]), None);
    }
}
