//! Opening and closing a database: the pragmas, a clear error when the file is not ours, and one
//! whole file at the end.

use std::{fs, io, path::Path, time::Duration};

use rusqlite::{Connection, ErrorCode, OpenFlags, config::DbConfig};

use super::{
    super::files::{self, private},
    full_disk::Room,
};
use crate::{
    error::{Code, Error, Result},
    model::Timestamp,
    store::{migrate, write_cost::Priority},
};

/// How many statements a connection keeps prepared. A page of a queue and a command need about 30.
const STATEMENTS: usize = 128;
/// How long another process (a shell, a tool that replicates) may hold a lock before a statement
/// that waits for it fails. Well-behaved processes need milliseconds, and all commands wait behind
/// such a statement. A backup only reads, which locks nothing.
const PATIENCE: Duration = Duration::from_secs(1);
/// How long closing waits for such a process. No commands wait behind it any more.
pub const CLOSING: Duration = Duration::from_secs(2);
/// The bytes of the write-ahead log that are kept to be written again. A longer log is shortened to
/// this.
const LOG_LIMIT: i64 = 16 << 20;

/// Why a write-ahead log could not be merged into its database.
pub const BUSY: &str = "another process is using the database";

/// Opens a database for the writer, and creates or upgrades it where needed. Fails with
/// `storage_failed` if the machine does (a full disk), and with `internal_error` if the file is not
/// ours.
pub fn writer(path: &Path, now: Timestamp) -> Result<Connection> {
    // The file is created before SQLite would create it, so that only its owner can access it and
    // the files that SQLite puts beside it.
    files::close_to_others(path);
    match private().create_new(true).open(path) {
        Err(e) if e.kind() != io::ErrorKind::AlreadyExists => {
            return Err(refuse(path, format!("cannot be created: {e}")));
        }
        _ => {}
    }
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let mut connection =
        Connection::open_with_flags(path, flags).map_err(|e| describe(path, &e))?;
    prepare(&connection).map_err(|e| describe(path, &e))?;
    migrate::check(&connection)
        .map_err(|e| describe(path, &e))?
        .map_err(|why| refuse(path, why))?;
    connection
        .pragma_update(None, "journal_mode", "wal")
        .map_err(|e| describe(path, &e))?;
    connection
        .pragma_update(None, "synchronous", "full")
        .map_err(|e| describe(path, &e))?;
    connection
        .pragma_update(None, "journal_size_limit", LOG_LIMIT)
        .map_err(|e| describe(path, &e))?;
    migrate::run(&mut connection).map_err(|e| describe(path, &e))?;
    migrate::adopt(&mut connection, now).map_err(|e| describe(path, &e))?;
    Ok(connection)
}

/// Opens a database to read. Fails with `storage_failed` or `internal_error`.
pub fn reader(path: &Path) -> Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    prepare(&connection)?;
    Ok(connection)
}

/// Closes the writer's connection, after all others are closed. It folds the write-ahead log into
/// the database and removes it, so that the database is one whole file. On a full disk it uses the
/// reserve. If it fails, it logs which files belong together.
pub fn close(connection: Connection, path: &Path, room: &mut Room) {
    let patience = connection.busy_timeout(CLOSING);
    let fold = || {
        // The first column says whether another reader or writer was in the way.
        connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| {
            row.get::<_, bool>(0)
        })
    };
    let mut folded = patience.and_then(|()| fold());
    while folded.is_err() && room.make_room(Priority::Essential) {
        folded = fold();
    }
    let closed = connection.close().map_err(|(_, error)| error);
    let why = match folded.and_then(|busy| closed.map(|()| busy)) {
        Ok(true) => BUSY.to_owned(),
        Ok(false) => "another process has the database open".to_owned(),
        Err(error) => error.to_string(),
    };
    let [log, index] = files::write_ahead_log(path);
    let (database, log, index) = (path.display(), &log, index.exists());
    match fs::metadata(log).map(|log| log.len()) {
        Err(_) if !index => {
            tracing::info!("the database {database} is closed and complete in one file")
        }
        Ok(1..) => tracing::error!(
            "the database {database} is incomplete without its write-ahead log {}: {why}. Keep the \
             two files together, and copy both or neither",
            log.display()
        ),
        // The log that is left is empty.
        _ => tracing::warn!(
            "the database {database} is complete, but its write-ahead log could not be removed: {why}"
        ),
    }
}

/// Sets up a connection of either kind.
pub fn prepare(connection: &Connection) -> rusqlite::Result<()> {
    connection.set_prepared_statement_cache_capacity(STATEMENTS);
    connection.busy_timeout(PATIENCE)?;
    // Keep a statement's plan whatever values are bound. Without this, SQLite plans some queries
    // again each time, to see whether a value lets it use a partial index.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    connection.pragma_update(None, "foreign_keys", "on")?;
    connection.pragma_update(None, "temp_store", "memory")
}

fn describe(path: &Path, error: &rusqlite::Error) -> Error {
    match error.sqlite_error_code() {
        Some(ErrorCode::NotADatabase) => refuse(path, "is not a database"),
        Some(ErrorCode::DiskFull | ErrorCode::SystemIoFailure | ErrorCode::CannotOpen) => Error {
            code: Code::StorageFailed,
            ..refuse(path, format!("cannot be opened: {error}"))
        },
        _ => refuse(path, format!("cannot be opened: {error}")),
    }
}

/// The error that a database cannot be used (`internal_error`). `why` follows its path.
pub fn refuse(path: &Path, why: impl std::fmt::Display) -> Error {
    Error::new(
        Code::InternalError,
        format!("the database {} {why}", path.display()),
    )
}
