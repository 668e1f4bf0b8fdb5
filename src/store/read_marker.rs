//! Read marks: how far a session has read a channel, shared by its clients. Those of conversations
//! are in `direct`.

use rusqlite::{OptionalExtension, params};

use super::transaction::{Read, Write};
use crate::{
    error::Result,
    model::{ChannelId, EventId, SessionId},
};

/// Read marks of a session, at most: those of the channels it has left stay as long as the
/// channels.
const MAX_MARKS: i64 = 1000;

pub fn get(tx: &Read, session: SessionId, channel: ChannelId) -> Result<EventId> {
    let mark = tx
        .sql
        .prepare_cached("SELECT event_id FROM read_mark WHERE session_id = ?1 AND target_id = ?2")?
        .query_row(params![session, channel], |row| row.get(0))
        .optional()?;
    Ok(EventId(mark.unwrap_or(0)))
}

/// Moves a mark forward; whether it moved.
pub fn advance(tx: &Write, session: SessionId, channel: ChannelId, to: EventId) -> Result<bool> {
    let run = |sql: &str| {
        tx.sql
            .prepare_cached(sql)?
            .execute(params![session, channel, to])
    };
    let moved = run(
        "UPDATE read_mark SET event_id = ?3 WHERE session_id = ?1 AND target_id = ?2 AND event_id < ?3",
    )?;
    if moved == 1 {
        return Ok(true);
    }
    let made = run(
        "INSERT INTO read_mark (session_id, target_id, event_id) VALUES (?1, ?2, ?3) ON CONFLICT DO NOTHING",
    )?;
    if made == 1 {
        tx.add_row(0, 2);
        forget_least(tx, session, channel)?;
    }
    Ok(made == 1)
}

/// Where a session has too many marks, the one that is least far gives way to the new one.
fn forget_least(tx: &Write, session: SessionId, new: ChannelId) -> Result<()> {
    let count = tx
        .sql
        .prepare_cached("SELECT count(*) FROM read_mark WHERE session_id = ?1")?;
    let count: i64 = { count }.query_row([session], |row| row.get(0))?;
    if count > MAX_MARKS {
        tx.sql
            .prepare_cached(
                "DELETE FROM read_mark WHERE session_id = ?1 AND target_id = (
                     SELECT target_id FROM read_mark WHERE session_id = ?1 AND target_id != ?2 ORDER BY event_id LIMIT 1)",
            )?
            .execute(params![session, new])?;
    }
    Ok(())
}

/// Removes the marks of a channel that has ended.
pub fn remove_of_channel(tx: &Write, channel: ChannelId) -> Result<()> {
    tx.sql
        .prepare_cached("DELETE FROM read_mark WHERE target_id = ?1")?
        .execute([channel])?;
    Ok(())
}
