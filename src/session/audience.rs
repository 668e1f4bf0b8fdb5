//! Who is told of a session's NICK and QUIT.

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
pub fn around(tx: &Read, session: SessionId) -> Result<Vec<TargetId>> {
    let channels = membership::channels_of(tx, session)?;
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

/// Those whom a session silences, for a look at many.
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

    /// Whether a live session is one of them.
    fn includes(&self, tx: &Read, other: SessionId) -> Result<bool> {
        if self.masks.is_empty() || other == self.by {
            return Ok(false);
        }
        let other = session::get(tx, other)?;
        let other = Masked::new(other.id, other.mask());
        Ok(self.masks.iter().any(|mask| other.fits(mask)))
    }
}
