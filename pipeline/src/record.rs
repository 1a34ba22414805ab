//! Records as the log holds them: bytes with a key, a place and the headers the runner lives by.

use bytes::Bytes;
use schemas::topics::Topic;
use smol_str::SmolStr;

/// Place of a record in its partition. Grows, may skip.
pub type Offset = u64;

/// A record on its way into the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// Where to.
    pub topic: Topic,
    /// Set only where the key does not decide (changelogs follow their input's partition).
    pub partition: Option<u32>,
    /// What keeps order.
    pub key: Bytes,
    /// `None` removes the key from a compacted topic.
    pub value: Option<Bytes>,
    /// What the runner needs to know of it.
    pub headers: Headers,
    /// When it happened (Unix, ms): the door's intake time, handed on by every stage.
    pub time_ms: i64,
}

impl Record {
    /// A record without headers whose key decides the partition.
    #[must_use]
    pub fn new(topic: Topic, key: impl Into<Bytes>, value: impl Into<Bytes>, time_ms: i64) -> Self {
        Self {
            topic,
            partition: None,
            key: key.into(),
            value: Some(value.into()),
            headers: Headers::default(),
            time_ms,
        }
    }

    /// Size for budgets, in bytes.
    #[must_use]
    pub fn size(&self) -> usize {
        64 + self.key.len() + self.value.as_ref().map_or(0, Bytes::len)
    }
}

/// A record in the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stored {
    /// Where.
    pub topic: Topic,
    /// Where.
    pub partition: u32,
    /// Where.
    pub offset: Offset,
    /// What keeps order.
    pub key: Bytes,
    /// `None` in a compacted topic: the key is gone.
    pub value: Option<Bytes>,
    /// What the runner needs to know of it.
    pub headers: Headers,
    /// When it happened (Unix, ms).
    pub time_ms: i64,
}

impl Stored {
    /// Size for budgets, in bytes.
    #[must_use]
    pub fn size(&self) -> usize {
        64 + self.key.len() + self.value.as_ref().map_or(0, Bytes::len)
    }
}

/// What the runner needs to know of a record beside its content.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Headers {
    /// What it was made from; absent for what doors and effects append.
    pub origin: Option<Origin>,
    /// W3C trace context, when somebody traces.
    pub trace: Option<TraceContext>,
    /// `topic/partition/offset` of the dead letter it is a second try of; behind a `>` the stage it
    /// is for, where that is not the first reader of the topic ([`Headers::enters_at`]).
    pub replay_of: Option<SmolStr>,
}

/// What an output was made from. Stages are deterministic, so the same origin always means the same
/// bytes: readers drop what they have seen the origin of.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Origin {
    /// Who made it.
    pub stage: SmolStr,
    /// From which partition of its input.
    pub partition: u32,
    /// From which record.
    pub offset: Offset,
    /// Which output of that record.
    pub index: u32,
}

/// W3C trace context, version 00 (`traceparent`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TraceContext {
    /// The whole journey.
    pub trace_id: [u8; 16],
    /// The step before.
    pub parent_id: [u8; 8],
    /// Bit 0: sampled.
    pub flags: u8,
}

const TAG_ORIGIN: u8 = 1;
const TAG_TRACE: u8 = 2;
const TAG_REPLAY_OF: u8 = 3;
/// Stands between a dead letter's place and the stage its second try enters at. Part of `replay_of`,
/// so that every backend carries it already.
const ENTERS_AT: char = '>';

impl Headers {
    /// Makes this a second try of the dead letter at `letter`, for `stage` alone: it goes to the input
    /// of the stage's chain and enters there, past the stages that took account of it the first time.
    pub fn replay_at(&mut self, letter: &str, stage: &str) {
        self.replay_of = Some(smol_str::format_smolstr!("{letter}{ENTERS_AT}{stage}"));
    }

    /// The stage the record is for. Every other reader of its topic passes it over.
    #[must_use]
    pub fn enters_at(&self) -> Option<&str> {
        self.replay_of.as_deref()?.split_once(ENTERS_AT).map(|(_, stage)| stage)
    }

    /// Forgets where it enters, once it has.
    pub(crate) fn entered(&mut self) {
        let letter = self.replay_of.as_deref().and_then(|text| text.split_once(ENTERS_AT));
        if let Some((letter, _)) = letter {
            self.replay_of = Some(SmolStr::new(letter));
        }
    }

