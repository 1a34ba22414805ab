//! Writing rows: blind upserts, together where they share a partition.
//!
//! Nothing is read before it is written, but for what customers take back (`deleted.rs`); nothing is deleted,
//! nothing is counted up. All requests of
//! a batch of rows go out at once, at most [`REQUESTS_MAX`] in flight; if one fails, the others may
//! have been applied, and applying all again changes nothing.

use std::collections::{BTreeMap, HashMap};
use std::future::Future;
use std::pin::Pin;

use futures::stream::{self, StreamExt, TryStreamExt};
use pipeline::Offset;
use schemas::Avro;
use schemas::ids::ConversationId;
use schemas::topics::Topic;
use scylla::client::session::Session;
use scylla::serialize::row::SerializeRow;
use scylla::statement::batch::{Batch, BatchStatement, BatchType};
use scylla::statement::prepared::PreparedStatement;

use super::cells::{ChangeCells, LineCells};
use super::connect::failed;
use super::{Shared, customers, deleted, slots, stamps};
use crate::rows::{AcceptedRow, CheckRow, EventRow, Row};
use crate::store::columns::sealed_to_bytes;
use crate::store::view::Stand;
use crate::store::{CHECK_DAYS, StoreError, day_of, turns_to_text};

/// Requests of one call in flight.
const REQUESTS_MAX: usize = 64;

/// Rows and bytes of one unlogged batch: far below what databases warn about.
const BATCH_ROWS_MAX: usize = 50;
const BATCH_BYTES_MAX: usize = 48 << 10;

/// Minutes in one partition.
pub(super) const SPAN_MINUTES: i64 = 240;

/// The partition of a minute.
pub(super) fn span_of(minute: i64) -> i64 {
    minute.div_euclid(SPAN_MINUTES)
}

type Request<'a> = Pin<Box<dyn Future<Output = Result<(), StoreError>> + Send + 'a>>;

/// Applies rows.
pub(super) async fn all(shared: &Shared, rows: &[Row]) -> Result<(), StoreError> {
    let now_ms = shared.clock.now_ms();
    let ttl_s = |at_ms| stamps::ttl_s(shared.retention, at_ms, now_ms);
    let mut events = Vec::new();
    for row in rows {
        if let Row::Event(row) = row {
            // Of a conversation the lines expire one by one, each by its own time.
            events.extend(ttl_s(row.at_ms).map(|ttl_s| (&**row, ttl_s)));
        }
    }
    let news = shared.news.of(&events);
    let mut requests: Vec<Request<'_>> = Vec::new();
    for row in rows {
        if let Row::Accepted(row) = row
            && let Some(ttl_s) = ttl_s(row.accepted_at_ms)
        {
            requests.push(Box::pin(accepted(shared, row, ttl_s)));
        }
    }
    lines(shared, &events, &mut requests);
    changes(shared, &events, &mut requests);
    for (row, ttl_s) in events.iter().filter(|(row, _)| row.message.is_some()) {
        requests.push(Box::pin(held(shared, row, *ttl_s)));
    }
    for (row, ttl_s) in &news.conversations {
        requests.push(Box::pin(contact(shared, row, *ttl_s)));
        requests.push(Box::pin(customers::opened(shared, row, *ttl_s)));
    }
    for (slot, ttl_s) in &news.slots {
        requests.push(Box::pin(new_slot(shared, slot, *ttl_s)));
    }
    for row in rows {
        match row {
            Row::Check(row) => {
                if let Some(ttl_s) = ttl_s(row.at_ms) {
                    requests.push(Box::pin(check(shared, row, ttl_s)));
                }
            }
            Row::Alias(row) => {
                if let Some(ttl_s) = ttl_s(row.at_ms) {
                    requests.push(Box::pin(customers::alias(shared, row, ttl_s)));
                }
            }
            // Who is one customer does not lapse.
            Row::Link(row) => requests.push(Box::pin(customers::link(shared, row, 0))),
            _ => {}
        }
    }
    minutes(shared, rows, &ttl_s, &mut requests)?;
    stream::iter(requests).buffer_unordered(REQUESTS_MAX).try_collect::<()>().await?;
    // What they take back may be in the lines that have just been written.
    for row in rows {
        if let Row::Deleted(row) = row {
            deleted::message(shared, *row).await?;
        }
    }
    shared.news.written(&news);
    for (row, _) in &events {
        let stand = Stand::of_row(&row.conversation);
        shared.view.applied(&row.conversation.tenant, stand);
    }
    Ok(())
}

