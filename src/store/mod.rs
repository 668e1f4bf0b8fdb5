//! All SQL, and the only place that names `rusqlite`.
//!
//! [`Store::write`] runs a closure in a transaction on the one writer thread; [`Store::read`] runs
//! one on a read-only connection. The submodules hold functions over a transaction: those that take
//! a [`Read`] only look, those that take a [`Write`] change something and note what follows from it
//! in memory as an [`Effect`].

use std::{
    cell::{Cell, RefCell},
    net::IpAddr,
    ops::Deref,
    path::{Path, PathBuf},
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use rusqlite::{Connection, ErrorCode};

use self::{
    readers::Readers,
    room::{Room, RoomView},
    writer::Writer,
};
use crate::{
    error::{Code, Error, Result},
    limits::{
        self, Storage,
        fair::{Bounds, Fair, Full, Lane},
    },
    model::{
        Area, Caller, ChannelId, ChannelName, ClientId, EndReason, Event, EventId, GrantId,
        Network, SessionId, TargetId, Timestamp,
    },
    secret::{KeyRing, SecretHash},
};

mod account;
pub mod app;
pub mod app_secret;
pub mod approval;
pub mod audience;
pub mod audit;
pub mod authorization_code;
pub mod ban;
pub mod channel;
pub mod channel_history;
pub mod client;
#[cfg(test)]
mod cost;
pub mod device_code;
pub mod direct;
pub mod files;
pub mod grant;
pub mod grant_end;
pub mod history;
pub mod invite;
pub mod key_file;
pub mod label;
pub mod lock;
pub mod log;
pub mod mark;
pub mod member;
mod migrate;
mod open;
mod readers;
mod reserve;

pub mod restore;
pub mod retention;
mod room;
mod row;
pub mod session;
pub mod session_mask;
pub mod sight;
pub mod silence;
mod size;
pub mod succession;
pub mod texts;
pub mod token;
pub mod unread;
pub mod unreadable;
mod writer;

pub use account::Priority;
pub use lock::DatabaseLock;
pub use writer::Place;

/// Readers at one time; each is a connection and a thread of the blocking pool.
const READERS: usize = 4;
/// What they may do for one network, however many processors there are. A network that takes much
/// of their time waits behind those that take little, and never has all readers, or more than half
/// of the processors.
const READERS_OF_ONE: usize = 2;

fn readers() -> Bounds {
    let processors = std::thread::available_parallelism().map_or(1, usize::from);
    Bounds {
        permits: READERS,
        permits_of_one: (processors / 2).clamp(1, READERS_OF_ONE),
        waiting_of_one: 256,
        waiting: 4096,
        // Some twenty pages of a history.
        burst: Duration::from_millis(100),
    }
}

/// What a commit means for what is kept in memory. Effects reach the observer in the order of the
/// commits, after the commit and before anyone is answered.
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
    /// This access token works no more; its grant goes on.
    TokenEnded {
        secret: SecretHash,
    },
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
    ChannelMade {
        channel: ChannelId,
        name: ChannelName,
    },
    ChannelEnded {
        channel: ChannelId,
    },
}

/// A live client as the caller map holds it.
#[derive(Clone, Copy, Debug)]
pub struct Admission {
    pub caller: Caller,
    /// Whether it is a device; an API key's bot is none.
    pub is_device: bool,
    pub secret: SecretHash,
    pub cursor: EventId,
    /// Whether its queue has begun.
    pub begun: bool,
    /// Whether its secret was ever presented.
    pub presented: bool,
    pub seen_at: Timestamp,
    /// From where it comes, if that is known.
    pub area: Option<Area>,
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
    /// Bytes that it has added to the disk.
    added: Cell<u64>,
    /// The session that is charged for them.
    author: Cell<Option<SessionId>>,
    /// The address whose request this is. `None`: the server's own work, or the operator's.
    requester: Cell<Option<IpAddr>>,
}

impl<'c> Write<'c> {
    fn new(sql: &'c Connection) -> Self {
        let (effects, added, author, requester) = Default::default();
        Self {
            read: Read { sql },
            effects,
            added,
            author,
            requester,
        }
    }

    /// Says for which session this is done, and so which one is charged for what it adds.
    pub fn work_for(&self, session: SessionId) {
        self.author.set(Some(session));
    }

    /// Bytes that this has added to the disk so far.
    pub fn added(&self) -> u64 {
        self.added.get()
    }

    /// Counts a row that is added: how many bytes its texts and hashes take, and how many entries
    /// in indexes it has.
    fn add_row(&self, values: usize, entries: usize) {
        self.added
            .set(self.added.get() + size::of_row(values, entries));
    }

