//! What requests can reach: the router's state.

use std::{ops::Deref, sync::Arc};

use axum::{body::Bytes, extract::FromRef};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::{
    chat::Chat,
    config::Patience,
    http::{
        api::channel_list_cache::ChannelListCache,
        extract::proxies::Proxies,
        metrics::Metrics,
        middleware::{flood_limit::FloodLimits, origin::OwnOrigins},
        server::{connection_limits::ConnectionLimits, response_limits::ResponseLimits},
    },
    model::Clock,
    oauth::RevocationFeed,
    session::Core,
};

/// The router's state. A clone shares the same [`Parts`].
///
/// Handlers take a part of it by name where that is all they need: `State<Arc<Chat>>`,
/// `State<Clock>`.
#[derive(Clone)]
pub struct ServerState(Arc<Parts>);

/// The parts of a running server.
pub struct Parts {
    /// What chat and oauth share: the store, the callers, the limits.
    pub core: Arc<Core>,
    /// The rules of channels, messages and delivery.
    pub chat: Arc<Chat>,
    /// Wakes resource servers that follow revocations.
    pub revocation_feed: Arc<RevocationFeed>,
    /// Where the time comes from.
    pub clock: Clock,
    /// The origins that are this server's, and the name of its cookie.
    pub own_origins: OwnOrigins,
    /// The proxies whose `X-Forwarded-For` is believed.
    pub proxies: Proxies,
    /// How many connections each network has, and how many there may be.
    pub connection_limits: Arc<ConnectionLimits>,
    /// How many bytes of long responses are on their way to each network.
    pub response_limits: Arc<ResponseLimits>,
    /// Whether a network has a limit on its connections.
    pub limits_networks: bool,
    /// How long a peer may keep a connection waiting.
    pub patience: Patience,
    /// How many commands and bytes each session has sent of late.
    pub flood_limits: FloodLimits,
    /// What `/metrics` shows.
    pub metrics: Metrics,
    /// Rendered pages of the public channel list.
    pub channel_list_cache: ChannelListCache,
    /// The paths of all routes, such as `/api/v1/clients/{id}`.
    pub route_paths: Vec<String>,
    /// The OpenAPI description, as JSON.
    pub openapi: Bytes,
    /// Cancelled when the server is stopping: held polls and streams end.
    pub stopping: CancellationToken,
    /// The WebSockets that are open. The accept loop does not see a connection that was upgraded.
    pub websockets: TaskTracker,
}

impl ServerState {
    /// The state that shares these parts.
    pub fn new(parts: Parts) -> Self {
        Self(Arc::new(parts))
    }
}

impl Deref for ServerState {
    type Target = Parts;

    fn deref(&self) -> &Parts {
        &self.0
    }
}

impl FromRef<ServerState> for Arc<Chat> {
    fn from_ref(server: &ServerState) -> Self {
        server.chat.clone()
    }
}

impl FromRef<ServerState> for Arc<Core> {
    fn from_ref(server: &ServerState) -> Self {
        server.core.clone()
    }
}

impl FromRef<ServerState> for Clock {
    fn from_ref(server: &ServerState) -> Self {
        server.clock.clone()
    }
}
