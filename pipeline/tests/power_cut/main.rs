//! What the embedded log promised survives a power cut, at whatever moment, and a killed process.
//!
//! A process of its own works on a log while a preloaded shim notes every write and sync of its
//! files. From the notes the test makes what a disk may hold after a power cut at any moment: what
//! was synced, and of the rest anything. `POWER_CUTS` (per life), `KILLS` and `POWER_CUT_SEED` make
//! it longer or repeat it.
#![cfg(target_os = "linux")]
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stderr
)] // a test fails loudly

mod check;
mod disk;
mod line;

use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use pipeline::log::embedded::Durability;

use check::{Held, check};
use disk::{DATABASE, Disk, Fault, Note, Random, TOLD, WAL, What};

const DIRECTORY: &str = "POWER_CUT_DIRECTORY";
const DURABILITY: &str = "POWER_CUT_DURABILITY";
const TRACE: &str = "POWER_CUT_TRACE";
const WORDS: &str = "POWER_CUT_WORDS";

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap()
}

fn number(name: &str, otherwise: u64) -> u64 {
    std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(otherwise)
}

fn seed() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().subsec_nanos();
    let seed = number("POWER_CUT_SEED", u64::from(now));
    eprintln!("POWER_CUT_SEED={seed}");
    seed
}

/// In memory where there is room for it: a copy need not survive anything.
fn scratch() -> tempfile::TempDir {
    tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).unwrap()
}

/// No test: the process the others start, which does nothing unless it is told where.
#[test]
fn the_process_under_test() {
    let Some(directory) = std::env::var_os(DIRECTORY) else { return };
    let os = std::env::var_os(DURABILITY).is_some();
    let durability = if os { Durability::Os } else { Durability::Fsync };
    runtime().block_on(line::work(Path::new(&directory), durability, number(WORDS, u64::MAX)));
}

fn process(directory: &Path) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", "the_process_under_test"]).env(DIRECTORY, directory);
    command.stdout(std::process::Stdio::null());
    command
}

/// The shim, compiled with the compiler that SQLite was compiled with.
fn shim(place: &Path) -> PathBuf {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/power_cut/shim.c");
    let library = place.join("shim.so");
    let compiler = std::env::var("CC").unwrap_or_else(|_| "cc".to_owned());
    let mut command = Command::new(compiler);
    command.args(["-O1", "-Wall", "-shared", "-fPIC", "-o"]).args([&library, &source]);
    assert!(command.status().unwrap().success(), "the shim does not compile");
    library
}

/// One life of a process from the files in `directory`, with what it asked of the disk.
struct Life {
    begun_from: tempfile::TempDir,
    notes: Vec<Note>,
}

fn live(from: &Path, shim: &Path, durability: Durability) -> Life {
    let (begun_from, working) = (scratch(), scratch());
    copy(from, begun_from.path());
    copy(from, working.path());
    let place = scratch();
    let trace = place.path().join("trace");
    let mut process = process(working.path());
    process.env(WORDS, "500").env("LD_PRELOAD", shim).env(TRACE, &trace);
    if durability == Durability::Os {
        process.env(DURABILITY, "os");
    }
    assert!(process.status().unwrap().success(), "the process under test failed");
    Life { begun_from, notes: disk::notes(&trace) }
}

/// A life in which the `nth` sync of the database fails. It acknowledges nothing from then on, so it is
/// ended from outside.
fn live_with_a_failed_sync(nth: usize, shim: &Path) -> Life {
    let (begun_from, working, place) = (scratch(), scratch(), scratch());
    let trace = place.path().join("trace");
    let mut process = process(working.path());
    process.env("LD_PRELOAD", shim).env(TRACE, &trace).env("POWER_CUT_FAIL", nth.to_string());
    let mut process = process.spawn().unwrap();
    let (started, mut told) = (Instant::now(), (0, Instant::now()));
    loop {
        let size = std::fs::metadata(working.path().join("told")).map_or(0, |file| file.len());
        if size != told.0 {
            told = (size, Instant::now());
        }
        // Silent for so long after it had begun to speak: it has given up.
        let given_up = size > 0 && told.1.elapsed() > Duration::from_secs(2);
        if given_up || process.try_wait().unwrap().is_some() {
            break;
        }
        assert!(started.elapsed() < Duration::from_secs(60), "it goes on after a failed sync");
        std::thread::sleep(Duration::from_millis(10));
    }
    let _ = process.kill();
    process.wait().unwrap();
    Life { begun_from, notes: disk::notes(&trace) }
}

