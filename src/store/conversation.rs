//! Conversations by direct messages: with which sessions a session has one, and how far it has read
//! each.
//!
//! The conversations in which a session has written are counted apart from those in which it has
//! only received. Strangers therefore cannot displace the session's own contacts.

use super::{
    engine::value::params,
    transaction::{Read, Write},
};
use crate::{
    error::Result,
    model::{EventId, Nick, SessionId},
};

/// The most conversations of a session in which it has not written.
const MOST: i64 = 1000;
/// The most sessions that are told of a session's NICK and QUIT because it has written to them. The
/// latest count.
pub const CONTACTS: usize = 1000;
/// The most conversations that are shown to a session.
const SHOWN: i64 = 200;
/// The most conversations of a session in which it has written: all its contacts, and as many
/// others as are shown.
const MOST_WRITTEN: i64 = CONTACTS as i64 + SHOWN;

/// A conversation, as one of its two sessions sees it.
#[derive(Clone, Debug)]
pub struct Conversation {
    /// The other session.
    pub other: SessionId,
    /// Its nick, or its last nick if it has ended.
    pub nick: Nick,
    /// Whether the other session has ended.
    pub ended: bool,
    /// The read marker: the last message that was read.
    pub read: EventId,
}

/// Records that a session has written to another session, or to itself.
pub fn note_written(
    tx: &Write,
    session: SessionId,
    other: SessionId,
    message: EventId,
) -> Result<()> {
    let noted = tx.execute(
        "UPDATE conversation SET last = ?3, written = ?3 WHERE session_id = ?1 AND other_id = ?2
         AND wrote",
        params![session, other, message],
    )?;
    if noted == 1 {
        return Ok(());
    }
    tx.execute(
        "INSERT INTO conversation (session_id, other_id, wrote, unread, last, read, written)
         VALUES (?1, ?2, TRUE, FALSE, ?3, 0, ?3)
         ON CONFLICT (session_id, other_id) DO UPDATE SET wrote = TRUE, last = ?3, written = ?3",
        params![session, other, message],
    )?;
    tx.add_row(0, 4);
    forget_least_written(tx, session)
}

/// Records that a session has received a message from another session.
pub fn note_received(
    tx: &Write,
    session: SessionId,
    other: SessionId,
    message: EventId,
) -> Result<()> {
    let noted = tx.execute(
        "UPDATE conversation SET last = ?3, unread = TRUE WHERE session_id = ?1 AND other_id = ?2",
        params![session, other, message],
    )?;
    if noted == 1 {
        return Ok(());
    }
    tx.execute(
        "INSERT INTO conversation (session_id, other_id, wrote, unread, last, read)
         VALUES (?1, ?2, FALSE, TRUE, ?3, 0)",
        params![session, other, message],
    )?;
    tx.add_row(0, 4);
    forget_least(tx, session)
}

/// The read marker of a session for what another session wrote to it. 0: it has read nothing.
pub fn read_mark(tx: &Read, session: SessionId, other: SessionId) -> Result<EventId> {
    let mark = tx.optional(
        "SELECT read FROM conversation WHERE session_id = ?1 AND other_id = ?2",
        params![session, other],
        |row| row.get(0),
    )?;
    Ok(EventId(mark.unwrap_or(0)))
}

/// Moves the read marker forward. Returns whether it moved.
pub fn advance(tx: &Write, session: SessionId, other: SessionId, to: EventId) -> Result<bool> {
    if to <= read_mark(tx, session, other)? {
        return Ok(false);
    }
    let made = tx.execute(
        "INSERT INTO conversation (session_id, other_id, wrote, unread, last, read)
         VALUES (?1, ?2, FALSE, FALSE, 0, ?3) ON CONFLICT DO NOTHING",
        params![session, other, to],
    )?;
    if made == 1 {
        tx.add_row(0, 4);
        forget_least(tx, session)?;
        return Ok(true);
    }
    tx.execute(
        "UPDATE conversation SET read = ?3, unread = EXISTS (
             SELECT 1 FROM event
             WHERE sender = ?2 AND recipient = ?1 AND id > ?3 AND sender != recipient)
         WHERE session_id = ?1 AND other_id = ?2",
        params![session, other, to],
    )?;
    Ok(true)
}

/// Removes a session's excess conversations in which it has not written: read ones first, and the
/// oldest of these first.
fn forget_least(tx: &Write, session: SessionId) -> Result<()> {
    let more = count(tx, session, false)? - MOST;
    if more > 0 {
        tx.execute(
            "DELETE FROM conversation WHERE session_id = ?1
             AND other_id IN (SELECT other_id FROM conversation WHERE session_id = ?1 AND wrote = FALSE
             ORDER BY unread, last LIMIT ?2)",
            params![session, more],
        )?;
    }
    Ok(())
}

/// Removes a session's excess conversations in which it has written, in the same order. Its
/// contacts and the conversations that are shown are never removed.
fn forget_least_written(tx: &Write, session: SessionId) -> Result<()> {
    let more = count(tx, session, true)? - MOST_WRITTEN;
    if more > 0 {
        tx.execute(
            "DELETE FROM conversation WHERE session_id = ?1
             AND other_id IN (
                 SELECT other_id FROM conversation
                 WHERE session_id = ?1 AND wrote = TRUE AND other_id NOT IN (
                     SELECT other_id FROM conversation WHERE session_id = ?1 AND wrote = TRUE
                     ORDER BY written DESC LIMIT ?2)
                 ORDER BY unread, last LIMIT ?3)",
            params![session, CONTACTS, more],
        )?;
    }
    Ok(())
}

fn count(tx: &Read, session: SessionId, wrote: bool) -> Result<i64> {
    tx.one(
        "SELECT count(*) FROM conversation WHERE session_id = ?1 AND wrote = ?2",
        params![session, wrote],
        |row| row.get(0),
    )
}

/// A session's conversations in the order in which they are shown: those in which it has written
/// first, among these the unread ones first, among these the newest first. A conversation with a
/// session that has ended is shown while its last message is in the log.
pub fn of_session(tx: &Read, session: SessionId) -> Result<Vec<Conversation>> {
    tx.all(
        "SELECT other_id, nick, ended_at IS NOT NULL AS ended, read
         FROM conversation CROSS JOIN session
         WHERE session.id = other_id AND session_id = ?1 AND last > 0
               AND (ended_at IS NULL OR last >= (SELECT min(id) FROM event))
         ORDER BY wrote DESC, unread DESC, last DESC LIMIT ?2",
        params![session, SHOWN],
        |row| {
            Ok(Conversation {
                other: row.get("other_id")?,
                nick: row.get("nick")?,
                ended: row.get("ended")?,
                read: row.get("read")?,
            })
        },
    )
}

/// The live sessions to which a session has written something that is still in the log, the latest
/// first.
pub fn written_to(tx: &Read, session: SessionId) -> Result<Vec<SessionId>> {
    tx.all(
        "SELECT other_id FROM conversation CROSS JOIN session
         WHERE session.id = other_id AND session_id = ?1 AND wrote = TRUE AND written >= (SELECT min(id) FROM event)
         AND ended_at IS NULL ORDER BY written DESC",
        params![session],
        |row| row.get(0),
    )
}

/// Removes the conversations of a session that ends. The other sessions keep their side.
pub fn remove_of_session(tx: &Write, session: SessionId) -> Result<()> {
    tx.execute(
        "DELETE FROM conversation WHERE session_id = ?1",
        params![session],
    )?;
    Ok(())
}
