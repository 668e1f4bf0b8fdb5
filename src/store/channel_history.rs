//! The times when a channel was +H, as intervals of event ids, both ends included. Later members
//! may read the messages of these intervals.

use super::{
    engine::value::params,
    row::Span,
    transaction::{Read, Write},
};
use crate::{
    error::Result,
    model::{ChannelId, EventId},
};

/// The most intervals that are kept of a channel. A client could otherwise make histories expensive
/// by turning the mode on and off.
const MOST: usize = 1000;

/// Opens an interval at the event that set the mode. Returns whether an old interval was dropped.
pub fn open(tx: &Write, channel: ChannelId, since: EventId) -> Result<bool> {
    tx.execute(
        "INSERT INTO channel_history (channel_id, since) VALUES (?1, ?2)",
        params![channel, since],
    )?;
    tx.add_row(0, 2);
    let forgotten = tx.execute(
        "DELETE FROM channel_history WHERE channel_id = ?1
         AND since <= (SELECT since FROM channel_history WHERE channel_id = ?1
         ORDER BY since DESC LIMIT 1 OFFSET ?2)",
        params![channel, MOST],
    )?;
    Ok(forgotten > 0)
}

/// Closes the open interval at the event that cleared the mode.
pub fn close(tx: &Write, channel: ChannelId, until: EventId) -> Result<()> {
    tx.execute(
        "UPDATE channel_history SET until = ?2 WHERE channel_id = ?1 AND until IS NULL",
        params![channel, until],
    )?;
    Ok(())
}

/// The intervals of a channel, in order.
pub fn of(tx: &Read, channel: ChannelId) -> Result<Vec<Span>> {
    tx.all(
        "SELECT since, until FROM channel_history WHERE channel_id = ?1 ORDER BY since",
        params![channel],
        Span::read,
    )
}

/// Removes the intervals of a channel that ends. Returns whether there were any.
pub fn remove_of_channel(tx: &Write, channel: ChannelId) -> Result<bool> {
    let removed = tx.execute(
        "DELETE FROM channel_history WHERE channel_id = ?1",
        params![channel],
    )?;
    Ok(removed > 0)
}

/// Removes a batch of the intervals that closed before the oldest event of the log. Returns how
/// many.
pub fn drop_old(tx: &Write, batch: usize) -> Result<usize> {
    tx.execute(
        "DELETE FROM channel_history
         WHERE (channel_id, since) IN (SELECT channel_id, since FROM channel_history
         WHERE until < (SELECT min(id) FROM event) LIMIT ?1)",
        params![batch],
    )
}
