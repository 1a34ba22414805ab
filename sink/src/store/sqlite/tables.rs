//! The tables of `store.db` and how its values are written.

use std::path::Path;
use std::time::Duration;

use rusqlite::Connection;
use rusqlite::types::Type;
use schemas::sealed::SealedText;

use crate::store::{StoreError, columns};

/// Version of the layout. The store is a view: one of another version is deleted and made anew.
const FORMAT: i64 = 2;

const TABLES: &str = "
CREATE TABLE conversations (
    number INTEGER PRIMARY KEY,             -- as they came: those that go on lie near one another
    id BLOB NOT NULL UNIQUE,
    tenant TEXT NOT NULL,
    contact BLOB NOT NULL,
    protocol TEXT NOT NULL,
    channel TEXT NOT NULL,
    state TEXT NOT NULL,
    held INTEGER NOT NULL,                  -- 1: people have it or wait for it
    owner TEXT,
    queue TEXT,
    priority INTEGER NOT NULL,              -- 0 low to 3 urgent
    sla_due_ms INTEGER,
    opened_at_ms INTEGER NOT NULL,
    updated_at_ms INTEGER NOT NULL,
    seq INTEGER NOT NULL,
    contact_sealed BLOB,
    last_text_sealed BLOB,
    last_text_seq INTEGER NOT NULL DEFAULT 0,
    turn_seq INTEGER NOT NULL DEFAULT 0,
    intent TEXT,
    confidence REAL,
    sentiment TEXT,
    route TEXT,
    reason TEXT
);
-- With the state, so that a list of some states reads the rows it shows and no others.
CREATE INDEX conversations_by_change ON conversations (tenant, updated_at_ms, state);
CREATE INDEX conversations_by_contact ON conversations (tenant, contact, opened_at_ms);
CREATE INDEX conversations_by_owner ON conversations (tenant, owner, updated_at_ms)
    WHERE owner IS NOT NULL;
CREATE INDEX conversations_by_queue ON conversations (tenant, queue, updated_at_ms)
    WHERE queue IS NOT NULL;
-- Conversations that robots alone have, which are most, cost the lists of people nothing.
-- `held` is in it so that queues are counted without reading rows.
CREATE INDEX held_by_urgency ON conversations
    (tenant, state, queue, sla_due_ms, priority, opened_at_ms, updated_at_ms, held) WHERE held = 1;
CREATE INDEX held_by_owner ON conversations (tenant, owner, updated_at_ms)
    WHERE held = 1 AND owner IS NOT NULL;
CREATE TABLE history (
    place INTEGER PRIMARY KEY,              -- number of the conversation, 24 bits of the line's: see `lines`
    at_ms INTEGER NOT NULL,
    record BLOB NOT NULL                    -- Avro single-object, without readable text
);
CREATE VIEW lines AS
    SELECT conversations.id AS conversation, place & 0xffffff AS seq, at_ms, record, place
    FROM history JOIN conversations ON number = place >> 24;
CREATE TABLE messages (
    number INTEGER PRIMARY KEY,
    id BLOB NOT NULL UNIQUE,
    tenant TEXT NOT NULL,
    contact BLOB NOT NULL,
    channel TEXT NOT NULL,
    kind TEXT NOT NULL,
    accepted_at_ms INTEGER NOT NULL,
    text_sealed BLOB,                       -- until the history holds it
    place INTEGER                           -- of its line of the history
);
CREATE TABLE minutes (
    tenant TEXT NOT NULL,
    minute INTEGER NOT NULL,
    source_partition INTEGER NOT NULL,
    total INTEGER NOT NULL,                 -- of all values: tells a later row from an earlier one
    counted BLOB NOT NULL,                  -- Avro single-object
    PRIMARY KEY (tenant, minute, source_partition)
) WITHOUT ROWID;
CREATE TABLE positions (
    topic TEXT NOT NULL,
    partition INTEGER NOT NULL,
    position INTEGER NOT NULL,
    PRIMARY KEY (topic, partition)
) WITHOUT ROWID;
";

