//! Targets: what events are addressed to. Sessions and channels draw their ids from this one
//! sequence.

use rusqlite::params;

use super::transaction::{Read, Write};
use crate::{
    error::Result,
    model::{EventId, TargetId},
};

/// Draws the next id of a session or a channel.
pub fn insert(tx: &Write) -> Result<TargetId> {
    tx.add_row(0, 0);
    Ok(tx
        .sql
        .prepare_cached("INSERT INTO target DEFAULT VALUES RETURNING id")?
        .query_row([], |row| row.get(0))?)
}

/// Notes how far a target has lost its events.
pub fn note_dropped(tx: &Write, target: TargetId, event: EventId) -> Result<()> {
    tx.sql
        .prepare_cached("UPDATE target SET dropped = ?2 WHERE id = ?1 AND dropped < ?2")?
        .execute(params![target, event])?;
    Ok(())
}

/// The last event of a target that it has lost; 0: none.
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
