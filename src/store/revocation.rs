//! The ends of grants and of single access tokens, numbered in commit order, for resource servers
//! that cache what a token stands for.

use rusqlite::{OptionalExtension, Row, params};

use super::{
    row::as_sql,
    transaction::{Read, Write},
};
use crate::{
    error::Result,
    model::{EndReason, GrantEndId, GrantId, Timestamp},
};

/// That a grant has ended, or one access token of a grant that goes on.
#[derive(Clone, Debug)]
pub struct GrantEnd {
    pub id: GrantEndId,
    pub grant: GrantId,
    pub reason: EndReason,
    /// The access token that ended; none: the whole grant.
    pub jti: Option<String>,
}

impl GrantEnd {
    fn read(row: &Row) -> rusqlite::Result<Self> {
        Ok(Self {
            id: row.get("id")?,
            grant: row.get("grant_id")?,
            reason: EndReason::parse(row.get_ref("reason")?.as_str()?)
                .unwrap_or(EndReason::Revoked),
            jti: row.get("jti")?,
        })
    }
}

/// Records that a grant has ended.
pub fn record_grant(tx: &Write, grant: GrantId, reason: EndReason, now: Timestamp) -> Result<()> {
    tx.add_row(reason.name().len(), 1);
    tx.sql
        .prepare_cached("INSERT INTO grant_end (grant_id, reason, time) VALUES (?1, ?2, ?3)")?
        .execute(params![grant, reason.name(), now])?;
    Ok(())
}

/// Records that one access token has ended, and its grant has not.
pub fn record_token(tx: &Write, grant: GrantId, jti: String, now: Timestamp) -> Result<()> {
    tx.add_row(jti.len(), 1);
    tx.sql
        .prepare_cached(
            "INSERT INTO grant_end (grant_id, reason, time, jti) VALUES (?1, ?2, ?3, ?4)",
        )?
        .execute(params![grant, EndReason::Revoked.name(), now, jti])?;
    Ok(())
}

/// The last position issued, whether or not what ended there is still kept.
pub fn head(tx: &Read) -> Result<GrantEndId> {
    let mut last = tx
        .sql
        .prepare_cached("SELECT seq FROM sqlite_sequence WHERE name = 'grant_end'")?;
    Ok(GrantEndId(
        last.query_row([], |row| row.get(0))
            .optional()?
            .unwrap_or(0),
    ))
}

/// The ends past a position, `limit` of them at most. `None`: not all that came after it is there,
/// because it was removed, or because the position was issued by a database of which this one is an
/// older copy, or by none.
pub fn past(tx: &Read, position: GrantEndId, limit: usize) -> Result<Option<Vec<GrantEnd>>> {
    let mut statement = tx
        .sql
        .prepare_cached("SELECT * FROM grant_end WHERE id > ?1 ORDER BY id LIMIT ?2")?;
    let ends = statement.query_map(params![position, as_sql(limit)], GrantEnd::read)?;
    let ends = ends.collect::<rusqlite::Result<Vec<_>>>()?;
    // Numbers follow each other, but for the leap of a restored copy.
    let whole = match ends.last() {
        Some(last) => as_sql(ends.len()) == last.id.0 - position.0,
        None => position == head(tx)?,
    };
    Ok(whole.then_some(ends))
}

/// Removes a batch of those that were recorded at `cutoff` or before, oldest first; how many. One
/// whose time is yet to come was a wrong clock's, and goes with the next one behind it.
pub fn expire(tx: &Write, cutoff: Timestamp, batch: usize) -> Result<usize> {
    Ok(tx
        .sql
        .prepare_cached(
            "DELETE FROM grant_end WHERE id IN (SELECT id FROM grant_end
                 WHERE id <= (SELECT max(id) FROM grant_end WHERE time <= ?1) ORDER BY id LIMIT ?2)",
        )?
        .execute(params![cutoff, as_sql(batch)])?)
}
