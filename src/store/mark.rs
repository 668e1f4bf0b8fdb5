//! Read marks: how far a session has read a channel or an exchange of direct messages, shared by its clients.

use rusqlite::{OptionalExtension, params};

use super::{Read, Write};
use crate::{
    error::Result,
    model::{EventId, Nick, SessionId, TargetId},
};

/// Read marks of a session, at most: everybody who writes to it makes one.
const MAX_MARKS: i64 = 1000;

pub fn get(tx: &Read, session: SessionId, target: TargetId) -> Result<EventId> {
    let mark = tx
        .sql
        .prepare_cached("SELECT event_id FROM read_mark WHERE session_id = ?1 AND target_id = ?2")?
        .query_row([session.0, target.0], |row| row.get(0))
        .optional()?;
    Ok(EventId(mark.unwrap_or(0)))
}

/// Moves a mark forward; whether it moved. A mark at 0 only remembers that there is an exchange.
pub fn advance(tx: &Write, session: SessionId, target: TargetId, to: EventId) -> Result<bool> {
    let run = |sql: &str| tx.sql.prepare_cached(sql)?.execute(params![session.0, target.0, to.0]);
    let moved = run("UPDATE read_mark SET event_id = ?3 WHERE session_id = ?1 AND target_id = ?2 AND event_id < ?3")?;
    if moved == 1 {
        return Ok(true);
    }
    let made =
        run("INSERT INTO read_mark (session_id, target_id, event_id) VALUES (?1, ?2, ?3) ON CONFLICT DO NOTHING")?;
    if made == 1 {
        forget_least(tx, session, target)?;
    }
    Ok(made == 1)
}

/// Where a session has too many marks, the one that is least far gives way to the new one: an exchange it never looked at.
fn forget_least(tx: &Write, session: SessionId, new: TargetId) -> Result<()> {
    let count = tx.sql.prepare_cached("SELECT count(*) FROM read_mark WHERE session_id = ?1")?;
    let count: i64 = { count }.query_row([session.0], |row| row.get(0))?;
    if count > MAX_MARKS {
        tx.sql
            .prepare_cached(
                "DELETE FROM read_mark WHERE session_id = ?1 AND target_id = (
                     SELECT target_id FROM read_mark WHERE session_id = ?1 AND target_id != ?2 ORDER BY event_id LIMIT 1)",
            )?
            .execute([session.0, new.0])?;
    }
    Ok(())
}

/// A session that one has exchanged direct messages with.
pub struct Correspondent {
    pub id: SessionId,
    pub nick: Nick,
    /// One's read mark for it.
    pub read: EventId,
}

/// The live sessions that a session has exchanged direct messages with.
pub(super) fn directs(tx: &Read, session: SessionId) -> Result<Vec<Correspondent>> {
    let mut statement = tx.sql.prepare_cached(
        "SELECT session.id, nick, event_id FROM read_mark JOIN session ON session.id = target_id
         WHERE session_id = ?1 AND ended_at IS NULL ORDER BY folded_nick",
    )?;
    let rows = statement.query_map([session.0], |row| {
        Ok(Correspondent {
            id: SessionId(row.get("id")?),
            nick: Nick::stored(row.get("nick")?),
            read: EventId(row.get("event_id")?),
        })
    })?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}
