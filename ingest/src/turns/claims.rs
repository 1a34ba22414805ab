//! Who the customer says they are: a CPF or CNPJ, a contract's number. It travels sealed, and proves nothing
//! before the CRM has looked at it.

use schemas::masking::document;
use schemas::message::{Contact, ContactId, ContactIdKind};
use schemas::sealed::{SealError, SealedText, TenantKeys};

/// Words after "contrato" among which its number stands.
const WORDS_BEFORE: usize = 3;
/// Digits of a contract's number.
const DIGITS_MAX: usize = 12;

/// What the text says of who wrote it, sealed; `None` when it says nothing.
pub(super) fn sealed(text: &str, keys: &TenantKeys) -> Result<Option<SealedText>, SealError> {
    let found =
        [(ContactIdKind::Document, document(text)), (ContactIdKind::Contract, contract(text))];
    let ids: Vec<ContactId> = found
        .into_iter()
        .filter_map(|(kind, value)| Some(ContactId { kind, value: value?, scope: None }))
        .collect();
    if ids.is_empty() {
        return Ok(None);
    }
    keys.seal_contact(&Contact { ids, name: None }).map(Some)
}

/// The number after the word "contrato".
fn contract(text: &str) -> Option<String> {
    let mut words = text.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty());
    words.find(|word| word.eq_ignore_ascii_case("contrato"))?;
    let is_number =
        |word: &&str| word.len() <= DIGITS_MAX && word.bytes().all(|byte| byte.is_ascii_digit());
    words.take(WORDS_BEFORE).find(is_number).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_customers_say_of_themselves_is_found_and_sealed() {
        let keys = TenantKeys::derive("demo", "1", &[7; 32]);
        let found = |text: &str| {
            let sealed = sealed(text, &keys).unwrap()?;
            let ids = keys.open_contact(&sealed).unwrap().ids;
            Some(ids.into_iter().map(|id| (id.kind, id.value)).collect::<Vec<_>>())
        };
        let (document, contract) = (ContactIdKind::Document, ContactIdKind::Contract);
        let both = vec![(document, "00000000604".to_owned()), (contract, "1007".to_owned())];
        assert_eq!(found("CPF 000.000.006-04, contrato nº 1007"), Some(both.clone()));
        assert_eq!(found("Contrato 1007\n00000000604"), Some(both));
        assert_eq!(found("o contrato é o 12"), Some(vec![(contract, "12".to_owned())]));
        for text in ["minha internet caiu", "quero cancelar o contrato hoje", "ligue 11 98765-4321"]
        {
            assert_eq!(found(text), None, "{text}");
        }
    }
}
