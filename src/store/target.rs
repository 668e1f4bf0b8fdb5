//! Targets: what events are addressed to. Sessions and channels get their ids from this one
//! sequence.

use super::{
    engine::value::params,
    transaction::{Read, Write},
};
use crate::{
    error::Result,
    model::{EventId, TargetId},
};

/// Issues the next id for a session or a channel.
pub fn insert(tx: &Write) -> Result<TargetId> {
    tx.add_row(0, 0);
    tx.one(
        "INSERT INTO target DEFAULT VALUES RETURNING id",
        &[],
        |row| row.get(0),
    )
}

/// Records that a target has lost its events up to this one.
pub fn note_dropped(tx: &Write, target: TargetId, event: EventId) -> Result<()> {
    tx.execute(
        "UPDATE target SET dropped = ?2 WHERE id = ?1 AND dropped < ?2",
        params![target, event],
    )?;
    Ok(())
}

/// The last event that a target has lost. 0: it has lost none.
pub fn dropped(tx: &Read, target: TargetId) -> Result<EventId> {
    tx.one(
        "SELECT dropped FROM target WHERE id = ?1",
        params![target],
        |row| row.get(0),
    )
}

/// Removes a target whose session or channel is gone.
pub fn remove(tx: &Write, target: TargetId) -> Result<()> {
    tx.execute("DELETE FROM target WHERE id = ?1", params![target])?;
    Ok(())
}