/// Moments to cut at: anywhere, and often where it is tight: just after something was told, while
/// pages are copied back, when the write-ahead log begins anew.
fn moments(notes: &[Note], count: usize, random: &mut Random) -> Vec<usize> {
    let places = |wanted: &dyn Fn(&Note) -> bool| -> Vec<usize> {
        (0..notes.len()).filter(|at| wanted(&notes[*at])).collect()
    };
    let told = places(&|note| note.file == TOLD);
    let copied = places(&|note| note.file == DATABASE);
    let anew = places(&|note| note.file == WAL && matches!(note.what, What::Write(0, _)));
    let mut moments: Vec<usize> = (0..count)
        .map(|n| {
            let (near, spread) = match n % 4 {
                0 => (&told, 1),
                1 => (&copied, 3),
                2 => (&anew, 60),
                _ => return random.below(notes.len() + 1),
            };
            near[random.below(near.len())] + 1 + random.below(spread)
        })
        .map(|at| at.min(notes.len()))
        .collect();
    moments.sort_unstable();
    // And once when all is over.
    if let Some(last) = moments.last_mut() {
        *last = notes.len();
    }
    moments
}

fn copy(from: &Path, to: &Path) {
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        std::fs::copy(entry.path(), to.join(entry.file_name())).unwrap();
    }
}

/// Cuts a life's power at `count` moments; gives what each check found, and the files one cut left.
fn cuts(
    life: &Life,
    fault: Fault,
    count: usize,
    random: &mut Random,
) -> (Vec<Result<Held, String>>, tempfile::TempDir) {
    let (mut found, runtime) = (Vec::new(), runtime());
    let mut disk = Disk::new(life.begun_from.path(), fault);
    let (mut followed, keep) = (0, random.below(count));
    let left = scratch();
    for (nth, moment) in moments(&life.notes, count, random).into_iter().enumerate() {
        life.notes[followed..moment].iter().for_each(|note| disk.follow(note));
        followed = moment;
        let (directory, chance) = (scratch(), random.0);
        let how = disk.cut(directory.path(), random);
        if nth == keep {
            copy(directory.path(), left.path());
        }
        let checked = runtime.block_on(check(directory.path()));
        found.push(checked.map_err(|why| {
            let mut words = format!("cut at {moment} of {}: {why} ({how})", life.notes.len());
            if fault == Fault::None {
                let kept = tempfile::tempdir().unwrap().keep();
                disk.cut(&kept, &mut Random(chance));
                words += &format!(", kept in {}", kept.display());
            }
            words
        }));
    }
    (found, left)
}

