//! All SQL, and the only place that names `rusqlite`.
//!
//! [`Store::write`] runs a closure in a transaction on the one writer thread; [`Store::read`] runs one on a read-only
//! connection. The submodules hold functions over a transaction: those that take a [`Read`] only look, those that take a
//! [`Write`] change something and note what follows from it in memory as an [`Effect`].

use std::{
    cell::RefCell,
    fs::File,
    ops::Deref,
    path::{Path, PathBuf},
    sync::{Arc, Mutex},
};

use rusqlite::{Connection, ErrorCode};
use tokio::sync::Semaphore;

use crate::{
    error::{Error, Result},
    model::{Caller, ChannelId, ClientId, EndReason, Event, EventId, GrantId, SessionId, TargetId, Timestamp},
    secret::SecretHash,
};

pub mod app;
pub mod audit;
pub mod authorization_code;
pub mod channel;
pub mod client;
#[cfg(test)]
mod cost;
pub mod device_code;
pub mod grant;
pub mod grant_end;
pub mod label;
pub mod log;
pub mod mark;
pub mod member;
mod migrate;
mod open;
pub mod retention;
pub mod session;
pub mod sight;
pub mod texts;
pub mod token;
pub mod unread;
mod writer;

pub use writer::Place;

/// Readers at one time; each is a connection and a thread of the blocking pool.
const READERS: usize = 4;

/// What a commit means for what is kept in memory. Effects reach the observer in the order of the commits, after the
/// commit and before anyone is answered.
#[derive(Clone, Debug)]
pub enum Effect {
    /// An event is in the log.
    Logged {
        event: Arc<Event>,
        targets: Vec<TargetId>,
    },
    /// A client exists from now on, or has a new secret and a new lifetime; the old secret is dead.
    Admitted(Admission),
    ClientEnded {
        session: SessionId,
        client: ClientId,
        reason: EndReason,
    },
    /// An access token works from now on.
    TokenIssued(token::Access),
    /// No token of this grant works any more.
    GrantEnded {
        grant: GrantId,
    },
    /// The credentials of an app work no more.
    AppEnded,
    Joined {
        session: SessionId,
        channel: ChannelId,
    },
    Left {
        session: SessionId,
        channel: ChannelId,
    },
}

/// A live client as the caller map holds it.
#[derive(Clone, Copy, Debug)]
pub struct Admission {
    pub caller: Caller,
    pub secret: SecretHash,
    pub cursor: EventId,
    /// Whether its queue has begun.
    pub begun: bool,
    /// Whether its secret was ever presented.
    pub presented: bool,
    pub seen_at: Timestamp,
    pub expires_at: Timestamp,
}

/// Called on the writer thread with the effects of each commit. It must not block.
pub type Observer = Box<dyn Fn(Vec<Effect>) + Send>;

/// A transaction that reads.
pub struct Read<'c> {
    sql: &'c Connection,
}

/// A transaction that writes.
pub struct Write<'c> {
    read: Read<'c>,
    effects: RefCell<Vec<Effect>>,
}

impl<'c> Write<'c> {
    fn new(sql: &'c Connection) -> Self {
        Self { read: Read { sql }, effects: RefCell::default() }
    }

    fn effect(&self, effect: Effect) {
        self.effects.borrow_mut().push(effect);
    }
}

impl<'c> Deref for Write<'c> {
    type Target = Read<'c>;

    fn deref(&self) -> &Read<'c> {
        &self.read
    }
}

/// A database, owned by this process.
pub struct Store {
    writer: writer::Writer,
    readers: Arc<Readers>,
    /// Locked as long as the store lives: a second server is refused.
    _lock: File,
}

struct Readers {
    path: PathBuf,
    idle: Mutex<Vec<Connection>>,
    permits: Arc<Semaphore>,
}

impl Store {
    /// Opens the database at `path`, making or upgrading it where needed, and takes its lock. `observe` is told of every
    /// commit.
    pub fn open(path: &Path, observe: Observer, now: Timestamp) -> Result<Self> {
        let lock = open::lock(path)?;
        let connection = open::writer(path, now)?;
        device_code::end_undecided(&connection, now)?;
        let readers =
            Readers { path: path.to_owned(), idle: Mutex::default(), permits: Arc::new(Semaphore::new(READERS)) };
        Ok(Self { writer: writer::Writer::start(connection, observe)?, readers: Arc::new(readers), _lock: lock })
    }

    /// Runs `work` in a transaction and answers once it is on disk. `work` may be run again, so it changes nothing outside
    /// the transaction. An `Err` undoes what it did; a refusal that records something is an `Ok` value.
    pub async fn write<T, F>(&self, work: F) -> Result<T>
    where
        T: Send + 'static,
        F: FnMut(&Write) -> Result<T> + Send + 'static,
    {
        self.place().await?.take(work).await
    }

