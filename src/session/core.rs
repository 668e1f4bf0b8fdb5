//! What chat and oauth share: the store, the callers and the limits. Each transaction for a caller
//! runs here, after a check that the caller is still live.

use std::{
    path::PathBuf,
    sync::Arc,
    time::{Duration, Instant},
};

use tokio::sync::Mutex;

use super::{
    caller_map::CallerMap, limits::Limits, live_check::require_live, live_client::LiveClient,
    op_succession, refusal_log::RefusalLog, server_keys::ServerKeys,
};
use crate::{
    audit::Entry,
    error::Result,
    limits::{Counts, Storage},
    model::{Caller, Timestamp},
    password::Hasher,
    store::{self, DatabaseLock, Effect, Priority, Store, WriteSlot},
};

/// How long the result of a health check is reused.
const HEALTH: Duration = Duration::from_secs(1);

/// What chat and oauth share.
pub struct Core {
    /// The database.
    pub(crate) store: Store,
    /// From a presented secret to its caller. Only commits change it.
    pub(super) callers: Arc<CallerMap>,
    /// The threads that hash passwords.
    pub(super) hasher: Hasher,
    /// The server's public host name. It is refused as a password.
    pub host: Option<String>,
    /// The rate limits: attempts, and what may be created.
    pub rate_limits: Arc<Counts>,
    /// How many refusals were logged and audited, and how many were only counted.
    pub(crate) refusal_log: Arc<RefusalLog>,
    /// The server's keys: user codes are hashed with them, and refresh tokens are derived from
    /// them.
    pub(crate) keys: ServerKeys,
    /// When the store was last checked, and the result. The lock is held during a check, so callers
    /// that ask meanwhile share its result.
    health: Mutex<Option<(Instant, Result<()>)>>,
    /// What sessions and clients may have.
    pub limits: Limits,
}

impl Core {
    /// Opens a database and loads its callers. Without a key file the core serves an operator's
    /// subcommand, which issues nothing.
    ///
    /// `observe` receives the effects of every commit, after the caller map. An ended client is
    /// therefore out of the map before `observe` tells anyone of the end.
    pub fn open(
        lock: DatabaseLock,
        key_file: Option<PathBuf>,
        limits: Limits,
        hasher: Hasher,
        observe: impl Fn(Vec<Effect>) + Send + 'static,
        now: Timestamp,
    ) -> Result<Self> {
        let callers = Arc::new(CallerMap::default());
        let observe = {
            let callers = callers.clone();
            move |effects: Vec<Effect>| {
                effects.iter().for_each(|effect| callers.apply(effect));
                observe(effects);
            }
        };
        let heal = |tx: &store::Write| op_succession::heal(tx, now);
        let (store, ring) = Store::open(lock, key_file.as_deref(), Box::new(observe), heal, now)?;
        store.read_now(|tx| {
            store::client::for_each_live(tx, |effect| callers.apply(&effect))?;
            store::token::for_each_access(tx, |effect| callers.apply(&effect))
        })?;
        Ok(Self {
            store,
            callers,
            hasher,
            host: None,
            rate_limits: Arc::new(Counts::new(limits.rate_limited)),
            refusal_log: Arc::default(),
            keys: ServerKeys::new(key_file, ring),
            health: Mutex::default(),
            limits,
        })
    }

    /// Checks that the store can write and read. It fails with the store's error.
    ///
    /// Anyone may ask, and each check costs a sync of the disk, so a result is reused for a second.
    pub async fn check(&self) -> Result<()> {
        let mut health = self.health.lock().await;
        match &*health {
            Some((at, found)) if at.elapsed() < HEALTH => found.clone(),
            _ => {
                let found = self.store.check().await;
                *health = Some((Instant::now(), found.clone()));
                found
            }
        }
    }

    /// The last `limit` lines of the audit log before the line `before`, oldest first.
    pub async fn audit(&self, before: Option<i64>, limit: usize) -> Result<Vec<Entry>> {
        self.store
            .read(move |tx| store::audit::list(tx, before, limit))
            .await
    }

    /// The last `limit` lines before the line `before` about the caller's own session, oldest
    /// first.
    pub async fn own_audit(
        &self,
        live: &LiveClient,
        before: i64,
        limit: usize,
    ) -> Result<Vec<Entry>> {
        let caller = live.caller;
        self.read_as(caller, move |tx| {
            store::audit::of_session(tx, caller.session, before, limit)
        })
        .await
    }

    /// Writes a consistent copy of the database to a new file.
    pub async fn backup(&self, to: PathBuf) -> Result<()> {
        self.store.backup(to).await
    }

    /// How many sessions and how many clients are live.
    pub async fn counts(&self) -> Result<(i64, usize)> {
        let sessions = self.store.read(store::session::count).await?;
        Ok((sessions, self.callers.count()))
    }

    /// Whether the disk is full, and how many bytes of the reserve are left.
    pub fn room(&self) -> (bool, u64) {
        (self.store.room.is_full(), self.store.room.reserve())
    }

    /// How many passwords are being hashed or wait for it.
    pub fn passwords(&self) -> usize {
        self.hasher.busy_with()
    }

    /// Reads for a caller. The same snapshot of the database serves to check that the caller is
    /// still live.
    pub(crate) async fn read_as<T: Send + 'static>(
        &self,
        caller: Caller,
        work: impl FnOnce(&store::Read) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        self.store
            .read_in(Some(caller.session), move |tx| {
                require_live(tx, caller)?;
                work(tx)
            })
            .await
    }

    /// Waits for a slot in the writer's queue.
    pub async fn write_slot(&self, caller: Caller) -> Result<WriteSlot> {
        self.store.write_slot(Some(caller.session)).await
    }

    /// A slot in the writer's queue, if one is free now.
    pub fn free_write_slot(&self) -> Option<WriteSlot> {
        self.store.free_write_slot()
    }

    /// Writes for a caller, after checking in the same transaction that the caller is still live.
    /// `priority` decides whether a full disk refuses the change.
    pub(crate) async fn write_as<T: Send + 'static>(
        &self,
        caller: Caller,
        priority: Priority,
        work: impl FnMut(&store::Write) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        write_in_slot(self.write_slot(caller).await?, caller, priority, work).await
    }

    /// Starts to limit how much each network adds to the disk.
    pub fn limit_storage(&self, storage: Storage) {
        self.store.limit(storage);
    }
}

/// Writes for a caller in a slot, after checking in the same transaction that the caller is still
/// live.
pub(crate) async fn write_in_slot<T: Send + 'static>(
    slot: WriteSlot,
    caller: Caller,
    priority: Priority,
    mut work: impl FnMut(&store::Write) -> Result<T> + Send + 'static,
) -> Result<T> {
    slot.take(priority, move |tx| {
        require_live(tx, caller)?;
        tx.work_for(caller.session);
        work(tx)
    })
    .await
}
