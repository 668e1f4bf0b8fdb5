//! Access to a database: through its running server, or by taking its lock.

use std::{fs, os::unix::fs::MetadataExt, path::Path, time::Instant};

use rustix::process::geteuid;
use tokio::net::UnixStream;

use super::protocol::socket_path;
use crate::store::{
    DatabaseLock,
    lock::{self, LOCK_PATIENCE, LOCK_RETRY},
};

/// The way to a database. Only one process has the database open at a time.
pub enum DatabaseAccess {
    /// A server is running, and this is a connection to its control socket.
    Running(UnixStream),
    /// No server is running, and this process holds the lock.
    Locked(DatabaseLock),
}

impl DatabaseAccess {
    /// Connects to the running server, or takes the lock. Waits up to [`LOCK_PATIENCE`] for other
    /// subcommands, and for a server that is starting or stopping.
    ///
    /// Fails with a sentence for the operator.
    pub async fn to(database: &Path, name: &str) -> Result<Self, String> {
        let deadline = Instant::now() + LOCK_PATIENCE;
        loop {
            if let Ok(stream) = UnixStream::connect(socket_path(database)).await {
                require_trusted(&stream, database)?;
                return Ok(Self::Running(stream));
            }
            if let Some(lock) =
                DatabaseLock::for_subcommand(database, name).map_err(|error| error.detail)?
            {
                return Ok(Self::Locked(lock));
            }
            if Instant::now() >= deadline {
                let why = lock::in_use(&lock::holder(database));
                let waited = LOCK_PATIENCE.as_secs();
                return Err(format!(
                    "the database {} {why}; gave up after {waited} seconds",
                    database.display()
                ));
            }
            tokio::time::sleep(LOCK_RETRY).await;
        }
    }
}

/// Checks that the process behind the control socket runs as root, as the caller's own user, or as
/// the owner of the database. If others may write to the folder, they could replace the server's
/// socket with their own.
fn require_trusted(stream: &UnixStream, database: &Path) -> Result<(), String> {
    let uid = stream.peer_cred().map_err(|error| error.to_string())?.uid();
    let owner = fs::metadata(database).map(|file| file.uid()).ok();
    if uid == 0 || uid == geteuid().as_raw() || Some(uid) == owner {
        return Ok(());
    }
    let socket = socket_path(database);
    Err(format!(
        "{} is answered by the user {uid}, who is neither root nor you nor the database's owner: \
         find out who put it there, and remove it",
        socket.display()
    ))
}
