//! The statements, prepared once. Each reads or writes one partition.

use scylla::client::execution_profile::ExecutionProfileHandle;
use scylla::client::session::Session;
use scylla::statement::prepared::PreparedStatement;

use super::connect::{Profiles, unprepared};
use super::customers::CustomerStatements;
use crate::store::StoreError;

/// All statements of the store.
pub(super) struct Statements {
    pub(super) line: PreparedStatement,
    pub(super) change: PreparedStatement,
    pub(super) slot: PreparedStatement,
    pub(super) contact: PreparedStatement,
    pub(super) accepted: PreparedStatement,
    pub(super) held: PreparedStatement,
    pub(super) taken_back: PreparedStatement,
    pub(super) reworded: PreparedStatement,
    pub(super) no_last_text: PreparedStatement,
    pub(super) minute: PreparedStatement,
    pub(super) check: PreparedStatement,
    pub(super) position: PreparedStatement,

    pub(super) stand_of: PreparedStatement,
    pub(super) lines_of: PreparedStatement,
    pub(super) line_of: PreparedStatement,
    pub(super) latest_of: PreparedStatement,
    pub(super) message_of: PreparedStatement,
    pub(super) changes_of: PreparedStatement,
    pub(super) slots_of: PreparedStatement,
    pub(super) minutes_of: PreparedStatement,
    pub(super) positions_of: PreparedStatement,
    pub(super) checks_of: PreparedStatement,
    pub(super) customers: CustomerStatements,
}

const STAND: &str = "tenant, protocol, channel, state, owner, queue, priority, sla_due_ms, \
    opened_at_ms, updated_at_ms, last_seq, contact_sealed, last_text_sealed, intent, confidence, \
    sentiment, route, reason";

const CHECKS_OF: &str =
    "SELECT conversation, seq, at_ms, turns FROM checks WHERE tenant = ? AND day = ?";

const SLOTS_OF: &str =
    "SELECT slot, shard FROM slots WHERE tenant = ? AND period = ? AND slot <= ?";

/// Rows fetched at once where there may be many.
const PAGE_ROWS: i32 = 1_000;

/// Prepares `text`, which may be repeated without harm.
pub(super) async fn prepared(
    session: &Session,
    text: &str,
    profile: &ExecutionProfileHandle,
) -> Result<PreparedStatement, StoreError> {
    let mut statement = session.prepare(text).await.map_err(|error| unprepared(&error))?;
    statement.set_is_idempotent(true);
    statement.set_page_size(PAGE_ROWS);
    statement.set_execution_profile_handle(Some(profile.clone()));
    // Result columns are those of the schema version that was checked at the start.
    statement.set_use_cached_result_metadata(true);
    Ok(statement)
}

/// An insert of so many columns, with its time and its time to live.
pub(super) fn insert(table: &str, columns: &str) -> String {
    let marks = vec!["?"; columns.split(',').count()].join(", ");
    format!("INSERT INTO {table} ({columns}) VALUES ({marks}) USING TIMESTAMP ? AND TTL ?")
}

impl Statements {
    pub(super) async fn prepare(
        session: &Session,
        profiles: &Profiles,
    ) -> Result<Self, StoreError> {
        let write = async |table, columns: &str| {
            prepared(session, &insert(table, columns), &profiles.write).await
        };
        let read = async |text: &str| prepared(session, text, &profiles.read).await;
        let line = format!("conversation, block, seq, at_ms, record, {STAND}");
        Ok(Self {
            line: write("conversations", &line).await?,
            change: write(
                "changes",
                "tenant, slot, shard, conversation, state, owner, queue, priority, sla_due_ms, \
                 opened_at_ms, updated_at_ms, seq",
            )
            .await?,
            slot: write("slots", "tenant, period, slot, shard").await?,
            contact: write("contacts", "tenant, contact, conversation").await?,
            accepted: write(
                "messages",
                "message, tenant, contact, channel, kind, accepted_at_ms, text_sealed",
            )
            .await?,
            held: write("messages", "message, conversation, seq").await?,
            taken_back: write("messages", "message, text_sealed").await?,
            reworded: write("conversations", "conversation, block, seq, record").await?,
            no_last_text: write("conversations", "conversation, block, last_text_sealed").await?,
            minute: write("minutes", "tenant, span, minute, source_partition, counted").await?,
            check: write("checks", "tenant, day, conversation, seq, at_ms, turns").await?,
            position: write("positions", "topic, log_partition, position").await?,
            stand_of: read(&format!(
                "SELECT {STAND} FROM conversations WHERE conversation = ? AND block = 0 LIMIT 1"
            ))
            .await?,
            lines_of: read(
                "SELECT at_ms, record FROM conversations \
                 WHERE conversation = ? AND block = ? AND seq > ? LIMIT ?",
            )
            .await?,
            line_of: read(
                "SELECT at_ms, record FROM conversations \
                 WHERE conversation = ? AND block = ? AND seq = ?",
            )
            .await?,
            latest_of: read("SELECT conversation FROM contacts WHERE tenant = ? AND contact = ?")
                .await?,
            message_of: read(
                "SELECT tenant, contact, channel, kind, accepted_at_ms, text_sealed, conversation, \
                 seq FROM messages WHERE message = ?",
            )
            .await?,
            changes_of: read(
                "SELECT conversation, state, owner, queue, priority, sla_due_ms, opened_at_ms, \
                 updated_at_ms, seq FROM changes WHERE tenant = ? AND slot = ? AND shard = ?",
            )
            .await?,
            slots_of: read(SLOTS_OF).await?,
            minutes_of: read(
                "SELECT counted FROM minutes \
                 WHERE tenant = ? AND span = ? AND minute >= ? AND minute < ?",
            )
            .await?,
            positions_of: read("SELECT log_partition, position FROM positions WHERE topic = ?")
                .await?,
            checks_of: read(CHECKS_OF).await?,
            customers: CustomerStatements::prepare(session, profiles).await?,
        })
    }
}
