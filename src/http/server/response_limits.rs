//! Limits on the bytes of long responses under way: for each network, and in all.
//!
//! A response is held in memory until its reader has taken it, and a reader may take its time. The
//! number of connections bounds the short ones. A long one takes its bytes from here, and gives them
//! back when the last of them has gone to the system.

use std::{
    collections::{HashMap, hash_map::Entry},
    sync::Arc,
};

use parking_lot::{Mutex, MutexGuard};

use crate::{
    error::{Code, Error, Result},
    model::Network,
};

/// Bytes from which on an answer is long.
pub const LONG_RESPONSE: usize = 64 * 1024;
/// Bytes of long answers under way to one network (of IPv6, to its /48).
const MAX_PER_NETWORK: usize = 16 * 1024 * 1024;
/// Bytes of long answers under way in all. Beyond it a network has one long answer at a time, so
/// that no number of others keeps it from reading.
const MAX_TOTAL: usize = 64 * 1024 * 1024;
/// Seconds after which to try again. A reader that takes nothing is cut off after 30; most have all
/// within this time.
const RETRY_AFTER: u64 = 5;

/// How many bytes of long answers are under way.
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

/// The bytes of one long answer; they are given back when dropped.
pub struct ResponsePermit {
    limits: Arc<ResponseLimits>,
    network: Network,
    bytes: usize,
}

impl ResponseLimits {
    /// Takes the bytes of an answer to a network, if it may have so many.
    pub fn acquire(self: &Arc<Self>, network: Network, bytes: usize) -> Result<ResponsePermit> {
        let network = network.widest();
        let mut taken = self.lock();
        // A network that has none under way gets one, however long.
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

    /// The same for the answer to what is done already: it is given in any case, and counts.
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
    fn a_network_has_so_many_bytes_and_all_together_more_but_everybody_one_answer() {
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
        assert_eq!(fill(5).len(), 15, "what is given back is there again");
        drop(beyond);
        assert!(limits.lock().of.is_empty() && limits.lock().all == 0);
    }

    #[test]
    fn a_network_of_ipv6_is_its_48() {
        let limits = Arc::<ResponseLimits>::default();
        let take =
            |address: &str| limits.acquire(Network::of(address.parse().unwrap()), 10 * 1024 * 1024);
        let one = take("2001:db8:1:1::1").unwrap();
        assert!(take("2001:db8:1:2::1").is_err() && take("2001:db8:2:1::1").is_ok());
        drop(one);
        assert!(take("2001:db8:1:2::1").is_ok());
    }
}