/// The lines, by partition.
fn lines<'a>(shared: &'a Shared, events: &[(&'a EventRow, i32)], to: &mut Vec<Request<'a>>) {
    let mut by_partition: HashMap<(ConversationId, i32), Vec<LineCells<'a>>> = HashMap::new();
    for (row, ttl_s) in events {
        let id = row.conversation.conversation_id;
        let stamp = stamps::line(id, row.conversation.seq);
        let cells = LineCells::of(row, stamp, *ttl_s);
        if cells.block != 0 {
            let stand = LineCells::of(row, stamp, *ttl_s).in_first_block();
            by_partition.entry((id, 0)).or_default().push(stand);
        }
        by_partition.entry((id, cells.block)).or_default().push(cells);
    }
    for cells in by_partition.into_values().flat_map(|cells| portions(cells, LineCells::bytes)) {
        to.push(Box::pin(together(&shared.session, &shared.statements.line, cells)));
    }
}

/// Where conversations stood last in a slot, by partition.
fn changes<'a>(shared: &'a Shared, events: &[(&'a EventRow, i32)], to: &mut Vec<Request<'a>>) {
    type Latest<'a> = BTreeMap<ConversationId, ChangeCells<'a>>;
    let mut by_partition: HashMap<(&str, i64, i32), Latest<'a>> = HashMap::new();
    for (row, ttl_s) in events {
        let stand = &row.conversation;
        let id = stand.conversation_id;
        let (slot, shard) = (slots::slot_of(stand.updated_at_ms), slots::shard_of(id));
        let stamp = stamps::line(id, stand.seq);
        let cells = ChangeCells::of(stand, (slot, shard), stamp, *ttl_s);
        let latest = by_partition.entry((&stand.tenant, slot, shard)).or_default();
        if latest.get(&id).is_none_or(|known| known.seq < cells.seq) {
            latest.insert(id, cells);
        }
    }
    for latest in by_partition.into_values() {
        for cells in portions(latest.into_values().collect(), |_| 256) {
            to.push(Box::pin(together(&shared.session, &shared.statements.change, cells)));
        }
    }
}

async fn accepted(shared: &Shared, row: &AcceptedRow, ttl_s: i32) -> Result<(), StoreError> {
    let cells = (
        row.message_id.as_bytes(),
        &row.key.tenant,
        row.key.contact.as_bytes(),
        row.channel.as_str(),
        row.kind.as_str(),
        row.accepted_at_ms,
        row.text_sealed.as_ref().map(sealed_to_bytes).unwrap_or_default(),
        stamps::accepted(row.accepted_at_ms),
        ttl_s,
    );
    shared.execute(&shared.statements.accepted, cells).await
}

/// The line that holds a message. What else there is to know of the message is in the line.
async fn held(shared: &Shared, row: &EventRow, ttl_s: i32) -> Result<(), StoreError> {
    let Some((message_id, _)) = row.message else { return Ok(()) };
    let stand = &row.conversation;
    let cells = (
        message_id.as_bytes(),
        stand.conversation_id.as_bytes(),
        stand.seq,
        stamps::line(stand.conversation_id, stand.seq),
        ttl_s,
    );
    shared.execute(&shared.statements.held, cells).await
}

async fn contact(shared: &Shared, row: &EventRow, ttl_s: i32) -> Result<(), StoreError> {
    let id = row.conversation.conversation_id;
    let cells =
        (&row.key.tenant, row.key.contact.as_bytes(), id.as_bytes(), stamps::opened(id), ttl_s);
    shared.execute(&shared.statements.contact, cells).await
}

async fn new_slot(
    shared: &Shared,
    (tenant, slot, shard): &slots::Slot,
    ttl_s: i32,
) -> Result<(), StoreError> {
    let stamp = stamps::slot(slots::begins_ms(*slot));
    let cells = (tenant, slots::period_of(*slot), slot, shard, stamp, ttl_s);
    shared.execute(&shared.statements.slot, cells).await
}

/// Looked at by the time it is too late: whatever is kept longer is of no use.
async fn check(shared: &Shared, row: &CheckRow, ttl_s: i32) -> Result<(), StoreError> {
    let shown_s = i32::try_from(2 * CHECK_DAYS * 86_400).unwrap_or(i32::MAX);
    let cells = (
        &row.tenant,
        day_of(row.conversation_id),
        row.conversation_id.as_bytes(),
        row.seq,
        row.at_ms,
        turns_to_text(&row.turns),
        stamps::line(row.conversation_id, row.seq),
        if ttl_s == 0 { shown_s } else { ttl_s.min(shown_s) },
    );
    shared.execute(&shared.statements.check, cells).await
}

type MinuteCells<'a> = (&'a str, i64, i64, i32, Vec<u8>, i64, i32);

fn minutes<'a>(
    shared: &'a Shared,
    rows: &'a [Row],
    ttl_s: &dyn Fn(i64) -> Option<i32>,
    to: &mut Vec<Request<'a>>,
) -> Result<(), StoreError> {
    let mut by_partition: BTreeMap<(&str, i64), Vec<MinuteCells<'a>>> = BTreeMap::new();
    for row in rows {
        let Row::Minute(row) = row else { continue };
        let Some(ttl_s) = ttl_s(row.minute.saturating_mul(60_000)) else { continue };
        let counted = row.to_bytes().map_err(|error| StoreError::Broken(error.to_string()))?;
        let (span, minute) = (span_of(row.minute), row.minute);
        let stamp = stamps::minute(minute, row.values.values().sum());
        let cells =
            (row.tenant.as_str(), span, minute, row.source_partition, counted, stamp, ttl_s);
        by_partition.entry((&row.tenant, span)).or_default().push(cells);
    }
    for cells in by_partition.into_values() {
        for cells in portions(cells, |(_, _, _, _, counted, ..)| 64 + counted.len()) {
            to.push(Box::pin(together(&shared.session, &shared.statements.minute, cells)));
        }
    }
    Ok(())
}

