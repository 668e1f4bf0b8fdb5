//! Invitations that were not used yet.

use rusqlite::{OptionalExtension, params};

use super::{Read, Write};
use crate::{
    error::Result,
    model::{ChannelId, SessionId},
};

/// Invitations to one channel, and of one session, that were not used yet, at most.
const MAX_PENDING: i64 = 1000;

/// Keeps an invitation; whether it is new. Of a channel that has too many, the one of the oldest session gives way; of a
/// session that has too many, the one to the oldest channel.
///
/// An invitation by somebody whom the session silences is kept for its inviter alone, who sees no difference. It opens no
/// door, and does not stand in the way of an invitation by somebody else.
pub fn add(tx: &Write, channel: ChannelId, session: SessionId, silenced: bool) -> Result<bool> {
    let added = tx
        .sql
        .prepare_cached(
            "INSERT INTO invite (channel_id, session_id, silenced) VALUES (?1, ?2, ?3)
             ON CONFLICT DO UPDATE SET silenced = 0 WHERE silenced AND NOT excluded.silenced",
        )?
        .execute(params![channel.0, session.0, silenced])?;
    if added == 0 {
        return Ok(false);
    }
    tx.add_row(0, 2);
    for sql in [
        "DELETE FROM invite WHERE channel_id = ?1 AND session_id != ?2 AND session_id <= (
             SELECT session_id FROM invite WHERE channel_id = ?1 AND session_id != ?2
             ORDER BY session_id DESC LIMIT 1 OFFSET ?3)",
        "DELETE FROM invite WHERE session_id = ?2 AND channel_id != ?1 AND channel_id <= (
             SELECT channel_id FROM invite WHERE session_id = ?2 AND channel_id != ?1
             ORDER BY channel_id DESC LIMIT 1 OFFSET ?3)",
    ] {
        tx.sql.prepare_cached(sql)?.execute([channel.0, session.0, MAX_PENDING - 1])?;
    }
    Ok(true)
}

/// Whether a session is invited to a channel.
pub fn is_pending(tx: &Read, channel: ChannelId, session: SessionId) -> Result<bool> {
    let mut pending =
        tx.sql.prepare_cached("SELECT 1 FROM invite WHERE channel_id = ?1 AND session_id = ?2 AND NOT silenced")?;
    Ok(pending.query_row([channel.0, session.0], |_| Ok(())).optional()?.is_some())
}

/// Uses up an invitation, if there is one.
pub fn remove(tx: &Write, channel: ChannelId, session: SessionId) -> Result<()> {
    tx.sql
        .prepare_cached("DELETE FROM invite WHERE channel_id = ?1 AND session_id = ?2")?
        .execute([channel.0, session.0])?;
    Ok(())
}

pub(super) fn remove_of_channel(tx: &Write, channel: ChannelId) -> Result<()> {
    tx.sql.prepare_cached("DELETE FROM invite WHERE channel_id = ?1")?.execute([channel.0])?;
    Ok(())
}

pub(super) fn remove_of_session(tx: &Write, session: SessionId) -> Result<()> {
    tx.sql.prepare_cached("DELETE FROM invite WHERE session_id = ?1")?.execute([session.0])?;
    Ok(())
}
