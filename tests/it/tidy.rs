//! What no compiler checks: who may know whom, how big things may grow, what may not be logged.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;
use tests::server::root;

/// Lines of a file without its tests, and of a function.
const FILE_LINES_MAX: usize = 400;
const FUNCTION_LINES_MAX: usize = 70;

/// Bigger, and why. A ratchet: the number is what it is now, and may only fall.
const ALLOWED_FILES: &[(&str, usize, &str)] = &[];
const ALLOWED_FUNCTIONS: &[(&str, &str, usize, &str)] = &[];

/// Rooms, and the rooms they may know.
const ROOMS: &[(&str, &[&str])] = &[
    ("schemas", &[]),
    ("pipeline", &["schemas"]),
    ("ingest", &["schemas", "pipeline"]),
    ("classifier", &["schemas", "pipeline"]),
    ("router", &["schemas", "pipeline"]),
    ("responder", &["schemas", "pipeline"]),
    ("sink", &["schemas", "pipeline"]),
    ("desk", &["schemas", "pipeline", "sink"]),
    (
        "app",
        &["schemas", "pipeline", "ingest", "classifier", "router", "responder", "sink", "desk"],
    ),
    // From outside: the texts to send are all they borrow.
    ("tests", &["classifier"]),
    // Measures parts by themselves, and the line with null stages beside ours.
    ("benches", &["tests", "classifier", "schemas", "pipeline", "sink"]),
];

/// Libraries that one concern is made of, and the rooms of that concern.
const LIBRARIES: &[(&str, &[&str])] = &[
    ("rdkafka", &["pipeline"]),
    ("rusqlite", &["pipeline", "sink", "tests"]),
    ("scylla", &["sink"]),
    ("openssl", &["sink"]),
    ("axum", &["ingest", "desk", "app", "tests"]),
    ("reqwest", &["ingest", "responder", "app", "tests", "benches"]),
    ("ureq", &["pipeline"]),
    ("apache-avro", &["schemas"]),
    ("linfa-bayes", &["classifier"]),
    ("clap", &["app", "tests", "benches"]),
    ("config", &["app"]),
    ("prometheus", &["pipeline"]),
];

/// Libraries that only these folders of the product name.
const PLACES: &[(&str, &[&str])] = &[
    ("rdkafka", &["pipeline/src/log/kafka/"]),
    (
        "rusqlite",
        &[
            "pipeline/src/log/embedded/",
            "pipeline/src/log/kafka/cache.rs",
            "sink/src/store/sqlite/",
        ],
    ),
    ("scylla", &["sink/src/store/cql/"]),
    ("openssl", &["sink/src/store/cql/"]),
];

/// Direct dependencies by package, those of tests left out.
fn dependencies() -> BTreeMap<String, Vec<String>> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let output = Command::new(cargo)
        .args(["metadata", "--no-deps", "--format-version", "1", "--offline"])
        .current_dir(root())
        .output()
        .unwrap();
    let metadata: Value = serde_json::from_slice(&output.stdout).unwrap();
    let packages = metadata["packages"].as_array().unwrap().iter();
    packages
        .map(|package| {
            let needs = package["dependencies"].as_array().unwrap().iter();
            let needs = needs
                .filter(|need| need["kind"].is_null())
                .map(|need| need["name"].as_str().unwrap().to_owned());
            (package["name"].as_str().unwrap().to_owned(), needs.collect())
        })
        .collect()
}

#[test]
fn rooms_know_only_the_rooms_they_may() {
    let found = dependencies();
    assert_eq!(found.len(), ROOMS.len(), "a room is not in the list: {:?}", found.keys());
    let rooms: Vec<&str> = ROOMS.iter().map(|(room, _)| *room).collect();
    for (room, may) in ROOMS {
        let needs = &found[*room];
        for need in needs.iter().filter(|need| rooms.contains(&need.as_str())) {
            assert!(may.contains(&need.as_str()), "{room} may not know {need}");
        }
        for (library, homes) in LIBRARIES {
            let uses = needs.iter().any(|need| need == library);
            assert!(!uses || homes.contains(room), "{library} is not for {room}");
        }
    }
}

/// Every Rust file of ours.
fn sources() -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut places: Vec<PathBuf> = ROOMS.iter().map(|(room, _)| root().join(room)).collect();
    while let Some(place) = places.pop() {
        for entry in std::fs::read_dir(&place).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                places.push(path);
            } else if path.extension().is_some_and(|end| end == "rs" || end == "js" || end == "css")
            {
                found.push(path);
            }
        }
    }
    assert!(found.len() > 150, "the sources are found: {}", found.len());
    found
}

#[test]
fn libraries_are_named_in_their_place_only() {
    let mut seen = vec![0; PLACES.len()];
    for path in sources() {
        let (name, code) = (named(&path), std::fs::read_to_string(&path).unwrap());
        // Tests and measurements compare with the library itself.
        if ["/tests/", "/benches/", "/examples/"].iter().any(|place| name.contains(place))
            || name.starts_with("tests/")
        {
            continue;
        }
        for (at, (library, places)) in PLACES.iter().enumerate() {
            let names = code.lines().any(|line| {
                let line = line.trim_start();
                !line.starts_with("//") && line.contains(&format!("{library}::"))
            });
            seen[at] += usize::from(names);
            let here = places.iter().any(|place| name.starts_with(place));
            assert!(!names || here, "{name} names {library}");
        }
    }
    assert!(seen.iter().all(|found| *found > 0), "each is found somewhere: {seen:?}");
}