    /// Waits for a place in the line of those who write.
    pub async fn place(&self) -> Result<Place> {
        self.writer.place().await
    }

    /// A place in that line, if there is one at once.
    pub fn free_place(&self) -> Option<Place> {
        self.writer.free_place()
    }

    /// Runs `work` on a consistent view of everything committed so far.
    pub async fn read<T, F>(&self, work: F) -> Result<T>
    where
        T: Send + 'static,
        F: FnOnce(&Read) -> Result<T> + Send + 'static,
    {
        let readers = self.readers.clone();
        let permit = readers.permits.clone().acquire_owned().await.map_err(Error::internal)?;
        // The permit goes with the work: a caller that hangs up frees it only when the work is done.
        let read = tokio::task::spawn_blocking(move || {
            let result = readers.run(work);
            drop(permit);
            result
        });
        read.await.map_err(Error::internal)?
    }

    /// Like [`Store::read`], on the calling thread: for the start, before there is anyone to keep waiting.
    pub fn read_now<T>(&self, work: impl FnOnce(&Read) -> Result<T>) -> Result<T> {
        self.readers.run(work)
    }

    /// Whether the store writes and reads, by doing both.
    pub async fn check(&self) -> Result<()> {
        self.write(|tx| Ok(touch(tx.sql)?)).await?;
        self.read(|tx| log::head(tx).map(drop)).await
    }

    /// Writes a consistent copy of the database to a new file, readable by its owner alone.
    pub async fn backup(&self, to: PathBuf) -> Result<()> {
        let from = self.readers.path.clone();
        tokio::task::spawn_blocking(move || open::copy(&from, &to)).await.map_err(Error::internal)?
    }

    /// Commits what was accepted and stops the writer. Later writes fail.
    pub fn close(&self) {
        self.writer.stop();
    }
}

impl Readers {
    fn run<T>(&self, work: impl FnOnce(&Read) -> Result<T>) -> Result<T> {
        // The lock is held to take or return a connection, never while one is used.
        let idle = self.idle.lock().unwrap_or_else(|e| e.into_inner()).pop();
        let connection = match idle {
            Some(connection) => connection,
            None => open::reader(&self.path)?,
        };
        let transaction = connection.unchecked_transaction()?;
        let result = work(&Read { sql: &transaction });
        let ended = transaction.finish();
        // One that failed is closed, and with it goes whatever may be wrong with it.
        if ended.is_ok() && !result.as_ref().is_err_and(Error::is_failure) {
            self.idle.lock().unwrap_or_else(|e| e.into_inner()).push(connection);
        }
        result
    }
}

/// A real write that changes nothing: the file's version as it is. (A row that is updated to what it was is not written.)
fn touch(sql: &Connection) -> rusqlite::Result<()> {
    let version: i32 = sql.pragma_query_value(None, "user_version", |row| row.get(0))?;
    sql.pragma_update(None, "user_version", version)
}

/// Draws an id from the sequence that sessions and channels share.
fn new_target(tx: &Write) -> Result<TargetId> {
    tx.sql.prepare_cached("INSERT INTO target DEFAULT VALUES")?.execute([])?;
    Ok(TargetId(tx.sql.last_insert_rowid()))
}

/// A failure of SQLite is the server's, and its text goes to the log alone. Those of the machine may pass: its disk, or
/// another process that holds the database.
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

/// A count as SQLite takes it.
fn as_sql(count: usize) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

/// Maps a violated UNIQUE constraint to the refusal it means.
fn on_unique<T>(result: rusqlite::Result<T>, refusal: impl FnOnce() -> Error) -> Result<T> {
    result.map_err(|error| match error.sqlite_error() {
        Some(e) if e.extended_code == rusqlite::ffi::SQLITE_CONSTRAINT_UNIQUE => refusal(),
        _ => error.into(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_reader_that_failed_is_not_used_again_and_one_that_refused_is() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(&dir.path().join("r.db"), Box::new(|_| {}), Timestamp(0)).unwrap();
        // A setting that stays with the connection.
        let leave = |error: Error| {
            store.read(|tx| {
                tx.sql.pragma_update(None, "cache_size", 77)?;
                Err::<(), _>(error)
            })
        };
        let found =
            || store.read(|tx| Ok(tx.sql.pragma_query_value(None, "cache_size", |row| row.get::<_, i64>(0))?));
        leave(Error::malformed("refused")).await.unwrap_err();
        assert_eq!(found().await.unwrap(), 77);
        leave(Error::internal("failed")).await.unwrap_err();
        assert_ne!(found().await.unwrap(), 77);
    }
}
