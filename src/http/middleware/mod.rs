//! The checks that every request passes before its route, and the headers that every answer gets.

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

/// The seconds after which to try again if the network has too many open requests. Most requests
/// end within this time.
const PERMIT_RETRY_AFTER: u64 = 5;

/// The middleware of one connection. It wraps the router and is not a layer of it, because axum
/// boxes and clones for each layer, which costs more than all the work here.
pub struct Middleware {
    server: ServerState,
    router: TowerToHyperService<Router>,
    peer: SocketAddr,
}

impl Middleware {
    /// Wraps the router for the connection from `peer`.
    pub fn new(server: ServerState, router: Router, peer: SocketAddr) -> Self {
        Self {
            server,
            router: TowerToHyperService::new(router),
            peer,
        }
    }

    /// Answers a request. A refused request never reaches a route.
    pub fn answer(
        &self,
        mut request: Request<Incoming>,
    ) -> impl Future<Output = Result<Response, Infallible>> + use<> {
        let request_log = RequestLog::of(&self.server, &request);
        let address = self
            .server
            .proxies
            .client(self.peer.ip(), request.headers())
            .to_canonical();
        let network = Network::of(address);
        let route = RouteKind::of(request.uri());
        let permits = self
            .check(route, &request)
            .and_then(|()| self.permits(network));
        let refused = permits
            .as_ref()
            .err()
            .cloned()
            .map(IntoResponse::into_response);
        let (permits, may_refuse) = (
            permits.unwrap_or_default(),
            response_permits::may_refuse(request.method()),
        );
        let routed = match refused.or_else(|| preflight::answer(route, &request)) {
            Some(answered) => Err(answered),
            None => {
                request.extensions_mut().insert(ConnectInfo(self.peer));
                request.extensions_mut().insert(permits.clone());
                Ok(self.router.call(request))
            }
        };
        let server = self.server.clone();
        limits::on_behalf_of(address, async move {
            let response = match routed {
                Ok(answer) => answer.await?,
                Err(answered) => answered,
            };
            let mut response =
                permits.until_read(response, &server.response_limits, network, may_refuse);
            headers::add(&server.own_origins, route, response.headers_mut());
            request_log.answered(&server.metrics, response.status());
            Ok(response)
        })
    }

    /// The permits of a forwarded request, which counts as a connection of its network. A proxy's
    /// own connections and requests are not limited. Fails with `throttled`.
    fn permits(&self, network: Network) -> Result<ResponsePermits> {
        let Self { server, peer, .. } = self;
        if !server.limits_networks
            || network == Network::of(peer.ip())
            || !server.proxies.include(peer.ip())
        {
            return Ok(ResponsePermits::default());
        }
        let permit = server.connection_limits.acquire_for_network(network).ok_or_else(|| {
            let detail = "your network has as many requests and streams open as it may; close some \
                          first";
            Error::retry(Code::Throttled, PERMIT_RETRY_AFTER, detail)
        })?;
        Ok(ResponsePermits::new(permit))
    }

    fn check(&self, route: RouteKind, request: &Request<Incoming>) -> Result<()> {
        origin::refuse_other_hosts(&self.server.own_origins, request)?;
        csrf::refuse_other_sites(&self.server.own_origins, route, request)?;
        body::refuse_garbled_query(route, request)?;
        body::refuse_too_long(request)
    }
}
