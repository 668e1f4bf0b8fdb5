//! Places for connections: so many for each network, so many in all. A request that a trusted proxy
//! forwards counts like a connection of the network for which it does.

use std::{
    collections::{HashMap, hash_map::Entry},
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use prometheus_client::metrics::{counter::Counter, gauge::Gauge};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::model::{Network, NetworkWidth};

/// Connections of one network: a large office behind one router, and not enough to crowd out
/// everyone else. Of a wider network twice and four times as many, or one customer of IPv6 could
/// have all.
fn max_connections(network: Network) -> usize {
    match network.width() {
        NetworkWidth::Narrowest => 512,
        NetworkWidth::Site => 1024,
        NetworkWidth::Organization => 2048,
    }
}
/// Open files that connections leave alone: the database's, a backup's, the control socket's.
const RESERVED_FILES: u64 = 64;
/// Between two lines in the log about refused connections.
const LOG_INTERVAL: Duration = Duration::from_secs(60);

/// Who has a place. A connection keeps its own until its socket is closed.
pub struct ConnectionLimits {
    /// Those nobody has: as many as this process may open files, but for the reserve.
    free: Arc<Semaphore>,
    /// How many each network has. Never held over an await.
    of: Mutex<HashMap<Network, usize>>,
    /// When a refusal was last logged. Never held over an await.
    told: Mutex<Option<Instant>>,
    /// Connections that are open.
    pub open: Gauge,
    /// Connections closed at once because their address had enough.
    pub refused: Counter,
}

/// One connection's place; it is given up when dropped.
pub struct ConnectionPermit {
    places: Arc<ConnectionLimits>,
    _share: Option<NetworkPermit>,
    _room: Option<OwnedSemaphorePermit>,
}

/// One of a network's connections, or a request that a proxy forwards for it; it is given up when
/// dropped.
pub struct NetworkPermit {
    places: Arc<ConnectionLimits>,
    network: Network,
}

impl ConnectionLimits {
    pub fn new() -> Arc<Self> {
        Arc::new(Self {
            free: Arc::new(Semaphore::new(capacity())),
            of: Mutex::default(),
            told: Mutex::default(),
            open: Gauge::default(),
            refused: Counter::default(),
        })
    }

    /// Waits until there is room for one more. Silent strangers who fill it are gone when the time
    /// for their heads is over.
    pub async fn room(&self) -> Option<OwnedSemaphorePermit> {
        // There is none only if the semaphore is closed, which it never is.
        self.free.clone().acquire_owned().await.ok()
    }

    /// A place of a network, or of one that is not limited; `None` if the network has as many as it
    /// may have.
    pub fn take(
        self: &Arc<Self>,
        network: Option<Network>,
        room: Option<OwnedSemaphorePermit>,
    ) -> Option<ConnectionPermit> {
        let share = match network {
            Some(network) => Some(self.share(network)?),
            None => None,
        };
        self.open.inc();
        Some(ConnectionPermit {
            places: self.clone(),
            _share: share,
            _room: room,
        })
    }

    /// One more of a network's; `None` if it has as many as it may have.
    pub fn share(self: &Arc<Self>, network: Network) -> Option<NetworkPermit> {
        let mut of = self.of.lock().unwrap_or_else(|e| e.into_inner());
        if let Some(full) = network.and_wider().find(|wider| {
            of.get(wider)
                .is_some_and(|taken| *taken >= max_connections(*wider))
        }) {
            drop(of);
            self.refuse(full);
            return None;
        }
        network
            .and_wider()
            .for_each(|wider| *of.entry(wider).or_default() += 1);
        Some(NetworkPermit {
            places: self.clone(),
            network,
        })
    }

    fn refuse(&self, network: Network) {
        let refused = self.refused.inc() + 1;
        let mut told = self.told.lock().unwrap_or_else(|e| e.into_inner());
        if told.is_none_or(|at| at.elapsed() >= LOG_INTERVAL) {
            *told = Some(Instant::now());
            tracing::warn!(%network, refused, "a network has all the connections that it may have, and further ones are refused");
        }
    }
}

impl Drop for ConnectionPermit {
    fn drop(&mut self) {
        self.places.open.dec();
    }
}

impl Drop for NetworkPermit {
    fn drop(&mut self) {
        let mut of = self.places.of.lock().unwrap_or_else(|e| e.into_inner());
        for network in self.network.and_wider() {
            if let Entry::Occupied(mut taken) = of.entry(network) {
                *taken.get_mut() -= 1;
                if *taken.get() == 0 {
                    taken.remove();
                }
            }
        }
    }
}

/// How many connections this process can hold. Its limit of open files is raised as far as it may
/// be: the soft limit is small for the sake of programs that use `select`.
fn capacity() -> usize {
    let Rlimit { maximum, .. } = getrlimit(Resource::Nofile);
    if let Err(error) = setrlimit(
        Resource::Nofile,
        Rlimit {
            current: maximum,
            maximum,
        },
    ) {
        tracing::warn!(%error, "the limit of open files cannot be raised");
    }
    let files = getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX);
    let capacity = files - RESERVED_FILES.min(files / 2);
    usize::try_from(capacity)
        .unwrap_or(usize::MAX)
        .min(Semaphore::MAX_PERMITS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_network_and_the_wider_ones_around_it_have_so_many() {
        let places = ConnectionLimits::new();
        let take = |prefix: &str, networks: std::ops::Range<u32>| {
            let networks = networks
                .map(|n| Network::of(format!("2001:db8:{prefix}{n:02x}::1").parse().unwrap()));
            networks
                .flat_map(|network| {
                    (0..600)
                        .map_while(|_| places.share(network))
                        .collect::<Vec<_>>()
                })
                .collect::<Vec<_>>()
        };
        let one = take("1:12", 0..1);
        let site = take("1:12", 1..4);
        let organization = take("1:13", 0..4);
        assert_eq!(
            (one.len(), site.len(), organization.len()),
            (512, 512, 1024)
        );
        assert_eq!(take("2:12", 0..1).len(), 512);
        drop(site);
        assert_eq!(
            take("1:12", 1..2).len(),
            512,
            "what is given up is there again"
        );
        drop((one, organization));
        assert!(places.of.lock().unwrap().is_empty());
        let v4 = Network::of([192, 0, 2, 1].into());
        assert_eq!(
            (0..600)
                .map_while(|_| places.share(v4))
                .collect::<Vec<_>>()
                .len(),
            512
        );
    }
}
