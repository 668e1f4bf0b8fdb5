//! Revocations: the ends of grants and of single access tokens, numbered in commit order. Resource
//! servers that cache what a token stands for read them.

use super::{
    engine::{connection::Row, value::params},
    log,
    transaction::{Read, Write},
};
use crate::{
    error::Result,
    model::{EndReason, GrantId, RevocationId, Timestamp},
};

/// The end of a grant, or of one access token whose grant goes on.
#[derive(Clone, Debug)]
pub struct Revocation {
    /// Its position in the feed.
    pub id: RevocationId,
    /// The grant.
    pub grant: GrantId,
    /// What ended: the grant, or one token of it.
    pub ended: Revoked,
}

/// What a revocation ended.
#[derive(Clone, Debug)]
pub enum Revoked {
    /// The grant, for this reason.
    Grant(EndReason),
    /// One access token, by its name (RFC 7662 §2.2, `jti`). Its grant goes on.
    Token(String),
}

impl Revocation {
    fn read(row: &Row) -> Result<Self> {
        Ok(Self {
            id: row.get("id")?,
            grant: row.get("grant_id")?,
            ended: match row.get("jti")? {
                Some(jti) => Revoked::Token(jti),
                None => Revoked::Grant(row.get("reason")?),
            },
        })
    }
}

/// Records that a grant has ended.
pub fn record_grant(tx: &Write, grant: GrantId, reason: EndReason, now: Timestamp) -> Result<()> {
    tx.add_row(reason.name().len(), 1);
    record(tx, grant, reason, None, now)
}

/// Records that one access token has ended and its grant goes on.
pub fn record_token(tx: &Write, grant: GrantId, jti: String, now: Timestamp) -> Result<()> {
    tx.add_row(jti.len(), 1);
    record(tx, grant, EndReason::Revoked, Some(jti), now)
}

fn record(
    tx: &Write,
    grant: GrantId,
    reason: EndReason,
    jti: Option<String>,
    now: Timestamp,
) -> Result<()> {
    let id = log::next_revocation(tx)?;
    tx.execute(
        "INSERT INTO revocation (id, grant_id, reason, time, jti) VALUES (?1, ?2, ?3, ?4, ?5)",
        params![id, grant, reason, now, jti],
    )?;
    Ok(())
}

/// The ends past a position, at most `limit`. `None`: some of them may be missing, because they
/// were removed, because the position is from after this copy of the database was made, or because
/// it was never issued.
pub fn past(tx: &Read, position: RevocationId, limit: usize) -> Result<Option<Vec<Revocation>>> {
    let ends = tx.all(
        "SELECT * FROM revocation WHERE id > ?1 ORDER BY id LIMIT ?2",
        params![position, limit],
        Revocation::read,
    )?;
    // Positions are consecutive, except for the jump of a restored copy.
    let whole = match ends.last() {
        Some(last) => i64::try_from(ends.len()).ok() == Some(last.id.0 - position.0),
        None => position == log::last_revocation(tx)?,
    };
    Ok(whole.then_some(ends))
}

/// Removes a batch of the records made at `cutoff` or before, oldest first. Returns how many. A
/// record with a time in the future comes from a wrong clock, and is removed with the next one
/// after it.
pub fn expire(tx: &Write, cutoff: Timestamp, batch: usize) -> Result<usize> {
    tx.execute("DELETE FROM revocation WHERE id IN (SELECT id FROM revocation
                 WHERE id <= (SELECT max(id) FROM revocation WHERE time <= ?1) ORDER BY id LIMIT ?2)", params![cutoff, batch])
}
