//! What customers agree to: the machine has made an offer, and the answer to it is a word or a number, which
//! no model could tell from any other.

use pipeline::broadcast::Mistake;
use schemas::conversation::ConversationState;
use schemas::line::{Turn, TurnClosedBy};
use schemas::state::RouterState;
use serde::{Deserialize, Serialize};

use crate::settings::Settings;

/// What may stand beside a choice without changing it.
const BESIDE_A_CHOICE: &[&str] = &[
    "dia",
    "o",
    "a",
    "no",
    "para",
    "pra",
    "pode",
    "ser",
    "quero",
    "prefiro",
    "todo",
    "por",
    "favor",
    "vencimento",
];

/// What the CRM is asked to do when a customer agrees to what was said last about an intent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Agreement {
    /// What it is asked.
    pub action: String,
    /// What says yes, where a customer writes nothing else: words, or a button's title.
    #[serde(default)]
    pub words: Vec<String>,
    /// Numbers one of which the customer names, and which goes with what the CRM is asked.
    #[serde(default)]
    pub choices: Vec<u32>,
}

/// What was agreed to, and which of the choices.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Agreed<'a> {
    pub(crate) intent: &'a str,
    pub(crate) action: &'a str,
    pub(crate) choice: Option<String>,
}

fn words(text: &str) -> Vec<String> {
    let lower = text.to_lowercase();
    let words = lower.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty());
    words.map(str::to_owned).collect()
}

impl Agreement {
    /// Whether `text` agrees, and to which choice.
    fn is_said(&self, text: &str) -> Option<Option<String>> {
        let said = words(text);
        if said.is_empty() {
            return None;
        }
        if self.words.iter().any(|known| words(known) == said) {
            return Some(None);
        }
        let (numbers, others): (Vec<_>, Vec<_>) =
            said.iter().partition(|word| word.chars().all(|c| c.is_ascii_digit()));
        let [number] = numbers.as_slice() else { return None };
        let number: u32 = number.parse().ok()?;
        let only = others.iter().all(|word| BESIDE_A_CHOICE.contains(&word.as_str()));
        (only && self.choices.contains(&number)).then(|| Some(number.to_string()))
    }
}

/// What `turn` agrees to: something the machine has said last, and nobody else is at it.
pub(crate) fn agreed<'a>(
    settings: &'a Settings,
    tenant: &str,
    state: &RouterState,
    turn: &Turn,
) -> Option<Agreed<'a>> {
    let last = state.last_intent.as_deref()?;
    let (intent, agreement) = settings.agreements.get_key_value(last)?;
    let may = state.state == ConversationState::BotAnswered
        && state.bot_answers < settings.limits.bot_answers
        && !turn.needs_person
        && turn.closed_by != TurnClosedBy::PersonAsked
        && settings.intents.get(last).is_some_and(|policy| policy.auto)
        && !settings.is_closed(tenant, last);
    let choice = agreement.is_said(turn.text_masked.as_deref()?).filter(|_| may)?;
    Some(Agreed { intent, action: &agreement.action, choice })
}

impl Settings {
    /// Agreements nobody can come to.
    pub(crate) fn agreements_mistaken(&self) -> impl Iterator<Item = Mistake> {
        self.agreements.iter().filter_map(|(intent, agreement)| {
            let at = format!("agreements.{intent}");
            let wrong = if self.intents.get(intent).is_none_or(|policy| !policy.auto) {
                "there is no such intent that the machine answers; correct the name or remove it"
            } else if agreement.words.iter().all(|known| words(known).is_empty())
                && agreement.choices.is_empty()
            {
                "nobody can agree to it; give it words or choices"
            } else {
                return None;
            };
            Some(Mistake::new(&*at, format!("{at}: {wrong}")))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_says_nothing_else_agrees() {
        let settings = Settings::built_in().unwrap();
        let said = |intent: &str, text: &str| settings.agreements[intent].is_said(text);
        for yes in ["Sim", "sim!", " Confirmo. ", "Pode mudar"] {
            assert_eq!(said("upgrade", yes), Some(None), "{yes}");
        }
        for no in ["não", "sim, mas quanto custa?", "sim não", "", "10", "…"] {
            assert_eq!(said("upgrade", no), None, "{no}");
        }
        for ten in ["10", "dia 10", "Pode ser dia 10, por favor", "10."] {
            assert_eq!(said("mudar_vencimento", ten), Some(Some("10".to_owned())), "{ten}");
        }
        assert_eq!(said("mudar_vencimento", "05"), Some(Some("5".to_owned())));
        let others =
            ["11", "10 ou 15", "não quero dia 10", "10 dias sem internet", "sim", "99999999999"];
        for other in others {
            assert_eq!(said("mudar_vencimento", other), None, "{other}");
        }
    }

    fn turn(text: &str) -> Turn {
        Turn {
            turn: 2,
            messages: Vec::new(),
            text: None,
            text_masked: Some(text.to_owned()),
            closed_by: TurnClosedBy::Window,
            answer_via: schemas::message::AnswerVia::Channel,
            needs_person: false,
            choice: None,
            auto_generated: false,
            facts: std::collections::BTreeMap::new(),
            previous_intent: None,
            linked: Vec::new(),
            elsewhere: Vec::new(),
            claims_sealed: None,
            transcript_confidence: None,
        }
    }

    #[test]
    fn agreed_is_what_the_machine_said_last_and_only_while_it_answers() {
        let offered = RouterState {
            state: ConversationState::BotAnswered,
            last_intent: Some("upgrade".to_owned()),
            bot_answers: 1,
            ..crate::begun()
        };
        let mut settings = Settings::built_in().unwrap();
        let is = |settings: &Settings, state: &RouterState, turn: &Turn| {
            agreed(settings, "demo", state, turn).map(|agreed| agreed.action.to_owned())
        };
        let yes = turn("sim");
        assert_eq!(is(&settings, &offered, &yes).as_deref(), Some("change_plan"));
        let tiring = settings.limits.bot_answers;
        for other in [
            RouterState { last_intent: Some("pix".to_owned()), ..offered.clone() },
            RouterState { last_intent: None, ..offered.clone() },
            RouterState { state: ConversationState::Triage, ..offered.clone() },
            RouterState { state: ConversationState::Queued, ..offered.clone() },
            RouterState { state: ConversationState::Resolved, ..offered.clone() },
            RouterState { bot_answers: tiring, ..offered.clone() },
        ] {
            assert_eq!(is(&settings, &other, &yes), None, "{other:?}");
        }
        let picture = Turn { needs_person: true, ..yes.clone() };
        let person = Turn { closed_by: TurnClosedBy::PersonAsked, ..yes.clone() };
        assert_eq!(
            (is(&settings, &offered, &picture), is(&settings, &offered, &person)),
            (None, None)
        );
        settings.closed.insert(("demo".to_owned(), "upgrade".to_owned()));
        assert_eq!(is(&settings, &offered, &yes), None, "its automatic path is closed");
    }

    #[test]
    fn what_nobody_can_come_to_is_refused() {
        let mut settings = Settings::built_in().unwrap();
        assert_eq!(settings.agreements_mistaken().count(), 0);
        let empty =
            Agreement { action: "x".to_owned(), words: vec!["!".to_owned()], choices: vec![] };
        settings.agreements.insert("pix".to_owned(), empty.clone());
        settings.agreements.insert("cancelar".to_owned(), empty);
        let told: Vec<String> = settings.agreements_mistaken().map(|wrong| wrong.at).collect();
        assert_eq!(told, ["agreements.cancelar", "agreements.pix"]);
    }
}
