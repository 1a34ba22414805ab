//! Lists of conversations: out of the view first, and beyond it out of `changes`.
//!
//! A row of `changes` may be out of date, because its conversation changed again in a later slot. It
//! is shown only if the conversation's own row still has the same `seq`.

use futures::TryStreamExt;
use futures::stream::{self, StreamExt};

use super::Shared;
use super::cells::ChangedCells;
use super::queries::{self, READS_MAX};
use super::slots;
use crate::rows::ConversationRow;
use crate::store::view::Stand;
use crate::store::{Filter, Order, StoreError, held};

/// How far back lists go when nothing expires.
const LISTED_MS_MAX: i64 = 10 * 365 * 86_400_000;

/// Takes what `changes` knows of a tenant into the view, once. Whoever comes meanwhile waits.
pub(super) async fn load(shared: &Shared, tenant: &str) -> Result<(), StoreError> {
    if shared.view.is_loaded(tenant) {
        return Ok(());
    }
    let _alone = shared.loading.lock().await;
    if shared.view.is_loaded(tenant) {
        return Ok(());
    }
    let open_ms = i64::try_from(shared.open_max.as_millis()).unwrap_or(i64::MAX);
    let from_ms = shared.clock.now_ms().saturating_sub(open_ms).max(0);
    let first = slots::slot_of(from_ms);
    shared.view.begin_load(tenant);
    for period in periods(shared, from_ms) {
        let slots = slots_of(shared, tenant, period, i64::MAX).await?;
        let mut stands = stream::iter(slots)
            .take_while(|(slot, _)| std::future::ready(*slot >= first))
            .map(|(slot, shards)| stands_of(shared, tenant, slot, shards))
            .buffered(READS_MAX);
        while let Some(found) = stands.try_next().await? {
            shared.view.found(tenant, found);
        }
    }
    if shared.view.end_load(tenant, slots::begins_ms(first).saturating_sub(1)) {
        return Ok(());
    }
    Err(StoreError::Unavailable("the view is begun anew: ask again".to_owned()))
}

/// Periods from now, or a little later for clocks that go ahead, back to that of `from_ms`.
fn periods(shared: &Shared, from_ms: i64) -> impl Iterator<Item = i32> + use<> {
    let last = slots::period_of(slots::slot_of(shared.clock.now_ms())).saturating_add(1);
    (slots::period_of(slots::slot_of(from_ms))..=last).rev()
}

/// The slots of a period there are up to `last`, newest first, each with its shards.
async fn slots_of(
    shared: &Shared,
    tenant: &str,
    period: i32,
    last: i64,
) -> Result<Vec<(i64, Vec<i32>)>, StoreError> {
    let found: Vec<(i64, i32)> =
        shared.rows(&shared.statements.slots_of, (tenant, period, last)).await?;
    let mut slots: Vec<(i64, Vec<i32>)> = Vec::new();
    for (slot, shard) in found {
        match slots.last_mut().filter(|(known, _)| *known == slot) {
            Some((_, shards)) => shards.push(shard),
            None => slots.push((slot, vec![shard])),
        }
    }
    Ok(slots)
}

async fn stands_of(
    shared: &Shared,
    tenant: &str,
    slot: i64,
    shards: Vec<i32>,
) -> Result<Vec<Stand>, StoreError> {
    let mut stands = Vec::new();
    for shard in shards {
        let key = (tenant, slot, shard);
        let found: Vec<ChangedCells> = shared.rows(&shared.statements.changes_of, key).await?;
        for cells in found {
            stands.push(cells.stand()?);
        }
    }
    Ok(stands)
}

pub(super) async fn conversations(
    shared: &Shared,
    tenant: &str,
    filter: &Filter,
    order: Order,
    limit: usize,
) -> Result<Vec<ConversationRow>, StoreError> {
    load(shared, tenant).await?;
    let (mut fitting, floor_ms) = shared.view.fitting(tenant, filter);
    match order {
        // All that people have or wait for is in the view. Other states have no deadline that
        // matters: of those, the latest are shown.
        Order::Urgency => fitting.sort_by_cached_key(Stand::urgency),
        Order::Recent => {
            fitting.retain(|stand| stand.updated_at_ms > floor_ms);
            newest_first(&mut fitting);
        }
    }
    let mut rows = Vec::new();
    show(shared, filter, fitting, limit, &mut rows).await?;
    let in_view = !filter.states.is_empty() && filter.states.iter().all(|state| held(*state));
    if order == Order::Recent && rows.len() < limit {
        if in_view {
            let (mut rest, _) = shared.view.fitting(tenant, filter);
            rest.retain(|stand| stand.updated_at_ms <= floor_ms);
            newest_first(&mut rest);
            show(shared, filter, rest, limit, &mut rows).await?;
        } else {
            search(shared, tenant, filter, floor_ms, limit, &mut rows).await?;
        }
    }
    Ok(rows)
}

fn newest_first(stands: &mut [Stand]) {
    stands.sort_by_key(|stand| (std::cmp::Reverse(stand.updated_at_ms), stand.conversation_id));
}

/// Adds the whole rows of stands until there are `limit`.
async fn show(
    shared: &Shared,
    filter: &Filter,
    stands: Vec<Stand>,
    limit: usize,
    rows: &mut Vec<ConversationRow>,
) -> Result<(), StoreError> {
    let mut found = stream::iter(stands)
        .map(|stand| async {
            Ok::<_, StoreError>((
                queries::conversation(shared, stand.conversation_id).await?,
                stand,
            ))
        })
        .buffered(READS_MAX);
    while rows.len() < limit {
        let Some((row, stand)) = found.try_next().await? else { break };
        // What the log told and the database does not have yet is shown when it is whole.
        let Some(row) = row else { continue };
        let row = if row.seq < stand.seq { stand.over(row) } else { row };
        if Stand::of_row(&row).fits(filter) {
            rows.push(row);
        }
    }
    Ok(())
}

/// Adds what changed last at or before `floor_ms`, slot by slot.
async fn search(
    shared: &Shared,
    tenant: &str,
    filter: &Filter,
    floor_ms: i64,
    limit: usize,
    rows: &mut Vec<ConversationRow>,
) -> Result<(), StoreError> {
    let last_ms = filter.updated_before_ms.unwrap_or(i64::MAX).min(floor_ms);
    let kept = shared.retention.and_then(|kept| i64::try_from(kept.as_millis()).ok());
    let back_ms = kept.unwrap_or(LISTED_MS_MAX).min(LISTED_MS_MAX);
    let from_ms = shared.clock.now_ms().saturating_sub(back_ms).max(0);
    let last = slots::slot_of(last_ms);
    for period in periods(shared, from_ms).filter(|period| *period <= slots::period_of(last)) {
        for (slot, shards) in slots_of(shared, tenant, period, last).await? {
            let mut stands = stands_of(shared, tenant, slot, shards).await?;
            stands.retain(|stand| stand.fits(filter) && stand.updated_at_ms <= floor_ms);
            newest_first(&mut stands);
            let mut found = stream::iter(stands)
                .map(|stand| async move {
                    let row = queries::conversation(shared, stand.conversation_id).await?;
                    Ok::<_, StoreError>(row.filter(|row| row.seq == stand.seq))
                })
                .buffered(READS_MAX);
            while let Some(row) = found.try_next().await? {
                rows.extend(row);
                if rows.len() >= limit {
                    return Ok(());
                }
            }
        }
    }
    Ok(())
}
