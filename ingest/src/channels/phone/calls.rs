//! The calls in hand, each a small machine: greeted, then a digit or a recording, then goodbye. Pure: from
//! what Asterisk tells to what it is asked and what is heard of the caller.
//!
//! Invariant: a call ends with a wish, with a recording, or as one that came to nothing and is called back.

use std::collections::{BTreeMap, HashMap};

use schemas::message::{
    Attachment, Channel, Choice, Contact, ContactId, ContactIdKind, MessageKind,
};

use super::Menu;
use super::wire::{self, Event};
use crate::door::{HeardMessage, Identity, phone_number};

/// How often the menu is played again for digits that mean nothing, before the caller may speak.
const MENUS_MAX: u32 = 3;
/// Shortest recording anybody has said something in, in seconds.
const SPOKEN_S_MIN: i64 = 2;
/// How long the end of a recording is waited for once the caller has hung up.
const RECORDING_ENDS_MS: i64 = 10_000;

/// What Asterisk is asked: method, path below `/ari`, parameters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Ask {
    pub(super) method: Method,
    pub(super) path: Vec<String>,
    pub(super) query: Vec<(&'static str, String)>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Method {
    Post,
    Delete,
}

/// What follows from an event.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Step {
    Ask(Ask),
    Tell(Box<HeardMessage>),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// The menu is played, for the so-manieth time.
    Menu(u32),
    Recording,
    Goodbye,
}

struct Call {
    contact: Contact,
    stage: Stage,
    /// The caller has left something.
    left: bool,
    /// When the caller hung up while being recorded.
    ended_ms: Option<i64>,
}

/// The calls of one account.
pub(super) struct Calls {
    account: String,
    menu: Menu,
    calls: HashMap<String, Call>,
}

impl Calls {
    pub(super) fn new(account: &str, menu: Menu) -> Self {
        Self { account: account.to_owned(), menu, calls: HashMap::new() }
    }

    /// What follows from `event`.
    pub(super) fn hear(&mut self, event: &Event, now_ms: i64) -> Vec<Step> {
        match event.kind.as_str() {
            "StasisStart" => event.channel.as_ref().map_or_else(Vec::new, |leg| self.began(leg)),
            "ChannelDtmfReceived" => self.pressed(event),
            "PlaybackFinished" => self.played(event),
            "RecordingFinished" | "RecordingFailed" => self.recorded(event),
            "StasisEnd" | "ChannelDestroyed" => {
                let leg = event.channel.as_ref();
                leg.map_or_else(Vec::new, |leg| self.ended(&leg.id, now_ms))
            }
            _ => Vec::new(),
        }
    }

    /// A call came in, or was found in hand of another process that is gone.
    pub(super) fn began(&mut self, leg: &wire::Channel) -> Vec<Step> {
        let id = &leg.id;
        // It becomes part of addresses and of names of files.
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
        if id.is_empty() || !id.chars().all(plain) || self.calls.contains_key(id) {
            return Vec::new();
        }
        let call =
            Call { contact: contact(leg), stage: Stage::Menu(1), left: false, ended_ms: None };
        self.calls.insert(id.clone(), call);
        let answer = Step::Ask(post(&["channels", id, "answer"], Vec::new()));
        vec![answer, self.play(id, "menu1", &self.menu.greeting)]
    }

    /// Calls that are not in Asterisk any more: they ended while nobody listened.
    pub(super) fn only(&mut self, there: &[wire::Channel], now_ms: i64) -> Vec<Step> {
        let gone = |id: &&String| !there.iter().any(|leg| leg.id == **id);
        let gone: Vec<String> = self.calls.keys().filter(gone).cloned().collect();
        gone.iter().flat_map(|id| self.ended(id, now_ms)).collect()
    }