    /// Counts a text that a row is given in the place of another.
    fn add_text(&self, text: &str) {
        self.added.set(self.added.get() + text.len() as u64);
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
    writer: Arc<Writer>,
    readers: Arc<Readers>,
    /// Whose turn it is to read.
    turns: Fair<Option<Network>>,
    /// Whether the disk is full.
    pub room: Arc<RoomView>,
    /// Held until the database is closed: a second server is refused.
    lock: Arc<Mutex<Option<DatabaseLock>>>,
}

impl Store {
    /// Opens the database, making or upgrading it where needed, and the key file beside it. Without
    /// a key file, the keys are good for this process alone. `observe` is told of every commit.
    pub fn open(
        lock: DatabaseLock,
        key_file: Option<&Path>,
        observe: Observer,
        now: Timestamp,
    ) -> Result<(Self, KeyRing)> {
        let path = lock.path().to_owned();
        let mut room = Room::of(&path);
        let (connection, keys) = loop {
            match prepare(&path, key_file, now) {
                Err(error)
                    if error.code == Code::StorageFailed && room.make(Priority::Essential) => {}
                prepared => break prepared?,
            }
        };
        room.review(&connection);
        let store = Self {
            room: room.view(),
            writer: Arc::new(Writer::start(connection, path.clone(), room, observe)?),
            readers: Arc::new(Readers::new(path)),
            turns: Fair::new(readers()),
            lock: Arc::new(Mutex::new(Some(lock))),
        };
        Ok((store, keys))
    }

    /// Runs `work` in a transaction and answers once it is on disk. `work` may be run again, so it
    /// changes nothing outside the transaction. An `Err` undoes what it did; a refusal that records
    /// something is an `Ok` value.
    ///
    /// It is essential: no limit of what may be added and no full disk refuses it. What may be
    /// refused is for [`Store::write_as`].
    pub async fn write<T, F>(&self, work: F) -> Result<T>
    where
        T: Send + 'static,
        F: FnMut(&Write) -> Result<T> + Send + 'static,
    {
        self.write_as(Priority::Essential, work).await
    }

    /// The same for what adds something and may be refused for that.
    pub async fn write_as<T, F>(&self, priority: Priority, work: F) -> Result<T>
    where
        T: Send + 'static,
        F: FnMut(&Write) -> Result<T> + Send + 'static,
    {
        self.place(None).await?.take(priority, work).await
    }

    /// Limits from now on what each network adds to the disk.
    pub fn limit(&self, storage: Storage) {
        // It is set once, at the start.
        let _ = self.writer.counted.set(storage);
    }

    /// What each network has added, if that is limited.
    pub fn storage(&self) -> Option<&Storage> {
        self.writer.counted.get()
    }

    /// Waits for a place in the line of those who write; the sessions of a network take turns.
    pub async fn place(&self, lane: Lane) -> Result<Place> {
        self.writer.place(lane).await
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
        self.read_in(None, work).await
    }

    /// The same for a session: the sessions of a network take turns.
    pub async fn read_in<T, F>(&self, lane: Lane, work: F) -> Result<T>
    where
        T: Send + 'static,
        F: FnOnce(&Read) -> Result<T> + Send + 'static,
    {
        let readers = self.readers.clone();
        let turn = self
            .turns
            .enter(limits::payer().map(Network::widest), lane)
            .await
            .map_err(crowded)?;
        // The turn goes with the work: a caller that hangs up frees it only when the work is done.
        let read = tokio::task::spawn_blocking(move || {
            let result = readers.run(work);
            drop(turn);
            result
        });
        read.await.map_err(Error::internal)?
    }

    /// Like [`Store::read`], on the calling thread: for the start, before there is anyone to keep
    /// waiting.
    pub fn read_now<T>(&self, work: impl FnOnce(&Read) -> Result<T>) -> Result<T> {
        self.readers.run(work)
    }

    /// Whether the store writes and reads, by doing both.
    pub async fn check(&self) -> Result<()> {
        self.write_as(Priority::Ordinary, |tx| Ok(touch(tx.sql)?))
            .await?;
        self.read(|tx| log::head(tx).map(drop)).await
    }

    /// Writes a consistent copy of the database to a new file, readable by its owner alone.
    pub async fn backup(&self, to: PathBuf) -> Result<()> {
        let readers = self.readers.clone();
        tokio::task::spawn_blocking(move || open::copy(&readers, &to))
            .await
            .map_err(Error::internal)?
    }

