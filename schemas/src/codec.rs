//! Records to bytes and back: Avro single-object encoding (Avro 1.12 specification, "Single-object
//! encoding"): `C3 01`, the CRC-64-AVRO fingerprint of the schema, little endian, and the datum.
//!
//! Types go straight to and from the bytes through serde, without apache-avro's `Value`. A record
//! written by an earlier release is read with the schema it was written with; fields it lacks take
//! serde's defaults, which a test holds equal to the schema's.

use std::collections::HashMap;
use std::sync::OnceLock;

use apache_avro::Schema;
use apache_avro::rabin::Rabin;
use apache_avro::reader::datum::GenericDatumReader;
use apache_avro::writer::datum::GenericDatumWriter;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::sources;

/// Length of the header before the datum.
pub const HEADER_BYTES: usize = 10;
pub(crate) const MARKER: [u8; 2] = [0xC3, 0x01];

/// Why bytes are not the record they should be, or a record not the bytes. Never worth a retry.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CodecError {
    /// Too short, or without the marker.
    #[error("not an Avro single-object record: the first two bytes are not C3 01")]
    NotSingleObject,
    /// Written with a schema this binary does not know.
    #[error(
        "schema {fingerprint:016x} is unknown to this release (reading {name}): upgrade the reader"
    )]
    UnknownSchema {
        /// CRC-64-AVRO of the writer's schema.
        fingerprint: u64,
        /// What was to be read.
        name: &'static str,
    },
    /// The schema is known, the bytes do not follow it.
    #[error("bytes do not follow the schema of {name}: {detail}")]
    Corrupt {
        /// What was to be read.
        name: &'static str,
        /// The library's words.
        detail: String,
    },
    /// A value its own schema has no place for: a mistake in this program.
    #[error("{name} cannot be written: {detail}")]
    Unwritable {
        /// What was to be written.
        name: &'static str,
        /// The library's words.
        detail: String,
    },
}

/// A record type with a schema of ours.
pub trait Avro: Serialize + DeserializeOwned + 'static {
    /// Name of the type and of its `.avsc` file.
    const NAME: &'static str;

    /// The compiled schemas of the type.
    fn codec() -> &'static Codec;

    /// Appends the single-object encoding to `to`.
    ///
    /// # Errors
    /// [`CodecError::Unwritable`] when the value does not fit its schema.
    fn write(&self, to: &mut Vec<u8>) -> Result<(), CodecError> {
        Self::codec().write(self, to)
    }

    /// The single-object encoding.
    ///
    /// # Errors
    /// As [`Avro::write`].
    fn to_bytes(&self) -> Result<Vec<u8>, CodecError> {
        let mut bytes = Vec::with_capacity(512);
        self.write(&mut bytes)?;
        Ok(bytes)
    }

    /// Reads the single-object encoding.
    ///
    /// # Errors
    /// Every [`CodecError`] but `Unwritable`.
    fn from_bytes(bytes: &[u8]) -> Result<Self, CodecError> {
        Self::codec().read(bytes)
    }
}

/// Writer and readers of one type: the current schema and those of earlier releases.
pub struct Codec {
    name: &'static str,
    fingerprint: u64,
    writer: GenericDatumWriter<'static>,
    readers: HashMap<u64, GenericDatumReader<'static>>,
}

impl Codec {
    /// Compiles the schemas of `name`. The sources are part of the binary and covered by a test, so
    /// a failure here is a broken build; it surfaces as the error text of every later call.
    pub(crate) fn compile(name: &'static str) -> Result<Self, CodecError> {
        let broken = |detail: String| CodecError::Unwritable { name, detail };
        let current = sources::expanded(name).ok_or_else(|| broken("no such type".to_owned()))?;
        let schema = leak(&current).map_err(broken)?;
        let fingerprint = fingerprint(schema);
        let mut readers = HashMap::new();
        for written in crate::released::schemas_of(name).iter().chain([&current]) {
            let schema = leak(written).map_err(broken)?;
            let reader = GenericDatumReader::builder(schema)
                .human_readable(false)
                .build()
                .map_err(|error| broken(error.to_string()))?;
            readers.insert(self::fingerprint(schema), reader);
        }
        let writer = GenericDatumWriter::builder(schema)
            .human_readable(false)
            .build()
            .map_err(|error| broken(error.to_string()))?;
        Ok(Self { name, fingerprint, writer, readers })
    }

