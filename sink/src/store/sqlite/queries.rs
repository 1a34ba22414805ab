//! Answering people's queries.

use pipeline::Offset;
use rusqlite::{Connection, OptionalExtension, Row as SqlRow, ToSql, params, params_from_iter};
use schemas::Avro;
use schemas::conversation::{Conversation, ConversationState, Route, RouteReason};
use schemas::ids::{ContactKey, ConversationId, LineKey, MessageId};
use schemas::message::{Channel, MessageKind};
use schemas::state::MinuteMetrics;
use schemas::topics::Topic;

use super::lines::{of_place, place};
use super::tables::{sealed_from_bytes, unreadable};
use crate::rows::{AcceptedRow, CheckRow, ConversationRow, TurnSummary};
use crate::store::columns::priority;
use crate::store::{Filter, MessageRow, Order, QueueRow, check_days, held, turns_from_text};

const COLUMNS: &str = "id, tenant, protocol, channel, state, owner, queue, priority, sla_due_ms, \
    opened_at_ms, updated_at_ms, seq, contact_sealed, last_text_sealed, intent, confidence, \
    sentiment, route, reason";

fn conversation_of(row: &SqlRow<'_>) -> rusqlite::Result<ConversationRow> {
    let id: Vec<u8> = row.get(0)?;
    let (channel, state): (String, String) = (row.get(3)?, row.get(4)?);
    let sealed = |at: usize| -> rusqlite::Result<_> {
        row.get::<_, Option<Vec<u8>>>(at)?.map(|bytes| sealed_from_bytes(&bytes)).transpose()
    };
    let route: Option<String> = row.get(17)?;
    let reason: Option<String> = row.get(18)?;
    let turn = match route.as_deref().and_then(Route::named) {
        None => None,
        Some(route) => Some(TurnSummary {
            intent: row.get(14)?,
            confidence: row.get(15)?,
            sentiment: row.get(16)?,
            route,
            reason: reason.as_deref().and_then(RouteReason::named).unwrap_or_default(),
        }),
    };
    Ok(ConversationRow {
        conversation_id: ConversationId::from_slice(&id)
            .ok_or_else(|| unreadable("conversation id"))?,
        tenant: row.get(1)?,
        protocol: row.get(2)?,
        channel: Channel::named(&channel).unwrap_or_default(),
        state: ConversationState::named(&state).unwrap_or_default(),
        owner: row.get(5)?,
        queue: row.get(6)?,
        priority: priority(row.get(7)?),
        sla_due_ms: row.get(8)?,
        opened_at_ms: row.get(9)?,
        updated_at_ms: row.get(10)?,
        seq: row.get(11)?,
        contact_sealed: sealed(12)?,
        last_text_sealed: sealed(13)?,
        turn,
    })
}

/// First record of `topic` not applied, by partition.
pub(super) fn positions(
    connection: &Connection,
    topic: Topic,
) -> rusqlite::Result<Vec<(u32, Offset)>> {
    connection
        .prepare_cached("SELECT partition, position FROM positions WHERE topic = ?1")?
        .query_map([topic.0], |row| Ok((row.get(0)?, row.get::<_, i64>(1)?.cast_unsigned())))?
        .collect()
}

pub(super) fn conversation(
    connection: &Connection,
    id: ConversationId,
) -> rusqlite::Result<Option<ConversationRow>> {
    connection
        .prepare_cached(&format!("SELECT {COLUMNS} FROM conversations WHERE id = ?1"))?
        .query_row([id.as_bytes()], conversation_of)
        .optional()
}

pub(super) fn latest_of(
    connection: &Connection,
    key: &LineKey,
) -> rusqlite::Result<Option<ConversationRow>> {
    connection
        .prepare_cached(&format!(
            "SELECT {COLUMNS} FROM conversations WHERE tenant = ?1 AND contact = ?2 \
             ORDER BY opened_at_ms DESC LIMIT 1"
        ))?
        .query_row(params![key.tenant, key.contact.as_bytes()], conversation_of)
        .optional()
}

pub(super) fn conversations_of(
    connection: &Connection,
    key: &LineKey,
    behind: Option<ConversationId>,
    limit: usize,
) -> rusqlite::Result<Vec<ConversationRow>> {
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let behind = behind.as_ref().map(ConversationId::as_bytes);
    connection
        .prepare_cached(&format!(
            "SELECT {COLUMNS} FROM conversations WHERE tenant = ?1 AND contact = ?2 \
             AND (?3 IS NULL OR id < ?3) ORDER BY opened_at_ms DESC, id DESC LIMIT ?4"
        ))?
        .query_map(params![key.tenant, key.contact.as_bytes(), behind, limit], conversation_of)?
        .collect()
}

