//! Places for connections: so many for each address, so many in all.

use std::{
    collections::{HashMap, hash_map::Entry},
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use prometheus_client::metrics::{counter::Counter, gauge::Gauge};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::model::Network;

/// Connections of one address: a large office behind one router, and not enough to crowd out everyone else.
const OF_ONE_ADDRESS: usize = 512;
/// Open files that connections leave alone: the database's, a backup's, the control socket's.
const RESERVE: u64 = 64;
/// Between two lines in the log about refused connections.
const TELL_EVERY: Duration = Duration::from_secs(60);

/// Who has a place. A connection keeps its own until its socket is closed.
pub struct Places {
    /// Those nobody has: as many as this process may open files, but for the reserve.
    free: Arc<Semaphore>,
    /// How many each address has. Never held over an await.
    of: Mutex<HashMap<Network, usize>>,
    /// When a refusal was last logged. Never held over an await.
    told: Mutex<Option<Instant>>,
    /// Connections that are open.
    pub open: Gauge,
    /// Connections closed at once because their address had enough.
    pub refused: Counter,
}

/// One connection's place; it is given up when dropped.
pub struct Place {
    places: Arc<Places>,
    network: Option<Network>,
    _room: Option<OwnedSemaphorePermit>,
}

impl Places {
    pub fn new() -> Arc<Self> {
        Arc::new(Self {
            free: Arc::new(Semaphore::new(capacity())),
            of: Mutex::default(),
            told: Mutex::default(),
            open: Gauge::default(),
            refused: Counter::default(),
        })
    }

    /// Waits until there is room for one more. Silent strangers who fill it are gone when the time for their heads is over.
    pub async fn room(&self) -> Option<OwnedSemaphorePermit> {
        // There is none only if the semaphore is closed, which it never is.
        self.free.clone().acquire_owned().await.ok()
    }

    /// A place of an address, or of one that is not limited; `None` if the address has as many as it may have.
    pub fn take(self: &Arc<Self>, network: Option<Network>, room: Option<OwnedSemaphorePermit>) -> Option<Place> {
        if let Some(network) = network {
            let mut of = self.of.lock().unwrap_or_else(|e| e.into_inner());
            let taken = of.entry(network).or_default();
            if *taken == OF_ONE_ADDRESS {
                drop(of);
                self.refuse(network);
                return None;
            }
            *taken += 1;
        }
        self.open.inc();
        Some(Place { places: self.clone(), network, _room: room })
    }

    fn refuse(&self, network: Network) {
        let refused = self.refused.inc() + 1;
        let mut told = self.told.lock().unwrap_or_else(|e| e.into_inner());
        if told.is_none_or(|at| at.elapsed() >= TELL_EVERY) {
            *told = Some(Instant::now());
            tracing::warn!(%network, refused, "an address has {OF_ONE_ADDRESS} connections, and further ones are refused");
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.places.open.dec();
        let Some(network) = self.network else { return };
        let mut of = self.places.of.lock().unwrap_or_else(|e| e.into_inner());
        if let Entry::Occupied(mut taken) = of.entry(network) {
            *taken.get_mut() -= 1;
            if *taken.get() == 0 {
                taken.remove();
            }
        }
    }
}

/// How many connections this process can hold. Its limit of open files is raised as far as it may be: the soft limit is
/// small for the sake of programs that use `select`.
fn capacity() -> usize {
    let Rlimit { maximum, .. } = getrlimit(Resource::Nofile);
    if let Err(error) = setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum }) {
        tracing::warn!(%error, "the limit of open files cannot be raised");
    }
    let files = getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX);
    let capacity = files - RESERVE.min(files / 2);
    usize::try_from(capacity).unwrap_or(usize::MAX).min(Semaphore::MAX_PERMITS)
}
