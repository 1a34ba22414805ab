//! What the store's process noted, line by line.

use std::fmt;
use std::io::{BufRead, BufReader, Seek, SeekFrom};
use std::path::PathBuf;
use std::str::FromStr;

use anyhow::Context;
use schemas::ids::ConversationId;

/// What a line of the history told of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Told {
    /// That it came.
    Received,
    /// How its turn was decided.
    Decided,
}

/// A row that was stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// What it tells.
    pub told: Told,
    /// Of which message.
    pub message: String,
    /// Where it stands.
    pub conversation: ConversationId,
    /// Where it stands.
    pub seq: i64,
    /// When the database had it (microseconds since 1970).
    pub stored_us: u64,
}

impl fmt::Display for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let told = match self.told {
            Told::Received => "received",
            Told::Decided => "decided",
        };
        let Self { message, conversation, seq, stored_us, .. } = self;
        write!(f, "{told} {message} {conversation} {seq} {stored_us}")
    }
}

impl FromStr for Line {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> anyhow::Result<Self> {
        let mut words = text.split(' ');
        let mut next = || words.next().context("a note of the store breaks off");
        Ok(Self {
            told: if next()? == "received" { Told::Received } else { Told::Decided },
            message: next()?.to_owned(),
            conversation: next()?.parse()?,
            seq: next()?.parse()?,
            stored_us: next()?.parse()?,
        })
    }
}

/// The notes, read as they grow.
pub struct Notes {
    path: PathBuf,
    read: u64,
}

impl Notes {
    /// Those in `path`, from its present end on.
    pub fn from_now(path: PathBuf) -> Self {
        let read = path.metadata().map_or(0, |about| about.len());
        Self { path, read }
    }

    /// The lines that were added since the last look, as far as they are whole.
    pub fn added(&mut self) -> anyhow::Result<Vec<Line>> {
        let Ok(mut file) = std::fs::File::open(&self.path) else { return Ok(Vec::new()) };
        file.seek(SeekFrom::Start(self.read))?;
        let mut reader = BufReader::new(file);
        let mut lines = Vec::new();
        loop {
            let mut text = String::new();
            if reader.read_line(&mut text)? == 0 || !text.ends_with('\n') {
                return Ok(lines);
            }
            self.read += text.len() as u64;
            lines.push(text.trim_end().parse()?);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use schemas::ids::ContactKey;

    use super::*;

    #[test]
    fn notes_are_read_as_they_grow_and_only_when_they_are_whole() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("notes");
        let mut notes = Notes::from_now(path.clone());
        assert_eq!(notes.added().unwrap(), []);
        let line = Line {
            told: Told::Decided,
            message: "m_1".to_owned(),
            conversation: ConversationId::new(ContactKey([3; 16]), 1_795_000_000_000),
            seq: 7,
            stored_us: 12,
        };
        let mut file = std::fs::File::create(&path).unwrap();
        write!(file, "{line}\nreceived m_2").unwrap();
        assert_eq!(notes.added().unwrap(), std::slice::from_ref(&line));
        assert_eq!(notes.added().unwrap(), []);
        writeln!(file, " {} 8 13", line.conversation).unwrap();
        let second = notes.added().unwrap();
        assert_eq!((second[0].told, second[0].seq, second.len()), (Told::Received, 8, 1));
    }
}
