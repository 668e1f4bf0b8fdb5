//! Targets that may have events which nobody can read any more, until somebody has looked.

use rusqlite::OptionalExtension;

use super::transaction::{Read, Write};
use crate::{error::Result, model::TargetId};

/// Notes a target to be looked through.
pub fn note(tx: &Write, target: TargetId) -> Result<()> {
    tx.sql
        .prepare_cached("INSERT INTO sweep (target_id) VALUES (?1) ON CONFLICT DO NOTHING")?
        .execute([target])?;
    Ok(())
}

/// A target that is to be looked through, if there is one.
pub fn next(tx: &Read) -> Result<Option<TargetId>> {
    let next = tx
        .sql
        .prepare_cached("SELECT target_id FROM sweep LIMIT 1")?;
    Ok({ next }.query_row([], |row| row.get(0)).optional()?)
}

/// Notes that a target was looked through.
pub fn done(tx: &Write, target: TargetId) -> Result<()> {
    tx.sql
        .prepare_cached("DELETE FROM sweep WHERE target_id = ?1")?
        .execute([target])?;
    Ok(())
}