#[test]
fn what_was_promised_survives_a_power_cut() {
    let (mut random, place) = (Random(seed()), scratch());
    let count = usize::try_from(number("POWER_CUTS", 70)).unwrap();
    let shim = shim(place.path());
    let mut from = scratch();
    for life in 1..=3 {
        let lived = live(from.path(), &shim, Durability::Fsync);
        let times = |file, what: fn(&What) -> bool| {
            lived.notes.iter().filter(|note| note.file == file && what(&note.what)).count()
        };
        let synced = |file| times(file, |what| matches!(what, What::SyncEnd));
        let anew = times(WAL, |what| matches!(what, What::Write(0, _)));
        let (found, left) = cuts(&lived, Fault::None, count, &mut random);
        let failed: Vec<&String> = found.iter().filter_map(|found| found.as_ref().err()).collect();
        assert!(failed.is_empty(), "{} of {count} cuts: {failed:#?}", failed.len());
        let sum = |of: fn(&Held) -> usize| found.iter().flatten().map(of).sum::<usize>();
        eprintln!(
            "life {life}: {} notes, {} syncs of the WAL begun anew {anew} times, {} of the \
             database; {count} cuts held to {} acknowledged, {} seen, {} settled, {} states; \
             {} records were there unpromised",
            lived.notes.len(),
            synced(WAL),
            synced(DATABASE),
            sum(|held| held.acknowledged),
            sum(|held| held.seen),
            sum(|held| held.settled),
            sum(|held| held.states),
            sum(|held| held.besides),
        );
        from = left;
    }
}

/// The kernel may drop what it could not write: from a failed sync on nothing is acknowledged, and no
/// checkpoint lets the log begin anew over pages that are gone.
#[test]
fn what_was_promised_survives_a_sync_that_failed() {
    let (mut random, place) = (Random(seed()), scratch());
    let shim = shim(place.path());
    for nth in [2, 4] {
        let life = live_with_a_failed_sync(nth, &shim);
        let failed = life.notes.iter().filter(|note| matches!(note.what, What::SyncFailed)).count();
        assert_eq!(failed, 1, "a sync of the database failed");
        let (found, _) = cuts(&life, Fault::None, 30, &mut random);
        let broken: Vec<&String> = found.iter().filter_map(|found| found.as_ref().err()).collect();
        assert!(broken.is_empty(), "{} of 30 cuts: {broken:#?}", broken.len());
    }
}

/// The same test on disks that lie, and on a log that does not wait for the disk.
#[test]
fn a_broken_promise_is_noticed() {
    let (mut random, place) = (Random(seed()), scratch());
    let (shim, nothing) = (shim(place.path()), scratch());
    let waits = live(nothing.path(), &shim, Durability::Fsync);
    let hurries = live(nothing.path(), &shim, Durability::Os);
    for (life, fault, name) in [
        (&waits, Fault::ForgetsSyncsOf(WAL), "a disk that forgets the WAL's syncs"),
        (&waits, Fault::ForgetsSyncsOf(DATABASE), "a disk that forgets the database's syncs"),
        (&hurries, Fault::InTheLog, "a log that acknowledges before the disk has it"),
    ] {
        let (found, _) = cuts(life, fault, 30, &mut random);
        let noticed: Vec<&String> = found.iter().filter_map(|found| found.as_ref().err()).collect();
        eprintln!("{name}: noticed by {} of 30 cuts, e.g. {:?}", noticed.len(), noticed.last());
        assert!(!noticed.is_empty(), "{name} was not noticed");
    }
}

/// A process that is killed loses nothing it has told anybody, again and again.
#[test]
fn what_was_promised_survives_a_kill() {
    let mut random = Random(seed());
    let mut directory = scratch();
    let mut acknowledged = 0;
    for kill in 0..number("KILLS", 20) {
        if kill % 5 == 0 {
            directory = scratch();
        }
        let told = || std::fs::metadata(directory.path().join("told")).map_or(0, |file| file.len());
        let before = told();
        let mut process: Child = process(directory.path()).spawn().unwrap();
        let started = Instant::now();
        while told() == before {
            assert!(started.elapsed() < Duration::from_secs(60), "the process says nothing");
            std::thread::sleep(Duration::from_millis(1));
        }
        std::thread::sleep(Duration::from_micros(random.below(120_000) as u64));
        process.kill().unwrap();
        process.wait().unwrap();
        let held = runtime().block_on(check(directory.path()));
        acknowledged += held.unwrap_or_else(|why| panic!("kill {kill}: {why}")).acknowledged;
    }
    eprintln!("{acknowledged} acknowledged records compared");
}
