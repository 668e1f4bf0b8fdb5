//! Targets: what events are addressed to. Sessions and channels get their ids from this one
//! sequence.

use rusqlite::params;

use super::transaction::{Read, Write};
use crate::{
    error::Result,
    model::{EventId, TargetId},
};

/// Issues the next id for a session or a channel.
pub fn insert(tx: &Write) -> Result<TargetId> {
    tx.add_row(0, 0);
    Ok(tx
        .sql
        .prepare_cached("INSERT INTO target DEFAULT VALUES RETURNING id")?
        .query_row([], |row| row.get(0))?)
}

/// Records that a target has lost its events up to this one.
pub fn note_dropped(tx: &Write, target: TargetId, event: EventId) -> Result<()> {
    tx.sql
        .prepare_cached("UPDATE target SET dropped = ?2 WHERE id = ?1 AND dropped < ?2")?
        .execute(params![target, event])?;
    Ok(())
}

/// The last event that a target has lost. 0: it has lost none.
pub fn dropped(tx: &Read, target: TargetId) -> Result<EventId> {
    let dropped = tx
        .sql
        .prepare_cached("SELECT dropped FROM target WHERE id = ?1")?;
    Ok({ dropped }.query_row([target], |row| row.get(0))?)
}

/// Removes a target whose session or channel is gone.
pub fn remove(tx: &Write, target: TargetId) -> Result<()> {
    tx.sql
        .prepare_cached("DELETE FROM target WHERE id = ?1")?
        .execute([target])?;
    Ok(())
}