    /// Time has passed: a recording's end is not waited for without end.
    pub(super) fn pass(&mut self, now_ms: i64) -> Vec<Step> {
        let late = |(_, call): &(&String, &Call)| {
            call.ended_ms.is_some_and(|at_ms| at_ms + RECORDING_ENDS_MS <= now_ms)
        };
        let late: Vec<String> = self.calls.iter().filter(late).map(|(id, _)| id.clone()).collect();
        late.iter().flat_map(|id| self.finish(id, None)).collect()
    }

    fn pressed(&mut self, event: &Event) -> Vec<Step> {
        let (Some(leg), Some(digit)) = (&event.channel, &event.digit) else { return Vec::new() };
        let Some(call) = self.calls.get_mut(&leg.id) else { return Vec::new() };
        let Stage::Menu(time) = call.stage else { return Vec::new() };
        let playing = format!("menu{time}-{}", leg.id);
        let mut steps = Vec::new();
        if let Some(words) = self.menu.digits.get(digit) {
            call.stage = Stage::Goodbye;
            call.left = true;
            let choice = Choice { id: digit.clone(), title: words.clone() };
            steps.push(Step::Tell(Box::new(HeardMessage {
                text: Some(words.clone()),
                choice: Some(choice),
                ..heard(&self.account, call, &leg.id, "digit", MessageKind::Button, event)
            })));
            steps.push(Step::Ask(delete(&["playbacks", &playing])));
            steps.push(self.play(&leg.id, "bye", &self.menu.thanks));
        } else if time < MENUS_MAX {
            call.stage = Stage::Menu(time + 1);
            steps.push(Step::Ask(delete(&["playbacks", &playing])));
            steps.push(self.play(&leg.id, &format!("menu{}", time + 1), &self.menu.greeting));
        }
        steps
    }

    fn played(&mut self, event: &Event) -> Vec<Step> {
        let Some((name, id)) = event.playback.as_ref().and_then(|played| played.id.split_once('-'))
        else {
            return Vec::new();
        };
        let Some(call) = self.calls.get_mut(id) else { return Vec::new() };
        match call.stage {
            // Whoever pressed nothing is asked to speak.
            Stage::Menu(time) if name == format!("menu{time}") => {
                call.stage = Stage::Recording;
                let query = vec![
                    ("name", recording(id)),
                    ("format", "wav".to_owned()),
                    ("maxDurationSeconds", self.menu.record_s_max.to_string()),
                    ("maxSilenceSeconds", "5".to_owned()),
                    ("ifExists", "overwrite".to_owned()),
                    ("beep", "true".to_owned()),
                    ("terminateOn", "#".to_owned()),
                ];
                vec![Step::Ask(post(&["channels", id, "record"], query))]
            }
            Stage::Goodbye if name == "bye" => vec![Step::Ask(delete(&["channels", id]))],
            _ => Vec::new(),
        }
    }

    fn recorded(&mut self, event: &Event) -> Vec<Step> {
        let Some(recorded) = &event.recording else { return Vec::new() };
        let Some(id) = recorded.name.strip_prefix("vm-").map(str::to_owned) else {
            return Vec::new();
        };
        let Some(call) = self.calls.get_mut(&id) else { return Vec::new() };
        if call.stage != Stage::Recording {
            return Vec::new();
        }
        call.stage = Stage::Goodbye;
        let mut steps = Vec::new();
        let spoken = recorded.talking_duration.or(recorded.duration);
        if event.kind == "RecordingFinished" && spoken.is_none_or(|s| s >= SPOKEN_S_MIN) {
            call.left = true;
            let attachment = Attachment {
                reference: recorded.name.clone(),
                mime: "audio/wav".to_owned(),
                filename: None,
                size_bytes: None,
                sha256: None,
                transcript_sealed: None,
                confidence: None,
            };
            steps.push(Step::Tell(Box::new(HeardMessage {
                attachments: vec![attachment],
                ..heard(&self.account, call, &id, "voicemail", MessageKind::Audio, event)
            })));
        }
        if call.ended_ms.is_some() {
            steps.extend(self.finish(&id, Some(event)));
        } else if call.left {
            steps.push(self.play(&id, "bye", &self.menu.thanks));
        } else {
            // Nothing was said: the end of the call tells what becomes of it.
            steps.push(Step::Ask(delete(&["channels", &id])));
        }
        steps
    }

