//! SQLite's errors as the project's.

use rusqlite::ErrorCode;

use crate::error::{Error, Result};

/// A failure of SQLite is the server's, and its text goes to the log alone. Those of the machine
/// may pass: its disk, or another process that holds the database.
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
        // So SQLite calls it too when the disk fails to read a page.
        DatabaseCorrupt => true,
        _ => false,
    }
}

/// Maps a violated UNIQUE constraint to the refusal it means.
pub fn on_unique<T>(result: rusqlite::Result<T>, refusal: impl FnOnce() -> Error) -> Result<T> {
    result.map_err(|error| match error.sqlite_error() {
        Some(e) if e.extended_code == rusqlite::ffi::SQLITE_CONSTRAINT_UNIQUE => refusal(),
        _ => error.into(),
    })
}
