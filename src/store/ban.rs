//! Bans: masks of sessions that may neither join a channel nor speak on it.

use super::{
    engine::{connection::Row, value::params},
    session::Session,
    session_mask::{Masked, SessionMask},
    transaction::{Read, Write},
};
use crate::{
    error::Result,
    irc::mask::Mask,
    model::{ChannelId, Timestamp},
};

/// A ban of a channel.
#[derive(Clone, Debug)]
pub struct Ban {
    /// Which sessions it matches.
    pub mask: SessionMask,
    /// The nick of the session that set it.
    pub set_by: String,
    /// When it was set.
    pub set_at: Timestamp,
}

impl Ban {
    fn read(row: &Row) -> Result<Self> {
        Ok(Self {
            mask: SessionMask::read(row)?,
            set_by: row.get("set_by")?,
            set_at: row.get("set_at")?,
        })
    }
}

/// All bans of a channel.
pub fn list(tx: &Read, channel: ChannelId) -> Result<Vec<Ban>> {
    tx.all(
        "SELECT mask, bound_session, set_by, set_at FROM ban WHERE channel_id = ?1",
        params![channel],
        Ban::read,
    )
}

/// Whether any ban of the channel matches a session.
pub fn matches(tx: &Read, channel: ChannelId, session: &Session) -> Result<bool> {
    let masks = "SELECT mask, bound_session FROM ban WHERE channel_id = ?1";
    Masked::new(session.id, session.mask()).fits_one_of(tx, masks, channel)
}

/// Adds a ban. Returns whether it is new.
pub fn add(tx: &Write, channel: ChannelId, ban: &Ban) -> Result<bool> {
    let mask = &ban.mask.mask;
    let added = tx.execute(
        "INSERT INTO ban (channel_id, folded_mask, mask, bound_session, set_by, set_at)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6) ON CONFLICT DO NOTHING",
        params![
            channel,
            mask.folded(),
            mask.as_str(),
            ban.mask.bound_session,
            ban.set_by,
            ban.set_at
        ],
    )?;
    tx.add_row(2 * mask.as_str().len() + ban.set_by.len(), 1);
    Ok(added == 1)
}

/// Removes a ban. Returns whether it existed.
pub fn remove(tx: &Write, channel: ChannelId, mask: &Mask) -> Result<bool> {
    let removed = tx.execute(
        "DELETE FROM ban WHERE channel_id = ?1 AND folded_mask = ?2",
        params![channel, mask.folded()],
    )?;
    Ok(removed == 1)
}

/// Removes all bans of a channel that has ended.
pub fn remove_of_channel(tx: &Write, channel: ChannelId) -> Result<()> {
    tx.execute("DELETE FROM ban WHERE channel_id = ?1", params![channel])?;
    Ok(())
}