    /// Says that the server is stopping, for a next one that waits for the database.
    pub fn announce_stop(&self) {
        self.lock
            .lock()
            .unwrap_or_else(|e| e.into_inner())
            .iter()
            .for_each(DatabaseLock::announce_stop);
    }

    /// Commits what was accepted, closes the database and lets its lock go. Who reads until
    /// `deadline` is interrupted. Later reads and writes fail.
    pub async fn close(&self, deadline: Instant) {
        let (writer, readers, lock) =
            (self.writer.clone(), self.readers.clone(), self.lock.clone());
        let closed =
            tokio::task::spawn_blocking(move || close(&writer, &readers, &lock, deadline)).await;
        if closed.is_err() {
            tracing::error!("closing the database panicked");
        }
    }
}

impl Drop for Store {
    fn drop(&mut self) {
        close(&self.writer, &self.readers, &self.lock, Instant::now());
    }
}

/// Opens a database and its key file, and brings both up to date.
fn prepare(path: &Path, key_file: Option<&Path>, now: Timestamp) -> Result<(Connection, KeyRing)> {
    let connection = open::writer(path, now)?;
    let keys = key_file.map_or_else(KeyRing::generate, |file| {
        key_file::open(&connection, file, now)
    })?;
    succession::heal(&connection, now)?;
    Ok((connection, keys))
}

/// The writer is last: it folds the write-ahead log into the database, which no reader may be using
/// then.
fn close(
    writer: &Writer,
    readers: &Readers,
    lock: &Mutex<Option<DatabaseLock>>,
    deadline: Instant,
) {
    if !readers.close(deadline) {
        tracing::error!("some readers of the database did not end when they were interrupted");
    }
    writer.stop();
    drop(lock.lock().unwrap_or_else(|e| e.into_inner()).take());
}

/// Too many requests of a network wait for a reader.
fn crowded(full: Full) -> Error {
    Error::retry(
        Code::Overloaded,
        full.seconds,
        "too many requests of your network wait already; try again shortly",
    )
}

/// A real write that changes nothing: the file's version as it is. (A row that is updated to what
/// it was is not written.)
fn touch(sql: &Connection) -> rusqlite::Result<()> {
    let version: i32 = sql.pragma_query_value(None, "user_version", |row| row.get(0))?;
    sql.pragma_update(None, "user_version", version)
}

/// Draws an id from the sequence that sessions and channels share.
fn new_target(tx: &Write) -> Result<TargetId> {
    tx.sql
        .prepare_cached("INSERT INTO target DEFAULT VALUES")?
        .execute([])?;
    tx.add_row(0, 0);
    Ok(TargetId(tx.sql.last_insert_rowid()))
}

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
        let lock = DatabaseLock::for_server(&dir.path().join("r.db")).unwrap();
        let store = Store::open(lock, None, Box::new(|_| {}), Timestamp(0))
            .unwrap()
            .0;
        // A setting that stays with the connection.
        let leave = |error: Error| {
            store.read(|tx| {
                tx.sql.pragma_update(None, "cache_size", 77)?;
                Err::<(), _>(error)
            })
        };
        let found = || {
            store.read(|tx| {
                Ok(tx
                    .sql
                    .pragma_query_value(None, "cache_size", |row| row.get::<_, i64>(0))?)
            })
        };
        leave(Error::malformed("refused")).await.unwrap_err();
        assert_eq!(found().await.unwrap(), 77);
        leave(Error::internal("failed")).await.unwrap_err();
        assert_ne!(found().await.unwrap(), 77);
    }

    /// A store with so many megabytes in it, and its path.
    async fn store_of(megabytes: i64) -> (tempfile::TempDir, PathBuf, Arc<Store>) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("r.db");
        let store = Store::open(
            DatabaseLock::for_server(&path).unwrap(),
            None,
            Box::new(|_| {}),
            Timestamp(0),
        )
        .unwrap()
        .0;
        let fill = move |tx: &Write| {
            tx.sql.execute_batch("CREATE TABLE filling (bytes)")?;
            (0..megabytes).try_for_each(|_| {
                tx.sql
                    .execute("INSERT INTO filling VALUES (randomblob(1 << 20))", [])
                    .map(drop)
                    .map_err(Error::from)
            })
        };
        store.write(fill).await.unwrap();
        (dir, path, Arc::new(store))
    }

    fn assert_one_file(path: &std::path::Path) {
        assert!(
            files::write_ahead_log(path)
                .iter()
                .all(|file| !file.exists()),
            "the write-ahead log is still there"
        );
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_reader_without_end_is_interrupted_and_the_database_closed() {
        let (_dir, path, store) = store_of(1).await;
        let (begun, begin) = tokio::sync::oneshot::channel();
        let reading = tokio::spawn({
            let store = store.clone();
            async move {
                store
                    .read(|tx| -> Result<()> {
                        begun.send(()).unwrap();
                        let endless =
                            "WITH RECURSIVE n(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n) SELECT count(*) FROM n";
                        // Each statement has to be interrupted by itself.
                        for _ in 0..5 {
                            tx.sql.query_row(endless, [], |row| row.get::<_, i64>(0)).unwrap_err();
                        }
                        Err(Error::internal("interrupted"))
                    })
                    .await
            }
        });
        begin.await.unwrap();
        store.close(Instant::now()).await;
        assert_one_file(&path);
        assert_eq!(
            reading.await.unwrap().unwrap_err().code,
            crate::error::Code::Overloaded
        );
        assert!(store.read(|_| Ok(())).await.is_err() && store.write(|_| Ok(())).await.is_err());
        DatabaseLock::for_subcommand(&path, "audit")
            .unwrap()
            .expect("the lock is free again");
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_backup_that_is_not_done_in_time_leaves_no_half_copy() {
        let (dir, path, store) = store_of(64).await;
        let copy = dir.path().join("copy.db");
        let copying = tokio::spawn({
            let (store, copy) = (store.clone(), copy.clone());
            async move { store.backup(copy).await }
        });
        while !copy.exists() {
            tokio::task::yield_now().await;
        }
        store.close(Instant::now()).await;
        assert_one_file(&path);
        match copying.await.unwrap() {
            Ok(()) => assert!(copy.metadata().unwrap().len() > 64 << 20),
            Err(_) => assert!(!copy.exists()),
        }
    }

    /// Reads for one address that go on until the sender is dropped, each in a task of its own, and
    /// how many have begun.
    fn endless(
        store: &Arc<Store>,
        address: IpAddr,
        count: usize,
    ) -> (std::sync::mpsc::Sender<()>, Arc<Mutex<usize>>) {
        let (end, ended) = std::sync::mpsc::channel::<()>();
        let (ended, begun) = (Arc::new(Mutex::new(ended)), Arc::new(Mutex::new(0)));
        for _ in 0..count {
            let (store, ended, begun) = (store.clone(), ended.clone(), begun.clone());
            tokio::spawn(limits::on_behalf_of(address, async move {
                store
                    .read(move |_| {
                        *begun.lock().unwrap() += 1;
                        // It fails once the sender is gone.
                        while ended.lock().unwrap().try_recv()
                            != Err(std::sync::mpsc::TryRecvError::Disconnected)
                        {
                            std::thread::yield_now();
                        }
                        Ok(())
                    })
                    .await
            }));
        }
        (end, begun)
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_network_that_reads_without_end_leaves_readers_to_others_and_fills_its_own_line_alone()
     {
        let (_dir, _, store) = store_of(0).await;
        let [attacker, sibling, stranger] =
            ["2001:db8:1:1::1", "2001:db8:1:2::1", "192.0.2.1"].map(|ip| ip.parse().unwrap());
        let Bounds {
            permits_of_one,
            waiting_of_one,
            ..
        } = readers();
        let (end, begun) = endless(&store, attacker, permits_of_one + waiting_of_one);
        while store.turns.busy() < permits_of_one + waiting_of_one
            || *begun.lock().unwrap() < permits_of_one
        {
            tokio::task::yield_now().await;
        }
        for _ in 0..10 {
            limits::on_behalf_of(stranger, store.read(|_| Ok(())))
                .await
                .unwrap();
        }
        store.read(|_| Ok(())).await.unwrap();
        assert_eq!(*begun.lock().unwrap(), permits_of_one);
        // One customer's other networks are that customer.
        for address in [attacker, sibling] {
            let refused = limits::on_behalf_of(address, store.read(|_| Ok(())))
                .await
                .unwrap_err();
            assert_eq!(refused.code, Code::Overloaded);
        }
        // Another session there waits for its turn, and is not refused for the one that fills the
        // line.
        let neighbour = store.read_in(Some(SessionId(1)), |_| Ok(()));
        let mut neighbour = Box::pin(limits::on_behalf_of(attacker, neighbour));
        assert!(
            futures_util::future::poll_immediate(&mut neighbour)
                .await
                .is_none()
        );
        drop(end);
        neighbour.await.unwrap();
    }
}
