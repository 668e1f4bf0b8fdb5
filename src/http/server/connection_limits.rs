//! Limits on connections: per network, and in total. A request that a trusted proxy forwards counts
//! as a connection of the network that it comes from.

use std::{
    collections::{HashMap, hash_map::Entry},
    sync::Arc,
    time::{Duration, Instant},
};

use parking_lot::Mutex;

use prometheus_client::metrics::{counter::Counter, gauge::Gauge};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::model::{Network, NetworkWidth};

/// The most connections of one network: enough for a large office behind one router, and too few to
/// crowd out everyone else. Wider networks have two and four times as many. Without limits on wider
/// networks, one customer with IPv6 could take all connections.
fn max_connections(network: Network) -> usize {
    match network.width() {
        NetworkWidth::Narrowest => 512,
        NetworkWidth::Site => 1024,
        NetworkWidth::Organization => 2048,
    }
}
/// The open files that are reserved for the database, a backup and the control socket.
const RESERVED_FILES: u64 = 64;
/// The time between two log lines about refused connections.
const LOG_INTERVAL: Duration = Duration::from_secs(60);

/// Counts connections. A connection counts until its socket is closed.
pub struct ConnectionLimits {
    /// One slot for each connection that the process may still open.
    free_slots: Arc<Semaphore>,
    /// The connections of each network. Never held over an await.
    per_network: Mutex<HashMap<Network, usize>>,
    /// The time of the last log line about a refusal. Never held over an await.
    last_logged: Mutex<Option<Instant>>,
    /// The open connections.
    pub open: Gauge,
    /// The connections that were closed at once because their network had too many.
    pub refused: Counter,
}

/// The right to one connection. Dropping the permit gives it back.
pub struct ConnectionPermit {
    limits: Arc<ConnectionLimits>,
    _network: Option<NetworkPermit>,
    _slot: Option<OwnedSemaphorePermit>,
}

/// One connection of a network, or one request that a proxy forwards for it. Dropping the permit
/// gives it back.
pub struct NetworkPermit {
    limits: Arc<ConnectionLimits>,
    network: Network,
}

impl ConnectionLimits {
    /// Reads the limit from the number of files that the process may open, after raising it as far
    /// as allowed.
    pub fn new() -> Arc<Self> {
        Arc::new(Self {
            free_slots: Arc::new(Semaphore::new(capacity())),
            per_network: Mutex::default(),
            last_logged: Mutex::default(),
            open: Gauge::default(),
            refused: Counter::default(),
        })
    }

    /// Waits until the process may open one more connection. Silent peers that hold all connections
    /// are cut off when their time for sending a head is over.
    pub async fn free_slot(&self) -> Option<OwnedSemaphorePermit> {
        // Acquiring fails only if the semaphore is closed, which it never is.
        self.free_slots.clone().acquire_owned().await.ok()
    }

    /// Takes a permit for a connection of a network. A peer without a network is not limited.
    /// `None` if the network has as many as it may have.
    pub fn acquire(
        self: &Arc<Self>,
        network: Option<Network>,
        slot: Option<OwnedSemaphorePermit>,
    ) -> Option<ConnectionPermit> {
        let permit = match network {
            Some(network) => Some(self.acquire_for_network(network)?),
            None => None,
        };
        self.open.inc();
        Some(ConnectionPermit {
            limits: self.clone(),
            _network: permit,
            _slot: slot,
        })
    }

    /// Takes a permit for a request of a network. `None` if the network has as many as it may have.
    pub fn acquire_for_network(self: &Arc<Self>, network: Network) -> Option<NetworkPermit> {
        let mut per_network = self.per_network.lock();
        if let Some(full) = network.and_wider().find(|wider| {
            per_network
                .get(wider)
                .is_some_and(|taken| *taken >= max_connections(*wider))
        }) {
            drop(per_network);
            self.log_refusal(full);
            return None;
        }
        network
            .and_wider()
            .for_each(|wider| *per_network.entry(wider).or_default() += 1);
        Some(NetworkPermit {
            limits: self.clone(),
            network,
        })
    }

    fn log_refusal(&self, network: Network) {
        let refused = self.refused.inc() + 1;
        let mut last_logged = self.last_logged.lock();
        if last_logged.is_none_or(|at| at.elapsed() >= LOG_INTERVAL) {
            *last_logged = Some(Instant::now());
            tracing::warn!(%network, refused, "a network has as many connections as it may; its further ones are refused");
        }
    }
}

impl Drop for ConnectionPermit {
    fn drop(&mut self) {
        self.limits.open.dec();
    }
}

impl Drop for NetworkPermit {
    fn drop(&mut self) {
        let mut per_network = self.limits.per_network.lock();
        for network in self.network.and_wider() {
            if let Entry::Occupied(mut taken) = per_network.entry(network) {
                *taken.get_mut() -= 1;
                if *taken.get() == 0 {
                    taken.remove();
                }
            }
        }
    }
}

/// The number of connections that this process can hold. It raises its limit of open files, because
/// the soft limit is low for the sake of programs that use `select`.
fn capacity() -> usize {
    let Rlimit { maximum, .. } = getrlimit(Resource::Nofile);
    if let Err(error) = setrlimit(
        Resource::Nofile,
        Rlimit {
            current: maximum,
            maximum,
        },
    ) {
        tracing::warn!(%error, "the limit of open files cannot be raised, so the server can hold \
                                fewer connections");
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
    fn a_network_and_the_wider_networks_around_it_are_limited() {
        let limits = ConnectionLimits::new();
        let take = |prefix: &str, networks: std::ops::Range<u32>| {
            let networks = networks
                .map(|n| Network::of(format!("2001:db8:{prefix}{n:02x}::1").parse().unwrap()));
            networks
                .flat_map(|network| {
                    (0..600)
                        .map_while(|_| limits.acquire_for_network(network))
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
            "released connections are available again"
        );
        drop((one, organization));
        assert!(limits.per_network.lock().is_empty());
        let v4 = Network::of([192, 0, 2, 1].into());
        assert_eq!(
            (0..600)
                .map_while(|_| limits.acquire_for_network(v4))
                .collect::<Vec<_>>()
                .len(),
            512
        );
    }
}
