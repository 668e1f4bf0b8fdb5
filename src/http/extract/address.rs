//! Whose request it is, by address: the peer's, or what a trusted proxy says of it.

use std::net::{IpAddr, SocketAddr};

use axum::{
    extract::{ConnectInfo, FromRequestParts},
    http::request::Parts,
};

use crate::{
    audit::Subject,
    error::{Error, Result},
    http::state::ServerState,
    model::{Arrival, Network, Timestamp},
};

/// The address a request comes from.
pub struct Address {
    /// The address; an IPv4 address mapped into IPv6 is written as IPv4.
    pub ip: IpAddr,
    /// The network that limits count it by.
    pub network: Network,
}

impl Address {
    /// What the layers below are told of a request that came from here.
    pub fn arrival(&self, server: &ServerState, now: Timestamp) -> Arrival {
        Arrival {
            address: self.ip,
            now,
            steady: server.clock.steady(),
        }
    }

    /// What the audit log is told of it.
    pub fn subject(&self) -> Subject {
        Subject {
            address: Some(self.ip),
            ..Subject::default()
        }
    }
}

impl FromRequestParts<ServerState> for Address {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, server: &ServerState) -> Result<Self> {
        let ConnectInfo(peer) = ConnectInfo::<SocketAddr>::from_request_parts(parts, server)
            .await
            .map_err(Error::internal)?;
        let ip = server
            .proxies
            .client(peer.ip(), &parts.headers)
            .to_canonical();
        Ok(Self {
            ip,
            network: Network::of(ip),
        })
    }
}