fn named(path: &Path) -> String {
    path.strip_prefix(root()).unwrap().to_string_lossy().into_owned()
}

/// The file without its unit tests.
fn without_tests(code: &str) -> &str {
    code.split("\n#[cfg(test)]\nmod tests").next().unwrap_or(code)
}

#[test]
fn files_are_of_one_idea() {
    let mut wrong = Vec::new();
    for path in sources() {
        let code = std::fs::read_to_string(&path).unwrap();
        let lines = without_tests(&code).lines().count();
        let name = named(&path);
        // Tests are read one at a time.
        if name.contains("tests/") || name.ends_with("/tests.rs") {
            continue;
        }
        let allowed = ALLOWED_FILES.iter().find(|(file, ..)| *file == name);
        match allowed {
            Some((_, most, why)) if lines > *most => {
                wrong.push(format!("{name}: {lines}, allowed {most}: {why}"));
            }
            Some((_, most, _)) if lines <= FILE_LINES_MAX || lines < *most => {
                wrong.push(format!("{name}: {lines} now; lower the allowance of {most}"));
            }
            None if lines > FILE_LINES_MAX => wrong.push(format!("{name}: {lines} lines")),
            _ => {}
        }
    }
    assert!(wrong.is_empty(), "split them:\n{}", wrong.join("\n"));
}

/// Functions of a formatted file: name and lines.
fn functions(code: &str) -> Vec<(String, usize)> {
    let mut found = Vec::new();
    let lines: Vec<&str> = code.lines().collect();
    for (at, line) in lines.iter().enumerate() {
        let bare = line.trim_start();
        let indent = &line[..line.len() - bare.len()];
        let Some((before, rest)) = bare.split_once("fn ") else { continue };
        let words = ["", "pub", "async", "const", "pub(super)", "pub(crate)"];
        if !before.split_whitespace().all(|word| words.contains(&word)) {
            continue;
        }
        let name: String = rest.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
        // What a trait only declares has no body.
        let head = lines[at..].iter().find(|line| line.ends_with(['{', ';']));
        if head.is_none_or(|line| line.ends_with(';')) {
            continue;
        }
        let end = format!("{indent}}}");
        if let Some(length) = lines[at..].iter().position(|line| **line == end) {
            found.push((name, length + 1));
        }
    }
    found
}

#[test]
fn functions_can_be_seen_whole() {
    let mut wrong = Vec::new();
    let mut seen = 0;
    for path in sources().into_iter().filter(|path| path.extension().is_some_and(|end| end == "rs"))
    {
        let (name, code) = (named(&path), std::fs::read_to_string(&path).unwrap());
        for (function, lines) in functions(without_tests(&code)) {
            seen += 1;
            let allowed =
                ALLOWED_FUNCTIONS.iter().find(|(file, f, ..)| *file == name && *f == function);
            let most = allowed.map_or(FUNCTION_LINES_MAX, |(_, _, most, _)| *most);
            if lines > most {
                wrong.push(format!("{name}: {function} has {lines} lines"));
            }
        }
    }
    assert!(seen > 800, "functions are found: {seen}");
    assert!(wrong.is_empty(), "split them:\n{}", wrong.join("\n"));
}

/// Statements that log, whole.
fn log_statements(code: &str) -> Vec<String> {
    let mut found = Vec::new();
    for level in ["trace", "debug", "info", "warn", "error"] {
        for piece in code.split(&format!("tracing::{level}!(")).skip(1) {
            let mut depth = 1;
            let statement: String = piece
                .chars()
                .take_while(|c| {
                    depth += i32::from(*c == '(') - i32::from(*c == ')');
                    depth > 0
                })
                .collect();
            found.push(statement);
        }
    }
    found
}

#[test]
fn no_text_of_a_customer_is_logged() {
    // What holds a customer's words or numbers, by the names they go by in the code.
    const NAMES: &[&str] =
        &["text", "text_masked", "body", "contact", "phone", "email", "cpf", "message", "outgoing"];
    let mut seen = 0;
    for path in sources().into_iter().filter(|path| path.extension().is_some_and(|end| end == "rs"))
    {
        let code = std::fs::read_to_string(&path).unwrap();
        if named(&path).starts_with("tests/") {
            continue;
        }
        for statement in log_statements(without_tests(&code)) {
            seen += 1;
            // Words in quotes are ours.
            let ours: String = statement.split('"').step_by(2).collect();
            let fields = ours.split(|c: char| !(c.is_alphanumeric() || c == '_'));
            for field in fields {
                assert!(
                    !NAMES.contains(&field),
                    "{}: '{field}' is logged: {statement}",
                    named(&path)
                );
            }
        }
    }
    assert!(seen > 20, "log statements are found: {seen}");
}

#[test]
fn names_say_what_things_are() {
    const EMPTY: &[&str] = &["Manager", "Helper", "Util", "Utils"];
    for path in sources().into_iter().filter(|path| path.extension().is_some_and(|end| end == "rs"))
    {
        let code = std::fs::read_to_string(&path).unwrap();
        for line in code.lines() {
            let words: Vec<&str> = line.split_whitespace().collect();
            let declares =
                words.windows(2).find(|pair| ["struct", "enum", "trait"].contains(&pair[0]));
            if let Some(pair) = declares {
                let name: String = pair[1].chars().take_while(|c| c.is_alphanumeric()).collect();
                assert!(
                    !EMPTY.iter().any(|empty| name.ends_with(empty)),
                    "{}: {name}",
                    named(&path)
                );
            }
        }
    }
}