/// Writes down that everything below `positions` is applied.
pub(super) async fn pass(
    shared: &Shared,
    topic: Topic,
    positions: &[(u32, Offset)],
) -> Result<(), StoreError> {
    let cells = positions.iter().map(|(partition, position)| {
        let stamp = stamps::position(*position);
        (topic.0, partition.cast_signed(), position.cast_signed(), stamp, 0_i32)
    });
    for cells in portions(cells.collect(), |_| 64) {
        together(&shared.session, &shared.statements.position, cells).await?;
    }
    Ok(())
}

/// Cuts rows of a partition into batches.
fn portions<C>(cells: Vec<C>, bytes_of: impl Fn(&C) -> usize) -> Vec<Vec<C>> {
    let (mut portions, mut bytes) = (Vec::<Vec<C>>::new(), 0);
    for one in cells {
        bytes += bytes_of(&one);
        match portions.last_mut() {
            Some(last) if last.len() < BATCH_ROWS_MAX && bytes <= BATCH_BYTES_MAX => last.push(one),
            _ => {
                bytes = bytes_of(&one);
                portions.push(vec![one]);
            }
        }
    }
    portions
}

/// Writes rows of one partition; as an unlogged batch it is one mutation, whole or not at all.
async fn together<C: SerializeRow>(
    session: &Session,
    statement: &PreparedStatement,
    cells: Vec<C>,
) -> Result<(), StoreError> {
    let done = match cells.as_slice() {
        [] => return Ok(()),
        [one] => session.execute_unpaged(statement, one).await,
        many => {
            let statements = vec![BatchStatement::from(statement.clone()); many.len()];
            let mut batch = Batch::new_with_statements(BatchType::Unlogged, statements);
            batch.set_is_idempotent(true);
            session.batch(&batch, many).await
        }
    };
    done.map_err(|error| failed(&error)).map(|_| ())
}
