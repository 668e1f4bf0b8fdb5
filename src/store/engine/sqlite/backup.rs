//! Backup: a consistent copy of a database that may be in use.

use std::{fs, path::Path};

use rusqlite::{Connection, ErrorCode};

use super::{super::files::private, readers::Readers};
use crate::{
    error::{Code, Error, Result},
    store::migrate,
};

/// Copies a database that may be in use (`VACUUM INTO`), and syncs the copy. Fails with
/// `internal_error` if `to` exists or cannot be written.
pub fn copy(from: &Readers, to: &Path) -> Result<()> {
    let cannot = |why: &dyn std::fmt::Display| {
        Error::new(
            Code::InternalError,
            format!("the copy {} cannot be written: {why}", to.display()),
        )
    };
    let target = to
        .to_str()
        .ok_or_else(|| cannot(&"its name is not UTF-8"))?;
    // SQLite writes into an existing file if it is empty. This one has mode 0600.
    let file = private()
        .create_new(true)
        .open(to)
        .map_err(|e| cannot(&e))?;
    let copied = from
        .lease()
        .map_err(|e| cannot(&e.detail))
        .and_then(|connection| {
            connection
                .execute("VACUUM INTO ?1", [target])
                .map_err(|e| match e.sqlite_error_code() {
                    Some(ErrorCode::OperationInterrupted) => cannot(&"the server is stopping"),
                    _ => cannot(&e),
                })?;
            let mark = |copy: Connection| copy.pragma_update(None, "application_id", migrate::COPY);
            Connection::open(to)
                .and_then(mark)
                .map_err(|e| cannot(&e))?;
            file.sync_all().map_err(|e| cannot(&e))
        });
    if copied.is_err() {
        // Half a copy must not be taken for a whole one.
        let _ = fs::remove_file(to);
    }
    copied
}
