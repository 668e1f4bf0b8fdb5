//! Opening a database and closing it: the pragmas, a clear word when the file is not ours, and one
//! whole file at the end.

use std::{fs, io, path::Path, time::Duration};

use rusqlite::{Connection, ErrorCode, OpenFlags, config::DbConfig};

use super::{
    files::{self, private},
    room::Room,
};
use crate::store::{account::Priority, migrate};
use crate::{
    error::{Code, Error, Result},
    model::Timestamp,
};

/// Statements kept prepared; a page of a queue and a command need about thirty.
const STATEMENTS: usize = 128;
/// How long another process (a shell, a tool that replicates) may hold a lock before what waits for
/// it fails. Well-behaved ones need milliseconds, and everybody's commands stand behind the one
/// that waits. A backup only reads, which locks nothing.
const PATIENCE: Duration = Duration::from_secs(1);
/// How long the end waits for such a process. Nobody's commands stand behind it any more.
pub const CLOSING: Duration = Duration::from_secs(2);
/// Bytes of the write-ahead log that are kept to be written over; what it was longer is given back
/// to the disk.
const LOG_LIMIT: i64 = 16 << 20;

/// Opens a database for the writer. A failure of the machine's, such as a full disk, is
/// `storage_failed`.
pub fn writer(path: &Path, now: Timestamp) -> Result<Connection> {
    // Made before SQLite would make it, so that it and what SQLite lays beside it are its owner's
    // alone.
    files::close_to_others(path);
    match private().create_new(true).open(path) {
        Err(e) if e.kind() != io::ErrorKind::AlreadyExists => {
            return Err(refuse(path, format!("cannot be made: {e}")));
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

pub fn reader(path: &Path) -> Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    prepare(&connection)?;
    Ok(connection)
}

/// Closes the writer's connection, once all others are closed: the write-ahead log is folded into
/// the database and removed, so that the database is one whole file; on a full disk with the
/// reserve. Where that cannot be, it says which files belong together.
pub fn close(connection: Connection, path: &Path, room: &mut Room) {
    let patience = connection.busy_timeout(CLOSING);
    let fold = || {
        // The first column says whether somebody else's reader or writer was in the way.
        connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| {
            row.get::<_, bool>(0)
        })
    };
    let mut folded = patience.and_then(|()| fold());
    while folded.is_err() && room.make(Priority::Essential) {
        folded = fold();
    }
    let closed = connection.close().map_err(|(_, error)| error);
    let why = match folded.and_then(|busy| closed.map(|()| busy)) {
        Ok(true) => "another process is using the database".to_owned(),
        Ok(false) => "another process has the database open".to_owned(),
        Err(error) => error.to_string(),
    };
    let [log, index] = files::write_ahead_log(path);
    let (database, log, index) = (path.display(), &log, index.exists());
    match fs::metadata(log).map(|log| log.len()) {
        Err(_) if !index => {
            tracing::info!("the database {database} is closed, and is one whole file")
        }
        Ok(1..) => tracing::error!(
            "the database {database} is not whole without its write-ahead log {}: {why}. \
             Keep the two files together, and copy both or neither",
            log.display()
        ),
        // What is left is empty.
        _ => tracing::warn!(
            "the database {database} is whole, but its write-ahead log could not be removed: {why}"
        ),
    }
}

pub fn prepare(connection: &Connection) -> rusqlite::Result<()> {
    connection.set_prepared_statement_cache_capacity(STATEMENTS);
    connection.busy_timeout(PATIENCE)?;
    // A plan is kept whatever values are bound. Without it SQLite plans some queries anew each
    // time, to look whether a value lets it use a partial index.
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

pub fn refuse(path: &Path, why: impl std::fmt::Display) -> Error {
    Error::new(
        Code::InternalError,
        format!("the database {} {why}", path.display()),
    )
}

/// A real write that changes nothing: the file's version as it is. (A row that is updated to what
/// it was is not written.)
pub fn touch(sql: &Connection) -> rusqlite::Result<()> {
    let version: i32 = sql.pragma_query_value(None, "user_version", |row| row.get(0))?;
    sql.pragma_update(None, "user_version", version)
}
