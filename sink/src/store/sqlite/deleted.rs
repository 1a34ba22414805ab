//! What customers take back: the lines stay, what was said goes.

use rusqlite::{OptionalExtension, Transaction, params};
use schemas::Avro;
use schemas::conversation::Conversation;

use super::lines::{of_place, place};
use super::tables::unreadable;
use crate::rows::{self, DeletedRow};

/// Takes the text of a message out of everything that tells of it. Lines are only ever written once, so none
/// brings it back.
pub(super) fn message(transaction: &Transaction<'_>, row: DeletedRow) -> rusqlite::Result<()> {
    let id = row.message_id;
    transaction
        .prepare_cached("UPDATE messages SET text_sealed = NULL WHERE id = ?1")?
        .execute([id.as_bytes()])?;
    let told: Option<Option<i64>> = transaction
        .prepare_cached("SELECT place FROM messages WHERE id = ?1")?
        .query_row([id.as_bytes()], |row| row.get(0))
        .optional()?;
    let Some(Some(first)) = told else { return Ok(()) };
    let (conversation, _) = of_place(first);
    let lines: Vec<(i64, Vec<u8>)> = transaction
        .prepare_cached("SELECT place, record FROM history WHERE place >= ?1 AND place < ?2")?
        .query_map([first, place(conversation + 1, 0)], |row| Ok((row.get(0)?, row.get(1)?)))?
        .collect::<rusqlite::Result<_>>()?;
    for (place, record) in lines {
        let told = |error: schemas::CodecError| unreadable(&error.to_string());
        let mut record = Conversation::from_bytes(&record).map_err(told)?;
        if !rows::take_back(&mut record, id) {
            continue;
        }
        let bytes = record.to_bytes().map_err(told)?;
        transaction
            .prepare_cached("UPDATE history SET record = ?2 WHERE place = ?1")?
            .execute(params![place, bytes])?;
        transaction
            .prepare_cached(
                "UPDATE conversations SET last_text_sealed = NULL \
                 WHERE number = ?1 AND last_text_seq = ?2",
            )?
            .execute([conversation, record.seq])?;
    }
    Ok(())
}
