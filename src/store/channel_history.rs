//! While a channel was +H: intervals of event ids, both ends within. What was said meanwhile is for
//! its later members, too.

use rusqlite::params;

use super::{
    row::{Span, as_sql},
    transaction::{Read, Write},
};
use crate::{
    error::Result,
    model::{ChannelId, EventId},
};

/// Intervals that are kept of a channel: turning the mode on and off costs a command, and may not
/// make histories dear.
const MOST: usize = 1000;

/// Notes that the mode was set by an event. Returns whether an old interval was forgotten for it.
pub fn open(tx: &Write, channel: ChannelId, since: EventId) -> Result<bool> {
    tx.sql
        .prepare_cached("INSERT INTO channel_history (channel_id, since) VALUES (?1, ?2)")?
        .execute(params![channel, since])?;
    tx.add_row(0, 2);
    let forgotten = tx
        .sql
        .prepare_cached(
            "DELETE FROM channel_history WHERE channel_id = ?1 AND since <= (
                 SELECT since FROM channel_history WHERE channel_id = ?1 ORDER BY since DESC LIMIT 1 OFFSET ?2)",
        )?
        .execute(params![channel, as_sql(MOST)])?;
    Ok(forgotten > 0)
}

/// Notes that the mode was cleared by an event.
pub fn close(tx: &Write, channel: ChannelId, until: EventId) -> Result<()> {
    tx.sql
        .prepare_cached(
            "UPDATE channel_history SET until = ?2 WHERE channel_id = ?1 AND until IS NULL",
        )?
        .execute(params![channel, until])?;
    Ok(())
}

/// The intervals of a channel, in order.
pub fn of(tx: &Read, channel: ChannelId) -> Result<Vec<Span>> {
    let mut spans = tx.sql.prepare_cached(
        "SELECT since, until FROM channel_history WHERE channel_id = ?1 ORDER BY since",
    )?;
    let spans = spans.query_map([channel], Span::read)?;
    Ok(spans.collect::<rusqlite::Result<_>>()?)
}

/// Forgets those of a channel that ends. Returns whether there were any.
pub fn remove_of_channel(tx: &Write, channel: ChannelId) -> Result<bool> {
    let removed = tx
        .sql
        .prepare_cached("DELETE FROM channel_history WHERE channel_id = ?1")?
        .execute([channel])?;
    Ok(removed > 0)
}

/// Removes a batch of those that ended before the oldest event there is.
pub fn drop_old(tx: &Write, batch: usize) -> Result<usize> {
    Ok(tx
        .sql
        .prepare_cached(
            "DELETE FROM channel_history WHERE (channel_id, since) IN (
                 SELECT channel_id, since FROM channel_history WHERE until < (SELECT min(id) FROM event) LIMIT ?1)",
        )?
        .execute([as_sql(batch)])?)
}
