//! What a disk may hold after a power cut, from the notes of the preloaded shim: of each file
//! everything that was written before its last finished sync began, and of what was written since
//! anything or nothing, whole, torn or spoilt. Bytes outside a write are left alone.

use std::collections::BTreeMap;
use std::path::Path;

/// The files the shim follows, in its order; the last one is what the process told the test.
const FILES: [&str; 4] = ["log.db", "log.db-wal", "log.db-journal", "told"];
pub const DATABASE: usize = 0;
pub const WAL: usize = 1;
pub const TOLD: usize = 3;
const DIRECTORY: usize = 4;
const SECTOR: usize = 512;

/// Splitmix64.
pub struct Random(pub u64);

impl Random {
    pub fn below(&mut self, end: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let n = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let n = (n ^ (n >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((n ^ (n >> 31)) % u64::try_from(end.max(1)).unwrap()).unwrap()
    }
}

/// One thing the process asked of the operating system.
#[derive(Debug, Clone)]
pub struct Note {
    pub file: usize,
    thread: u32,
    pub what: What,
}

#[derive(Debug, Clone)]
pub enum What {
    Write(usize, Vec<u8>),
    Truncate(usize),
    SyncBegin,
    SyncEnd,
    SyncFailed,
    Remove,
}

/// Reads the shim's notes.
pub fn notes(trace: &Path) -> Vec<Note> {
    let bytes = std::fs::read(trace).unwrap();
    let (mut notes, mut rest) = (Vec::new(), &bytes[..]);
    while rest.len() >= 24 {
        let (head, after) = rest.split_at(24);
        let number = |at: usize| u64::from_le_bytes(head[at..at + 8].try_into().unwrap());
        let (offset, length) = (usize::try_from(number(8)).unwrap(), number(16));
        let (content, after) = after.split_at(usize::try_from(length).unwrap());
        let what = match head[0] {
            1 => What::Write(offset, content.to_vec()),
            2 => What::Truncate(offset),
            3 => What::SyncBegin,
            4 => What::SyncEnd,
            5 => What::Remove,
            6 => What::SyncFailed,
            kind => panic!("the shim wrote a note of kind {kind}"),
        };
        let thread = u32::from_le_bytes(head[4..8].try_into().unwrap());
        notes.push(Note { file: usize::from(head[1]), thread, what });
        rest = after;
    }
    notes
}

/// What is known of one file: `None` where there is none.
#[derive(Default)]
struct Content {
    durable: Option<Vec<u8>>,
    /// Asked for since, by number of the note.
    pending: Vec<(usize, What)>,
}

/// How the disk misbehaves; the checks must notice.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    None,
    /// Not the disk but the log does.
    InTheLog,
    /// It acknowledges syncs of this file without doing them.
    ForgetsSyncsOf(usize),
}

/// The files of a process as far as its notes have been followed.
pub struct Disk {
    files: [Content; 4],
    begun: BTreeMap<(u32, usize), usize>,
    next: usize,
    fault: Fault,
}

impl Disk {
    /// Begins with the files in `directory`.
    pub fn new(directory: &Path, fault: Fault) -> Self {
        let content = |name| {
            let durable = std::fs::read(directory.join(name)).ok();
            Content { durable, pending: Vec::new() }
        };
        Self { files: FILES.map(content), begun: BTreeMap::new(), next: 0, fault }
    }

    /// Takes account of the next note.
    pub fn follow(&mut self, note: &Note) {
        let number = self.next;
        self.next += 1;
        match &note.what {
            What::SyncBegin => {
                self.begun.insert((note.thread, note.file), number);
            }
            What::SyncEnd => {
                let begun = self.begun.remove(&(note.thread, note.file)).unwrap();
                if self.fault == Fault::ForgetsSyncsOf(note.file) {
                } else if note.file == DIRECTORY {
                    self.files.iter_mut().for_each(|content| content.entries_synced(begun));
                } else {
                    self.files[note.file].synced(begun);
                }
            }
            What::SyncFailed => {
                let begun = self.begun.remove(&(note.thread, note.file)).unwrap();
                // The kernel calls the pages clean and never writes them.
                let pending = &mut self.files[note.file].pending;
                eprintln!("a sync failed at {number}: {} writes are gone", pending.len());
                pending.retain(|(number, _)| *number >= begun);
            }
            what => self.files[note.file].pending.push((number, what.clone())),
        }
    }

