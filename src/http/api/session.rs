//! The session: create, show, end, log out.

use std::sync::Arc;

use axum::{
    extract::State,
    http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{
    chat::Chat,
    error::{Code, Result},
    http::{
        api::clients::client_name,
        errors::problem::{
            Conflict, Malformed, Problems, PublicProblems, StoreProblems, Throttled, TimedOut,
        },
        extract::{
            address::Address,
            auth::{Authenticated, IDENTITY, OptionalCaller},
            body::Json,
            cookie,
        },
        middleware::{origin::OwnOrigins, rate_limits},
    },
    model::{ClientView, Moment, Nick, Requirement, Scope, SessionView, Snapshot, Timestamp},
    session::{self, AdmittedClient, Core},
};

/// The session to create.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"nick": "alice", "client_name": "laptop"}))]
pub struct NewSession {
    #[schema(pattern = r"^[A-Za-z\[-`{-}][-A-Za-z0-9\[-`{-}]{0,31}$")]
    nick: String,
    /// The client's name in the list of clients. Without it, the name is a short form of
    /// User-Agent.
    #[schema(max_length = 64, pattern = r"^[^\x00-\x1f\x7f-\x9f]*$")]
    client_name: Option<String>,
}

const CLEAR_SITE_DATA: HeaderName = HeaderName::from_static("clear-site-data");
/// Clears what the page has stored in the browser. It does not say "cookies", because that would
/// also clear the cookies of neighbouring applications.
const LEFT_BEHIND: HeaderValue = HeaderValue::from_static("\"cache\", \"storage\"");

/// A session, and the client that was added to it.
#[derive(Serialize, ToSchema)]
pub struct Entered {
    session: SessionView,
    client: ClientView,
}

/// An answer that sets the cookie.
pub fn entered(
    own_origins: &OwnOrigins,
    status: StatusCode,
    admitted: AdmittedClient,
    now: Timestamp,
) -> Response {
    let cookie = cookie::set(
        own_origins,
        &admitted.secret,
        admitted.client.expires_at,
        now,
    );
    let body = Entered {
        session: admitted.session.into(),
        client: admitted.client,
    };
    (status, [(header::SET_COOKIE, cookie)], Json(body)).into_response()
}

/// Creates a session and its first client, and sets the cookie.
#[utoipa::path(post, security(()), path = "/api/v1/session", tag = "session", request_body = NewSession,
    responses((status = 201, description = "The session and its first client", body = Entered, headers(("set-cookie" = String))),
        PublicProblems, StoreProblems, Malformed, Conflict, Throttled, TimedOut))]
pub async fn create(
    State(core): State<Arc<Core>>,
    State(own_origins): State<Arc<OwnOrigins>>,
    OptionalCaller(current_caller): OptionalCaller,
    address: Address,
    headers: HeaderMap,
    Json(body): Json<NewSession>,
) -> Result<Response> {
    if current_caller.is_some() {
        return Err(session::already_in_session());
    }
    let now = address.at.now;
    let nick = Nick::parse(&body.nick)?;
    rate_limits::new_session(&core, &address).await?;
    let created = core
        .create(
            nick,
            client_name(body.client_name, &headers)?,
            address.ip,
            now,
        )
        .await;
    let admitted = rate_limits::storage(&core, &address, None, created).await?;
    let arrival = address.arrival();
    if core.note_line("session created", arrival.network().widest(), &arrival) {
        tracing::info!(session = %admitted.session.id, client = %admitted.client.id, "session created");
    }
    Ok(entered(&own_origins, StatusCode::CREATED, admitted, now))
}

/// The snapshot of the session's state. A client's queue begins at the cursor of its first
/// snapshot.
#[utoipa::path(get, path = "/api/v1/session", tag = "session",
    responses((status = 200, description = "The snapshot", body = Snapshot), Problems))]
pub async fn snapshot(
    State(chat): State<Arc<Chat>>,
    caller: Authenticated,
) -> Result<Json<Snapshot>> {
    chat.snapshot(caller.allowed(Scope::ChatRead)?, caller.acknowledges)
        .await
        .map(Json)
}

/// Ends the session for every client.
#[utoipa::path(delete, path = "/api/v1/session", tag = "session",
    responses((status = 204, description = "The session has ended"), Problems))]
pub async fn end(State(core): State<Arc<Core>>, caller: Authenticated) -> Result<StatusCode> {
    let live = caller.allowed(Scope::SessionManage)?;
    core.end_session(live, caller.at.now).await?;
    tracing::info!(session = %live.caller.session, "session ended");
    Ok(StatusCode::NO_CONTENT)
}

/// Logs this client out. The cookie is cleared in any case, even if its client has ended.
#[utoipa::path(post, security((), ("cookie" = []), ("token" = []), ("token" = [], "identity" = [])), path = "/logout",
    tag = "session",
    responses((status = 204, description = "The client has left, or had left before",
        headers(("set-cookie" = String), ("clear-site-data" = String))), Problems))]
pub async fn logout(
    core: State<Arc<Core>>,
    own_origins: State<Arc<OwnOrigins>>,
    at: Moment,
    caller: Result<Authenticated>,
    headers: HeaderMap,
) -> Response {
    logout_api(core, own_origins, at, caller, headers).await
}

/// Logs this client out. The cookie is cleared in any case, even if its client has ended.
#[utoipa::path(post, security((), ("cookie" = []), ("token" = []), ("token" = [], "identity" = [])),
    path = "/api/v1/logout", tag = "session",
    responses((status = 204, description = "The client has left, or had left before",
        headers(("set-cookie" = String), ("clear-site-data" = String))), Problems))]
pub async fn logout_api(
    State(core): State<Arc<Core>>,
    State(own_origins): State<Arc<OwnOrigins>>,
    at: Moment,
    caller: Result<Authenticated>,
    headers: HeaderMap,
) -> Response {
    let named = headers.contains_key(IDENTITY);
    let left = match caller {
        Err(error) if error == cookie::several() => {
            leave_all(&core, &own_origins, &headers, at).await
        }
        caller => leave(&core, caller).await,
    };
    let mut response = match left {
        // The client stays, so its browser keeps the cookie and can try again.
        Err(error) if error.is_failure() => return error.into_response(),
        Err(error) if named || !matches!(error.code, Code::Unauthenticated | Code::ClientEnded) => {
            error.into_response()
        }
        Ok(()) | Err(_) => StatusCode::NO_CONTENT.into_response(),
    };
    let headers = response.headers_mut();
    headers.extend(
        HeaderValue::try_from(cookie::clear(&own_origins))
            .map(|cookie| (header::SET_COOKIE, cookie)),
    );
    headers.insert(CLEAR_SITE_DATA, LEFT_BEHIND);
    response
}

/// Logs out every client whose cookie the request carries. With several live cookies it is unclear
/// which one is meant, and the answer clears all of them. Whoever holds a client's secret may log
/// it out.
async fn leave_all(
    core: &Core,
    own_origins: &OwnOrigins,
    headers: &HeaderMap,
    at: Moment,
) -> Result<()> {
    for secret in core.live_among(&cookie::presented(headers, own_origins)?, at) {
        let live = core.authenticate(secret, at).await?;
        core.logout(&live, at.now).await?;
        tracing::info!(client = %live.caller.client, "logged out");
    }
    Ok(())
}

async fn leave(core: &Core, caller: Result<Authenticated>) -> Result<()> {
    let caller = caller?;
    let live = caller.allowed(Requirement::AnyClient)?;
    core.logout(live, caller.at.now).await?;
    tracing::info!(client = %live.caller.client, "logged out");
    Ok(())
}
