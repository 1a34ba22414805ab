//! What is fuzzed: every reader of bytes that come from outside, with something to begin from.
//!
//! Beyond that nothing makes a reader fail, what a webhook tells must become records: sealing, masking and
//! normalising see every value an adapter lets through.

mod codec;
mod doors;
mod mails;
mod texts;
mod webhooks;

/// One reader.
pub struct Target {
    /// Its name on the command line.
    pub name: &'static str,
    /// What it is handed first, to be changed.
    pub seeds: &'static [&'static [u8]],
    /// Reads; panics where it should not.
    pub read: fn(&[u8]),
}

/// All of them.
pub fn targets() -> Vec<Target> {
    let rooms = [
        webhooks::targets(),
        mails::targets(),
        doors::targets(),
        codec::targets(),
        texts::targets(),
    ];
    rooms.into_iter().flatten().collect()
}

/// The one called `name`.
#[must_use]
pub fn named(name: &str) -> Option<Target> {
    targets().into_iter().find(|target| target.name == name)
}
