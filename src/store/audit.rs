//! The audit log. A line is appended in the transaction of the change that it records. The log is
//! read backwards and has a retention of its own.

use rusqlite::{Row, params};

use super::{
    row::as_sql,
    size::{ADDRESS, length},
    transaction::{Read, Write},
};
use crate::{
    audit::{Action, Entry, Subject},
    error::Result,
    model::{SessionId, Timestamp},
};

/// Records that something happened once.
pub fn record(tx: &Write, action: Action, subject: &Subject, now: Timestamp) -> Result<()> {
    insert(tx, action, subject, None, now)
}

/// Records in one line that something happened `count` times.
pub fn record_many(
    tx: &Write,
    action: Action,
    subject: &Subject,
    count: u64,
    now: Timestamp,
) -> Result<()> {
    insert(
        tx,
        action,
        subject,
        Some(i64::try_from(count).unwrap_or(i64::MAX)),
        now,
    )
}

/// A line that a request causes has the address of that request, even if `subject` has none.
fn insert(
    tx: &Write,
    action: Action,
    subject: &Subject,
    count: Option<i64>,
    now: Timestamp,
) -> Result<()> {
    let texts = [
        length(subject.nick.as_ref()),
        length(subject.app.as_ref()),
        length(subject.channel.as_ref()),
    ];
    tx.add_row(
        action.name().len() + ADDRESS + texts.iter().sum::<usize>(),
        1,
    );
    tx.sql
        .prepare_cached(
            "INSERT INTO audit (time, action, session_id, client_id, nick, address, reason, app, channel, count)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
        )?
        .execute(params![
            now,
            action.name(),
            subject.session,
            subject.client,
            subject.nick,
            subject.address.or(tx.requester.get()).map(|address| address.to_string()),
            action.reason(),
            subject.app,
            subject.channel,
            count,
        ])?;
    Ok(())
}

/// The last `limit` lines before the line `before` (`None`: the end of the log), ascending.
pub fn list(tx: &Read, before: Option<i64>, limit: usize) -> Result<Vec<Entry>> {
    let mut statement = tx
        .sql
        .prepare_cached("SELECT * FROM audit WHERE id < ?1 ORDER BY id DESC LIMIT ?2")?;
    ascending(statement.query_map([before.unwrap_or(i64::MAX), as_sql(limit)], entry)?)
}

/// The last `limit` lines about one session before the line `before`, ascending.
pub fn of_session(tx: &Read, session: SessionId, before: i64, limit: usize) -> Result<Vec<Entry>> {
    let mut statement = tx.sql.prepare_cached(
        "SELECT * FROM audit WHERE session_id = ?1 AND id < ?2 ORDER BY id DESC LIMIT ?3",
    )?;
    ascending(statement.query_map(params![session, before, as_sql(limit)], entry)?)
}

fn ascending(rows: impl Iterator<Item = rusqlite::Result<Entry>>) -> Result<Vec<Entry>> {
    let mut entries = rows.collect::<rusqlite::Result<Vec<_>>>()?;
    entries.reverse();
    Ok(entries)
}

fn entry(row: &Row) -> rusqlite::Result<Entry> {
    Ok(Entry {
        session: row.get("session_id")?,
        client: row.get("client_id")?,
        nick: row.get("nick")?,
        address: row.get("address")?,
        reason: row.get("reason")?,
        app: row.get("app")?,
        channel: row.get("channel")?,
        count: row.get("count")?,
        ..Entry::at(row.get("id")?, row.get("time")?, row.get("action")?)
    })
}

/// Removes a batch of the lines written at `cutoff` or before, oldest first. Returns how many.
pub fn expire(tx: &Write, cutoff: Timestamp, batch: usize) -> Result<usize> {
    Ok(tx
        .sql
        .prepare_cached(
            "DELETE FROM audit WHERE id IN (SELECT id FROM (SELECT id, time FROM audit ORDER BY id LIMIT ?2) WHERE time <= ?1)",
        )?
        .execute(params![cutoff, as_sql(batch)])?)
}