pub(super) fn history(
    connection: &Connection,
    id: ConversationId,
    after_seq: i64,
    limit: usize,
) -> rusqlite::Result<Vec<(i64, Conversation)>> {
    let number = connection
        .prepare_cached("SELECT number FROM conversations WHERE id = ?1")?
        .query_row([id.as_bytes()], |row| row.get::<_, i64>(0))
        .optional()?;
    let Some(number) = number else { return Ok(Vec::new()) };
    let mut statement = connection.prepare_cached(
        "SELECT at_ms, record FROM history WHERE place > ?1 AND place < ?2 ORDER BY place LIMIT ?3",
    )?;
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let (behind, before) = (place(number, after_seq), place(number + 1, 0));
    let rows = statement.query_map([behind, before, limit], |row| {
        let record: Vec<u8> = row.get(1)?;
        let record =
            Conversation::from_bytes(&record).map_err(|error| unreadable(&error.to_string()))?;
        Ok((row.get(0)?, record))
    })?;
    rows.collect()
}

pub(super) fn conversations(
    connection: &Connection,
    tenant: &str,
    filter: &Filter,
    order: Order,
    limit: usize,
) -> rusqlite::Result<Vec<ConversationRow>> {
    let mut values: Vec<Box<dyn ToSql>> = vec![Box::new(tenant.to_owned())];
    let mut conditions = vec!["tenant = ?".to_owned()];
    let mut index = "";
    if !filter.states.is_empty() {
        let marks = vec!["?"; filter.states.len()].join(", ");
        conditions.push(format!("state IN ({marks})"));
        values.extend(filter.states.iter().map(|state| Box::new(state.as_str()) as Box<dyn ToSql>));
        // Left to choose, SQLite walks along what changed last, which may be millions between two of these.
        if filter.states.iter().copied().all(held) {
            conditions.push("held = 1".to_owned());
            let has_owner = filter.owner.is_some();
            index =
                if has_owner { "INDEXED BY held_by_owner" } else { "INDEXED BY held_by_urgency" };
        }
    }
    for (column, wanted) in [("queue", &filter.queue), ("owner", &filter.owner)] {
        if let Some(wanted) = wanted {
            conditions.push(format!("{column} = ?"));
            values.push(Box::new(wanted.clone()));
        }
    }
    if let Some(before_ms) = filter.updated_before_ms {
        conditions.push("updated_at_ms < ?".to_owned());
        values.push(Box::new(before_ms));
    }
    let order = match order {
        Order::Urgency => "sla_due_ms IS NULL, sla_due_ms, priority DESC, opened_at_ms",
        Order::Recent => "updated_at_ms DESC",
    };
    values.push(Box::new(i64::try_from(limit).unwrap_or(i64::MAX)));
    // Rows are read once it is known which are shown: an outage queues thousands.
    let mut statement = connection.prepare_cached(&format!(
        "SELECT {COLUMNS} FROM conversations WHERE number IN \
         (SELECT number FROM conversations {index} WHERE {} ORDER BY {order} LIMIT ?) ORDER BY {order}",
        conditions.join(" AND ")
    ))?;
    statement.query_map(params_from_iter(values), conversation_of)?.collect()
}

pub(super) fn queues(
    connection: &Connection,
    tenant: &str,
    now_ms: i64,
) -> rusqlite::Result<Vec<QueueRow>> {
    connection
        .prepare_cached(
            "SELECT queue, sum(state = 'queued'), sum(state != 'queued'), \
             min(iif(state = 'queued', opened_at_ms, NULL)), \
             sum(state = 'queued' AND sla_due_ms < ?2) \
             FROM conversations INDEXED BY held_by_urgency \
             WHERE tenant = ?1 AND queue IS NOT NULL AND held = 1 GROUP BY queue ORDER BY queue",
        )?
        .query_map(params![tenant, now_ms], |row| {
            let count = |at: usize| row.get::<_, i64>(at).map(i64::unsigned_abs);
            Ok(QueueRow {
                queue: row.get(0)?,
                waiting: count(1)?,
                assigned: count(2)?,
                oldest_ms: row.get(3)?,
                overdue: count(4)?,
            })
        })?
        .collect()
}

