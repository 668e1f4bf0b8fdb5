//! The masks by which bans and SILENCE name sessions, and the one rule that says which sessions a
//! mask matches.
//!
//! A mask whose nick part has no wildcard is *made of a nick*. When such a mask is set, it also
//! *binds* the session that has the nick, if the whole mask matches that session. It then matches
//! the session under every later nick, until the session ends. If no session has the nick when the
//! mask is set, the mask compares nicks alone, because it cannot know which session is meant.

use super::{
    engine::{
        connection::Row,
        value::{ToColumn, params},
    },
    transaction::{Read, Write},
};
use crate::{
    error::Result,
    irc::{glob::Candidate, mask::Mask},
    model::SessionId,
};

/// A mask, with the session that it binds.
#[derive(Clone, Debug)]
pub struct SessionMask {
    /// The mask: `nick!user@host` with wildcards.
    pub mask: Mask,
    /// For a mask made of a nick: the session that it matches, whatever nick that takes. `None`:
    /// the mask compares names alone.
    pub bound_session: Option<SessionId>,
}

/// The tables with masks. Both have the columns `mask` and `bound_session`.
const TABLES: [&str; 2] = ["ban", "silence"];

impl SessionMask {
    /// Reads the columns `mask` and `bound_session`.
    pub(super) fn read(row: &Row) -> Result<Self> {
        Ok(Self {
            mask: row.get("mask")?,
            bound_session: row.get("bound_session")?,
        })
    }
}

/// A session that is compared with masks, prepared for many comparisons.
pub struct Masked {
    session: SessionId,
    name: Candidate,
}

impl Masked {
    /// A session, by its id and its full name (`nick!user@host`).
    pub fn new(session: SessionId, name: String) -> Self {
        Self {
            session,
            name: Candidate::new(name),
        }
    }

    /// Whether any mask in the columns `mask` and `bound_session` of a query's rows matches the
    /// session. `of` is the query's parameter.
    pub fn fits_one_of(&self, tx: &Read, masks: &str, of: impl ToColumn) -> Result<bool> {
        let fits = tx.find(masks, params![of], |row| {
            let is_bound = row.get::<Option<SessionId>>("bound_session")? == Some(self.session);
            Ok((is_bound || self.name.fits(row.text("mask")?)).then_some(()))
        })?;
        Ok(fits.is_some())
    }

    /// Whether this mask matches the session.
    pub fn fits(
        &self,
        SessionMask {
            mask,
            bound_session,
        }: &SessionMask,
    ) -> bool {
        *bound_session == Some(self.session) || mask.matches(&self.name)
    }
}

/// Makes all masks let go of a session that ends.
pub fn let_go(tx: &Write, session: SessionId) -> Result<()> {
    for table in TABLES {
        let let_go = format!("UPDATE {table} SET bound_session = NULL WHERE bound_session = ?1");
        tx.execute(&let_go, params![session])?;
    }
    Ok(())
}
