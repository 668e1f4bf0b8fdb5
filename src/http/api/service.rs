//! The service itself: what it is, whether it is well, what it has done.

use std::time::Instant;

use axum::{
    Extension,
    extract::{Request, State},
    http::{Method, StatusCode, header},
    response::{IntoResponse, Response},
};
use prometheus_client::{
    encoding::{EncodeLabelSet, text::encode},
    metrics::{
        counter::Counter,
        family::Family,
        gauge::Gauge,
        histogram::{Histogram, exponential_buckets},
    },
    registry::Registry,
};
use serde::Serialize;
use utoipa::ToSchema;

use crate::{
    chat::hub::HELD,
    error::{Error, Result},
    http::{
        App, BODY_LIMIT, Shared,
        errors::problem::{PageProblems, PublicProblems, StoreProblems},
        extract::body::Json,
        server::{connection_limits::Places, response_permits::Kept},
    },
    irc::command::MAX_TARGETS,
    model::{
        CHANNEL_LIMIT, CLIENT_NAME_LIMIT, LABEL_LIMIT, NICK_LIMIT, PASSWORD_LENGTH, REASON_LIMIT,
        SERVER_NAME, TEXT_LIMIT,
    },
};

/// What has been counted since the start.
pub struct Metrics {
    registry: Registry,
    requests: Family<Status, Counter>,
    seconds: Histogram,
    commands: Counter,
    logins: Family<Outcome, Counter>,
    sessions: Gauge,
    clients: Gauge,
    connections: Gauge,
    passwords: Gauge,
    disk_full: Gauge,
    reserve: Gauge,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Status {
    status: u32,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Outcome {
    outcome: &'static str,
}

impl Metrics {
    /// The connections are counted where their places are.
    pub fn new(places: &Places) -> Self {
        let mut metrics = Self {
            registry: Registry::with_prefix("rejoin"),
            requests: Family::default(),
            seconds: Histogram::new(exponential_buckets(0.0005, 4.0, 10)),
            commands: Counter::default(),
            logins: Family::default(),
            sessions: Gauge::default(),
            clients: Gauge::default(),
            connections: Gauge::default(),
            passwords: Gauge::default(),
            disk_full: Gauge::default(),
            reserve: Gauge::default(),
        };
        let Self {
            registry,
            requests,
            seconds,
            commands,
            logins,
            sessions,
            clients,
            connections,
            passwords,
            disk_full,
            reserve,
        } = &mut metrics;
        registry.register(
            "http_requests",
            "Requests answered, by status",
            requests.clone(),
        );
        registry.register(
            "http_request_seconds",
            "Time to the answer's head, held polls included",
            seconds.clone(),
        );
        registry.register("commands", "Commands received", commands.clone());
        registry.register("logins", "Logins, by outcome", logins.clone());
        registry.register("sessions", "Live sessions", sessions.clone());
        registry.register("clients", "Live clients", clients.clone());
        registry.register(
            "connections",
            "Held polls and open streams",
            connections.clone(),
        );
        registry.register(
            "passwords",
            "Passwords being hashed or waiting for it",
            passwords.clone(),
        );
        registry.register(
            "disk_full",
            "1 while the disk is full, so that nothing can be added",
            disk_full.clone(),
        );
        registry.register(
            "reserve_bytes",
            "What is left of the reserve for a full disk",
            reserve.clone(),
        );
        registry.register(
            "tcp_connections",
            "Open TCP connections",
            places.open.clone(),
        );
        let refused = "TCP connections refused because their address had enough";
        registry.register("tcp_connections_refused", refused, places.refused.clone());
        metrics
    }

    pub fn command(&self) {
        self.commands.inc();
    }

    pub fn logins(&self, right: bool) {
        self.logins
            .get_or_create(&Outcome {
                outcome: if right { "right" } else { "failed" },
            })
            .inc();
    }
}

/// What is kept of a request until it is answered. Neither query nor body is ever logged, and of
/// the path only the route that it is of: what stands in the place of an id may be a secret that
/// somebody mistook for one.
pub struct Seen {
    started: Instant,
    /// Method and route, where somebody asked for a line on each answer.
    logged: Option<(Method, String)>,
}

impl Seen {
    pub fn of<B>(app: &App, request: &Request<B>) -> Self {
        let logged = || {
            (
                request.method().clone(),
                route(&app.paths, request.uri().path()).to_owned(),
            )
        };
        Self {
            started: Instant::now(),
            logged: tracing::enabled!(tracing::Level::DEBUG).then(logged),
        }
    }

    /// Counts the answer, and logs it where that was asked for.
    pub fn answered(self, metrics: &Metrics, status: StatusCode) {
        let Self { started, logged } = self;
        let status = status.as_u16();
        metrics
            .requests
            .get_or_create(&Status {
                status: status.into(),
            })
            .inc();
        metrics.seconds.observe(started.elapsed().as_secs_f64());
        if let Some((method, route)) = logged {
            tracing::debug!(%method, route, status, milliseconds = started.elapsed().as_millis() as u64, "answered");
        }
    }
}

/// The route that a path is of, among those that are written as `/api/v1/clients/{id}`.
fn route<'p>(paths: &'p [String], path: &str) -> &'p str {
    let fits = |known: &&String| {
        let (mut known, mut segments) = (known.split('/'), path.split('/'));
        known
            .by_ref()
            .zip(segments.by_ref())
            .all(|(known, own)| known == own || known.starts_with('{'))
            && known.next().is_none()
            && segments.next().is_none()
    };
    // One that is written out goes before one that varies.
    let found = paths
        .iter()
        .filter(fits)
        .min_by_key(|known| known.contains('{'));
    found.map_or("none", String::as_str)
}

