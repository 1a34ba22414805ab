//! Every schema this release knows, for those who carry records past a schema registry.
//!
//! Invariant: what is listed here is what the codec reads, by the same fingerprints.

use apache_avro::Schema;
use serde_json::Value;

use crate::codec::{HEADER_BYTES, MARKER, fingerprint};
use crate::{released, sources};

/// A schema that records of a type may have been written with.
#[derive(Debug, Clone, PartialEq)]
pub struct Known {
    /// CRC-64-AVRO of it, as it stands in the records' header.
    pub fingerprint: u64,
    /// The self-contained schema.
    pub schema: Value,
}

/// The schemas of the type `name`: those of earlier releases, oldest first, then the one of this
/// release. Each once. Empty when there is no such type.
#[must_use]
pub fn schemas_of(name: &str) -> Vec<Known> {
    let mut known: Vec<Known> = Vec::new();
    for schema in released::schemas_of(name).into_iter().chain(sources::expanded(name)) {
        let Ok(parsed) = Schema::parse(&schema) else { continue };
        let fingerprint = fingerprint(&parsed);
        // What came back to an earlier form is listed where it stands now.
        known.retain(|other| other.fingerprint != fingerprint);
        known.push(Known { fingerprint, schema });
    }
    known
}

/// The fingerprint of a schema somebody else keeps; `None` when it is not one that stands on its own.
#[must_use]
pub fn fingerprint_of(schema: &str) -> Option<u64> {
    Schema::parse_str(schema).ok().map(|schema| fingerprint(&schema))
}

/// Takes a record apart: the fingerprint of its schema, and the datum. `None` for anything else.
#[must_use]
pub fn take_apart(record: &[u8]) -> Option<(u64, &[u8])> {
    let (header, datum) = record.split_first_chunk::<HEADER_BYTES>()?;
    let (marker, fingerprint) = header.split_first_chunk::<2>()?;
    let fingerprint = fingerprint.first_chunk::<8>().filter(|_| *marker == MARKER)?;
    Some((u64::from_le_bytes(*fingerprint), datum))
}

/// The record that [`take_apart`] takes apart.
#[must_use]
pub fn put_together(fingerprint: u64, datum: &[u8]) -> Vec<u8> {
    let mut record = Vec::with_capacity(HEADER_BYTES + datum.len());
    record.extend_from_slice(&MARKER);
    record.extend_from_slice(&fingerprint.to_le_bytes());
    record.extend_from_slice(datum);
    record
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Avro;
    use crate::ops::Setting;
    use crate::topics::TOPICS;

    #[test]
    fn every_topic_has_a_schema_whose_fingerprint_survives_its_text() {
        for spec in TOPICS {
            let known = schemas_of(spec.record);
            assert!(!known.is_empty(), "{}", spec.topic);
            for known in known {
                // Registries lay the text out anew; what it means stays.
                let text = serde_json::to_string_pretty(&known.schema).unwrap();
                assert_eq!(fingerprint_of(&text), Some(known.fingerprint), "{}", spec.record);
            }
        }
        assert_eq!(schemas_of("Nothing"), []);
        assert_eq!(fingerprint_of("{\"type\": \"correnteza.Elsewhere\"}"), None);
        assert_eq!(fingerprint_of("no schema"), None);
    }

    #[test]
    fn a_record_is_taken_apart_and_put_together() {
        let setting =
            Setting { name: "n".to_owned(), version: "v".to_owned(), content: vec![1, 2, 3] };
        let bytes = setting.to_bytes().unwrap();
        let (fingerprint, datum) = take_apart(&bytes).unwrap();
        let known = schemas_of("Setting");
        assert_eq!(known.last().map(|known| known.fingerprint), Some(fingerprint));
        assert_eq!(put_together(fingerprint, datum), bytes);
        for other in [&bytes[..9], b"", b"{\"not\":\"avro\"}", b"\0\0\0\0\x01 and more"] {
            assert_eq!(take_apart(other), None);
        }
    }
}
