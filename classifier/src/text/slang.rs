//! Brazilian chat abbreviations and their full words.
//!
//! Invariant: keys and values are folded text; no word of a value is a key, so one look-up is
//! enough. Keys are at most eight ASCII characters, so a key packs into one integer.

use std::sync::LazyLock;

/// Abbreviations (separated by spaces) and the word or words they stand for.
const TABLE: &[(&str, &str)] = &[
    ("vc ce oce", "voce"),
    ("vcs vcss ces oces cs", "voces"),
    ("pq pk pqe prq", "porque"),
    ("tb tbm tmb tambm", "tambem"),
    ("blz", "beleza"),
    ("n nn naum", "nao"),
    ("q qe ki", "que"),
    ("td", "tudo"),
    ("tds", "todos"),
    ("tdo", "todo"),
    ("hj hje oje", "hoje"),
    ("msm memo", "mesmo"),
    ("vlw vlww vleu tmj", "valeu"),
    ("flw", "falou"),
    ("obg obgd obgda obgdo brigado brigada obrigada", "obrigado"),
    ("pfv pfvr pf pff pls plis porfavor", "por favor"),
    ("fvr", "favor"),
    ("dps dpois", "depois"),
    ("qdo qnd qndo", "quando"),
    ("qto qnto qnt", "quanto"),
    ("qro kero", "quero"),
    ("qria keria", "queria"),
    ("qr", "quer"),
    ("qm", "quem"),
    ("cm c", "com"),
    ("cmg", "comigo"),
    ("ctg", "contigo"),
    ("cnsg", "consigo"),
    ("csg", "consegue"),
    ("mt mto mtu mui", "muito"),
    ("mta", "muita"),
    ("mts", "muitos"),
    ("ta tah", "esta"),
    ("tao", "estao"),
    ("to tou", "estou"),
    ("tava", "estava"),
    ("tavam", "estavam"),
    ("tamo tamos", "estamos"),
    ("pra pro pras pros p", "para"),
    ("eh", "e"),
    ("aki aq", "aqui"),
    ("aew", "ai"),
    ("agr agra", "agora"),
    ("ngm ngem", "ninguem"),
    ("nd nda", "nada"),
    ("nunk", "nunca"),
    ("alg algm", "alguem"),
    ("sla", "sei la"),
    ("vdd", "verdade"),
    ("dnv dnovo denovo dinovo", "de novo"),
    ("dms", "demais"),
    ("bd bdia", "bom dia"),
    ("btarde", "boa tarde"),
    ("bnoite", "boa noite"),
    ("tdb tdbem", "tudo bem"),
    ("net nets internt intenet enternet", "internet"),
    ("zap zapzap wpp whats wats wapp", "whatsapp"),
    ("wiffi waifai uaifai uifi wify", "wifi"),
    ("cel", "celular"),
    ("tel fone", "telefone"),
    ("pgto pgmto pagto", "pagamento"),
    ("venc", "vencimento"),
    ("msg msgs", "mensagem"),
    ("prot", "protocolo"),
    ("hr", "hora"),
    ("hrs hs", "horas"),
    ("min", "minutos"),
    ("pc", "computador"),
    ("ap apto", "apartamento"),
    ("end", "endereco"),
    ("info infos", "informacao"),
    ("atend", "atendimento"),
    ("cad kd kade", "cade"),
    ("xau", "tchau"),
    ("tec", "tecnico"),
    ("cmo", "como"),
    ("tmp", "tempo"),
    ("dsd desd", "desde"),
    ("ent", "entao"),
    ("smp", "sempre"),
    ("ss sm", "sim"),
    ("oii oie oiee oiie", "oi"),
    ("soh", "so"),
    ("jah", "ja"),
    ("lah", "la"),
    ("neh", "ne"),
    ("ateh", "ate"),
    ("fds", "fim de semana"),
    ("bjs", "beijos"),
    ("abs", "abracos"),
    ("att", "atenciosamente"),
];

/// Slots of the index: a power of two, at least twice the number of abbreviations.
const SLOTS: usize = 512;

static INDEX: LazyLock<Vec<(u64, &'static str)>> = LazyLock::new(|| {
    let mut slots = vec![(0, ""); SLOTS];
    for (key, word) in pairs() {
        let Some(packed) = pack(key.chars()) else { continue };
        if let Some(slot) = probe(&slots, packed).and_then(|at| slots.get_mut(at)) {
            *slot = (packed, word);
        }
    }
    slots
});

/// Every abbreviation and what it stands for.
pub(crate) fn pairs() -> impl Iterator<Item = (&'static str, &'static str)> {
    TABLE.iter().flat_map(|(keys, word)| keys.split(' ').map(move |key| (key, *word)))
}

/// Up to eight ASCII characters as one integer; never zero for a word.
fn pack(word: impl Iterator<Item = char>) -> Option<u64> {
    let mut packed = 0u64;
    for (i, c) in word.enumerate() {
        if i == 8 || !c.is_ascii() {
            return None;
        }
        packed = packed << 8 | u64::from(u32::from(c));
    }
    Some(packed)
}

/// The slot that holds `packed`, or the free one where it belongs.
fn probe(slots: &[(u64, &str)], packed: u64) -> Option<usize> {
    let start = packed.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 55;
    (0..SLOTS)
        .map(|step| (usize::try_from(start).unwrap_or(0) + step) % SLOTS)
        .find(|&slot| matches!(slots.get(slot), Some((key, _)) if *key == packed || *key == 0))
}

/// The full word (or words, separated by spaces) an abbreviation stands for.
#[inline]
pub(crate) fn expand(word: &[char]) -> Option<&'static str> {
    if word.len() > 8 {
        return None;
    }
    let packed = pack(word.iter().copied())?;
    let slots: &[(u64, &'static str)] = &INDEX;
    let (key, full) = slots.get(probe(slots, packed)?)?;
    (*key == packed && packed != 0).then_some(full)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::text::fold::fold;
    use std::collections::HashSet;

    #[test]
    fn every_abbreviation_is_found_and_no_value_is_a_key() {
        let keys: Vec<&str> = pairs().map(|(key, _)| key).collect();
        let unique: HashSet<&str> = keys.iter().copied().collect();
        assert_eq!(keys.len(), unique.len(), "a key occurs twice");
        assert!(keys.len() * 2 <= SLOTS);
        for (key, full) in pairs() {
            assert_eq!(expand(&key.chars().collect::<Vec<_>>()), Some(full), "{key}");
            assert!(key.len() <= 8 && key.is_ascii());
            assert!(full.split(' ').all(|word| !unique.contains(word)), "{key} chains");
            assert!(full.chars().all(|c| fold(c) == Some(c)), "{full} is not folded");
        }
    }

    #[test]
    fn other_words_are_left_alone() {
        for word in ["boleto", "", "extraordinario", "é"] {
            assert_eq!(expand(&word.chars().collect::<Vec<_>>()), None, "{word}");
        }
    }
}