    fn ended(&mut self, id: &str, now_ms: i64) -> Vec<Step> {
        match self.calls.get_mut(id) {
            // What was recorded is told after the caller has gone.
            Some(call) if call.stage == Stage::Recording => {
                call.ended_ms.get_or_insert(now_ms);
                Vec::new()
            }
            Some(_) => self.finish(id, None),
            None => Vec::new(),
        }
    }

    /// The call is over.
    fn finish(&mut self, id: &str, event: Option<&Event>) -> Vec<Step> {
        let Some(call) = self.calls.remove(id) else { return Vec::new() };
        if call.left {
            return Vec::new();
        }
        let nothing = Event::default();
        let event = event.unwrap_or(&nothing);
        let mut dropped = heard(&self.account, &call, id, "dropped", MessageKind::Call, event);
        dropped.attributes.insert("call_event".to_owned(), "dropped".to_owned());
        vec![Step::Tell(Box::new(dropped))]
    }

    fn play(&self, id: &str, name: &str, media: &str) -> Step {
        let playback = format!("{name}-{id}");
        let query = vec![("media", media.to_owned())];
        Step::Ask(post(&["channels", id, "play", &playback], query))
    }
}

/// What a call's recording is called.
fn recording(id: &str) -> String {
    format!("vm-{id}")
}

fn post(path: &[&str], query: Vec<(&'static str, String)>) -> Ask {
    Ask { method: Method::Post, path: path.iter().map(|&part| part.to_owned()).collect(), query }
}

fn delete(path: &[&str]) -> Ask {
    Ask { method: Method::Delete, ..post(path, Vec::new()) }
}

/// Who calls: a number, or of a caller who shows none the call itself.
fn contact(leg: &wire::Channel) -> Contact {
    let id = |kind, value| ContactId { kind, value, scope: None };
    let ids = match national(&leg.caller.number) {
        Some(number) => vec![id(ContactIdKind::E164, number)],
        None => vec![id(ContactIdKind::Other, format!("call:{}", leg.id))],
    };
    let name = Some(leg.caller.name.clone()).filter(|name| !name.is_empty());
    Contact { ids, name }
}

/// A number as trunks show it: with the country, without it, with the zero of long distance.
fn national(shown: &str) -> Option<String> {
    let digits: String = shown.chars().filter(char::is_ascii_digit).collect();
    let abroad = shown.trim_start().starts_with('+');
    let digits = if abroad { &digits } else { digits.trim_start_matches('0') };
    match digits.len() {
        0..=7 => None,
        10 | 11 if !abroad => Some(phone_number(&format!("55{digits}"))),
        _ => Some(phone_number(digits)),
    }
}

fn heard(
    account: &str,
    call: &Call,
    id: &str,
    what: &str,
    kind: MessageKind,
    event: &Event,
) -> HeardMessage {
    let from = (Channel::Phone, call.contact.clone());
    let identity = Identity::Provider(format!("{id}/{what}"));
    HeardMessage {
        event_time_ms: event.timestamp.as_deref().and_then(time_ms),
        attributes: BTreeMap::from([("call_id".to_owned(), id.to_owned())]),
        ..HeardMessage::of(super::PROVIDER, account, from, identity, kind)
    }
}

/// `2026-11-20T10:32:12.101-0300`
fn time_ms(told: &str) -> Option<i64> {
    let at = jiff::fmt::strtime::parse("%Y-%m-%dT%H:%M:%S%.f%z", told).ok()?;
    Some(at.to_timestamp().ok()?.as_millisecond())
}

#[cfg(test)]
mod tests;
