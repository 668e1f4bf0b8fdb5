//! SQLite's errors as the project's errors.

use rusqlite::ErrorCode;

use crate::error::{Error, Result};

/// A failure of SQLite is the server's fault, and only the log gets its text. A failure of the
/// machine (its disk, or another process that holds the database) may pass, and is
/// `storage_failed`.
impl From<rusqlite::Error> for Error {
    fn from(error: rusqlite::Error) -> Self {
        match error.sqlite_error() {
            Some(failure) if is_the_machines(failure.code) => {
                Error::storage(format!("{error} (code {})", failure.extended_code))
            }
            _ => Error::internal(error),
        }
    }
}

fn is_the_machines(code: ErrorCode) -> bool {
    use ErrorCode::*;
    match code {
        DiskFull | SystemIoFailure | ReadOnly | CannotOpen => true,
        DatabaseBusy | DatabaseLocked | FileLockingProtocolFailed => true,
        // SQLite also reports this when the disk fails to read a page.
        DatabaseCorrupt => true,
        _ => false,
    }
}

/// Maps a violated UNIQUE constraint to the refusal that it means.
pub fn on_unique<T>(result: rusqlite::Result<T>, refusal: impl FnOnce() -> Error) -> Result<T> {
    result.map_err(|error| match error.sqlite_error() {
        Some(e) if e.extended_code == rusqlite::ffi::SQLITE_CONSTRAINT_UNIQUE => refusal(),
        _ => error.into(),
    })
}