/// What this server is and allows.
#[derive(Serialize, ToSchema)]
pub struct ServerView {
    /// The source of its notices and replies.
    name: &'static str,
    version: &'static str,
    /// Whether new channels are +H.
    channel_history: bool,
    limits: LimitsView,
}

#[derive(Serialize, ToSchema)]
pub struct LimitsView {
    body_bytes: usize,
    nick_characters: usize,
    channel_bytes: usize,
    text_bytes: usize,
    reason_bytes: usize,
    label_characters: usize,
    client_name_characters: usize,
    password_characters_min: usize,
    password_characters_max: usize,
    targets: usize,
    clients: usize,
    channels: usize,
    /// Held polls and streams of a client at one time.
    connections: usize,
    client_idle_seconds: u64,
    client_lifetime_seconds: u64,
    retention_seconds: u64,
}

/// Name, version and limits.
#[utoipa::path(get, security(()), path = "/api/v1/server", tag = "service",
    responses((status = 200, description = "What it is", body = ServerView), PublicProblems))]
pub async fn server(State(app): State<Shared>) -> Json<ServerView> {
    let limits = &app.chat.limits;
    Json(ServerView {
        name: SERVER_NAME,
        version: env!("CARGO_PKG_VERSION"),
        channel_history: limits.channel_history,
        limits: LimitsView {
            body_bytes: BODY_LIMIT,
            nick_characters: NICK_LIMIT,
            channel_bytes: CHANNEL_LIMIT,
            text_bytes: TEXT_LIMIT,
            reason_bytes: REASON_LIMIT,
            label_characters: LABEL_LIMIT,
            client_name_characters: CLIENT_NAME_LIMIT,
            password_characters_min: *PASSWORD_LENGTH.start(),
            password_characters_max: *PASSWORD_LENGTH.end(),
            targets: MAX_TARGETS,
            clients: limits.max_clients,
            channels: limits.max_channels,
            connections: HELD,
            client_idle_seconds: limits.client_idle.as_secs(),
            client_lifetime_seconds: limits.client_lifetime.as_secs(),
            retention_seconds: limits.retention.as_secs(),
        },
    })
}

/// 200 `ok` while the store writes and reads. On a full disk it is 503, and says so.
#[utoipa::path(get, security(()), path = "/healthz", tag = "service",
    responses((status = 200, description = "It is well", content_type = "text/plain", body = String),
        PageProblems, StoreProblems))]
pub async fn healthz(State(app): State<Shared>) -> Result<&'static str> {
    // On its own: one who asks and hangs up must not leave the next to find it out anew.
    let found = tokio::spawn(async move { app.chat.check().await });
    found.await.map_err(Error::internal)?.map(|()| "ok\n")
}

/// Prometheus' text format.
#[utoipa::path(get, security(()), path = "/metrics", tag = "service",
    responses(
        (status = 200, description = "What was counted", content_type = "application/openmetrics-text", body = String),
        PageProblems, StoreProblems))]
pub async fn metrics(State(app): State<Shared>) -> Result<Response> {
    let (sessions, clients, connections) = app.chat.counts().await?;
    let metrics = &app.metrics;
    metrics.sessions.set(sessions);
    metrics
        .clients
        .set(i64::try_from(clients).unwrap_or(i64::MAX));
    metrics
        .connections
        .set(i64::try_from(connections).unwrap_or(i64::MAX));
    metrics
        .passwords
        .set(i64::try_from(app.chat.passwords()).unwrap_or(i64::MAX));
    let (full, reserve) = app.chat.room();
    metrics.disk_full.set(full.into());
    metrics
        .reserve
        .set(i64::try_from(reserve).unwrap_or(i64::MAX));
    let mut text = String::new();
    encode(&mut text, &metrics.registry).map_err(Error::internal)?;
    let kind = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    Ok(([(header::CONTENT_TYPE, kind)], text).into_response())
}

/// This description.
#[utoipa::path(get, security(()), path = "/openapi.json", tag = "service",
    responses((status = 200, description = "OpenAPI 3.1", body = Object), PageProblems))]
pub async fn openapi(State(app): State<Shared>) -> impl IntoResponse {
    (
        Extension(Kept),
        [(header::CONTENT_TYPE, "application/json")],
        app.openapi.clone(),
    )
}
