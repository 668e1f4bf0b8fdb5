//! What every request passes before the routes, and every answer after them.

pub mod csrf;
pub mod flood_limit;
pub mod headers;
pub mod origin;
pub mod preflight;
pub mod rate_limits;
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
        Shared,
        api::service::Seen,
        extract::body,
        middleware::route_kind::Part,
        server::response_permits::{self, Held},
    },
    limits,
    model::Network,
};

/// Seconds after which to try again where a network has all that it may have at one time. Nobody
/// knows when one of its requests ends; most do within this time.
const HELD_RETRY: u64 = 5;

/// The routes as one connection reaches them. It stands around the router and is no layer of it:
/// axum boxes and clones for a layer, which costs more than all that is done here.
pub struct Front {
    app: Shared,
    router: TowerToHyperService<Router>,
    peer: SocketAddr,
}

impl Front {
    pub fn new(app: Shared, router: Router, peer: SocketAddr) -> Self {
        Self {
            app,
            router: TowerToHyperService::new(router),
            peer,
        }
    }

    /// Answers a request; one that is refused here never reaches a route.
    pub fn answer(
        &self,
        mut request: Request<Incoming>,
    ) -> impl Future<Output = Result<Response, Infallible>> + use<> {
        let seen = Seen::of(&self.app, &request);
        let address = self
            .app
            .proxies
            .client(self.peer.ip(), request.headers())
            .to_canonical();
        let network = Network::of(address);
        let part = Part::of(request.uri());
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
        let app = self.app.clone();
        limits::on_behalf_of(address, async move {
            let response = match routed {
                Ok(answer) => answer.await?,
                Err(answered) => answered,
            };
            let mut response = held.until_read(response, &app.in_flight, network, asks);
            headers::add(&app.site, part, response.headers_mut());
            seen.answered(&app.metrics, response.status());
            Ok(response)
        })
    }

    /// What a forwarded request holds of its network's connections. A proxy's own connections, and
    /// its own requests, are not limited.
    fn hold(&self, network: Network) -> Result<Held> {
        let Self { app, peer, .. } = self;
        if !app.limits_addresses
            || network == Network::of(peer.ip())
            || !app.proxies.include(peer.ip())
        {
            return Ok(Held::default());
        }
        let share = app.places.share(network).ok_or_else(|| {
            let detail = "your network has all the requests under way, streams among them, that it may have: end some";
            Error::retry(Code::Throttled, HELD_RETRY, detail)
        })?;
        Ok(Held::new(share))
    }

    fn admit(&self, part: Part, request: &Request<Incoming>) -> Result<()> {
        origin::refuse_other_hosts(&self.app.site, request)?;
        csrf::refuse_other_sites(&self.app.site, part, request)?;
        body::refuse_garbled_query(part, request)?;
        body::refuse_too_long(request)
    }
}
