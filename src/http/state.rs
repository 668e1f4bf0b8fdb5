//! The router's state, which requests can reach.

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
/// A handler takes only what it uses, such as `State<Arc<Chat>>`. It takes the whole state if it uses
/// three parts or more.
#[derive(Clone)]
pub struct ServerState(Arc<Parts>);

/// The parts of a running server.
pub struct Parts {
    /// The part that chat and oauth share: the store, the callers, the limits.
    pub core: Arc<Core>,
    /// The rules of channels, messages and delivery.
    pub chat: Arc<Chat>,
    /// Wakes resource servers that follow revocations.
    pub revocation_feed: Arc<RevocationFeed>,
    /// The source of the time.
    pub clock: Clock,
    /// The server's own origins, and the name of its cookie.
    pub own_origins: Arc<OwnOrigins>,
    /// The proxies whose `X-Forwarded-For` is believed.
    pub proxies: Proxies,
    /// The connections of each network, and their limits.
    pub connection_limits: Arc<ConnectionLimits>,
    /// The bytes of long responses that are being sent to each network.
    pub response_limits: Arc<ResponseLimits>,
    /// Whether a network has a limit on its connections.
    pub limits_networks: bool,
    /// How long a peer may keep a connection waiting.
    pub patience: Patience,
    /// The commands and bytes that each session has sent recently.
    pub flood_limits: FloodLimits,
    /// The metrics for `/metrics`.
    pub metrics: Metrics,
    /// Rendered pages of the public channel list.
    pub channel_list_cache: Arc<ChannelListCache>,
    /// The paths of all routes, such as `/api/v1/clients/{id}`.
    pub route_paths: Vec<String>,
    /// The OpenAPI description.
    pub openapi: OpenApiJson,
    /// Cancelled when the server is stopping: held polls and streams end.
    pub stopping: CancellationToken,
    /// The WebSockets that are open. The accept loop does not see a connection that was upgraded.
    pub websockets: TaskTracker,
}

/// The OpenAPI description, as JSON.
#[derive(Clone)]
pub struct OpenApiJson(pub Bytes);

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

/// Lets handlers take a part of the state.
macro_rules! parts {
    ($($part:ident: $type:ty),* $(,)?) => {
        $(impl FromRef<ServerState> for $type {
            fn from_ref(server: &ServerState) -> Self {
                server.$part.clone()
            }
        })*
    };
}

parts! {
    core: Arc<Core>,
    chat: Arc<Chat>,
    own_origins: Arc<OwnOrigins>,
    channel_list_cache: Arc<ChannelListCache>,
    openapi: OpenApiJson,
}
