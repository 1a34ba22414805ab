//! What customers take back: the lines stay, what was said goes.

use rusqlite::{OptionalExtension, Transaction, params};
use schemas::Avro;
use schemas::conversation::Conversation;

use super::tables::unreadable;
use crate::rows::{self, DeletedRow};

/// Takes the text of a message out of everything that tells of it. Lines are only ever written once, so none
/// brings it back.
pub(super) fn message(transaction: &Transaction<'_>, row: DeletedRow) -> rusqlite::Result<()> {
    let id = row.message_id;
    transaction
        .prepare_cached("UPDATE messages SET text_sealed = NULL WHERE id = ?1")?
        .execute([id.as_bytes()])?;
    let place: Option<(Option<Vec<u8>>, Option<i64>)> = transaction
        .prepare_cached("SELECT conversation, seq FROM messages WHERE id = ?1")?
        .query_row([id.as_bytes()], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?;
    let Some((Some(conversation), Some(first))) = place else { return Ok(()) };
    let lines: Vec<(i64, Vec<u8>)> = transaction
        .prepare_cached("SELECT seq, record FROM history WHERE conversation = ?1 AND seq >= ?2")?
        .query_map(params![conversation, first], |row| Ok((row.get(0)?, row.get(1)?)))?
        .collect::<rusqlite::Result<_>>()?;
    for (seq, record) in lines {
        let told = |error: schemas::CodecError| unreadable(&error.to_string());
        let mut record = Conversation::from_bytes(&record).map_err(told)?;
        if !rows::take_back(&mut record, id) {
            continue;
        }
        let record = record.to_bytes().map_err(told)?;
        transaction
            .prepare_cached("UPDATE history SET record = ?3 WHERE conversation = ?1 AND seq = ?2")?
            .execute(params![conversation, seq, record])?;
        transaction
            .prepare_cached(
                "UPDATE conversations SET last_text_sealed = NULL \
                 WHERE id = ?1 AND last_text_seq = ?2",
            )?
            .execute(params![conversation, seq])?;
    }
    Ok(())
}
