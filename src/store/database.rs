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
    /// be refused belong to [`Store::write_as`].
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
    /// with `overloaded` if too many readers of the network wait already.
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
mod tests;
