//! Restore: puts a copy in the place of a database. A crash at any moment leaves either the old
//! database or the new one whole.
//!
//! The copy is made, checked and changed under a temporary name beside the database, which no other
//! process opens. Then the existing database gets a second name, under which it is kept, and one
//! rename puts the copy in its place.
//!
//! It works on SQLite's files, so it names `rusqlite`. Another engine restores by its own tools.

use std::{
    fs::{self, File, Metadata},
    io,
    os::unix::fs::{FileExt as _, MetadataExt},
    path::{Path, PathBuf},
};

use rusqlite::{Connection, OpenFlags};

use super::{
    engine::{
        files::{self, beside, private, write_ahead_log},
        sqlite::{
            lock::{self, DatabaseLock},
            open::{BUSY, CLOSING, prepare, refuse},
        },
    },
    migrate,
    transaction::Write,
};
use crate::{
    error::{Code, Error, Result},
    model::Timestamp,
};

/// The first bytes of every SQLite database.
const MAGIC: &[u8; 16] = b"SQLite format 3\0";

/// The result of a restore.
#[derive(Debug)]
pub struct Restored<T> {
    /// The latest time that is recorded in the copy.
    pub as_of: Timestamp,
    /// The path under which the previous database is kept.
    pub kept: Option<PathBuf>,
    /// What `change` returned.
    pub change: T,
}

/// Puts a copy of `from` in the place of the database whose lock is held, after `change` has
/// changed the copy. With `force`, it does so even if the existing database cannot be kept, or
/// cannot be kept whole. Fails with `internal_error`, and says what is wrong.
pub fn restore<T>(
    lock: &DatabaseLock,
    from: &Path,
    force: bool,
    now: Timestamp,
    change: impl FnOnce(&Write, Timestamp) -> Result<T>,
) -> Result<Restored<T>> {
    let database = lock.path();
    let staged = beside(database, "restoring");
    // A restore that was killed may have left this.
    discard(&staged)?;
    let done = stage(from, &staged, database, now, change).and_then(|(as_of, change)| {
        let kept = keep(database, now, force)?;
        put(&staged, database).map_err(|e| refuse(database, format!("cannot be replaced: {e}")))?;
        Ok(Restored {
            as_of,
            kept,
            change,
        })
    });
    if done.is_err() {
        // If this fails, the next restore removes it.
        let _ = discard(&staged);
    }
    done
}

/// Makes the copy under its temporary name, checks it, and changes it.
fn stage<T>(
    from: &Path,
    staged: &Path,
    database: &Path,
    now: Timestamp,
    change: impl FnOnce(&Write, Timestamp) -> Result<T>,
) -> Result<(Timestamp, T)> {
    let file = copy(from, staged, database)?;
    let not_ours = |why: &dyn std::fmt::Display| no_copy(from, why);
    let mut connection = Connection::open_with_flags(staged, OpenFlags::SQLITE_OPEN_READ_WRITE)
        .and_then(|connection| prepare(&connection).map(|()| connection))
        .map_err(|e| not_ours(&e))?;
    // Nothing here is worth a sync before all of it is done.
    let unsynced = connection.pragma_update(None, "synchronous", "off");
    unsynced
        .and_then(|()| connection.pragma_update(None, "journal_mode", "delete"))
        .map_err(|e| damaged(from, &e))?;
    migrate::check(&connection)
        .map_err(|e| damaged(from, &e))?
        .map_err(|why| not_ours(&why))?;
    check_whole(&connection).map_err(|why| damaged(from, &why))?;
    migrate::run(&mut connection).map_err(|e| not_ours(&e))?;
    let as_of = last_time(&connection)?;
    connection.pragma_update(None, "application_id", migrate::COPY)?;
    migrate::adopt(&mut connection, now)?;
    let changed = {
        let transaction = connection.transaction()?;
        let changed = change(&Write::new(&transaction), as_of)?;
        transaction.commit()?;
        changed
    };
    connection.close().map_err(|(_, error)| error)?;
    files::share_owner(
        &file,
        if database.exists() {
            database
        } else {
            files::folder(database)
        },
    );
    file.sync_all()
        .map_err(|e| refuse(database, format!("cannot be replaced: {e}")))?;
    Ok((as_of, changed))
}

