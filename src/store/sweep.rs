//! Targets to be swept: they may have events that nobody can read any more (`unreadable`).

use super::{
    engine::value::params,
    transaction::{Read, Write},
};
use crate::{error::Result, model::TargetId};

/// Adds a target to those that must be swept.
pub fn note(tx: &Write, target: TargetId) -> Result<()> {
    tx.execute(
        "INSERT INTO sweep (target_id) VALUES (?1) ON CONFLICT DO NOTHING",
        params![target],
    )?;
    Ok(())
}

/// A target that must be swept. `None` if there is none.
pub fn next(tx: &Read) -> Result<Option<TargetId>> {
    tx.optional("SELECT target_id FROM sweep LIMIT 1", &[], |row| row.get(0))
}

/// Removes a target that was swept.
pub fn done(tx: &Write, target: TargetId) -> Result<()> {
    tx.execute("DELETE FROM sweep WHERE target_id = ?1", params![target])?;
    Ok(())
}
