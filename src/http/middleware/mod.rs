//! What every request passes before the routes, and every answer after them.

pub mod command_limits;
pub mod csrf;
pub mod flood_limit;
pub mod headers;
pub mod origin;
pub mod preflight;
pub mod rate_limits;
pub mod request_log;
pub mod route_kind;

use std::{convert::Infallible, net::SocketAddr};

use axum::{
    Router,
    extract::{ConnectInfo, Request},
    response::{IntoResponse, Response},
};
use hyper::{body::Incoming, service::Service};
use hyper_util::service::TowerToHyperService;

use crate::{
    error::{Code, Error, Result},
    http::{
        extract::body,
        middleware::{request_log::RequestLog, route_kind::RouteKind},
        server::response_permits::{self, ResponsePermits},
        state::ServerState,
    },
    limits,
    model::Network,
};

/// Seconds after which to try again where a network has all that it may have at one time. Nobody
/// knows when one of its requests ends; most do within this time.
const HELD_RETRY: u64 = 5;

/// The routes as one connection reaches them. It stands around the router and is no layer of it:
/// axum boxes and clones for a layer, which costs more than all that is done here.
pub struct Middleware {
    server: ServerState,
    router: TowerToHyperService<Router>,
    peer: SocketAddr,
}

impl Middleware {
    pub fn new(server: ServerState, router: Router, peer: SocketAddr) -> Self {
        Self {
            server,
            router: TowerToHyperService::new(router),
            peer,
        }
    }

    /// Answers a request; one that is refused here never reaches a route.
    pub fn answer(
        &self,
        mut request: Request<Incoming>,
    ) -> impl Future<Output = Result<Response, Infallible>> + use<> {
        let seen = RequestLog::of(&self.server, &request);
        let address = self
            .server
            .proxies
            .client(self.peer.ip(), request.headers())
            .to_canonical();
        let network = Network::of(address);
        let part = RouteKind::of(request.uri());
        let held = self.admit(part, &request).and_then(|()| self.hold(network));
        let refused = held
            .as_ref()
            .err()
            .cloned()
            .map(IntoResponse::into_response);
        let (held, asks) = (
            held.unwrap_or_default(),
            response_permits::asks(request.method()),
        );
        let routed = match refused.or_else(|| preflight::answer(part, &request)) {
            Some(answered) => Err(answered),
            None => {
                request.extensions_mut().insert(ConnectInfo(self.peer));
                request.extensions_mut().insert(held.clone());
                Ok(self.router.call(request))
            }
        };
        let server = self.server.clone();
        limits::on_behalf_of(address, async move {
            let response = match routed {
                Ok(answer) => answer.await?,
                Err(answered) => answered,
            };
            let mut response = held.until_read(response, &server.response_limits, network, asks);
            headers::add(&server.own_origins, part, response.headers_mut());
            seen.answered(&server.metrics, response.status());
            Ok(response)
        })
    }

    /// What a forwarded request holds of its network's connections. A proxy's own connections, and
    /// its own requests, are not limited.
    fn hold(&self, network: Network) -> Result<ResponsePermits> {
        let Self { server, peer, .. } = self;
        if !server.limits_networks
            || network == Network::of(peer.ip())
            || !server.proxies.include(peer.ip())
        {
            return Ok(ResponsePermits::default());
        }
        let share = server.connection_limits.share(network).ok_or_else(|| {
            let detail = "your network has all the requests under way, streams among them, that it may have: end some";
            Error::retry(Code::Throttled, HELD_RETRY, detail)
        })?;
        Ok(ResponsePermits::new(share))
    }

    fn admit(&self, part: RouteKind, request: &Request<Incoming>) -> Result<()> {
        origin::refuse_other_hosts(&self.server.own_origins, request)?;
        csrf::refuse_other_sites(&self.server.own_origins, part, request)?;
        body::refuse_garbled_query(part, request)?;
        body::refuse_too_long(request)
    }
}
