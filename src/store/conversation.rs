//! Conversations by direct messages: with whom a session has one, and how far it has read it.
//!
//! The sessions that a session has written to are counted apart from those that only wrote to it,
//! so strangers, however many, push nobody out whom it knows.

use rusqlite::{OptionalExtension, params};

use super::{
    row::as_sql,
    transaction::{Read, Write},
};
use crate::{
    error::Result,
    model::{EventId, Nick, SessionId},
};

/// Conversations of a session in which it has not written, at most.
const MOST: i64 = 1000;
/// Sessions that are told of a session's NICK and QUIT because it has written to them, at most: the
/// latest.
pub const CONTACTS: usize = 1000;
/// Conversations that are shown of a session.
const SHOWN: i64 = 200;
/// Conversations of a session in which it has written, at most: all its contacts, and as many
/// others as are shown.
const MOST_WRITTEN: i64 = CONTACTS as i64 + SHOWN;

/// A conversation, as one of its two sessions has it.
#[derive(Clone, Debug)]
pub struct Conversation {
    /// The other session.
    pub other: SessionId,
    /// Its nick; of one that has ended, the last it had.
    pub nick: Nick,
    pub ended: bool,
    pub read: EventId,
}

/// Notes that a session wrote to another one, or to itself.
pub fn note_written(
    tx: &Write,
    session: SessionId,
    other: SessionId,
    message: EventId,
) -> Result<()> {
    let noted = tx
        .sql
        .prepare_cached(
            "UPDATE direct SET last = ?3, written = ?3 WHERE session_id = ?1 AND other_id = ?2 AND wrote = 1",
        )?
        .execute(params![session, other, message])?;
    if noted == 1 {
        return Ok(());
    }
    tx.sql
        .prepare_cached(
            "INSERT INTO direct (session_id, other_id, wrote, unread, last, read, written) VALUES (?1, ?2, 1, 0, ?3, 0, ?3)
             ON CONFLICT DO UPDATE SET wrote = 1, last = ?3, written = ?3",
        )?
        .execute(params![session, other, message])?;
    tx.add_row(0, 4);
    forget_least_written(tx, session)
}

/// Notes that a session was written to by another one.
pub fn note_received(
    tx: &Write,
    session: SessionId,
    other: SessionId,
    message: EventId,
) -> Result<()> {
    let noted = tx
        .sql
        .prepare_cached(
            "UPDATE direct SET last = ?3, unread = 1 WHERE session_id = ?1 AND other_id = ?2",
        )?
        .execute(params![session, other, message])?;
    if noted == 1 {
        return Ok(());
    }
    tx.sql
        .prepare_cached(
            "INSERT INTO direct (session_id, other_id, wrote, unread, last, read) VALUES (?1, ?2, 0, 1, ?3, 0)",
        )?
        .execute(params![session, other, message])?;
    tx.add_row(0, 4);
    forget_least(tx, session)
}

/// How far a session has read what another one wrote to it.
pub fn read_mark(tx: &Read, session: SessionId, other: SessionId) -> Result<EventId> {
    let mark = tx
        .sql
        .prepare_cached("SELECT read FROM direct WHERE session_id = ?1 AND other_id = ?2")?;
    let mark = { mark }
        .query_row(params![session, other], |row| row.get(0))
        .optional()?;
    Ok(EventId(mark.unwrap_or(0)))
}

/// Moves that mark forward; whether it moved.
pub fn advance(tx: &Write, session: SessionId, other: SessionId, to: EventId) -> Result<bool> {
    if to <= read_mark(tx, session, other)? {
        return Ok(false);
    }
    let made = tx
        .sql
        .prepare_cached(
            "INSERT INTO direct (session_id, other_id, wrote, unread, last, read) VALUES (?1, ?2, 0, 0, 0, ?3)
             ON CONFLICT DO NOTHING",
        )?
        .execute(params![session, other, to])?;
    if made == 1 {
        tx.add_row(0, 4);
        forget_least(tx, session)?;
        return Ok(true);
    }
    tx.sql
        .prepare_cached(
            "UPDATE direct SET read = ?3, unread = (
                 SELECT count(*) FROM (SELECT 1 FROM event WHERE sender = ?2 AND recipient = ?1 AND id > ?3 AND ?1 != ?2
                                       LIMIT 1))
             WHERE session_id = ?1 AND other_id = ?2",
        )?
        .execute(params![session, other, to])?;
    Ok(true)
}

