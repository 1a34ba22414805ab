//! Texts of side inputs held to what the product knows, before they are put into use: each mistake with
//! its line.

use std::collections::{BTreeMap, BTreeSet};

use pipeline::broadcast::{Mistake, line_at, told};
use responder::act::{ACTIONS, FINDINGS};
use responder::catalogue::{Catalogue, CatalogueError};
use router::SettingsError;
use serde::Serialize;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::kind::Kind;

/// A mistake and where it stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Told {
    /// From 1; absent where the text as a whole is meant.
    pub line: Option<usize>,
    /// What is wrong, and what to do about it.
    pub wrong: String,
}

/// As `FILE:12: …`, a line each; without a file as `line 12: …`.
pub fn in_file(file: &str, told: &[Told]) -> String {
    let line = |told: &Told| match (told.line, file) {
        (Some(line), "") => format!("line {line}: {}", told.wrong),
        (None, "") => told.wrong.clone(),
        (Some(line), _) => format!("{file}:{line}: {}", told.wrong),
        (None, _) => format!("{file}: {}", told.wrong),
    };
    told.iter().map(line).collect::<Vec<_>>().join("\n")
}

/// What is wrong with `text`. `beside` is the tenant's other text: of answers the policy, of a policy the
/// answers. `scored`: the intents of the models.
pub fn lint(kind: Kind, text: &str, beside: &str, scored: &BTreeSet<String>) -> Vec<Told> {
    let wrong = match kind {
        Kind::Grouping => grouping(text),
        Kind::Policy => policy(text, beside, scored),
        Kind::Answers => answers(text, beside),
    };
    match wrong {
        Ok(wrong) => wrong.iter().map(|mistake| at_line(text, mistake)).collect(),
        Err(unreadable) => vec![unreadable],
    }
}

fn answers(text: &str, policy: &str) -> Result<Vec<Mistake>, Told> {
    let (catalogue, mut wrong) = Catalogue::read(text).map_err(|error| match error {
        CatalogueError::Unreadable { line, why } => Told { line: Some(line), wrong: why },
        CatalogueError::Wrong(wrong) => Told { line: None, wrong: told(&wrong) },
    })?;
    // What is wrong with the policy is told by its own lint.
    if let Ok(policy) = router::Settings::parse(policy) {
        wrong.extend(catalogue.lint(&known_to_answers(&policy)));
    }
    Ok(wrong)
}

fn policy(text: &str, answers: &str, scored: &BTreeSet<String>) -> Result<Vec<Mistake>, Told> {
    let (policy, mut wrong) = router::Settings::read(text).map_err(|error| match error {
        SettingsError::Unreadable { line, why } => Told { line: Some(line), wrong: why },
        SettingsError::Wrong(wrong) => Told { line: None, wrong: told(&wrong) },
    })?;
    wrong.extend(policy.lint(&router::Known {
        intents: scored.iter().map(String::as_str).collect(),
        actions: ACTIONS.iter().map(|(action, _)| *action).collect(),
        findings: FINDINGS.iter().map(|(finding, _)| *finding).collect(),
    }));
    if let Ok(catalogue) = Catalogue::parse(answers) {
        // Only what the policy alone can be at fault for.
        let unsaid = catalogue.lint(&known_to_answers(&policy));
        let unsaid = unsaid.into_iter().filter(|mistake| mistake.at == "answer");
        wrong.extend(unsaid.map(|mistake| Mistake::new("intents", mistake.wrong)));
    }
    Ok(wrong)
}

fn grouping(text: &str) -> Result<Vec<Mistake>, Told> {
    let own: ingest::turns::Grouping = toml::from_str(text).map_err(|error| {
        let line = line_at(text, error.span().map_or(0, |span| span.start));
        Told { line: Some(line), wrong: error.message().to_owned() }
    })?;
    let wrong = own.mistakes().into_iter();
    Ok(wrong.map(|(key, wrong)| Mistake::new(key, wrong)).collect())
}

fn known_to_answers(policy: &router::Settings) -> responder::catalogue::Known<'_> {
    let looked_up = policy.intents.iter().filter(|(_, of)| of.auto && of.action.is_some());
    responder::catalogue::Known {
        intents: policy.intents.keys().map(String::as_str).collect(),
        looked_up: looked_up.map(|(intent, _)| intent.as_str()).collect(),
        findings: FINDINGS.iter().copied().collect::<BTreeMap<_, _>>(),
    }
}

