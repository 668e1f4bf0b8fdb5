//! HTTP: the only layer that names `axum`, `hyper` and `cookie`, and the only one that writes
//! bytes.
//!
//! A connection has its place and its time-outs from `serve`. A request on it is counted and
//! passes, in this order, the security headers, the check that it is meant for us, the check that
//! no other site sent it, the limit on its length, the extractor that says who calls; then a
//! handler of a few lines calls the chat and renders what it returns.

use std::{
    net::SocketAddr,
    panic::AssertUnwindSafe,
    sync::Arc,
    time::{Duration, Instant},
};

use axum::{Router, body::Bytes};
use futures_util::FutureExt;
use tokio::{net::TcpListener, sync::watch};
use utoipa::{
    OpenApi,
    openapi::security::{ApiKey, ApiKeyValue, Http, HttpAuthScheme, SecurityScheme},
};
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::{
    chat::Chat,
    config::{Config, Patience, Switch},
    error::{Code, Error, Result},
    limits::Storage,
    model::{Clock, Origin},
    password::Hasher,
    store::DatabaseLock,
};

mod api;
mod errors;
mod extract;
mod middleware;
mod oauth;
mod pages;
mod server;

use api::{audit, channels, clients, event_stream, messages, service, session, socket};
use errors::{oauth_error, problem};
use extract::{address, auth};
use middleware::{flood_limit, origin};
use pages::{assets, login, login_qr_code};
use server::{accept, connection_limits, response_limits};

/// Bytes of a request's body, at most.
const BODY_LIMIT: usize = 16 * 1024;
/// Between two looks at who is due to leave.
const EXPIRE: Duration = Duration::from_secs(1);
/// Between two rounds of upkeep.
const UPKEEP: Duration = Duration::from_secs(60);
/// Threads that hash passwords, at most: of the processors half, and each has 19 MiB of its own.
const HASHING_THREADS: usize = 4;
/// How long connections may take to finish once the server is stopping.
const PARTING: Duration = Duration::from_secs(5);

/// What every handler can reach.
pub struct App {
    chat: Arc<Chat>,
    clock: Clock,
    /// Our own origins and the cookie's name.
    site: origin::Site,
    /// Which peers may say whose request they forward.
    proxies: address::Proxies,
    /// Who has a place among the connections.
    places: Arc<connection_limits::Places>,
    /// Long answers that are under way.
    in_flight: Arc<response_limits::InFlight>,
    /// Whether an address has no more than its share of them.
    limits_addresses: bool,
    /// How long a connection may keep us waiting.
    patience: Patience,
    /// What each session sends.
    flood: flood_limit::Flood,
    metrics: service::Metrics,
    /// The public list of channels, as it was rendered.
    pages: channels::Pages,
    /// The paths of all routes, as the description has them.
    paths: Vec<String>,
    /// The API's description, rendered once.
    openapi: Bytes,
    /// Turns true when the server is stopping: held polls and streams end.
    stopping: watch::Receiver<bool>,
    /// How many WebSockets are open; the server itself loses sight of a connection that was
    /// upgraded.
    sockets: watch::Sender<usize>,
}

type Shared = Arc<App>;

impl App {
    /// Waits until the server is stopping.
    async fn stopped(&self) {
        // The sender lives as long as the server; without it everything is over anyway.
        let _ = self.stopping.clone().wait_for(|stopping| *stopping).await;
    }
}

#[derive(OpenApi)]
#[openapi(
    info(title = "Rejoin", description = "Sessions that are rejoined from any device."),
    modifiers(&Credentials),
    security(("cookie" = []), ("token" = []), ("token" = [], "identity" = [])),
    components(schemas(problem::Problem, oauth_error::RefusalView)),
    tags((name = "session"), (name = "client"), (name = "chat"), (name = "delivery"), (name = "service"), (name = "oauth")),
)]
struct Description;

/// Tells of the access tokens of programs, and of their credentials.
struct Credentials;

/// Tells of the cookie, whose name the operator may choose.
fn describe_cookie(description: &mut utoipa::openapi::OpenApi, name: &str) {
    let cookie = ApiKeyValue::with_description(name, "Set by making a session and by logging in.");
    let components = description.components.get_or_insert_default();
    components.add_security_scheme("cookie", SecurityScheme::ApiKey(ApiKey::Cookie(cookie)));
}

impl utoipa::Modify for Credentials {
    fn modify(&self, description: &mut utoipa::openapi::OpenApi) {
        let components = description.components.get_or_insert_default();
        components.add_security_scheme(
            "token",
            SecurityScheme::Http(Http::new(HttpAuthScheme::Bearer)),
        );
        let about = "The access token of the user for whom an app acts, beside the app's own in Authorization.";
        let identity = ApiKeyValue::with_description(auth::IDENTITY.as_str(), about);
        components
            .add_security_scheme("identity", SecurityScheme::ApiKey(ApiKey::Header(identity)));
        components.add_security_scheme(
            "app",
            SecurityScheme::Http(Http::new(HttpAuthScheme::Basic)),
        );
    }
}

/// Every route there is, and its description.
fn routes() -> (Router<Shared>, utoipa::openapi::OpenApi) {
    OpenApiRouter::with_openapi(Description::openapi())
        .routes(routes!(session::create, session::snapshot, session::end))
        .routes(routes!(login::login_api))
        .routes(routes!(login::page, login::login))
        .routes(routes!(login_qr_code::code))
        .routes(routes!(session::logout))
        .routes(routes!(session::logout_api))
        .routes(routes!(audit::list))
        .merge(oauth::routes())
        .routes(routes!(clients::list, clients::remove_others))
        .routes(routes!(clients::rename, clients::remove))
        .routes(routes!(messages::send, messages::poll))
        .routes(routes!(event_stream::events))
        .routes(routes!(socket::socket))
        .routes(routes!(messages::history))
        .routes(routes!(channels::list))
        .routes(routes!(service::server))
        .routes(routes!(service::healthz))
        .routes(routes!(service::metrics))
        .routes(routes!(service::openapi))
        .routes(routes!(assets::index))
        .routes(routes!(assets::change_password))
        .routes(routes!(assets::asset))
        .fallback(|| async { Error::new(Code::NotFound, "there is nothing at this address") })
        .split_for_parts()
}

