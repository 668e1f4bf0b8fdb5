//! When a request came, and from where.

use std::{net::IpAddr, time::Duration};

use super::{address::Network, moment::Moment};

/// When a request came, and from where. Records and limits use it.
#[derive(Clone, Copy, Debug)]
pub struct Arrival {
    /// The address that the request came from.
    pub address: IpAddr,
    /// When it came.
    pub at: Moment,
    /// The steady clock's time, which limits use.
    pub steady: Duration,
}

impl Arrival {
    /// The network that limits count the request for.
    pub fn network(&self) -> Network {
        Network::of(self.address)
    }
}
