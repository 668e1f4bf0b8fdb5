//! The session: made, shown, ended, left.

use axum::{
    extract::State,
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{
    Shared,
    address::Address,
    auth::{Authenticated, Present},
    body::Json,
    clients::client_name,
    cookie, guard,
    problem::{Conflict, Malformed, Problems, PublicProblems, StoreProblems, Throttled, TimedOut},
};
use crate::{
    chat::{
        self, Admitted,
        snapshot::{SessionView, Snapshot},
    },
    error::Result,
    model::{ClientView, Nick, Scope, Timestamp},
};

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"nick": "alice", "client_name": "laptop"}))]
pub struct NewSession {
    #[schema(pattern = r"^[A-Za-z\[-`{-}][-A-Za-z0-9\[-`{-}]{0,31}$")]
    nick: String,
    /// The client's name in the list of clients; else a short form of User-Agent.
    #[schema(max_length = 64, pattern = r"^[^\x00-\x1f\x7f-\x9f]*$")]
    client_name: Option<String>,
}

/// A session, and the client that was let into it.
#[derive(Serialize, ToSchema)]
pub struct Entered {
    session: SessionView,
    client: ClientView,
}

/// An answer that hands out the cookie.
pub fn entered(app: &Shared, status: StatusCode, admitted: Admitted, now: Timestamp) -> Response {
    let cookie = cookie::set(&app.site, &admitted.secret, admitted.client.expires_at, now);
    let body = Entered { session: admitted.session.into(), client: admitted.client };
    (status, [(header::SET_COOKIE, cookie)], Json(body)).into_response()
}

/// Makes a session and its first client, and sets the cookie.
#[utoipa::path(post, security(()), path = "/api/v1/session", tag = "session", request_body = NewSession,
    responses((status = 201, description = "Made", body = Entered, headers(("set-cookie" = String))),
        PublicProblems, StoreProblems, Malformed, Conflict, Throttled, TimedOut))]
pub async fn create(
    State(app): State<Shared>,
    Present(present): Present,
    address: Address,
    headers: HeaderMap,
    Json(body): Json<NewSession>,
) -> Result<Response> {
    if present.is_some() {
        return Err(chat::already_in_session());
    }
    let now = app.clock.now();
    let nick = Nick::parse(&body.nick)?;
    guard::new_session(&app, &address).await?;
    let admitted = app.chat.create(nick, client_name(body.client_name, &headers)?, address.ip, now).await?;
    tracing::info!(session = %admitted.session.id, client = %admitted.client.id, "session created");
    Ok(entered(&app, StatusCode::CREATED, admitted, now))
}

/// The snapshot. A client's queue begins at the cursor of its first one.
#[utoipa::path(get, path = "/api/v1/session", tag = "session",
    responses((status = 200, description = "The state at this moment", body = Snapshot), Problems))]
pub async fn snapshot(State(app): State<Shared>, caller: Authenticated) -> Result<Json<Snapshot>> {
    app.chat.snapshot(caller.allowed(Scope::ChatRead)?).await.map(Json)
}

/// Ends the session for every client.
#[utoipa::path(delete, path = "/api/v1/session", tag = "session",
    responses((status = 204, description = "It has ended"), Problems))]
pub async fn end(State(app): State<Shared>, caller: Authenticated) -> Result<StatusCode> {
    let live = caller.allowed(Scope::SessionManage)?;
    app.chat.end_session(live, caller.now).await?;
    tracing::info!(session = %live.caller.session, "session ended");
    Ok(StatusCode::NO_CONTENT)
}

/// This client leaves.
#[utoipa::path(post, path = "/logout", tag = "session",
    responses((status = 204, description = "It has left", headers(("set-cookie" = String))), Problems))]
pub async fn logout(state: State<Shared>, caller: Authenticated) -> Result<Response> {
    logout_api(state, caller).await
}

/// This client leaves.
#[utoipa::path(post, path = "/api/v1/logout", tag = "session",
    responses((status = 204, description = "It has left", headers(("set-cookie" = String))), Problems))]
pub async fn logout_api(State(app): State<Shared>, caller: Authenticated) -> Result<Response> {
    let live = caller.allowed(Scope::Any)?;
    app.chat.logout(live, caller.now).await?;
    tracing::info!(client = %live.caller.client, "logged out");
    Ok((StatusCode::NO_CONTENT, [(header::SET_COOKIE, cookie::clear(&app.site))]).into_response())
}