/// A server that is ready to serve: its database is open, its routes are laid.
pub struct Server {
    app: Shared,
    router: Router,
    stop: watch::Sender<bool>,
}

impl Server {
    /// Opens the database of a server that will listen on `address`.
    pub fn open(config: Config, address: SocketAddr, clock: Clock) -> Result<Self> {
        let threads = std::thread::available_parallelism().map_or(1, |n| n.get().div_ceil(2));
        let hasher = Hasher::start(threads.min(HASHING_THREADS))?;
        let lock = DatabaseLock::for_server(&config.database)?;
        let key_file = config.key_file(lock.path());
        let mut chat = Chat::open(lock, Some(key_file), config.limits(), hasher, clock.now())?;
        if let Some(bytes) = config.storage_limit.0 {
            chat.limit_storage(Storage::new(bytes, clock.clone()));
        }
        chat.host = config.public_url.as_ref().map(Origin::host);
        let (stop, stopping) = watch::channel(false);
        let site = origin::Site::new(&config, address);
        let (routes, mut description) = routes();
        describe_cookie(&mut description, &site.cookie);
        let routes = routes.method_not_allowed_fallback(|| async {
            Error::new(Code::MethodNotAllowed, "this address has no such method")
        });
        let places = connection_limits::Places::new();
        let app = App {
            chat: Arc::new(chat),
            clock,
            site,
            proxies: address::Proxies::new(config.trusted_proxy),
            limits_addresses: config.login_limit == Switch::On,
            patience: config.patience,
            flood: flood_limit::Flood::new(config.flood_limit),
            metrics: service::Metrics::new(&places),
            pages: channels::Pages::default(),
            places,
            in_flight: Arc::default(),
            paths: description.paths.paths.keys().cloned().collect(),
            openapi: description.to_json().map_err(Error::internal)?.into(),
            stopping,
            sockets: watch::Sender::default(),
        };
        let app = Arc::new(app);
        Ok(Self {
            router: routes.with_state(app.clone()),
            app,
            stop,
        })
    }

    /// The chat it serves, for the control socket.
    pub fn chat(&self) -> Arc<Chat> {
        self.app.chat.clone()
    }

    /// Serves until `shutdown`, then lets held polls and streams end, commits what was accepted and
    /// closes the database. The binary and every test start the server by this.
    pub async fn serve(
        self,
        listener: TcpListener,
        shutdown: impl Future<Output = ()> + Send + 'static,
    ) -> Result<()> {
        let Self { app, router, stop } = self;
        let upkeep = tokio::spawn(keep_up(app.clone()));
        let chat = app.chat.clone();
        let stopping = async move {
            shutdown.await;
            tracing::info!("stopping");
            chat.announce_stop();
            // It fails only if everyone who would hear of it is gone.
            let _ = stop.send(true);
            Instant::now() + PARTING
        };
        let all = async {
            accept::serve(app.clone(), router, listener).await;
            // The sender is ours, so there is a value to wait for.
            let _ = app.sockets.subscribe().wait_for(|open| *open == 0).await;
        };
        // Readers of the database that nobody waits for any more, and backups, have the rest of the
        // same time.
        let deadline = tokio::select! {
            (deadline, ()) = async { tokio::join!(stopping, all) } => deadline,
            () = async {
                app.stopped().await;
                tokio::time::sleep(PARTING).await;
            } => {
                tracing::warn!("some connections did not finish in time and were cut off");
                Instant::now()
            }
        };
        if let Err(error) = upkeep.await {
            tracing::error!(%error, "upkeep failed");
        }
        if let Err(error) = app.chat.tell_all(app.clock.steady(), app.clock.now()).await {
            tracing::error!(%error, "refusals that were counted could not be recorded");
        }
        app.chat.close(deadline).await;
        Ok(())
    }
}

/// Does what the clock asks for, until the server is stopping: who is due leaves within a second,
/// however long the rest takes.
async fn keep_up(app: Shared) {
    let expire = async |app: Shared| {
        let told = app
            .chat
            .tell_untold(app.clock.steady(), app.clock.now())
            .await;
        app.chat
            .expire(app.clock.now(), app.clock.due())
            .await
            .and(told)
    };
    let upkeep = async |app: Shared| app.chat.upkeep(app.clock.due()).await;
    let drop_unreadable = async |app: Shared| app.chat.drop_unreadable().await;
    tokio::select! {
        () = again(&app, EXPIRE, "letting clients leave", expire) => {}
        () = again(&app, EXPIRE, "removing what nobody can read", drop_unreadable) => {}
        () = again(&app, UPKEEP, "upkeep", upkeep) => {}
        () = app.stopped() => {}
    }
}

/// Does something again and again, whatever becomes of it.
async fn again<F>(app: &Shared, pause: Duration, what: &str, round: impl Fn(Shared) -> F)
where
    F: Future<Output = Result<()>>,
{
    loop {
        // A panic is one round's, not the end of them all.
        match AssertUnwindSafe(round(app.clone())).catch_unwind().await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::error!(%error, "{what} did not finish; it is tried again"),
            Err(_) => tracing::error!("{what} panicked; it is tried again"),
        }
        tokio::time::sleep(pause).await;
    }
}
