//! The database of this process: its writer, its readers and its lock.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, Instant},
};

use parking_lot::Mutex;

use super::{
    effect::Observer,
    engine::sqlite::{
        backup, full_disk::RoomView, lock::DatabaseLock, readers::Readers,
        transactions::Transactions,
    },
    key_file, log,
    transaction::{Read, Write},
    write_cost::Priority,
    writer::{WriteSlot, Writer, crowded},
};
use crate::{
    error::{Code, Error, Result},
    limits::{
        self, Storage,
        fair::{Bounds, Fair, Lane},
    },
    model::{Network, Timestamp},
    secret::KeyRing,
};

/// The most readers at one time. Each is a connection and a thread of the blocking pool.
const READERS: usize = 4;
/// The most readers that work for one network, whatever the number of processors. A network that
/// uses much reading time waits behind those that use little. It never has all readers, or more
/// than half of the processors.
const READERS_OF_ONE: usize = 2;

fn readers() -> Bounds {
    let processors = std::thread::available_parallelism().map_or(1, usize::from);
    Bounds {
        permits: READERS,
        permits_of_one: (processors / 2).clamp(1, READERS_OF_ONE),
        waiting_of_one: 256,
        waiting: 4096,
        // About the time that twenty pages of a history take.
        burst: Duration::from_millis(100),
    }
}

/// An open database, owned by this process.
pub struct Store {
    writer: Arc<Writer>,
    readers: Arc<Readers>,
    /// Shares the readers fairly among networks.
    turns: Fair<Option<Network>>,
    /// How much of the reserve is left, and whether the disk is full.
    pub room: Arc<RoomView>,
    /// Held until the database is closed, so that a second server is refused.
    lock: Arc<Mutex<Option<DatabaseLock>>>,
}

impl Store {
    /// Opens the database and the key file beside it. Both are created or upgraded where needed.
    /// Without a key file, the keys are valid for this process alone. `observe` is called with the
    /// effects of every commit. `heal` repairs what an older version left behind, before any
    /// request is served. Fails with `storage_failed` if the disk does, and with `internal_error`
    /// if the database or the key file is not usable.
    pub fn open(
        lock: DatabaseLock,
        key_file: Option<&Path>,
        observe: Observer,
        heal: impl Fn(&Write) -> Result<()>,
        now: Timestamp,
    ) -> Result<(Self, KeyRing)> {
        let path = lock.path().to_owned();
        let mut transactions = Transactions::open(path.clone(), now)?;
        let keys = loop {
            match prepare(&transactions, key_file, &heal, now) {
                Err(error)
                    if error.code == Code::StorageFailed
                        && transactions.room.make_room(Priority::Essential) => {}
                prepared => break prepared?,
            }
        };
        transactions.review_room();
        let store = Self {
            room: transactions.room.view(),
            writer: Arc::new(Writer::start(transactions, observe)?),
            readers: Arc::new(Readers::new(path)),
            turns: Fair::new(readers()),
            lock: Arc::new(Mutex::new(Some(lock))),
        };
        Ok((store, keys))
    }

    /// Runs `work` in a transaction and answers once it is on disk. `work` may be run again, so it
    /// must change nothing outside the transaction. An `Err` undoes what it did. A refusal that
    /// records something must therefore be an `Ok` value.
    ///
    /// The write is essential: neither a storage limit nor a full disk refuses it. Writes that may
    /// be refused belong to [`Store::write_as`]. refused is for [`Store::write_as`].
    pub async fn write<T, F>(&self, work: F) -> Result<T>
    where
        T: Send + 'static,
        F: FnMut(&Write) -> Result<T> + Send + 'static,
    {
        self.write_as(Priority::Essential, work).await
    }

    /// Like [`Store::write`], for a write that the limits of its priority may refuse.
    pub async fn write_as<T, F>(&self, priority: Priority, work: F) -> Result<T>
    where
        T: Send + 'static,
        F: FnMut(&Write) -> Result<T> + Send + 'static,
    {
        self.write_slot(None).await?.take(priority, work).await
    }

    /// Limits from now on what each network may add to the disk.
    pub fn limit(&self, storage: Storage) {
        // It is set once, at the start, so this cannot fail.
        let _ = self.writer.counted.set(storage);
    }

    /// The counts of what each network has added, if that is limited.
    pub fn storage(&self) -> Option<&Storage> {
        self.writer.counted.get()
    }

    /// Waits for a slot in the writer's queue. The sessions of a network take turns. Fails with
    /// `overloaded` if too many callers of the network wait already.
    pub async fn write_slot(&self, lane: Lane) -> Result<WriteSlot> {
        self.writer.write_slot(lane).await
    }

    /// A slot in the writer's queue, if one is free now.
    pub fn free_write_slot(&self) -> Option<WriteSlot> {
        self.writer.free_write_slot()
    }

    /// Runs `work` on a consistent view of everything committed so far.
    pub async fn read<T, F>(&self, work: F) -> Result<T>
    where
        T: Send + 'static,
        F: FnOnce(&Read) -> Result<T> + Send + 'static,
    {
        self.read_in(None, work).await
    }

