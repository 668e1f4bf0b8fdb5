//! Who receives a session's NICK and QUIT events.

use crate::{
    error::Result,
    model::{SessionId, TargetId},
    store::{
        Read, conversation, membership,
        session::{self, Session},
        session_mask::{Masked, SessionMask},
        silence,
    },
};

/// The session's channels and the session itself.
pub fn own_targets(tx: &Read, session: SessionId) -> Result<Vec<TargetId>> {
    let channels = membership::channels_of(tx, session)?;
    Ok(channels
        .into_iter()
        .map(TargetId::from)
        .chain([session.into()])
        .collect())
}

/// The session's channels, the session itself, and the sessions it has written to, the latest
/// [`conversation::CONTACTS`] of them at most.
///
/// A session that received a message knows the sender, and learns its new nick or that it left.
/// Sessions that only wrote to this one are not told. Sessions that this one silences are not told
/// either.
pub fn of(tx: &Read, session: &Session) -> Result<Vec<TargetId>> {
    let mut targets = own_targets(tx, session.id)?;
    let silenced = Silenced::by(tx, session.id)?;
    let mut contacts = 0;
    for contact in conversation::written_to(tx, session.id)? {
        if contacts == conversation::CONTACTS {
            break;
        }
        if !silenced.includes(tx, contact)? {
            targets.push(contact.into());
            contacts += 1;
        }
    }
    Ok(targets)
}

/// The masks that a session silences, loaded once to test many other sessions.
struct Silenced {
    by: SessionId,
    masks: Vec<SessionMask>,
}

impl Silenced {
    fn by(tx: &Read, session: SessionId) -> Result<Self> {
        Ok(Self {
            by: session,
            masks: silence::list(tx, session)?,
        })
    }

    /// Whether one of the masks matches this live session.
    fn includes(&self, tx: &Read, other: SessionId) -> Result<bool> {
        if self.masks.is_empty() || other == self.by {
            return Ok(false);
        }
        let other = session::get(tx, other)?;
        let other = Masked::new(other.id, other.mask());
        Ok(self.masks.iter().any(|mask| other.fits(mask)))
    }
}
