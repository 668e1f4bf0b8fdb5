//! Unread messages: what others said past a session's read marker, as far as it is worth counting.

use super::{
    engine::{connection::Row, value::params},
    session::Session,
    texts,
    transaction::Read,
};
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
    let mut statement = tx.prepare(
        "SELECT id, sender, others, words FROM event
         WHERE channel = ?1 AND id <= ?2 AND id > (
             SELECT CASE WHEN since < ?3 THEN ?3 ELSE since END FROM membership
             WHERE channel_id = ?1 AND session_id = ?4 AND until IS NULL)
         ORDER BY id DESC LIMIT ?5",
    )?;
    let mut newest = EventId(i64::MAX);
    while unread.count < MOST {
        // Reads until a message of the session's own, and goes on past its run of messages.
        let before_own = statement.find(params![channel, newest, read, me.id, MOST], |row| {
            if row.get::<Option<SessionId>>("sender")? == Some(me.id) {
                return row.get("others").map(Some);
            }
            unread.count += 1;
            unread.mention = unread.mention || is_named(tx, me, row)?;
            Ok((unread.count == MOST).then_some(EventId(0)))
        })?;
        let Some(others) = before_own else { break };
        newest = others;
    }
    Ok(unread)
}

/// The unread direct messages from another session, read from the newest message back. Messages
/// that a session sends to itself count as read.
pub fn of_exchange(tx: &Read, me: &Session, other: SessionId, read: EventId) -> Result<Unread> {
    let mut unread = Unread::default();
    tx.for_each(
        "SELECT id, words FROM event
         WHERE sender = ?1 AND recipient = ?2 AND id > ?3 AND sender != recipient
         ORDER BY id DESC LIMIT ?4",
        params![other, me.id, read, MOST],
        |row| {
            unread.count += 1;
            unread.mention = unread.mention || is_named(tx, me, row)?;
            Ok(())
        },
    )?;
    Ok(unread)
}

/// Whether a message mentions a session in its text, which is the second parameter. The filter of
/// words avoids reading most texts that do not.
fn is_named(tx: &Read, me: &Session, message: &Row) -> Result<bool> {
    let words: Option<Words> = message.get("words")?;
    if words.is_some_and(|words| !words.may_have(&me.nick)) {
        return Ok(false);
    }
    tx.one(
        "SELECT params FROM event WHERE id = ?1",
        params![message.get::<EventId>("id")?],
        |row| {
            let text = texts::split(row.text(0)?).nth(1).unwrap_or_default();
            Ok(me.nick.is_named_in(text))
        },
    )
}
