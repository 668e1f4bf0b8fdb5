//! Read markers: how far a session has read a channel. All clients of the session share them. Those
//! of conversations are in `conversation`.

use super::{
    engine::value::params,
    transaction::{Read, Write},
};
use crate::{
    error::Result,
    model::{ChannelId, EventId, SessionId},
};

/// The most read markers of a session. The bound matters because the markers of channels that the
/// session has left stay as long as the channels.
const MAX_MARKS: i64 = 1000;

/// The read marker of a session on a channel. `None`: it has read nothing.
pub fn get(tx: &Read, session: SessionId, channel: ChannelId) -> Result<Option<EventId>> {
    tx.optional(
        "SELECT event_id FROM read_marker WHERE session_id = ?1 AND target_id = ?2",
        params![session, channel],
        |row| row.get(0),
    )
}

/// Moves a read marker forward. Returns whether it moved.
pub fn advance(tx: &Write, session: SessionId, channel: ChannelId, to: EventId) -> Result<bool> {
    let run = |sql: &str| tx.execute(sql, params![session, channel, to]);
    let moved = run(
        "UPDATE read_marker SET event_id = ?3 WHERE session_id = ?1 AND target_id = ?2
         AND event_id < ?3",
    )?;
    if moved == 1 {
        return Ok(true);
    }
    let made = run(
        "INSERT INTO read_marker (session_id, target_id, event_id) VALUES (?1, ?2, ?3)
         ON CONFLICT DO NOTHING",
    )?;
    if made == 1 {
        tx.add_row(0, 2);
        forget_least(tx, session, channel)?;
    }
    Ok(made == 1)
}

/// If a session has too many read markers, removes the lowest one except `new`.
fn forget_least(tx: &Write, session: SessionId, new: ChannelId) -> Result<()> {
    let count: i64 = tx.one(
        "SELECT count(*) FROM read_marker WHERE session_id = ?1",
        params![session],
        |row| row.get(0),
    )?;
    if count > MAX_MARKS {
        tx.execute(
            "DELETE FROM read_marker WHERE session_id = ?1
             AND target_id = (SELECT target_id FROM read_marker WHERE session_id = ?1
             AND target_id != ?2 ORDER BY event_id LIMIT 1)",
            params![session, new],
        )?;
    }
    Ok(())
}

/// Removes the read markers of a channel that has ended.
pub fn remove_of_channel(tx: &Write, channel: ChannelId) -> Result<()> {
    tx.execute(
        "DELETE FROM read_marker WHERE target_id = ?1",
        params![channel],
    )?;
    Ok(())
}
