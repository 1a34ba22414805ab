//! Folding of single characters: lower case, no accents, no invisible characters.
//!
//! Invariant: folding is a function of one character alone, so training and serving cannot differ,
//! and a folded character folds to itself.

/// Folds one character, or drops it (`None`) when it carries nothing of its own: combining marks,
/// zero-width characters, variation selectors and skin tones.
#[inline]
pub(crate) fn fold(c: char) -> Option<char> {
    if c.is_ascii() {
        return Some(c.to_ascii_lowercase());
    }
    fold_wide(c)
}

fn fold_wide(c: char) -> Option<char> {
    if is_dropped(c) {
        return None;
    }
    if ('\u{FF01}'..='\u{FF5E}').contains(&c) {
        // Full-width forms sit at a fixed distance from ASCII.
        let ascii = u32::from(c) - 0xFEE0;
        return char::from_u32(ascii).map(|c| c.to_ascii_lowercase());
    }
    if let Some(plain) = latin(c) {
        return Some(plain);
    }
    let lower = c.to_lowercase().next().unwrap_or(c);
    // "İ" and a few more become ASCII or accented letters only once lowered.
    Some(if lower.is_ascii() { lower } else { latin(lower).unwrap_or(lower) })
}

fn is_dropped(c: char) -> bool {
    matches!(
        u32::from(c),
        0x00AD
            | 0x0300..=0x036F
            | 0x200B..=0x200F
            | 0x202A..=0x202E
            | 0x2060..=0x2064
            | 0x20D0..=0x20FF
            | 0xFE00..=0xFE0F
            | 0xFEFF
            | 0x1F3FB..=0x1F3FF
            | 0xE0000..=0xE007F
    )
}

/// The plain letter under an accented Latin one (Latin-1 Supplement and Latin Extended-A).
fn latin(c: char) -> Option<char> {
    Some(match c {
        'á' | 'à' | 'â' | 'ã' | 'ä' | 'å' | 'ā' | 'ă' | 'ą' | 'Á' | 'À' | 'Â' | 'Ã' | 'Ä' | 'Å'
        | 'Ā' | 'Ă' | 'Ą' | 'ª' | 'æ' | 'Æ' => 'a',
        'é' | 'è' | 'ê' | 'ë' | 'ē' | 'ĕ' | 'ė' | 'ę' | 'ě' | 'ẽ' | 'É' | 'È' | 'Ê' | 'Ë' | 'Ē'
        | 'Ĕ' | 'Ė' | 'Ę' | 'Ě' | 'Ẽ' => 'e',
        'í' | 'ì' | 'î' | 'ï' | 'ĩ' | 'ī' | 'ĭ' | 'į' | 'ı' | 'Í' | 'Ì' | 'Î' | 'Ï' | 'Ĩ' | 'Ī'
        | 'Ĭ' | 'Į' | 'İ' => 'i',
        'ó' | 'ò' | 'ô' | 'õ' | 'ö' | 'ø' | 'ō' | 'ŏ' | 'ő' | 'œ' | 'Ó' | 'Ò' | 'Ô' | 'Õ' | 'Ö'
        | 'Ø' | 'Ō' | 'Ŏ' | 'Ő' | 'Œ' | 'º' | '°' => 'o',
        'ú' | 'ù' | 'û' | 'ü' | 'ũ' | 'ū' | 'ŭ' | 'ů' | 'ű' | 'ų' | 'Ú' | 'Ù' | 'Û' | 'Ü' | 'Ũ'
        | 'Ū' | 'Ŭ' | 'Ů' | 'Ű' | 'Ų' => 'u',
        'ç' | 'ć' | 'ĉ' | 'ċ' | 'č' | 'Ç' | 'Ć' | 'Ĉ' | 'Ċ' | 'Č' => 'c',
        'ñ' | 'ń' | 'ņ' | 'ň' | 'Ñ' | 'Ń' | 'Ņ' | 'Ň' => 'n',
        'ý' | 'ÿ' | 'ŷ' | 'Ý' | 'Ÿ' | 'Ŷ' => 'y',
        'ß' | 'ś' | 'ŝ' | 'ş' | 'š' | 'Ś' | 'Ŝ' | 'Ş' | 'Š' => 's',
        'ź' | 'ż' | 'ž' | 'Ź' | 'Ż' | 'Ž' => 'z',
        'ď' | 'đ' | 'ð' | 'Ď' | 'Đ' | 'Ð' => 'd',
        'ğ' | 'ĝ' | 'ġ' | 'ģ' | 'Ğ' | 'Ĝ' | 'Ġ' | 'Ģ' => 'g',
        'ł' | 'ĺ' | 'ļ' | 'ľ' | 'Ł' | 'Ĺ' | 'Ļ' | 'Ľ' => 'l',
        'ŕ' | 'ŗ' | 'ř' | 'Ŕ' | 'Ŗ' | 'Ř' => 'r',
        'ţ' | 'ť' | 'þ' | 'Ţ' | 'Ť' | 'Þ' => 't',
        '\u{2018}' | '\u{2019}' | '\u{02BC}' | '´' => '\'',
        '\u{2010}'..='\u{2015}' => '-',
        '\u{00A0}' | '\u{2000}'..='\u{200A}' | '\u{202F}' | '\u{3000}' => ' ',
        _ => return None,
    })
}

/// True for pictographs that are kept as tokens of their own.
#[inline]
pub(crate) fn is_emoji(c: char) -> bool {
    matches!(u32::from(c), 0x2190..=0x21FF | 0x2300..=0x23FF | 0x25A0..=0x27BF | 0x2900..=0x297F
        | 0x2B00..=0x2BFF | 0x1F000..=0x1F3FA | 0x1F400..=0x1FAFF)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accents_case_and_invisible_characters_fold_away() {
        let fold_all = |s: &str| s.chars().filter_map(fold).collect::<String>();
        assert_eq!(fold_all("NÃO É Você"), "nao e voce");
        assert_eq!(fold_all("2ª VIA, nº"), "2a via, no");
        assert_eq!(fold_all("ac\u{0327}a\u{0303}o"), "acao");
        assert_eq!(fold_all("a\u{200D}b\u{FE0F}"), "ab");
        assert_eq!(fold_all("ＢＯＬＥＴＯ"), "boleto");
        assert_eq!(fold_all("👍🏽"), "👍");
        assert_eq!(fold_all("it’s"), "it's");
    }

    #[test]
    fn folding_is_idempotent_on_every_character() {
        for c in '\u{0}'..=char::MAX {
            if let Some(once) = fold(c) {
                assert_eq!(fold(once), Some(once), "U+{:04X}", u32::from(c));
            }
        }
    }
}
