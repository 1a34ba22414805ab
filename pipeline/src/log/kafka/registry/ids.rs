//! What is known of the registry's ids, also after a restart without it.
//!
//! Invariant: an id means one schema for ever. The file is a copy of what the registry said: lost,
//! it is asked again.

use std::collections::{BTreeMap, HashMap};
use std::fs::{File, create_dir_all, rename};
use std::io::Write;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

/// The file's name, beside the directories of the state caches.
const FILE: &str = "registry-ids.json";

/// Ids by subject and fingerprint, and fingerprints by id.
#[derive(Debug, Default)]
pub(super) struct Ids {
    written: HashMap<(String, u64), u32>,
    read: HashMap<u32, u64>,
    file: Option<PathBuf>,
    registry: String,
}

/// As it is kept. Fingerprints are hexadecimal: JSON's numbers do not hold them.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Kept {
    registry: String,
    written: BTreeMap<String, BTreeMap<String, u32>>,
    read: BTreeMap<u32, String>,
}

/// An id that means something else than it did.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Changed;

impl Ids {
    /// What was kept in `dir` of `registry`; nothing when it cannot be read or is another's.
    pub(super) fn open(dir: Option<&Path>, registry: &str) -> Self {
        let file = dir.map(|dir| dir.join(FILE));
        let mut ids = Self { file, registry: registry.to_owned(), ..Self::default() };
        let text = ids.file.as_ref().and_then(|file| std::fs::read_to_string(file).ok());
        let kept: Option<Kept> = text.and_then(|text| serde_json::from_str(&text).ok());
        let Some(kept) = kept.filter(|kept| kept.registry == registry) else { return ids };
        let number = |hex: &String| u64::from_str_radix(hex, 16).ok();
        for (id, fingerprint) in &kept.read {
            ids.read.extend(number(fingerprint).map(|fingerprint| (*id, fingerprint)));
        }
        for (subject, known) in &kept.written {
            for (fingerprint, id) in known {
                let fingerprint = number(fingerprint);
                ids.written.extend(fingerprint.map(|print| ((subject.clone(), print), *id)));
            }
        }
        ids
    }

    /// The id records with `fingerprint` are written with under `subject`.
    pub(super) fn written(&self, subject: &str, fingerprint: u64) -> Option<u32> {
        self.written.get(&(subject.to_owned(), fingerprint)).copied()
    }

    /// The fingerprint of what was written with `id`.
    pub(super) fn read(&self, id: u32) -> Option<u64> {
        self.read.get(&id).copied()
    }

    /// Takes note that `id` means `fingerprint`, for what is written under `subject` too.
    pub(super) fn learn(
        &mut self,
        subject: Option<&str>,
        fingerprint: u64,
        id: u32,
    ) -> Result<(), Changed> {
        if self.read.get(&id).is_some_and(|known| *known != fingerprint) {
            return Err(Changed);
        }
        let mut news = self.read.insert(id, fingerprint).is_none();
        if let Some(subject) = subject {
            news |= self.written.insert((subject.to_owned(), fingerprint), id) != Some(id);
        }
        if news && let Err(error) = self.keep() {
            tracing::warn!(%error, "the registry's ids could not be kept: a start needs the registry");
        }
        Ok(())
    }

    fn keep(&self) -> std::io::Result<()> {
        let Some(file) = &self.file else { return Ok(()) };
        let mut kept = Kept { registry: self.registry.clone(), ..Kept::default() };
        for (id, fingerprint) in &self.read {
            kept.read.insert(*id, format!("{fingerprint:016x}"));
        }
        for ((subject, fingerprint), id) in &self.written {
            let known = kept.written.entry(subject.clone()).or_default();
            known.insert(format!("{fingerprint:016x}"), *id);
        }
        if let Some(dir) = file.parent() {
            create_dir_all(dir)?;
        }
        // Whole or not at all, whoever else writes it.
        let fresh = file.with_extension(format!("{}.new", std::process::id()));
        let mut to = File::create(&fresh)?;
        to.write_all(serde_json::to_string_pretty(&kept)?.as_bytes())?;
        to.sync_all()?;
        rename(fresh, file)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_learned_is_there_after_a_restart_for_the_same_registry() {
        let dir = tempfile::tempdir().unwrap();
        let mut ids = Ids::open(Some(dir.path()), "http://one");
        assert_eq!(ids.learn(Some("s-value"), 0xfedc_ba98_7654_3210, 7), Ok(()));
        assert_eq!(ids.learn(None, 5, 8), Ok(()));
        let ids = Ids::open(Some(dir.path()), "http://one");
        assert_eq!(ids.written("s-value", 0xfedc_ba98_7654_3210), Some(7));
        assert_eq!((ids.read(7), ids.read(8)), (Some(0xfedc_ba98_7654_3210), Some(5)));
        assert_eq!((ids.written("other", 5), ids.read(9)), (None, None));
        let other = Ids::open(Some(dir.path()), "http://two");
        assert_eq!(other.read(7), None, "another registry has its own ids");
        std::fs::write(dir.path().join(FILE), "{").unwrap();
        assert_eq!(Ids::open(Some(dir.path()), "http://one").read(7), None);
    }

    #[test]
    fn an_id_means_one_schema_for_ever() {
        let mut ids = Ids::open(None, "http://one");
        assert_eq!(ids.learn(Some("s"), 1, 7), Ok(()));
        assert_eq!(ids.learn(Some("s"), 2, 7), Err(Changed));
        assert_eq!(ids.learn(Some("s"), 1, 9), Ok(()), "registered anew: both are readable");
        assert_eq!((ids.written("s", 1), ids.read(7), ids.read(9)), (Some(9), Some(1), Some(1)));
    }
}
