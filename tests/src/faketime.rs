//! Another time than the machine's, for one process: libfaketime, where it is installed.

use std::path::PathBuf;

/// Where systems keep it; the one for programs of many threads.
const PLACES: [&str; 4] = [
    "/usr/lib/x86_64-linux-gnu/faketime/libfaketimeMT.so.1",
    "/usr/lib/aarch64-linux-gnu/faketime/libfaketimeMT.so.1",
    "/usr/lib64/faketime/libfaketimeMT.so.1",
    "/usr/lib/faketime/libfaketimeMT.so.1",
];

/// What to say where it is missing.
pub const MISSING: &str = "another time for a process: install faketime";

/// What a process has in its environment whose clock is off by `shift`, such as `+2h`; nothing where
/// there is no such library.
#[must_use]
pub fn environment(shift: &str) -> Option<Vec<(String, String)>> {
    let library = PLACES.iter().map(PathBuf::from).find(|place| place.exists())?;
    let of = |key: &str, value: &str| (key.to_owned(), value.to_owned());
    Some(vec![
        of("LD_PRELOAD", &library.to_string_lossy()),
        of("FAKETIME", shift),
        // A clock that is set wrong goes on as fast as any: time-outs and pauses stay what they are.
        of("FAKETIME_DONT_FAKE_MONOTONIC", "1"),
        of("DONT_FAKE_MONOTONIC", "1"),
        // Nothing is shared between processes, so that none leaves anything behind when killed.
        of("FAKETIME_DISABLE_SHM", "1"),
    ])
}
