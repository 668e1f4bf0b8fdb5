//! Masks by which bans and SILENCE name sessions, and the one rule of whom such a mask matches.
//!
//! A mask whose nick part has no wildcard is *made of a nick*. It also holds a session, whatever
//! nick that takes later: the session that has the nick when the mask is set and that the whole
//! mask matches. It holds that session until it ends. A mask that is set while nobody has its nick
//! goes by the nick of the moment, because it cannot know whom it is meant for.

use rusqlite::{Row, Statement, ToSql};

use super::transaction::Write;
use crate::{
    error::Result,
    irc::{glob::Candidate, mode::Mask},
    model::SessionId,
};

/// A mask, and the session that it holds.
#[derive(Clone, Debug)]
pub struct SessionMask {
    pub mask: Mask,
    pub held: Option<SessionId>,
}

/// Where masks are kept; both have the columns `mask` and `held`.
const TABLES: [&str; 2] = ["ban", "silence"];

impl SessionMask {
    /// Reads the columns `mask` and `held`.
    pub fn read(row: &Row) -> rusqlite::Result<Self> {
        Ok(Self {
            mask: row.get("mask")?,
            held: row.get("held")?,
        })
    }
}

/// A session as masks see it, prepared for as many as there are.
pub struct Masked {
    session: SessionId,
    name: Candidate,
}

impl Masked {
    /// A session, by its id and its whole name (`nick!user@host`).
    pub fn new(session: SessionId, name: String) -> Self {
        Self {
            session,
            name: Candidate::new(name),
        }
    }

    /// Whether one of the masks that a query gives, in its columns `mask` and `held`, matches the
    /// session.
    pub fn fits_one_of(&self, masks: &mut Statement, of: impl ToSql) -> Result<bool> {
        let mut rows = masks.query([of])?;
        while let Some(row) = rows.next()? {
            let held: Option<SessionId> = row.get("held")?;
            let mask = row
                .get_ref("mask")?
                .as_str()
                .map_err(rusqlite::Error::from)?;
            if held == Some(self.session) || self.name.fits(mask) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    pub fn fits(&self, SessionMask { mask, held }: &SessionMask) -> bool {
        *held == Some(self.session) || mask.matches(&self.name)
    }
}

/// Lets go of a session that ends.
pub fn let_go(tx: &Write, session: SessionId) -> Result<()> {
    for table in TABLES {
        let let_go = format!("UPDATE {table} SET held = NULL WHERE held = ?1");
        tx.sql.prepare_cached(&let_go)?.execute([session])?;
    }
    Ok(())
}