/// Copies the file, and the write-ahead log beside it if there is one. SQLite never opens the
/// original. The file is opened once, and it is checked and read through that handle, so it does
/// not matter if the name is given to another file meanwhile.
fn copy(from: &Path, staged: &Path, database: &Path) -> Result<File> {
    let not_ours = |why: &dyn std::fmt::Display| no_copy(from, why);
    let mut source = files::at_once().open(from).map_err(|e| not_ours(&e))?;
    let metadata = source.metadata().map_err(|e| not_ours(&e))?;
    if !metadata.is_file() {
        return Err(not_ours(&"it is not a regular file"));
    }
    let is_opened = |path: &Path| fs::metadata(path).is_ok_and(|file| is_same(&file, &metadata));
    if is_opened(database) {
        return Err(not_ours(&"it is the database itself"));
    }
    // The lock beside a name is the lock of the file that has the name now.
    if is_opened(from) && lock::is_held(from) {
        let holder = lock::holder(from);
        return Err(not_ours(&format!(
            "it {}: copy it with `rejoin backup`",
            lock::in_use(&holder)
        )));
    }
    if !is_database(&source) {
        return Err(not_ours(&"it is not a database"));
    }
    let cannot = |e: io::Error| {
        Error::new(
            Code::InternalError,
            format!("{} cannot be written: {e}", staged.display()),
        )
    };
    let mut file = private().create_new(true).open(staged).map_err(cannot)?;
    io::copy(&mut source, &mut file).map_err(cannot)?;
    let ([log, _], [staged_log, _]) = (write_ahead_log(from), write_ahead_log(staged));
    match files::at_once().open(&log) {
        Ok(mut log) => {
            // If another file has the name now, the log may be that file's.
            if !is_opened(from) {
                return Err(not_ours(
                    &"it was replaced by another file while it was read",
                ));
            }
            if !log.metadata().is_ok_and(|log| log.is_file()) {
                return Err(not_ours(&"its write-ahead log is not a regular file"));
            }
            let mut file = private()
                .create_new(true)
                .open(&staged_log)
                .map_err(cannot)?;
            io::copy(&mut log, &mut file).map_err(cannot)?;
        }
        Err(e) if e.kind() == io::ErrorKind::NotFound => {}
        Err(e) => {
            return Err(not_ours(&format!(
                "its write-ahead log {} cannot be read: {e}",
                log.display()
            )));
        }
    }
    Ok(file)
}

fn is_same(one: &Metadata, other: &Metadata) -> bool {
    (one.dev(), one.ino()) == (other.dev(), other.ino())
}

/// Whether a file begins like a database.
fn is_database(file: &File) -> bool {
    let mut magic = [0; MAGIC.len()];
    file.read_exact_at(&mut magic, 0).is_ok() && magic == *MAGIC
}

/// Checks every page, row and reference. The error describes the first one that is broken.
fn check_whole(connection: &Connection) -> std::result::Result<(), String> {
    let check = |sql: &str| {
        connection
            .query_row(sql, [], |row| row.get::<_, String>(0))
            .map_err(|e| e.to_string())
    };
    let found = check("PRAGMA integrity_check(1)")?;
    if found != "ok" {
        return Err(found);
    }
    let mut broken = connection
        .prepare("PRAGMA foreign_key_check")
        .map_err(|e| e.to_string())?;
    if broken.exists([]).map_err(|e| e.to_string())? {
        return Err("some rows refer to rows that do not exist".into());
    }
    Ok(())
}

/// The latest time that is recorded in the database.
fn last_time(connection: &Connection) -> Result<Timestamp> {
    let latest = "SELECT max(coalesce((SELECT time FROM event ORDER BY id DESC LIMIT 1), 0),
        coalesce((SELECT time FROM audit ORDER BY id DESC LIMIT 1), 0), coalesce((SELECT max(seen_at) FROM client), 0))";
    Ok(Timestamp(
        connection.query_row(latest, [], |row| row.get(0))?,
    ))
}

