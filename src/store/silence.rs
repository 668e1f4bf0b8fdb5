//! SILENCE: masks of senders whose direct messages and invitations a session does not receive.

use super::{
    engine::value::params,
    session::Session,
    session_mask::{Masked, SessionMask},
    transaction::{Read, Write},
};
use crate::{error::Result, irc::mask::Mask, model::SessionId};

/// The masks of a session, in alphabetical order.
pub fn list(tx: &Read, session: SessionId) -> Result<Vec<SessionMask>> {
    tx.all(
        "SELECT mask, bound_session FROM silence WHERE session_id = ?1 ORDER BY folded_mask",
        params![session],
        SessionMask::read,
    )
}

/// Whether a session silences a sender. No session silences itself, whatever its masks match.
pub fn silences(tx: &Read, session: SessionId, sender: &Session) -> Result<bool> {
    if session == sender.id {
        return Ok(false);
    }
    let masks = "SELECT mask, bound_session FROM silence WHERE session_id = ?1";
    Masked::new(sender.id, sender.mask()).fits_one_of(tx, masks, session)
}

/// Adds a mask. Returns whether it is new.
pub fn add(tx: &Write, session: SessionId, mask: &SessionMask) -> Result<bool> {
    let added = tx.execute(
        "INSERT INTO silence (session_id, folded_mask, mask, bound_session)
         VALUES (?1, ?2, ?3, ?4) ON CONFLICT DO NOTHING",
        params![
            session,
            mask.mask.folded(),
            mask.mask.as_str(),
            mask.bound_session
        ],
    )?;
    tx.add_row(2 * mask.mask.as_str().len(), 1);
    Ok(added == 1)
}

/// Removes a mask. Returns whether it existed.
pub fn remove(tx: &Write, session: SessionId, mask: &Mask) -> Result<bool> {
    let removed = tx.execute(
        "DELETE FROM silence WHERE session_id = ?1 AND folded_mask = ?2",
        params![session, mask.folded()],
    )?;
    Ok(removed == 1)
}

/// Removes all masks of a session that has ended.
pub fn remove_of_session(tx: &Write, session: SessionId) -> Result<()> {
    tx.execute(
        "DELETE FROM silence WHERE session_id = ?1",
        params![session],
    )?;
    Ok(())
}
