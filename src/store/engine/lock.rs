//! The lock beside a database: one process owns it at a time, and says in the lock file who it is.
//!
//! The system drops the lock when its holder ends, however it ends. The text in the file is for
//! people and for error messages: nothing but the lock itself decides who owns the database.

use std::{
    fs::{File, TryLockError},
    io::{self, Read as _, Seek, Write as _},
    path::{Path, PathBuf},
    thread,
    time::{Duration, Instant},
};

use super::{
    files::{self, beside},
    open::refuse,
};
use crate::error::Result;

/// How long a server or a subcommand waits for a database that another process holds.
pub const LOCK_PATIENCE: Duration = Duration::from_secs(10);
/// Between two tries.
pub const LOCK_RETRY: Duration = Duration::from_millis(50);

/// A database whose lock this process holds. Dropping it lets the lock go.
#[derive(Debug)]
pub struct DatabaseLock {
    path: PathBuf,
    file: File,
}

/// What a lock file begins with while a server serves: no other server waits for that one to end.
const SERVER: &str = "a rejoin server";
/// The same once the server is stopping.
const STOPPING: &str = "a rejoin server that is stopping";

impl DatabaseLock {
    /// Takes the lock for a server. It waits for a subcommand, and for a server that is stopping,
    /// but not for a server that runs.
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

    /// Takes the lock for a subcommand, if it is free.
    pub fn for_subcommand(database: &Path, name: &str) -> Result<Option<Self>> {
        Self::attempt(database, &format!("the subcommand `rejoin {name}`"))
    }

    /// The database itself.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Says that this server is stopping, so that the next one waits for it.
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

    /// Writes down who holds the lock. If that fails, error messages say less.
    fn announce(&self, holder: &str) {
        let write = |mut file: &File| {
            file.set_len(0)?;
            file.rewind()?;
            writeln!(file, "{holder}, process {}", std::process::id())
        };
        if let Err(error) = write(&self.file) {
            tracing::debug!(%error, "the lock file cannot be written");
        }
    }
}

impl Drop for DatabaseLock {
    fn drop(&mut self) {
        // The next holder's name would otherwise stand behind ours for a moment.
        let _ = self.file.set_len(0);
    }
}

/// Who holds the lock of a database, as far as the holder has said so; may be empty.
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

/// Whether some process has a database now.
pub fn is_held(database: &Path) -> bool {
    let path = beside(&files::resolve(database), "lock");
    files::no_link()
        .open(path)
        .is_ok_and(|file| matches!(file.try_lock_shared(), Err(TryLockError::WouldBlock)))
}

/// Why a database cannot be had.
pub fn in_use(holder: &str) -> String {
    format!(
        "is in use by another process: {}",
        if holder.is_empty() {
            "it does not say which"
        } else {
            holder
        }
    )
}
