//! Targets to be swept: they may have events that nobody can read any more (`unreadable`).

use rusqlite::OptionalExtension;

use super::transaction::{Read, Write};
use crate::{error::Result, model::TargetId};

/// Adds a target to those that must be swept.
pub fn note(tx: &Write, target: TargetId) -> Result<()> {
    tx.sql
        .prepare_cached("INSERT INTO sweep (target_id) VALUES (?1) ON CONFLICT DO NOTHING")?
        .execute([target])?;
    Ok(())
}

/// A target that must be swept. `None`: there is none.
pub fn next(tx: &Read) -> Result<Option<TargetId>> {
    let next = tx
        .sql
        .prepare_cached("SELECT target_id FROM sweep LIMIT 1")?;
    Ok({ next }.query_row([], |row| row.get(0)).optional()?)
}

/// Removes a target that was swept.
pub fn done(tx: &Write, target: TargetId) -> Result<()> {
    tx.sql
        .prepare_cached("DELETE FROM sweep WHERE target_id = ?1")?
        .execute([target])?;
    Ok(())
}