fn at_line(text: &str, mistake: &Mistake) -> Told {
    let wrong = mistake.wrong.clone();
    let Ok(table) = DeTable::parse(text) else { return Told { line: None, wrong } };
    let mut keys = mistake.at.split('.').peekable();
    let mut found = None;
    let mut within = keys.next().and_then(|key| entry(table.get_ref(), key, &mut found));
    for key in keys {
        within = match within.map(Spanned::get_ref) {
            Some(DeValue::Table(table)) => entry(table, key, &mut found),
            Some(DeValue::Array(array)) => {
                let item = key.parse::<usize>().ok().and_then(|at| array.get(at));
                found = item.map(|item| item.span().start).or(found);
                item
            }
            _ => break,
        };
    }
    Told { line: found.map(|at| line_at(text, at)), wrong }
}

/// The value of `key`; where the key stands is noted.
fn entry<'a, 'i>(
    table: &'a DeTable<'i>,
    key: &str,
    found: &mut Option<usize>,
) -> Option<&'a Spanned<DeValue<'i>>> {
    let (at, value) = table.iter().find(|(name, _)| name.get_ref() == key)?;
    *found = Some(at.span().start);
    Some(value)
}

#[cfg(test)]
mod tests {
    use responder::catalogue::BUILT_IN as ANSWERS;
    use router::settings::BUILT_IN as POLICY;

    use super::*;

    fn lint(kind: Kind, text: &str, beside: &str) -> Vec<Told> {
        let scored = router::Settings::built_in().unwrap().intents.into_keys().collect();
        super::lint(kind, text, beside, &scored)
    }

    #[test]
    fn what_comes_with_the_product_is_sound() {
        assert_eq!(lint(Kind::Answers, ANSWERS, POLICY), []);
        assert_eq!(lint(Kind::Policy, POLICY, ANSWERS), []);
    }

    fn line_of(text: &str, part: &str) -> Option<usize> {
        Some(text.lines().position(|line| line.contains(part)).unwrap() + 1)
    }

    #[test]
    fn mistakes_are_told_with_their_lines() {
        let answers = ANSWERS
            .replace("intents = [\"nota_fiscal\"]", "intents = [\"nota_fiskal\"]")
            .replace("Pronto: sua internet", "Pronto {valor}: sua internet");
        let told = lint(Kind::Answers, &answers, POLICY);
        assert_eq!(told[0].line, line_of(&answers, "Pronto {valor}"), "{told:?}");
        let answers = answers.replace("Pronto {valor}", "Pronto");
        let told = lint(Kind::Answers, &answers, POLICY);
        assert_eq!(told[0].line, line_of(&answers, "nota_fiskal"), "{told:?}");
        assert!(in_file("f.toml", &told).starts_with("f.toml:"));

        let policy = POLICY.replace("action = \"line_check\"", "action = \"line_chek\"");
        let told = lint(Kind::Policy, &policy, ANSWERS);
        assert!(told.iter().any(|told| told.line == line_of(&policy, "sem_conexao")), "{told:?}");
        // Whatever is wrong is told at once.
        let both = policy.replace("share = 0.015", "share = 2.0");
        assert_eq!(lint(Kind::Policy, &both, ANSWERS).len(), told.len() + 1);
        let policy = POLICY.replace("action_s = 10", "action_s = 0");
        let told = lint(Kind::Policy, &policy, ANSWERS);
        assert_eq!(told[0].line, line_of(&policy, "action_s"), "{told:?}");
        // Asked of the CRM all at once, and nothing to say when it does not know.
        let policy = POLICY.replace(
            "horario_loja         = { queue = \"geral\", auto = true }",
            "horario_loja = { queue = \"geral\", auto = true, action = \"visit_status\" }\nx = 1",
        );
        let told = lint(Kind::Policy, &policy, ANSWERS);
        assert_eq!(told[0].line, line_of(&policy, "x = 1"), "{told:?}");

        let broken = format!("{ANSWERS}\n[[answer]\n");
        let told = lint(Kind::Answers, &broken, POLICY);
        assert_eq!(
            told[0].line,
            line_of(&broken, "[[answer]\n".trim_end()).map(|_| ANSWERS.lines().count() + 2)
        );
        let told = lint(Kind::Grouping, "enabled = true\nwindow_ms = 30000", "");
        assert!(told.iter().any(|told| told.wrong.contains("age_ms_max")), "{told:?}");
    }
}
