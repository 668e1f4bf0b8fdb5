//! Limits on the bytes of long responses that are being sent: per network, and in total.
//!
//! A response stays in memory until its reader has taken it, and a reader may be slow. The limits
//! on connections bound short responses. A long response takes its bytes from the limits here, and
//! gives them back when its last byte has gone to the system.

use std::{
    collections::{HashMap, hash_map::Entry},
    sync::Arc,
};

use parking_lot::{Mutex, MutexGuard};

use crate::{
    error::{Code, Error, Result},
    model::Network,
};

/// The bytes from which a response counts as long.
pub const LONG_RESPONSE: usize = 64 * 1024;
/// The most bytes of long responses that are being sent to one network (for IPv6, a /48).
const MAX_PER_NETWORK: usize = 16 * 1024 * 1024;
/// The most bytes of long responses that are being sent to all networks. Beyond it, each network
/// still gets one long response at a time, so that other networks cannot block its reading.
const MAX_TOTAL: usize = 64 * 1024 * 1024;
/// The seconds after which a refused caller should try again. Most readers take their response
/// within this time. A reader that takes nothing is cut off after 30 seconds.
const RETRY_AFTER: u64 = 5;

/// The bytes of long responses that are being sent.
#[derive(Default)]
pub struct ResponseLimits {
    /// Never held over an await.
    taken: Mutex<Taken>,
}

#[derive(Default)]
struct Taken {
    of: HashMap<Network, usize>,
    all: usize,
}

/// The bytes of one long response. Dropping the permit gives them back.
pub struct ResponsePermit {
    limits: Arc<ResponseLimits>,
    network: Network,
    bytes: usize,
}

impl ResponseLimits {
    /// Takes the bytes of a response to a network. Fails with `throttled` if the network has too
    /// many, and with `overloaded` if all networks together have too many.
    pub fn acquire(self: &Arc<Self>, network: Network, bytes: usize) -> Result<ResponsePermit> {
        let network = network.widest();
        let mut taken = self.lock();
        // A network without a long response gets one of any length.
        if let Some(own) = taken.of.get(&network) {
            if own + bytes > MAX_PER_NETWORK {
                let detail = "your network has as many long answers under way as it may; read them \
                              first";
                return Err(Error::retry(Code::Throttled, RETRY_AFTER, detail));
            }
            if taken.all + bytes > MAX_TOTAL {
                return Err(Error::retry(
                    Code::Overloaded,
                    RETRY_AFTER,
                    "the server is sending too many long answers; try again shortly",
                ));
            }
        }
        Ok(self.lease(&mut taken, network, bytes))
    }

    /// Takes the bytes even beyond the limits, for the response to a change that is already made.
    /// They count like others.
    pub fn acquire_over_limit(self: &Arc<Self>, network: Network, bytes: usize) -> ResponsePermit {
        self.lease(&mut self.lock(), network.widest(), bytes)
    }

    fn lease(
        self: &Arc<Self>,
        taken: &mut Taken,
        network: Network,
        bytes: usize,
    ) -> ResponsePermit {
        *taken.of.entry(network).or_default() += bytes;
        taken.all += bytes;
        ResponsePermit {
            limits: self.clone(),
            network,
            bytes,
        }
    }

    fn lock(&self) -> MutexGuard<'_, Taken> {
        self.taken.lock()
    }
}

impl Drop for ResponsePermit {
    fn drop(&mut self) {
        let mut taken = self.limits.lock();
        taken.all -= self.bytes;
        if let Entry::Occupied(mut own) = taken.of.entry(self.network) {
            *own.get_mut() -= self.bytes;
            if *own.get() == 0 {
                own.remove();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn network(n: u8) -> Network {
        Network::of([192, 0, 2, n].into())
    }

    #[test]
    fn each_network_and_all_together_are_limited_but_every_network_may_have_one_response() {
        let limits = Arc::<ResponseLimits>::default();
        let fill = |n: u8| {
            (0..100)
                .map_while(|_| limits.acquire(network(n), 1024 * 1024).ok())
                .collect::<Vec<_>>()
        };
        let code = |n: u8, bytes| {
            limits
                .acquire(network(n), bytes)
                .err()
                .map(|refusal| refusal.code)
        };
        let first = fill(1);
        assert_eq!((first.len(), code(1, 1)), (16, Some(Code::Throttled)));
        let others = [fill(2), fill(3), fill(4)];
        assert_eq!(others.each_ref().map(Vec::len), [16; 3]);
        let beyond = [fill(5), fill(6)];
        assert_eq!(beyond.each_ref().map(Vec::len), [1; 2], "one at a time");
        assert_eq!(code(5, 1), Some(Code::Overloaded));
        drop(limits.acquire_over_limit(network(1), 1024 * 1024));
        drop((first, others));
        assert_eq!(fill(5).len(), 15, "released bytes are available again");
        drop(beyond);
        assert!(limits.lock().of.is_empty() && limits.lock().all == 0);
    }

    #[test]
    fn an_ipv6_network_is_a_48() {
        let limits = Arc::<ResponseLimits>::default();
        let take =
            |address: &str| limits.acquire(Network::of(address.parse().unwrap()), 10 * 1024 * 1024);
        let one = take("2001:db8:1:1::1").unwrap();
        assert!(take("2001:db8:1:2::1").is_err() && take("2001:db8:2:1::1").is_ok());
        drop(one);
        assert!(take("2001:db8:1:2::1").is_ok());
    }
}
