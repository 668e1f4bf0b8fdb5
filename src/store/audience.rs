//! Who is told of a session's NICK and QUIT.

use super::{Read, direct, member, session::Session, silence};
use crate::{
    error::Result,
    model::{SessionId, TargetId},
};

/// The session's channels and the session itself.
pub fn around(tx: &Read, session: SessionId) -> Result<Vec<TargetId>> {
    let channels = member::channels_of(tx, session)?;
    Ok(channels
        .into_iter()
        .map(TargetId::from)
        .chain([session.into()])
        .collect())
}

/// These, and the sessions to which it has itself written: they know it, and hear who it is now, or
/// that it has left. A session that only wrote to it is told nothing, and so is one that it
/// silences.
pub fn of(tx: &Read, session: &Session) -> Result<Vec<TargetId>> {
    let mut targets = around(tx, session.id)?;
    let silenced = silence::Silenced::by(tx, session.id)?;
    let mut contacts = 0;
    for contact in direct::written_to(tx, session.id)? {
        if contacts == direct::CONTACTS {
            break;
        }
        if !silenced.includes(tx, contact)? {
            targets.push(contact.into());
            contacts += 1;
        }
    }
    Ok(targets)
}