/// What came after the layout's version was set: a store without it is still a whole one.
const ADDED: &str = "
CREATE TABLE IF NOT EXISTS checks (
    tenant TEXT NOT NULL,
    day INTEGER NOT NULL,                   -- the conversation opened
    conversation BLOB NOT NULL,
    seq INTEGER NOT NULL,
    at_ms INTEGER NOT NULL,
    turns TEXT NOT NULL,                    -- numbers, separated by commas
    PRIMARY KEY (tenant, day, conversation)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS links (
    tenant TEXT NOT NULL,
    contact BLOB NOT NULL,                  -- one end; a link stands at both
    link BLOB NOT NULL,
    other BLOB NOT NULL,
    is_first INTEGER NOT NULL,
    source TEXT NOT NULL,
    made_at_ms INTEGER,
    made_by TEXT,
    made_reason BLOB,                       -- sealed
    undone_at_ms INTEGER,
    undone_by TEXT,
    undone_reason BLOB,
    PRIMARY KEY (tenant, contact, link)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS aliases (
    tenant TEXT NOT NULL,
    alias BLOB NOT NULL,                    -- keyed hash of a name
    contact BLOB NOT NULL,
    channel TEXT NOT NULL,
    PRIMARY KEY (tenant, alias, contact)
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS aliases_by_contact ON aliases (tenant, contact);
CREATE INDEX IF NOT EXISTS checks_open ON checks (tenant, day) WHERE turns != '';
";

/// Pages of the file the writer keeps in memory, in KiB. Ids are random, so that rows of a batch lie
/// anywhere.
const CACHE_KIB: i64 = 24_000;
/// Pages (4 KiB) in the write-ahead log before they are written to the file. A message changes seven pages
/// or so, most of them again soon: by SQLite's default of 1,000 each was written, and the disk waited for,
/// after some hundred messages.
const CHECKPOINT_PAGES: i64 = 16_000;

/// Opens the store for writing, creating its tables in an empty file.
pub(super) fn open(path: &Path) -> Result<Connection, StoreError> {
    let broken = |error: rusqlite::Error| {
        StoreError::Broken(format!(
            "{} cannot be opened: {error}. It is a view: stop the server, delete it, and the next \
             start makes it anew from the log",
            path.display()
        ))
    };
    let connection = Connection::open(path).map_err(broken)?;
    configure(&connection).map_err(broken)?;
    let format: i64 =
        connection.pragma_query_value(None, "user_version", |row| row.get(0)).map_err(broken)?;
    match format {
        0 => {
            connection.execute_batch(TABLES).map_err(broken)?;
            connection.pragma_update(None, "user_version", FORMAT).map_err(broken)?;
        }
        FORMAT => {}
        other => {
            return Err(StoreError::Broken(format!(
                "{} has format {other}, not {FORMAT}: it is a view, so delete it and the next start \
                 makes it anew from the log",
                path.display()
            )));
        }
    }
    connection.execute_batch(ADDED).map_err(broken)?;
    Ok(connection)
}

fn configure(connection: &Connection) -> rusqlite::Result<()> {
    connection.busy_timeout(Duration::from_secs(10))?;
    connection.pragma_update(None, "journal_mode", "WAL")?;
    connection.pragma_update(None, "synchronous", "NORMAL")?;
    connection.pragma_update(None, "cache_size", -CACHE_KIB)?;
    connection.pragma_update(None, "wal_autocheckpoint", CHECKPOINT_PAGES)?;
    connection.pragma_update(None, "journal_size_limit", 64 << 20)?;
    connection.set_prepared_statement_cache_capacity(64);
    Ok(())
}

/// A connection that only reads.
pub(super) fn reader(path: &Path) -> Result<Connection, StoreError> {
    let flags =
        rusqlite::OpenFlags::SQLITE_OPEN_READ_ONLY | rusqlite::OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection =
        Connection::open_with_flags(path, flags).map_err(|error| unavailable(&error))?;
    connection.busy_timeout(Duration::from_secs(10)).map_err(|error| unavailable(&error))?;
    connection.pragma_update(None, "cache_size", -2_000).map_err(|error| unavailable(&error))?;
    Ok(connection)
}

pub(super) fn unavailable(error: &rusqlite::Error) -> StoreError {
    StoreError::Unavailable(error.to_string())
}

/// Reads sealed text of a column.
pub(super) fn sealed_from_bytes(bytes: &[u8]) -> rusqlite::Result<SealedText> {
    columns::sealed_from_bytes(bytes).ok_or_else(|| unreadable("sealed text"))
}

/// A value in the file that cannot be read.
pub(super) fn unreadable(what: &str) -> rusqlite::Error {
    rusqlite::Error::FromSqlConversionFailure(0, Type::Blob, what.to_owned().into())
}
