//! Lines of histories, and where conversations stand after them.
//!
//! A batch under load holds several lines of most of its conversations (a message, its decision, the
//! answer): where a conversation stands is written once for all of them, and they are written together.
//! Invariant: what is in the store afterwards is the same as if every line had come by itself.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use rusqlite::types::ToSqlOutput;
use rusqlite::{OptionalExtension, ToSql, Transaction, params, params_from_iter};
use schemas::ids::{ContactKey, ConversationId};
use schemas::sealed::SealedText;

use super::tables::unreadable;
use crate::rows::{ConversationRow, EventRow, TurnSummary};
use crate::store::columns::{rank, sealed_to_bytes};
use crate::store::held;

/// Lines of one conversation: as many bits of a place are a line's number.
const LINES_BITS: u32 = 24;
/// The highest number a line may have: nobody has as many.
const SEQ_MAX: i64 = (1 << LINES_BITS) - 1;

/// Where the line `seq` of the conversation of that number lies in `history`: those of a conversation are
/// behind one another, and no index is needed beside the table.
pub(super) fn place(number: i64, seq: i64) -> i64 {
    (number << LINES_BITS) | seq.clamp(0, SEQ_MAX)
}

/// Reads what [`place`] wrote: the conversation's number and the line's.
pub(super) fn of_place(place: i64) -> (i64, i64) {
    (place >> LINES_BITS, place & SEQ_MAX)
}

/// Lines of a batch by conversation.
#[derive(Default)]
pub(super) struct Lines<'a>(BTreeMap<ConversationId, Told<'a>>);

