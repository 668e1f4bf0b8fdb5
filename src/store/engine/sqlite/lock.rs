//! The lock beside a database. One process owns the database at a time, and writes into the lock
//! file which process it is.
//!
//! The system drops the lock when its holder ends, however it ends. The text in the file is only
//! for people and error messages: the lock alone decides which process owns the database.

use std::{
    fs::{File, TryLockError},
    io::{self, Read as _, Seek, Write as _},
    path::{Path, PathBuf},
    thread,
    time::{Duration, Instant},
};

use super::{
    super::files::{self, beside},
    open::refuse,
};
use crate::error::Result;

/// How long a server or a subcommand waits for a database that another process holds.
pub const LOCK_PATIENCE: Duration = Duration::from_secs(10);
/// The time between two attempts to take the lock.
pub const LOCK_RETRY: Duration = Duration::from_millis(50);

/// A database whose lock this process holds. Dropping it releases the lock.
#[derive(Debug)]
pub struct DatabaseLock {
    path: PathBuf,
    file: File,
}

/// What the lock file begins with while a server serves. No other server waits for it to end.
const SERVER: &str = "a rejoin server";
/// What the lock file begins with once the server is stopping.
const STOPPING: &str = "a rejoin server that is stopping";

impl DatabaseLock {
    /// Takes the lock for a server. It waits for a subcommand and for a stopping server, but not
    /// for a running server. Fails with `internal_error` if the database is in use.
    pub fn for_server(database: &Path) -> Result<Self> {
        let deadline = Instant::now() + LOCK_PATIENCE;
        loop {
            if let Some(lock) = Self::attempt(database, SERVER)? {
                return Ok(lock);
            }
            let holder = holder(database);
            let runs = holder
                .strip_prefix(SERVER)
                .is_some_and(|rest| rest.starts_with(','));
            if runs || Instant::now() >= deadline {
                return Err(refuse(database, in_use(&holder)));
            }
            thread::sleep(LOCK_RETRY);
        }
    }

    /// Takes the lock for a subcommand. `None`: another process holds it.
    pub fn for_subcommand(database: &Path, name: &str) -> Result<Option<Self>> {
        Self::attempt(database, &format!("the subcommand `rejoin {name}`"))
    }

    /// The path of the database, with links resolved.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Marks the lock as that of a stopping server, so that the next server waits for it.
    pub fn announce_stop(&self) {
        self.announce(STOPPING);
    }

    fn attempt(database: &Path, holder: &str) -> Result<Option<Self>> {
        let path = files::resolve(database);
        let cannot = |e: io::Error| refuse(database, format!("cannot be locked: {e}"));
        let file = files::private()
            .truncate(false)
            .open(beside(&path, "lock"))
            .map_err(cannot)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Ok(None),
            Err(TryLockError::Error(e)) => return Err(cannot(e)),
        }
        files::share_owner(&file, &path);
        let lock = Self { path, file };
        lock.announce(holder);
        Ok(Some(lock))
    }

    /// Writes the holder into the lock file. If that fails, error messages say less.
    fn announce(&self, holder: &str) {
        let write = |mut file: &File| {
            file.set_len(0)?;
            file.rewind()?;
            writeln!(file, "{holder}, process {}", std::process::id())
        };
        if let Err(error) = write(&self.file) {
            tracing::debug!(%error, "could not write the name of this process into the lock file");
        }
    }
}

impl Drop for DatabaseLock {
    fn drop(&mut self) {
        // Otherwise the next holder's name would stand behind ours for a moment.
        let _ = self.file.set_len(0);
    }
}

/// The holder of a database's lock, as the lock file names it. Empty: it does not say.
pub fn holder(database: &Path) -> String {
    let mut text = String::new();
    let path = beside(&files::resolve(database), "lock");
    let read = files::no_link()
        .open(path)
        .and_then(|file| file.take(200).read_to_string(&mut text));
    if read.is_err() {
        text.clear();
    }
    text.trim_end().to_owned()
}

/// Whether some process holds the lock of a database now.
pub fn is_held(database: &Path) -> bool {
    let path = beside(&files::resolve(database), "lock");
    files::no_link()
        .open(path)
        .is_ok_and(|file| matches!(file.try_lock_shared(), Err(TryLockError::WouldBlock)))
}

/// The end of an error message that says that the database is in use. `holder` may be empty.
pub fn in_use(holder: &str) -> String {
    let mut text = "is in use by another process".to_owned();
    if !holder.is_empty() {
        text.push_str(": ");
        text.push_str(holder);
    }
    text
}
