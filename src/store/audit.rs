//! The audit log. A line is appended in the transaction of the change that it records. The log is
//! read backwards and has a retention of its own.

use super::{
    engine::{connection::Row, value::params},
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
    tx.execute(
        "INSERT INTO audit (time, action, session_id, client_id, nick, address, reason, app,
         channel, count) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
        params![
            now,
            action.name(),
            subject.session,
            subject.client,
            subject.nick,
            subject.address.or(tx.requester.get()),
            action.reason(),
            subject.app,
            subject.channel,
            count,
        ],
    )?;
    Ok(())
}

/// The last `limit` lines before the line `before` (`None`: the end of the log), ascending.
pub fn list(tx: &Read, before: Option<i64>, limit: usize) -> Result<Vec<Entry>> {
    let mut entries = tx.all(
        "SELECT * FROM audit WHERE id < ?1 ORDER BY id DESC LIMIT ?2",
        params![before.unwrap_or(i64::MAX), limit],
        entry,
    )?;
    entries.reverse();
    Ok(entries)
}

/// The last `limit` lines about one session before the line `before`, ascending.
pub fn of_session(tx: &Read, session: SessionId, before: i64, limit: usize) -> Result<Vec<Entry>> {
    let mut entries = tx.all(
        "SELECT * FROM audit WHERE session_id = ?1 AND id < ?2 ORDER BY id DESC LIMIT ?3",
        params![session, before, limit],
        entry,
    )?;
    entries.reverse();
    Ok(entries)
}

fn entry(row: &Row) -> Result<Entry> {
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
    tx.execute(
        "DELETE FROM audit WHERE id IN (
             SELECT id FROM (SELECT id, time FROM audit ORDER BY id LIMIT ?2) AS oldest
             WHERE time <= ?1)",
        params![cutoff, batch],
    )
}