/// Gives the existing database a second name, under which it stays whole.
fn keep(database: &Path, now: Timestamp, force: bool) -> Result<Option<PathBuf>> {
    if !database.exists() {
        return Ok(None);
    }
    let kept = match fold_log(database) {
        Ok(()) => second_name(database, now).map(|name| (name, false)),
        Err(_) if force => second_name(database, now).map(|name| (name, true)),
        Err(why) => {
            let [log, _] = write_ahead_log(database);
            let log = log.display();
            let why = format!(
                "cannot be kept as one file, because its write-ahead log {log} cannot be merged into it: {why}"
            );
            return Err(refuse(
                database,
                format!("{why}. Repeat with --force to replace it anyway and to keep both files"),
            ));
        }
    };
    match kept {
        Ok((name, with_log)) => {
            for (file, kept) in write_ahead_log(database).iter().zip(write_ahead_log(&name)) {
                // SQLite would take the old database's log for the new one's.
                let gone = if with_log {
                    fs::rename(file, kept)
                } else {
                    fs::remove_file(file)
                };
                gone.or_else(|e| {
                    if e.kind() == io::ErrorKind::NotFound {
                        Ok(())
                    } else {
                        Err(e)
                    }
                })
                .map_err(|e| {
                    refuse(
                        database,
                        format!(
                            "cannot be replaced, because {} cannot be moved out of the way: {e}",
                            file.display()
                        ),
                    )
                })?;
            }
            files::tighten(&name);
            Ok(Some(name))
        }
        Err(why) if force => {
            tracing::warn!(
                "the database {} is replaced without being kept: {why}",
                database.display()
            );
            write_ahead_log(database)
                .iter()
                .for_each(|file| drop(fs::remove_file(file)));
            Ok(None)
        }
        Err(why) => Err(refuse(
            database,
            format!(
                "cannot be kept: {why}. Repeat with --force to replace it anyway, without keeping it"
            ),
        )),
    }
}

/// Folds the write-ahead log that a crash left into the database.
fn fold_log(database: &Path) -> std::result::Result<(), String> {
    let [log, _] = write_ahead_log(database);
    if fs::metadata(&log).map_or(0, |log| log.len()) == 0 {
        return Ok(());
    }
    // SQLite deletes the log of a file that it takes for an empty database.
    if !File::open(database).is_ok_and(|file| is_database(&file)) {
        return Err("the file is not a database any more".into());
    }
    let fold = || {
        let connection = Connection::open_with_flags(database, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
        connection.busy_timeout(CLOSING)?;
        let busy = connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| {
            row.get::<_, bool>(0)
        })?;
        connection.close().map_err(|(_, error)| error)?;
        Ok::<_, rusqlite::Error>(busy)
    };
    match fold() {
        Ok(false) if fs::metadata(&log).map_or(0, |log| log.len()) == 0 => Ok(()),
        Ok(_) => Err(BUSY.into()),
        Err(error) => Err(error.to_string()),
    }
}

/// Gives the database a second name. On file systems without hard links, it makes a copy instead.
fn second_name(database: &Path, now: Timestamp) -> io::Result<PathBuf> {
    // Without colons, because some programs take them for the end of a host name.
    let time = now.to_string().replace(':', "");
    for n in 1.. {
        let name = beside(
            database,
            &if n == 1 {
                format!("before-{time}")
            } else {
                format!("before-{time}-{n}")
            },
        );
        let named = fs::hard_link(database, &name).or_else(|e| match e.kind() {
            io::ErrorKind::AlreadyExists => Err(e),
            _ => copy_private(database, &name),
        });
        match named {
            Err(e) if e.kind() == io::ErrorKind::AlreadyExists => continue,
            named => return named.map(|()| name),
        }
    }
    unreachable!("there are more numbers than files")
}

fn copy_private(from: &Path, to: &Path) -> io::Result<()> {
    let mut file = private().create_new(true).open(to)?;
    let copied = File::open(from)
        .and_then(|mut from| io::copy(&mut from, &mut file))
        .and_then(|_| file.sync_all());
    if copied.is_err() {
        let _ = fs::remove_file(to);
    }
    copied
}

/// Puts the new database in the place of the old one.
fn put(staged: &Path, database: &Path) -> io::Result<()> {
    let folder = File::open(files::folder(database))?;
    // The second name must be on the disk before the first name means another file.
    folder.sync_all()?;
    fs::rename(staged, database)?;
    folder.sync_all()
}

/// Removes a copy that was not put in place.
fn discard(staged: &Path) -> Result<()> {
    let [log, index] = write_ahead_log(staged);
    for file in [staged.to_owned(), log, index] {
        match fs::remove_file(&file) {
            Err(e) if e.kind() != io::ErrorKind::NotFound => {
                let detail = format!(
                    "{} is left over from an earlier restore and cannot be removed: {e}",
                    file.display()
                );
                return Err(Error::new(Code::InternalError, detail));
            }
            _ => {}
        }
    }
    Ok(())
}

fn no_copy(from: &Path, why: &dyn std::fmt::Display) -> Error {
    Error::new(
        Code::InternalError,
        format!("{} cannot be restored: {why}", from.display()),
    )
}

fn damaged(from: &Path, why: &dyn std::fmt::Display) -> Error {
    no_copy(from, &format!("it is damaged: {why}"))
}
