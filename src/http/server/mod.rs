//! The server: its state, its connections with their limits, and its periodic work.

pub mod accept;
mod background;
pub mod connection;
pub mod connection_limits;
pub mod response_limits;
pub mod response_permits;

use std::{
    net::SocketAddr,
    sync::Arc,
    time::{Duration, Instant},
};

use axum::Router;
use tokio::net::TcpListener;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::{
    config::{Config, Switch},
    error::{Error, Result},
    http::{
        description::describe_cookie,
        extract::proxies::Proxies,
        metrics::Metrics,
        middleware::{flood_limit::FloodLimits, origin::OwnOrigins},
        routes::routes,
        server::connection_limits::ConnectionLimits,
        state::{OpenApiJson, Parts, ServerState},
    },
    limits::Storage,
    model::{Clock, Origin},
    password::Hasher,
    service::{Service, Settings},
    store::DatabaseLock,
};

/// The most hashing threads. The server starts one for every two processors, and each needs 19 MiB.
const HASHING_THREADS: usize = 4;
/// How long connections may take to finish once the server is stopping.
const SHUTDOWN_GRACE: Duration = Duration::from_secs(5);

/// A server that is ready to serve: its database is open, and its routes are set up.
pub struct Server {
    state: ServerState,
    router: Router,
}

impl Server {
    /// Opens the database of a server that will listen on `address`.
    ///
    /// Fails if another server holds the database's lock, or if the database, its key file or the
    /// hashing threads cannot be opened.
    pub fn open(config: Config, address: SocketAddr, clock: Clock) -> Result<Self> {
        let threads = std::thread::available_parallelism().map_or(1, |n| n.get().div_ceil(2));
        let hasher = Hasher::start(threads.min(HASHING_THREADS))?;
        let lock = DatabaseLock::for_server(&config.database)?;
        let key_file = config.key_file(lock.path());
        let storage = config.storage_limit.0;
        let settings = Settings {
            limits: config.limits(),
            storage: storage.map(|bytes| Storage::new(bytes, clock.clone())),
            host: config.public_url.as_ref().map(Origin::host),
        };
        let Service {
            core,
            chat,
            revocation_feed,
        } = Service::open(lock, Some(key_file), settings, hasher, clock.moment().now)?;
        let own_origins = OwnOrigins::new(&config, address);
        let (routes, mut description) = routes();
        describe_cookie(&mut description, &own_origins.cookie_name);
        let connection_limits = ConnectionLimits::new();
        let state = ServerState::new(Parts {
            core,
            chat,
            revocation_feed,
            clock,
            own_origins: Arc::new(own_origins),
            proxies: Proxies::new(config.trusted_proxy),
            limits_networks: config.login_limit == Switch::On,
            patience: config.patience,
            flood_limits: FloodLimits::new(config.flood_limit),
            metrics: Metrics::new(&connection_limits),
            channel_list_cache: Arc::default(),
            connection_limits,
            response_limits: Arc::default(),
            route_paths: description.paths.paths.keys().cloned().collect(),
            openapi: OpenApiJson(description.to_json().map_err(Error::internal)?.into()),
            stopping: CancellationToken::new(),
            websockets: TaskTracker::new(),
        });
        Ok(Self {
            router: routes.with_state(state.clone()),
            state,
        })
    }

    /// The running chat, for the control socket.
    pub fn service(&self) -> Service {
        Service {
            core: self.state.core.clone(),
            chat: self.state.chat.clone(),
            revocation_feed: self.state.revocation_feed.clone(),
        }
    }

    /// Serves until `shutdown`. Then it ends held polls and streams, commits all accepted writes
    /// and closes the database. The binary and every test start the server with this function.
    pub async fn serve(
        self,
        listener: TcpListener,
        shutdown: impl Future<Output = ()> + Send + 'static,
    ) -> Result<()> {
        let Self { state, router } = self;
        let background = tokio::spawn(background::run(state.clone()));
        let stopping = {
            let state = state.clone();
            async move {
                shutdown.await;
                tracing::info!("stopping");
                state.core.announce_stop();
                state.stopping.cancel();
                Instant::now() + SHUTDOWN_GRACE
            }
        };
        let all = async {
            accept::serve(state.clone(), router, listener).await;
            state.websockets.close();
            state.websockets.wait().await;
        };
        // Backups, and readers whose callers have gone away, get the rest of the same time.
        let deadline = tokio::select! {
            (deadline, ()) = async { tokio::join!(stopping, all) } => deadline,
            () = async {
                state.stopping.cancelled().await;
                tokio::time::sleep(SHUTDOWN_GRACE).await;
            } => {
                tracing::warn!("some connections did not finish in time and were cut off");
                Instant::now()
            }
        };
        if let Err(error) = background.await {
            tracing::error!(%error, "the background work failed");
        }
        let (steady, now) = (state.clock.steady(), state.clock.moment().now);
        if let Err(error) = state.core.tell_all(steady, now).await {
            tracing::error!(%error, "could not record the counted refusals in the audit log");
        }
        state.core.close(deadline).await;
        Ok(())
    }
}
