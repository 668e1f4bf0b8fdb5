//! What every request passes before the routes, and every answer after them.

use std::{convert::Infallible, net::SocketAddr};

use axum::{
    Router,
    extract::{ConnectInfo, Request},
    response::{IntoResponse, Response},
};
use hyper::{body::Incoming, service::Service};
use hyper_util::service::TowerToHyperService;

use super::{Shared, body, csrf, headers, ops::Seen, part::Part, preflight, site};
use crate::{error::Result, limits, model::Network};

/// The routes as one connection reaches them. It stands around the router and is no layer of it: axum boxes and clones for a
/// layer, which costs more than all that is done here.
pub struct Front {
    app: Shared,
    router: TowerToHyperService<Router>,
    peer: SocketAddr,
}

impl Front {
    pub fn new(app: Shared, router: Router, peer: SocketAddr) -> Self {
        Self { app, router: TowerToHyperService::new(router), peer }
    }

    /// Answers a request; one that is refused here never reaches a route.
    pub fn answer(&self, mut request: Request<Incoming>) -> impl Future<Output = Result<Response, Infallible>> + use<> {
        let seen = Seen::of(&self.app, &request);
        let network = Network::of(self.app.proxies.client(self.peer.ip(), request.headers()));
        let part = Part::of(request.uri());
        let refused = self.admit(part, &request).err().map(IntoResponse::into_response);
        let routed = match refused.or_else(|| preflight::answer(part, &request)) {
            Some(answered) => Err(answered),
            None => {
                request.extensions_mut().insert(ConnectInfo(self.peer));
                Ok(self.router.call(request))
            }
        };
        let app = self.app.clone();
        limits::on_behalf_of(network, async move {
            let mut response = match routed {
                Ok(answer) => answer.await?,
                Err(answered) => answered,
            };
            headers::add(&app.site, part, response.headers_mut());
            seen.answered(&app.metrics, response.status());
            Ok(response)
        })
    }

    fn admit(&self, part: Part, request: &Request<Incoming>) -> Result<()> {
        site::refuse_other_hosts(&self.app.site, request)?;
        csrf::refuse_other_sites(&self.app.site, part, request)?;
        body::refuse_too_long(request)
    }
}