/// Where a session has too many conversations in which it has not written, the least go: read ones
/// before unread, older ones before newer.
fn forget_least(tx: &Write, session: SessionId) -> Result<()> {
    let more = count(tx, session, false)? - MOST;
    if more > 0 {
        tx.sql
            .prepare_cached(
                "DELETE FROM direct WHERE session_id = ?1 AND other_id IN (
                     SELECT other_id FROM direct WHERE session_id = ?1 AND wrote = 0 ORDER BY unread, last LIMIT ?2)",
            )?
            .execute(params![session, more])?;
    }
    Ok(())
}

/// The same of those in which it has written. Its contacts are not among those that go, and neither
/// are those that are shown.
fn forget_least_written(tx: &Write, session: SessionId) -> Result<()> {
    let more = count(tx, session, true)? - MOST_WRITTEN;
    if more > 0 {
        tx.sql
            .prepare_cached(
                "DELETE FROM direct WHERE session_id = ?1 AND other_id IN (
                     SELECT other_id FROM (SELECT other_id, unread, last FROM direct WHERE session_id = ?1 AND wrote = 1
                                           ORDER BY written DESC LIMIT -1 OFFSET ?2)
                     ORDER BY unread, last LIMIT ?3)",
            )?
            .execute(params![session, as_sql(CONTACTS), more])?;
    }
    Ok(())
}

fn count(tx: &Read, session: SessionId, wrote: bool) -> Result<i64> {
    let count = tx
        .sql
        .prepare_cached("SELECT count(*) FROM direct WHERE session_id = ?1 AND wrote = ?2")?;
    Ok({ count }.query_row(params![session, wrote], |row| row.get(0))?)
}

/// A session's conversations as they are shown: first those in which it has written, of these the
/// unread ones, of these the newest. One with a session that has ended is shown as long as the log
/// has its last message.
pub fn of_session(tx: &Read, session: SessionId) -> Result<Vec<Conversation>> {
    let mut statement = tx.sql.prepare_cached(
        "SELECT other_id, nick, ended_at IS NOT NULL AS ended, read
         FROM direct CROSS JOIN session ON session.id = other_id
         WHERE session_id = ?1 AND last > 0
               AND (ended_at IS NULL OR last >= (SELECT min(id) FROM event))
         ORDER BY wrote DESC, unread DESC, last DESC LIMIT ?2",
    )?;
    let rows = statement.query_map(params![session, SHOWN], |row| {
        Ok(Conversation {
            other: row.get("other_id")?,
            nick: row.get("nick")?,
            ended: row.get("ended")?,
            read: row.get("read")?,
        })
    })?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

/// The live sessions to which a session has itself written something that the log still has, the
/// latest first.
pub fn written_to(tx: &Read, session: SessionId) -> Result<Vec<SessionId>> {
    let mut statement = tx.sql.prepare_cached(
        "SELECT other_id FROM direct CROSS JOIN session ON session.id = other_id
         WHERE session_id = ?1 AND wrote = 1 AND written >= (SELECT min(id) FROM event) AND ended_at IS NULL
         ORDER BY written DESC",
    )?;
    let rows = statement.query_map([session], |row| row.get(0))?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

/// Forgets the conversations of a session that ends; those who had them with it keep theirs.
pub fn remove_of_session(tx: &Write, session: SessionId) -> Result<()> {
    tx.sql
        .prepare_cached("DELETE FROM direct WHERE session_id = ?1")?
        .execute([session])?;
    Ok(())
}
