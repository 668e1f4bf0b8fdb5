//! The audit log: appended to in the transaction of what it tells, read backwards, removed by its own retention.

use rusqlite::params;

use super::{Read, Write, as_sql};
use crate::{
    audit::{Action, Entry, Subject},
    error::Result,
    model::Timestamp,
};

pub fn record(tx: &Write, action: Action, subject: &Subject, now: Timestamp) -> Result<()> {
    tx.sql
        .prepare_cached(
            "INSERT INTO audit (time, action, session_id, client_id, nick, address, reason)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
        )?
        .execute(params![
            now.0,
            action.name(),
            subject.session.map(|id| id.0),
            subject.client.map(|id| id.0),
            subject.nick,
            subject.address.map(|address| address.to_string()),
            action.reason().map(|reason| reason.name()),
        ])?;
    Ok(())
}

/// The last `limit` lines before `before`, ascending.
pub fn list(tx: &Read, before: Option<i64>, limit: usize) -> Result<Vec<Entry>> {
    let mut statement = tx.sql.prepare_cached("SELECT * FROM audit WHERE id < ?1 ORDER BY id DESC LIMIT ?2")?;
    let rows = statement.query_map([before.unwrap_or(i64::MAX), as_sql(limit)], |row| {
        Ok(Entry {
            session: row.get("session_id")?,
            client: row.get("client_id")?,
            nick: row.get("nick")?,
            address: row.get("address")?,
            reason: row.get("reason")?,
            ..Entry::at(row.get("id")?, Timestamp(row.get("time")?), row.get("action")?)
        })
    })?;
    let mut entries = rows.collect::<rusqlite::Result<Vec<_>>>()?;
    entries.reverse();
    Ok(entries)
}

/// Removes a batch of lines older than `cutoff`, oldest first; how many.
pub fn expire(tx: &Write, cutoff: Timestamp, batch: usize) -> Result<usize> {
    Ok(tx
        .sql
        .prepare_cached(
            "DELETE FROM audit WHERE id IN (SELECT id FROM (SELECT id, time FROM audit ORDER BY id LIMIT ?2) WHERE time <= ?1)",
        )?
        .execute(params![cutoff.0, as_sql(batch)])?)
}