/// What a batch tells of a conversation. What only some lines tell keeps the latest such line's word, and
/// that line's number.
struct Told<'a> {
    contact: ContactKey,
    latest: &'a ConversationRow,
    contact_sealed: Option<&'a SealedText>,
    last_text: Option<(i64, &'a SealedText)>,
    turn: Option<(i64, &'a TurnSummary)>,
    lines: Vec<&'a EventRow>,
}

impl<'a> Told<'a> {
    fn by(line: &'a EventRow) -> Self {
        let row = &line.conversation;
        Self {
            contact: line.key.contact,
            latest: row,
            contact_sealed: row.contact_sealed.as_ref(),
            last_text: row.last_text_sealed.as_ref().map(|text| (row.seq, text)),
            turn: row.turn.as_ref().map(|turn| (row.seq, turn)),
            lines: vec![line],
        }
    }

    fn take(&mut self, line: &'a EventRow) {
        let other = Self::by(line);
        if other.latest.seq > self.latest.seq {
            self.latest = other.latest;
        }
        self.contact_sealed = self.contact_sealed.or(other.contact_sealed);
        self.last_text = later(self.last_text, other.last_text);
        self.turn = later(self.turn, other.turn);
        self.lines.push(line);
    }
}

fn later<T>(one: Option<(i64, T)>, other: Option<(i64, T)>) -> Option<(i64, T)> {
    match (one, other) {
        (Some(one), Some(other)) => Some(if other.0 > one.0 { other } else { one }),
        (one, other) => one.or(other),
    }
}

impl<'a> Lines<'a> {
    pub(super) fn take(&mut self, line: &'a EventRow) {
        match self.0.entry(line.conversation.conversation_id) {
            Entry::Vacant(vacant) => {
                vacant.insert(Told::by(line));
            }
            Entry::Occupied(mut known) => known.get_mut().take(line),
        }
    }

    /// Writes what was taken since it was last written.
    pub(super) fn write(&mut self, transaction: &Transaction<'_>) -> rusqlite::Result<()> {
        for (id, told) in std::mem::take(&mut self.0) {
            let number = stands(transaction, id, &told)?;
            for line in told.lines {
                write_line(transaction, number, line)?;
            }
        }
        Ok(())
    }
}

/// A line, and of the message it tells of where that is.
fn write_line(transaction: &Transaction<'_>, number: i64, row: &EventRow) -> rusqlite::Result<()> {
    let seq = row.conversation.seq;
    if seq > SEQ_MAX {
        return Err(unreadable("a conversation with more lines than the store can number"));
    }
    let place = place(number, seq);
    transaction
        .prepare_cached(
            "INSERT INTO history (place, at_ms, record) VALUES (?1, ?2, ?3) ON CONFLICT DO NOTHING",
        )?
        .execute(params![place, row.at_ms, row.record])?;
    if let Some((message_id, kind)) = row.message {
        transaction
            .prepare_cached(
                "INSERT INTO messages (id, tenant, contact, channel, kind, accepted_at_ms, place) \
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7) ON CONFLICT (id) DO UPDATE SET \
                 place = excluded.place, text_sealed = NULL",
            )?
            .execute(params![
                message_id.as_bytes(),
                row.key.tenant,
                row.key.contact.as_bytes(),
                row.conversation.channel.as_str(),
                kind.as_str(),
                row.at_ms,
                place,
            ])?;
    }
    Ok(())
}

/// Which lines the store holds of a conversation: the latest, that with its last text, that with its last
/// decision.
#[derive(Default)]
struct Known {
    seq: i64,
    last_text_seq: i64,
    turn_seq: i64,
}

/// Columns and what is put into them.
type Cells<'c> = Vec<(&'static str, ToSqlOutput<'c>)>;

/// Writes where the conversation stands; gives its number. Looked up and then written by number: an upsert
/// that returns the number makes a table for it each time.
fn stands(
    transaction: &Transaction<'_>,
    id: ConversationId,
    told: &Told<'_>,
) -> rusqlite::Result<i64> {
    let known = transaction
        .prepare_cached(
            "SELECT number, seq, last_text_seq, turn_seq FROM conversations WHERE id = ?1",
        )?
        .query_row([id.as_bytes()], |row| {
            let (seq, last_text_seq, turn_seq) = (row.get(1)?, row.get(2)?, row.get(3)?);
            Ok((row.get::<_, i64>(0)?, Known { seq, last_text_seq, turn_seq }))
        })
        .optional()?;
    let Some((number, known)) = known else { return open(transaction, id, told) };
    let cells = told.later_than(&known)?;
    if !cells.is_empty() {
        let columns: Vec<String> =
            cells.iter().map(|(column, _)| format!("{column} = ?")).collect();
        let update = format!("UPDATE conversations SET {} WHERE number = ?", columns.join(", "));
        let values = cells.into_iter().map(|(_, value)| value).chain([number.into()]);
        transaction.prepare_cached(&update)?.execute(params_from_iter(values))?;
    }
    Ok(number)
}

/// Writes a conversation the store knows nothing of; gives its number.
fn open(
    transaction: &Transaction<'_>,
    id: ConversationId,
    told: &Told<'_>,
) -> rusqlite::Result<i64> {
    let row = told.latest;
    let mut cells = told.later_than(&Known::default())?;
    cells.extend([
        ("id", id.as_bytes().to_sql()?),
        ("tenant", row.tenant.to_sql()?),
        ("contact", told.contact.as_bytes().to_sql()?),
        ("protocol", row.protocol.to_sql()?),
        ("channel", row.channel.as_str().to_sql()?),
        ("opened_at_ms", row.opened_at_ms.into()),
    ]);
    let (columns, values): (Vec<&str>, Vec<_>) = cells.into_iter().unzip();
    let marks = vec!["?"; columns.len()].join(", ");
    let insert = format!("INSERT INTO conversations ({}) VALUES ({marks})", columns.join(", "));
    transaction.prepare_cached(&insert)?.insert(params_from_iter(values))
}

impl Told<'_> {
    /// What of it the store, which holds `known`, does not.
    fn later_than(&self, known: &Known) -> rusqlite::Result<Cells<'_>> {
        let (row, mut cells) = (self.latest, Cells::new());
        if row.seq > known.seq {
            cells.extend([
                ("state", row.state.as_str().to_sql()?),
                ("held", held(row.state).into()),
                ("owner", row.owner.to_sql()?),
                ("queue", row.queue.to_sql()?),
                ("priority", rank(row.priority).into()),
                ("sla_due_ms", row.sla_due_ms.to_sql()?),
                ("updated_at_ms", row.updated_at_ms.into()),
                ("seq", row.seq.into()),
            ]);
        }
        if let Some(sealed) = self.contact_sealed {
            cells.push(("contact_sealed", sealed_to_bytes(sealed).into()));
        }
        if let Some((seq, text)) = self.last_text.filter(|(seq, _)| *seq > known.last_text_seq) {
            cells.push(("last_text_sealed", sealed_to_bytes(text).into()));
            cells.push(("last_text_seq", seq.into()));
        }
        if let Some((seq, turn)) = self.turn.filter(|(seq, _)| *seq > known.turn_seq) {
            cells.extend([
                ("intent", turn.intent.to_sql()?),
                ("confidence", turn.confidence.to_sql()?),
                ("sentiment", turn.sentiment.to_sql()?),
                ("route", turn.route.as_str().to_sql()?),
                ("reason", turn.reason.as_str().to_sql()?),
                ("turn_seq", seq.into()),
            ]);
        }
        Ok(cells)
    }
}