pub(super) fn ahead_of(
    connection: &Connection,
    id: ConversationId,
) -> rusqlite::Result<Option<u64>> {
    connection
        .prepare_cached(
            "SELECT (SELECT count(*) FROM conversations other WHERE other.tenant = mine.tenant \
             AND other.state = 'queued' AND other.held = 1 AND other.queue = mine.queue \
             AND other.number != mine.number \
             AND (other.sla_due_ms IS NULL, ifnull(other.sla_due_ms, 0), -other.priority, \
             other.opened_at_ms, other.number) \
             < (mine.sla_due_ms IS NULL, ifnull(mine.sla_due_ms, 0), -mine.priority, \
             mine.opened_at_ms, mine.number)) \
             FROM conversations mine WHERE id = ?1 AND state = 'queued'",
        )?
        .query_row([id.as_bytes()], |row| row.get::<_, i64>(0).map(i64::unsigned_abs))
        .optional()
}

pub(super) fn message(
    connection: &Connection,
    id: MessageId,
) -> rusqlite::Result<Option<MessageRow>> {
    connection
        .prepare_cached(
            "SELECT tenant, contact, channel, kind, accepted_at_ms, text_sealed, place, \
             (SELECT id FROM conversations WHERE number = place >> 24) FROM messages WHERE id = ?1",
        )?
        .query_row([id.as_bytes()], |row| {
            let contact: Vec<u8> = row.get(1)?;
            let contact = ContactKey::from_slice(&contact).ok_or_else(|| unreadable("contact"))?;
            let (channel, kind): (String, String) = (row.get(2)?, row.get(3)?);
            let sealed: Option<Vec<u8>> = row.get(5)?;
            let (place, conversation): (Option<i64>, Option<Vec<u8>>) = (row.get(6)?, row.get(7)?);
            Ok(MessageRow {
                accepted: AcceptedRow {
                    message_id: id,
                    key: LineKey { tenant: row.get(0)?, contact },
                    channel: Channel::named(&channel).unwrap_or_default(),
                    kind: MessageKind::named(&kind).unwrap_or_default(),
                    accepted_at_ms: row.get(4)?,
                    text_sealed: sealed.map(|bytes| sealed_from_bytes(&bytes)).transpose()?,
                },
                line: conversation.zip(place).and_then(|(id, place)| {
                    Some((ConversationId::from_slice(&id)?, of_place(place).1))
                }),
            })
        })
        .optional()
}

pub(super) fn checks(
    connection: &Connection,
    tenant: &str,
    now_ms: i64,
    limit: usize,
) -> rusqlite::Result<Vec<CheckRow>> {
    let first_day = check_days(now_ms).last().unwrap_or_default();
    connection
        .prepare_cached(
            "SELECT conversation, seq, at_ms, turns FROM checks \
             WHERE tenant = ?1 AND day >= ?2 AND turns != '' \
             ORDER BY day DESC, conversation LIMIT ?3",
        )?
        .query_map(params![tenant, first_day, i64::try_from(limit).unwrap_or(i64::MAX)], |row| {
            let id: Vec<u8> = row.get(0)?;
            Ok(CheckRow {
                conversation_id: ConversationId::from_slice(&id)
                    .ok_or_else(|| unreadable("conversation id"))?,
                tenant: tenant.to_owned(),
                seq: row.get(1)?,
                at_ms: row.get(2)?,
                turns: turns_from_text(&row.get::<_, String>(3)?),
            })
        })?
        .collect()
}

/// As counted: a row for each source partition of a minute, in order of minutes.
pub(super) fn minute_rows(
    connection: &Connection,
    tenant: &str,
    from: i64,
    to: i64,
) -> rusqlite::Result<Vec<MinuteMetrics>> {
    let mut statement = connection.prepare_cached(
        "SELECT counted FROM minutes WHERE tenant = ?1 AND minute >= ?2 AND minute < ?3 \
         ORDER BY minute",
    )?;
    let rows = statement.query_map(params![tenant, from, to], |row| row.get::<_, Vec<u8>>(0))?;
    rows.map(|row| MinuteMetrics::from_bytes(&row?).map_err(|error| unreadable(&error.to_string())))
        .collect()
}

/// The partitions of a minute are summed up.
pub(super) fn minutes(
    connection: &Connection,
    tenant: &str,
    from: i64,
    to: i64,
) -> rusqlite::Result<Vec<MinuteMetrics>> {
    let mut summed: Vec<MinuteMetrics> = Vec::new();
    for part in minute_rows(connection, tenant, from, to)? {
        match summed.last_mut().filter(|last| last.minute == part.minute) {
            None => summed.push(part),
            Some(minute) => {
                for (name, value) in part.values {
                    *minute.values.entry(name).or_default() += value;
                }
            }
        }
    }
    Ok(summed)
}

pub(super) fn oldest_ms(connection: &Connection) -> rusqlite::Result<Option<i64>> {
    connection.query_row("SELECT min(opened_at_ms) FROM conversations", [], |row| row.get(0))
}