    /// Compact bytes: tag, length, content of each header that is set. Numbers little endian.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(40);
        let mut put = |tag: u8, content: &[&[u8]]| {
            let length: usize = content.iter().map(|part| part.len()).sum();
            bytes.push(tag);
            bytes.push(u8::try_from(length).unwrap_or(u8::MAX));
            content.iter().for_each(|part| bytes.extend_from_slice(part));
        };
        if let Some(origin) = &self.origin {
            put(
                TAG_ORIGIN,
                &[
                    &origin.partition.to_le_bytes(),
                    &origin.offset.to_le_bytes(),
                    &origin.index.to_le_bytes(),
                    origin.stage.as_bytes(),
                ],
            );
        }
        if let Some(trace) = &self.trace {
            put(TAG_TRACE, &[&trace.trace_id, &trace.parent_id, &[trace.flags]]);
        }
        if let Some(replay_of) = &self.replay_of {
            put(TAG_REPLAY_OF, &[replay_of.as_bytes()]);
        }
        bytes
    }

    /// Reads what [`Self::to_bytes`] wrote; tags of later releases are passed over.
    #[must_use]
    pub fn from_bytes(mut bytes: &[u8]) -> Self {
        let mut headers = Self::default();
        while let [tag, length, rest @ ..] = bytes {
            let Some((content, after)) = rest.split_at_checked(usize::from(*length)) else { break };
            match *tag {
                TAG_ORIGIN => headers.origin = read_origin(content),
                TAG_TRACE => headers.trace = read_trace(content),
                TAG_REPLAY_OF => {
                    headers.replay_of = std::str::from_utf8(content).ok().map(SmolStr::new);
                }
                _ => {}
            }
            bytes = after;
        }
        headers
    }
}

fn read_origin(content: &[u8]) -> Option<Origin> {
    let (partition, rest) = content.split_first_chunk::<4>()?;
    let (offset, rest) = rest.split_first_chunk::<8>()?;
    let (index, stage) = rest.split_first_chunk::<4>()?;
    Some(Origin {
        stage: SmolStr::new(std::str::from_utf8(stage).ok()?),
        partition: u32::from_le_bytes(*partition),
        offset: u64::from_le_bytes(*offset),
        index: u32::from_le_bytes(*index),
    })
}

fn read_trace(content: &[u8]) -> Option<TraceContext> {
    let (trace_id, rest) = content.split_first_chunk::<16>()?;
    let (parent_id, rest) = rest.split_first_chunk::<8>()?;
    Some(TraceContext { trace_id: *trace_id, parent_id: *parent_id, flags: *rest.first()? })
}

impl TraceContext {
    /// Reads a `traceparent` header.
    #[must_use]
    pub fn parse(header: &str) -> Option<Self> {
        let mut parts = header.trim().split('-');
        let (version, trace, parent, flags) =
            (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
        if version.len() != 2 || version == "ff" {
            return None;
        }
        let context = Self {
            trace_id: hex(trace)?,
            parent_id: hex(parent)?,
            flags: hex::<1>(flags)?.first().copied()?,
        };
        (context.trace_id != [0; 16] && context.parent_id != [0; 8]).then_some(context)
    }
}

impl std::fmt::Display for TraceContext {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("00-")?;
        self.trace_id.iter().try_for_each(|byte| write!(f, "{byte:02x}"))?;
        f.write_str("-")?;
        self.parent_id.iter().try_for_each(|byte| write!(f, "{byte:02x}"))?;
        write!(f, "-{:02x}", self.flags)
    }
}

fn hex<const N: usize>(text: &str) -> Option<[u8; N]> {
    let mut bytes = [0; N];
    if text.len() != 2 * N || !text.is_ascii() {
        return None;
    }
    for (at, byte) in bytes.iter_mut().enumerate() {
        *byte = u8::from_str_radix(text.get(2 * at..2 * at + 2)?, 16).ok()?;
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn traceparent_round_trips() {
        let text = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
        assert_eq!(TraceContext::parse(text).unwrap().to_string(), text);
        for bad in ["", "00-zz-00f067aa0ba902b7-01", &text[..50], &text.replace("4bf9", "çé")] {
            assert_eq!(TraceContext::parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn a_second_try_says_which_stage_it_is_for() {
        let mut headers = Headers { replay_of: Some("x/1/2".into()), ..Headers::default() };
        assert_eq!(headers.enters_at(), None, "the first reader of the topic");
        headers.replay_at("x/1/2", "router");
        assert_eq!(Headers::from_bytes(&headers.to_bytes()).enters_at(), Some("router"));
        headers.entered();
        assert_eq!((headers.enters_at(), headers.replay_of.as_deref()), (None, Some("x/1/2")));
    }

    proptest! {
        #[test]
        fn headers_round_trip(
            origin in prop::option::of(("[a-z-]{1,30}", any::<u32>(), any::<u64>(), any::<u32>())),
            trace in prop::option::of((any::<[u8; 16]>(), any::<[u8; 8]>(), any::<u8>())),
            replay_of in prop::option::of("[a-z]{1,20}/[0-9]{1,3}/[0-9]{1,10}"),
        ) {
            let headers = Headers {
                origin: origin.map(|(stage, partition, offset, index)| Origin {
                    stage: stage.into(), partition, offset, index,
                }),
                trace: trace.map(|(trace_id, parent_id, flags)| TraceContext {
                    trace_id, parent_id, flags,
                }),
                replay_of: replay_of.map(SmolStr::from),
            };
            prop_assert_eq!(Headers::from_bytes(&headers.to_bytes()), headers);
        }

        #[test]
        fn any_bytes_are_read_without_failing(bytes in prop::collection::vec(any::<u8>(), 0..100)) {
            let _ = Headers::from_bytes(&bytes);
        }
    }
}
