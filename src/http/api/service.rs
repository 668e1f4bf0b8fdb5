//! The service itself: its limits, its health, its metrics and its description.

use std::sync::Arc;

use axum::{
    Extension,
    extract::State,
    http::header,
    response::{IntoResponse, Response},
};
use serde::Serialize;
use utoipa::ToSchema;

use crate::{
    chat::delivery::hub::MAX_CONNECTIONS_PER_CLIENT,
    error::{Error, Result},
    http::{
        errors::problem::{PageProblems, PublicProblems, StoreProblems},
        extract::body::{BODY_LIMIT, Json},
        metrics::Gauges,
        server::response_permits::RetainedBytes,
        state::{OpenApiJson, ServerState},
    },
    irc::params::MAX_TARGETS,
    model::{
        CHANNEL_LIMIT, CLIENT_NAME_LIMIT, LABEL_LIMIT, NICK_LIMIT, PASSWORD_LENGTH, REASON_LIMIT,
        SERVER_NAME, TEXT_LIMIT,
    },
    session::Core,
};

/// This server and its limits.
#[derive(Serialize, ToSchema)]
pub struct ServerView {
    /// The source of the server's notices and replies.
    name: &'static str,
    version: &'static str,
    /// Whether new channels have the mode +H.
    channel_history: bool,
    limits: LimitsView,
}

/// The limits of this server.
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
    /// The most held polls and streams that one client may have open.
    connections: usize,
    client_idle_seconds: u64,
    client_lifetime_seconds: u64,
    retention_seconds: u64,
}

/// The server's name, version and limits.
#[utoipa::path(get, security(()), path = "/api/v1/server", tag = "service",
    responses((status = 200, description = "The name, version and limits", body = ServerView), PublicProblems))]
pub async fn server(State(core): State<Arc<Core>>) -> Json<ServerView> {
    let limits = &core.limits;
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
            connections: MAX_CONNECTIONS_PER_CLIENT,
            client_idle_seconds: limits.client_idle.as_secs(),
            client_lifetime_seconds: limits.client_lifetime.as_secs(),
            retention_seconds: limits.retention.as_secs(),
        },
    })
}

/// The health check: 200 `ok` while the store can read and write. On a full disk it is 503, with
/// the reason.
#[utoipa::path(get, security(()), path = "/healthz", tag = "service",
    responses((status = 200, description = "The server is healthy", content_type = "text/plain", body = String),
        PageProblems, StoreProblems))]
pub async fn healthz(State(core): State<Arc<Core>>) -> Result<&'static str> {
    // A task of its own: if this caller hangs up, the next one still gets the result.
    let found = tokio::spawn(async move { core.check().await });
    found.await.map_err(Error::internal)?.map(|()| "ok\n")
}

/// The metrics in Prometheus' text format.
#[utoipa::path(get, security(()), path = "/metrics", tag = "service",
    responses(
        (status = 200, description = "The metrics", content_type = "application/openmetrics-text", body = String),
        PageProblems, StoreProblems))]
pub async fn metrics(State(server): State<ServerState>) -> Result<Response> {
    let (sessions, clients) = server.core.counts().await?;
    let (disk_full, reserve) = server.core.room();
    let text = server.metrics.render(Gauges {
        sessions,
        clients,
        connections: server.chat.connections(),
        passwords: server.core.passwords(),
        disk_full,
        reserve,
    })?;
    let kind = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    Ok(([(header::CONTENT_TYPE, kind)], text).into_response())
}

/// This OpenAPI description.
#[utoipa::path(get, security(()), path = "/openapi.json", tag = "service",
    responses((status = 200, description = "OpenAPI 3.1", body = Object), PageProblems))]
pub async fn openapi(State(OpenApiJson(json)): State<OpenApiJson>) -> impl IntoResponse {
    (
        Extension(RetainedBytes),
        [(header::CONTENT_TYPE, "application/json")],
        json,
    )
}