    /// Like [`Store::read`], on behalf of a session: the sessions of a network take turns. Fails
    /// with
    /// `overloaded` if too many readers of the network wait already.
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
        // The turn belongs to the work: if the caller hangs up, it is free only when the work is
        // done.
        let read = tokio::task::spawn_blocking(move || {
            let result = readers.run(work);
            drop(turn);
            result
        });
        read.await.map_err(Error::internal)?
    }

    /// Like [`Store::read`], on the calling thread. It is meant for the start, when there are no
    /// clients yet that it could block.
    pub fn read_now<T>(&self, work: impl FnOnce(&Read) -> Result<T>) -> Result<T> {
        self.readers.run(work)
    }

    /// Checks that the store can write and read, by doing both.
    pub async fn check(&self) -> Result<()> {
        self.write_as(Priority::Ordinary, |tx| tx.touch()).await?;
        self.read(|tx| log::head(tx).map(drop)).await
    }

    /// Writes a consistent copy of the database to a new file with mode 0600.
    pub async fn backup(&self, to: PathBuf) -> Result<()> {
        let readers = self.readers.clone();
        tokio::task::spawn_blocking(move || backup::copy(&readers, &to))
            .await
            .map_err(Error::internal)?
    }

    /// Marks the lock as that of a stopping server, so that a starting server waits for it.
    pub fn announce_stop(&self) {
        self.lock
            .lock()
            .iter()
            .for_each(DatabaseLock::announce_stop);
    }

    /// Commits what was accepted, closes the database and releases its lock. Readers that are still
    /// at work at `deadline` are interrupted. Later reads and writes fail.
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

/// Opens a database's key file, and brings the rows of the database up to date.
fn prepare(
    transactions: &Transactions,
    key_file: Option<&Path>,
    heal: &impl Fn(&Write) -> Result<()>,
    now: Timestamp,
) -> Result<KeyRing> {
    let keys = key_file.map_or_else(KeyRing::generate, |file| {
        key_file::open(&Write::new(transactions.connection()), file, now)
    })?;
    transactions.alone(|connection| heal(&Write::new(connection)))?;
    Ok(keys)
}

/// Closes the readers and then the writer. The writer must be last: it folds the write-ahead log
/// into the database, which works only when no reader is open.
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
    drop(lock.lock().take());
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;

    use super::*;
    use crate::{model::SessionId, store::engine::files};

    #[tokio::test]
    async fn a_reader_that_failed_is_not_used_again_and_one_that_refused_is() {
        let dir = tempfile::tempdir().unwrap();
        let lock = DatabaseLock::for_server(&dir.path().join("r.db")).unwrap();
        let store = Store::open(lock, None, Box::new(|_| {}), |_| Ok(()), Timestamp(0))
            .unwrap()
            .0;
        // A setting that stays with the connection.
        let leave = |error: Error| {
            store.read(|tx| {
                tx.sql().pragma_update(None, "cache_size", 77)?;
                Err::<(), _>(error)
            })
        };
        let found = || {
            store.read(|tx| {
                Ok(tx
                    .sql()
                    .pragma_query_value(None, "cache_size", |row| row.get::<_, i64>(0))?)
            })
        };
        leave(Error::malformed("refused")).await.unwrap_err();
        assert_eq!(found().await.unwrap(), 77);
        leave(Error::internal("failed")).await.unwrap_err();
        assert_ne!(found().await.unwrap(), 77);
    }

    /// A store with this many megabytes in it, and its path.
    async fn store_of(megabytes: i64) -> (tempfile::TempDir, PathBuf, Arc<Store>) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("r.db");
        let store = Store::open(
            DatabaseLock::for_server(&path).unwrap(),
            None,
            Box::new(|_| {}),
            |_| Ok(()),
            Timestamp(0),
        )
        .unwrap()
        .0;
        let fill = move |tx: &Write| {
            tx.sql().execute_batch("CREATE TABLE filling (bytes)")?;
            (0..megabytes).try_for_each(|_| {
                tx.sql()
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
                        // Each statement must be interrupted separately.
                        for _ in 0..5 {
                            tx.sql().query_row(endless, [], |row| row.get::<_, i64>(0)).unwrap_err();
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

    /// Starts `count` reads for one address, each in a task of its own. They go on until the sender
    /// is dropped. Also returns the number of those that have begun.
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
                        *begun.lock() += 1;
                        // It fails once the sender is gone.
                        while ended.lock().try_recv()
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
        while store.turns.busy() < permits_of_one + waiting_of_one || *begun.lock() < permits_of_one
        {
            tokio::task::yield_now().await;
        }
        for _ in 0..10 {
            limits::on_behalf_of(stranger, store.read(|_| Ok(())))
                .await
                .unwrap();
        }
        store.read(|_| Ok(())).await.unwrap();
        assert_eq!(*begun.lock(), permits_of_one);
        // The networks of one customer count as one.
        for address in [attacker, sibling] {
            let refused = limits::on_behalf_of(address, store.read(|_| Ok(())))
                .await
                .unwrap_err();
            assert_eq!(refused.code, Code::Overloaded);
        }
        // Another session there waits for its turn. It is not refused because of the session that
        // fills the queue.
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
