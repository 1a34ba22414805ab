//! The schema files, the Rust types and the released schemas agree.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic
)] // a test fails loudly

mod samples;

use std::collections::BTreeSet;

use apache_avro::Schema;
use apache_avro::reader::datum::GenericDatumReader;
use apache_avro::schema_compatibility::SchemaCompatibility;
use schemas::codec::{Avro, HEADER_BYTES};
use schemas::line::Inbound;
use serde_json::{Map, Value};

fn json(path: &std::path::Path) -> Value {
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

fn files(folder: &str) -> Vec<std::path::PathBuf> {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
    let files: Vec<_> =
        std::fs::read_dir(folder).unwrap().map(|file| file.unwrap().path()).collect();
    assert!(!files.is_empty());
    files
}

#[test]
fn every_type_round_trips_through_its_schema() {
    let names: BTreeSet<&str> = samples::all().into_iter().map(|(name, _)| name).collect();
    for spec in schemas::topics::TOPICS {
        assert!(names.contains(spec.record), "no sample of {}", spec.record);
    }
}

#[test]
fn every_schema_file_is_used_and_parses() {
    for path in files("avro") {
        let source = json(&path);
        let name = source["name"].as_str().unwrap();
        let expanded = schemas::expanded(name)
            .unwrap_or_else(|| panic!("{} is not in src/sources.rs", path.display()));
        Schema::parse(&expanded).unwrap_or_else(|e| panic!("{name}: {e}"));
        assert!(source["doc"].as_str().is_some_and(|doc| !doc.is_empty()), "{name} has no doc");
    }
}

/// `BACKWARD_TRANSITIVE`: this release reads what any release wrote.
#[test]
fn reads_what_every_release_wrote() {
    let current = schemas::export();
    for path in files("released") {
        let Value::Object(released) = json(&path) else { panic!("{}", path.display()) };
        assert!(!released.is_empty());
        for (name, written) in released {
            let reader = current
                .get(&name)
                .unwrap_or_else(|| panic!("{name} of {} is gone", path.display()));
            let (written, reader) =
                (Schema::parse(&written).unwrap(), Schema::parse(reader).unwrap());
            SchemaCompatibility::can_read(&written, &reader)
                .unwrap_or_else(|e| panic!("{name} of {} cannot be read: {e}", path.display()));
        }
    }
}

/// The release being made is recorded whole: later releases are held to it.
#[test]
fn this_release_is_recorded() {
    let name = format!("released/{}.json", env!("CARGO_PKG_VERSION"));
    let recorded: Map<String, Value> =
        serde_json::from_value(json(&std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join(&name)))
            .unwrap();
    assert!(
        recorded == schemas::export(),
        "the schemas changed: before a release, record them with \
         `cargo run -- schema export > schemas/{name}`; after it, raise the version first"
    );
}

#[test]
fn refuses_strangers_by_name_and_without_quoting_them() {
    let good = samples::all()
        .into_iter()
        .find_map(|(name, bytes)| (name == "Inbound").then_some(bytes))
        .unwrap();
    assert!(Inbound::from_bytes(&good).is_ok());
    assert!(Inbound::from_bytes(b"").is_err());
    assert!(Inbound::from_bytes(b"{\"not\":\"avro\"}").is_err());
    let mut unknown = good.clone();
    unknown[4] ^= 0xff;
    let error = Inbound::from_bytes(&unknown).unwrap_err();
    assert!(matches!(error, schemas::CodecError::UnknownSchema { .. }), "{error}");
    for length in HEADER_BYTES..good.len() {
        let error = Inbound::from_bytes(&good[..length]).unwrap_err().to_string();
        assert!(!error.contains("internet"), "{error}");
    }
    let mut long = good;
    long.push(0);
    assert!(Inbound::from_bytes(&long).is_err());
}

/// apache-avro's generic values read the same: a subscriber with another library sees our records.
#[test]
fn a_generic_reader_sees_the_same() {
    for (name, bytes) in samples::all() {
        let schema = Schema::parse(&schemas::expanded(name).unwrap()).unwrap();
        let value = GenericDatumReader::builder(&schema)
            .build()
            .unwrap()
            .read_value(&mut &bytes[HEADER_BYTES..])
            .unwrap_or_else(|e| panic!("{name}: {e}"));
        assert!(value.validate(&schema), "{name}");
    }
}
