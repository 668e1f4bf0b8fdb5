//! What a session has not read: what others said past its read mark, as far as it is worth counting.

use rusqlite::Row;

use super::{Read, as_sql, session::Session, texts};
use crate::{
    error::Result,
    model::{ChannelId, EventId, SessionId, Unread},
};

/// Messages that are counted, at most.
const MOST: usize = 100;
/// Events of a channel that are looked through for them, from its newest back: what the session said itself, and who came
/// and went, may be without end.
const LOOKED_THROUGH: usize = 1000;

/// What is unread of a channel that a session is on, in its present stay; for the session is what names it.
///
/// What was said by a client that is forgotten is past retention and does not count.
pub fn of_channel(tx: &Read, me: &Session, channel: ChannelId, read: EventId) -> Result<Unread> {
    let mut statement = tx.sql.prepare_cached(
        "SELECT params FROM (SELECT event_id FROM address
                             WHERE target_id = ?1 AND event_id > max(?2, (
                                 SELECT since FROM membership
                                 WHERE channel_id = ?1 AND session_id = ?3 AND until IS NULL))
                             ORDER BY event_id DESC LIMIT ?4)
         CROSS JOIN event ON event.id = event_id CROSS JOIN client ON client.id = client_id
         WHERE command IN ('PRIVMSG', 'NOTICE') AND session_id != ?3
         ORDER BY event_id DESC LIMIT ?5",
    )?;
    let mut rows = statement.query([channel.0, read.0, me.id.0, as_sql(LOOKED_THROUGH), as_sql(MOST)])?;
    let mut unread = Unread::default();
    while let Some(row) = rows.next()? {
        unread.count += 1;
        unread.mention = unread.mention || me.nick.is_named_in(&text(row)?);
    }
    Ok(unread)
}

/// What is unread of an exchange of direct messages; all of it is for the session. What it tells itself it has read.
pub fn of_exchange(tx: &Read, me: SessionId, other: SessionId, read: EventId) -> Result<Unread> {
    let mut statement = tx.sql.prepare_cached(
        "SELECT count(*) FROM (SELECT 1 FROM event WHERE sender = ?1 AND recipient = ?2 AND id > ?3 AND ?1 != ?2 LIMIT ?4)",
    )?;
    let count = statement.query_row([other.0, me.0, read.0, as_sql(MOST)], |row| row.get(0))?;
    Ok(Unread { count, mention: count > 0 })
}

/// What a message says, behind its target.
fn text(row: &Row) -> rusqlite::Result<String> {
    let params = row.get_ref("params")?.as_str()?;
    Ok(texts::split(params).nth(1).unwrap_or_default().to_owned())
}
