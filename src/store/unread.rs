//! What a session has not read: what others said past its read mark, as far as it is worth
//! counting.

use rusqlite::{Row, params};

use super::{session::Session, texts, transaction::Read};
use crate::{
    error::Result,
    model::{ChannelId, EventId, SessionId, Unread, Words},
};

/// Messages that are counted, at most.
const MOST: u32 = 100;

/// What is unread of a channel that a session is on, in its present stay; for the session is what
/// names it.
///
/// The index of the channel's messages is read from the newest back. Each knows the last one before
/// it that another session sent, so a run of the session's own messages, however long, costs one
/// step; and it has a filter of its words, so that few texts are read that do not name the session.
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

/// What is unread of an exchange of direct messages, from the newest back. What the session tells
/// itself it has read.
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

/// Whether a message names a session in its text, which stands behind the target. Few are read that
/// do not.
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