    /// CRC-64-AVRO of the current schema.
    #[must_use]
    pub fn fingerprint(&self) -> u64 {
        self.fingerprint
    }

    fn write<T: Serialize>(&self, value: &T, to: &mut Vec<u8>) -> Result<(), CodecError> {
        let start = to.len();
        to.extend_from_slice(&MARKER);
        to.extend_from_slice(&self.fingerprint.to_le_bytes());
        self.writer.write_ser(to, value).map_err(|error| {
            to.truncate(start);
            CodecError::Unwritable { name: self.name, detail: error.to_string() }
        })?;
        Ok(())
    }

    fn read<T: DeserializeOwned>(&self, bytes: &[u8]) -> Result<T, CodecError> {
        let (header, mut datum) =
            bytes.split_at_checked(HEADER_BYTES).ok_or(CodecError::NotSingleObject)?;
        let (marker, fingerprint) =
            header.split_at_checked(2).ok_or(CodecError::NotSingleObject)?;
        if marker != MARKER {
            return Err(CodecError::NotSingleObject);
        }
        let fingerprint =
            u64::from_le_bytes(fingerprint.try_into().map_err(|_| CodecError::NotSingleObject)?);
        let reader = self
            .readers
            .get(&fingerprint)
            .ok_or(CodecError::UnknownSchema { fingerprint, name: self.name })?;
        let corrupt = |detail: String| CodecError::Corrupt { name: self.name, detail };
        let value = reader.read_deser(&mut datum).map_err(|error| corrupt(brief(&error)))?;
        if datum.is_empty() {
            Ok(value)
        } else {
            Err(corrupt(format!("{} bytes left over", datum.len())))
        }
    }
}

/// The library's message without the record's content, which may be a customer's text.
fn brief(error: &apache_avro::Error) -> String {
    let text = error.to_string();
    text.split([':', '`', '"']).next().unwrap_or_default().chars().take(120).collect()
}

/// Schemas live as long as the process; there are as many as types.
fn leak(schema: &serde_json::Value) -> Result<&'static Schema, String> {
    Schema::parse(schema).map(|schema| &*Box::leak(Box::new(schema))).map_err(|e| e.to_string())
}

pub(crate) fn fingerprint(schema: &Schema) -> u64 {
    let bytes = schema.fingerprint::<Rabin>().bytes;
    bytes.try_into().map_or(0, u64::from_le_bytes)
}

/// A codec compiled at first use. A broken schema cannot pass the tests; if one ever reached a
/// user, every read and write of the type says so instead of the process ending.
pub(crate) struct Compiled(OnceLock<Codec>);

impl Compiled {
    pub(crate) const fn new() -> Self {
        Self(OnceLock::new())
    }

    pub(crate) fn get(&self, name: &'static str) -> &Codec {
        self.0.get_or_init(|| match Codec::compile(name) {
            Ok(codec) => codec,
            #[allow(clippy::panic)] // a binary whose schemas do not parse must not run
            Err(error) => panic!("schema of {name} is broken: {error}"),
        })
    }
}

/// Ties Rust types to their `.avsc` files.
macro_rules! avro {
    ($($name:ident),+ $(,)?) => {$(
        impl $crate::codec::Avro for $name {
            const NAME: &'static str = stringify!($name);

            fn codec() -> &'static $crate::codec::Codec {
                static CODEC: $crate::codec::Compiled = $crate::codec::Compiled::new();
                CODEC.get(Self::NAME)
            }
        }
    )+};
}
pub(crate) use avro;