    /// Writes into `directory` what may be there after a power cut now. Says what was done.
    pub fn cut(&self, directory: &Path, random: &mut Random) -> String {
        let mut words = String::new();
        for (at, content) in self.files.iter().enumerate() {
            // What the test was told it was told; and the test's own file is no part of the cut.
            let how = if at == TOLD { 1 } else { random.below(7) };
            let path = directory.join(FILES[at]);
            match content.left(how, random) {
                Some(bytes) => std::fs::write(path, bytes).unwrap(),
                None => drop(std::fs::remove_file(path)),
            }
            words += &format!("{}: {} pending, way {how}; ", FILES[at], content.pending.len());
        }
        words
    }
}

impl Content {
    fn synced(&mut self, begun: usize) {
        let behind = self.pending.partition_point(|(number, _)| *number < begun);
        for (_, what) in self.pending.drain(..behind) {
            apply(&mut self.durable, &what);
        }
    }

    /// The directory was synced: what was removed before is gone for good.
    fn entries_synced(&mut self, begun: usize) {
        let is_removal =
            |(number, what): &(usize, What)| *number < begun && matches!(what, What::Remove);
        if let Some(last) = self.pending.iter().rposition(is_removal) {
            self.pending.drain(..=last);
            self.durable = None;
        }
    }

    fn left(&self, how: usize, random: &mut Random) -> Option<Vec<u8>> {
        let mut left = self.durable.clone();
        let pending = self.pending.iter().map(|(_, what)| what);
        match how {
            0 => {}
            1 => pending.for_each(|what| apply(&mut left, what)),
            // In order up to somewhere, the last one in part.
            2 | 3 => {
                let mut kept: Vec<What> =
                    pending.take(random.below(self.pending.len() + 1)).cloned().collect();
                if let Some(What::Write(_, bytes)) = kept.last_mut() {
                    bytes.truncate(random.below(bytes.len() + 1));
                }
                kept.iter().for_each(|what| apply(&mut left, what));
            }
            // Some of them.
            4 => {
                pending.filter(|_| random.below(2) == 0).for_each(|what| apply(&mut left, what));
            }
            // Some sectors.
            5 => {
                let mut all = left.clone();
                pending.for_each(|what| apply(&mut all, what));
                left = sectors(left, all, random);
            }
            // Some of them, and others are zeros or rubbish.
            _ => {
                for what in pending {
                    let mut what = what.clone();
                    if let What::Write(_, bytes) = &mut what {
                        match random.below(4) {
                            0 => bytes.fill(0),
                            1 => bytes.iter_mut().for_each(|byte| *byte ^= 0xa5),
                            _ => {}
                        }
                    }
                    apply(&mut left, &what);
                }
            }
        }
        left
    }
}

fn apply(content: &mut Option<Vec<u8>>, what: &What) {
    match what {
        What::Write(offset, bytes) => {
            let content = content.get_or_insert_default();
            let end = offset + bytes.len();
            content.resize(content.len().max(end), 0);
            content[*offset..end].copy_from_slice(bytes);
        }
        What::Truncate(length) => content.get_or_insert_default().resize(*length, 0),
        What::Remove => *content = None,
        What::SyncBegin | What::SyncEnd | What::SyncFailed => {}
    }
}

/// Each sector as it was or as it was to be.
fn sectors(
    before: Option<Vec<u8>>,
    after: Option<Vec<u8>>,
    random: &mut Random,
) -> Option<Vec<u8>> {
    let (Some(mut before), Some(after)) = (before.clone(), after) else { return before };
    before.resize(before.len().max(after.len()), 0);
    for (old, new) in before.chunks_mut(SECTOR).zip(after.chunks(SECTOR)) {
        let length = new.len();
        if old[..length] != *new && random.below(2) == 0 {
            old[..length].copy_from_slice(new);
        }
    }
    Some(before)
}
