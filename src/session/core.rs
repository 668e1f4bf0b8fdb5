//! What chat and oauth share: the store, the callers, the limits. A request's transaction runs here,
//! after it was checked that its caller is still live.

use std::{
    path::PathBuf,
    sync::Arc,
    time::{Duration, Instant},
};

use tokio::sync::Mutex;

use super::{
    callers::{Callers, LiveClient},
    limits::Limits,
    live_check::require_live,
    op_succession,
    refusal_log::RefusalLog,
    server_keys::ServerKeys,
};
use crate::{
    audit::Entry,
    error::Result,
    limits::{Counts, Storage},
    model::{Caller, Timestamp},
    password::Hasher,
    store::{self, DatabaseLock, Effect, Priority, Store, WriteSlot},
};

/// How long a check of the store holds.
const HEALTH: Duration = Duration::from_secs(1);

/// What chat and oauth share.
pub struct Core {
    /// The database.
    pub(crate) store: Store,
    /// Who a presented secret names; changed by commits alone.
    pub(super) callers: Arc<Callers>,
    /// Hashes passwords.
    pub(super) hasher: Hasher,
    /// The host under which people know this server: no password, among others.
    pub host: Option<String>,
    /// What people may try and make.
    pub tries: Arc<Counts>,
    /// How often refusals were logged and audited, and how often they were only counted.
    pub(crate) refusal_log: Arc<RefusalLog>,
    /// What user codes are hashed with, and refresh tokens are exchanged by.
    pub(crate) keys: ServerKeys,
    /// What the last check of the store found, and when. Held while one is made: those who ask
    /// meanwhile share it.
    health: Mutex<Option<(Instant, Result<()>)>>,
    /// What sessions and clients may have.
    pub limits: Limits,
}

impl Core {
    /// Opens a database and takes up the callers in it. Without a key file, it is a subcommand's,
    /// which issues nothing. `observe` is told of every commit, after the caller map: whoever is
    /// told of an end is out of that already.
    pub fn open(
        lock: DatabaseLock,
        key_file: Option<PathBuf>,
        limits: Limits,
        hasher: Hasher,
        observe: impl Fn(Vec<Effect>) + Send + 'static,
        now: Timestamp,
    ) -> Result<Self> {
        let callers = Arc::new(Callers::default());
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
            tries: Arc::new(Counts::new(limits.tries)),
            refusal_log: Arc::default(),
            keys: ServerKeys::new(key_file, ring),
            health: Mutex::default(),
            limits,
        })
    }

    /// Whether the store writes and reads, as it was found to within the last second: anyone may
    /// ask, and to find out is a sync of the disk.
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

    /// The last lines of the audit log before one, ascending.
    pub async fn audit(&self, before: Option<i64>, limit: usize) -> Result<Vec<Entry>> {
        self.store
            .read(move |tx| store::audit::list(tx, before, limit))
            .await
    }

    /// The same of the caller's own session.
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

    /// Passwords that are being hashed, or wait for it.
    pub fn passwords(&self) -> usize {
        self.hasher.busy_with()
    }

    /// Looks something up for a caller that is checked, on the same view, to be live still.
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

    /// Waits for a place in the line of all that changes something.
    pub async fn write_slot(&self, caller: Caller) -> Result<WriteSlot> {
        self.store.write_slot(Some(caller.session)).await
    }

    /// A place in that line, if there is one at once.
    pub fn free_write_slot(&self) -> Option<WriteSlot> {
        self.store.free_write_slot()
    }

    /// Runs a change for a caller that is checked, in the same transaction, to be live still. The
    /// priority says what may refuse it.
    pub(crate) async fn write_as<T: Send + 'static>(
        &self,
        caller: Caller,
        priority: Priority,
        work: impl FnMut(&store::Write) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        write_in_slot(self.write_slot(caller).await?, caller, priority, work).await
    }

    /// Limits from now on what each network adds to the disk.
    pub fn limit_storage(&self, storage: Storage) {
        self.store.limit(storage);
    }
}

/// Runs a change in its place, for a caller that is checked, in the same transaction, to be live
/// still.
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
