//! The address that a request comes from: the peer's or, behind a trusted proxy, the one that the
//! proxy names.

use std::net::{IpAddr, SocketAddr};

use axum::{
    extract::{ConnectInfo, FromRequestParts},
    http::request::Parts,
};

use crate::{
    audit::Subject,
    error::{Error, Result},
    http::state::ServerState,
    model::{Arrival, Clock, Moment, Network},
};

/// The address a request comes from, and when it came.
#[derive(Clone)]
pub struct Address {
    /// The address; an IPv4 address mapped into IPv6 is written as IPv4.
    pub ip: IpAddr,
    /// The network that limits count it by.
    pub network: Network,
    /// When the request came.
    pub at: Moment,
    /// The source of the time, for the limits: a request may wait before it is charged.
    pub clock: Clock,
}

impl Address {
    /// When and from where the request came.
    pub fn arrival(&self) -> Arrival {
        Arrival {
            address: self.ip,
            at: self.at,
            steady: self.clock.steady(),
        }
    }

    /// A subject for the audit log with this address alone.
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
            at: Moment::from_request_parts(parts, server).await?,
            clock: server.clock.clone(),
        })
    }
}
