//! Unread messages: what others said past a session's read marker, as far as it is worth counting.

use rusqlite::{Row, params};

use super::{session::Session, texts, transaction::Read};
use crate::{
    error::Result,
    model::{ChannelId, EventId, SessionId, Unread, Words},
};

/// The most messages that are counted.
const MOST: u32 = 100;

/// The unread messages of a channel that the session `me` is on, in its present stay, and whether
/// they mention it. `read` is its read marker.
///
/// The index of the channel's messages is read from the newest message back. Each message knows the
/// last one before it that another session sent, so a run of the session's own messages costs one
/// step, however long it is. Each message also has a filter of its words, so few texts are read
/// that do not mention the session.
pub fn of_channel(tx: &Read, me: &Session, channel: ChannelId, read: EventId) -> Result<Unread> {
    let mut unread = Unread::default();
    let mut statement = tx.sql.prepare_cached(
        "SELECT id, sender, others, words FROM event
         WHERE channel = ?1 AND id <= ?2 AND id > max(?3, (
             SELECT since FROM membership WHERE channel_id = ?1 AND session_id = ?4 AND until IS NULL))
         ORDER BY id DESC",
    )?;
    let mut newest = i64::MAX;
    loop {
        let mut rows = statement.query(params![channel, newest, read, me.id])?;
        newest = loop {
            let Some(row) = rows.next()? else {
                return Ok(unread);
            };
            if row.get::<_, Option<SessionId>>("sender")? == Some(me.id) {
                break row.get("others")?;
            }
            unread.count += 1;
            unread.mention = unread.mention || is_named(tx, me, row)?;
            if unread.count == MOST {
                return Ok(unread);
            }
        };
    }
}

/// The unread direct messages from another session, read from the newest message back. Messages
/// that a session sends to itself count as read.
pub fn of_exchange(tx: &Read, me: &Session, other: SessionId, read: EventId) -> Result<Unread> {
    let mut unread = Unread::default();
    let mut statement = tx.sql.prepare_cached(
        "SELECT id, words FROM event WHERE sender = ?1 AND recipient = ?2 AND id > ?3 AND ?1 != ?2 ORDER BY id DESC LIMIT ?4",
    )?;
    let mut rows = statement.query(params![other, me.id, read, MOST])?;
    while let Some(row) = rows.next()? {
        unread.count += 1;
        unread.mention = unread.mention || is_named(tx, me, row)?;
    }
    Ok(unread)
}

/// Whether a message mentions a session in its text, which is the second parameter. The filter of
/// words avoids reading most texts that do not.
fn is_named(tx: &Read, me: &Session, message: &Row) -> Result<bool> {
    let (id, words): (i64, Option<i64>) = (message.get("id")?, message.get("words")?);
    if words.is_some_and(|words| !Words(words).may_have(&me.nick)) {
        return Ok(false);
    }
    let mut params = tx
        .sql
        .prepare_cached("SELECT params FROM event WHERE id = ?1")?;
    Ok(params.query_row([id], |row| {
        let text = texts::split(row.get_ref(0)?.as_str()?)
            .nth(1)
            .unwrap_or_default();
        Ok(me.nick.is_named_in(text))
    })?)
}
