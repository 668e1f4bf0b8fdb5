//! When and from where a request came.

use std::{net::IpAddr, time::Duration};

use super::{address::Network, timestamp::Timestamp};

/// When and from where a request came: what is recorded of it, and what limits count it by.
#[derive(Clone, Copy, Debug)]
pub struct Arrival {
    /// The address that it came from.
    pub address: IpAddr,
    /// The time of day.
    pub now: Timestamp,
    /// A steady clock's time, by which limits go.
    pub steady: Duration,
}

impl Arrival {
    /// The network that limits count it by.
    pub fn network(&self) -> Network {
        Network::of(self.address)
    }
}
