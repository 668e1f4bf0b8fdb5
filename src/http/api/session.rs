//! The session: made, shown, ended, left.

use axum::{
    extract::State,
    http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{
    chat::{
        self, Admitted,
        snapshot::{SessionView, Snapshot},
    },
    error::{Code, Result},
    http::{
        Shared,
        api::clients::client_name,
        errors::problem::{
            Conflict, Malformed, Problems, PublicProblems, StoreProblems, Throttled, TimedOut,
        },
        extract::{
            address::Address,
            auth::{Authenticated, IDENTITY, Present},
            body::Json,
            cookie,
        },
        middleware::rate_limits,
    },
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

const CLEAR_SITE_DATA: HeaderName = HeaderName::from_static("clear-site-data");
/// What the page has kept here. Not "cookies": that would take those of neighbouring applications,
/// too.
const LEFT_BEHIND: HeaderValue = HeaderValue::from_static("\"cache\", \"storage\"");

/// A session, and the client that was let into it.
#[derive(Serialize, ToSchema)]
pub struct Entered {
    session: SessionView,
    client: ClientView,
}

/// An answer that hands out the cookie.
pub fn entered(app: &Shared, status: StatusCode, admitted: Admitted, now: Timestamp) -> Response {
    let cookie = cookie::set(&app.site, &admitted.secret, admitted.client.expires_at, now);
    let body = Entered {
        session: admitted.session.into(),
        client: admitted.client,
    };
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
    rate_limits::new_session(&app, &address).await?;
    let created = app
        .chat
        .create(
            nick,
            client_name(body.client_name, &headers)?,
            address.ip,
            now,
        )
        .await;
    let admitted = rate_limits::storage(&app, &address, None, created).await?;
    let arrival = address.arrival(&app, now);
    if app
        .chat
        .tells("session created", arrival.network().widest(), &arrival)
    {
        tracing::info!(session = %admitted.session.id, client = %admitted.client.id, "session created");
    }
    Ok(entered(&app, StatusCode::CREATED, admitted, now))
}

/// The snapshot. A client's queue begins at the cursor of its first one.
#[utoipa::path(get, path = "/api/v1/session", tag = "session",
    responses((status = 200, description = "The state at this moment", body = Snapshot), Problems))]
pub async fn snapshot(State(app): State<Shared>, caller: Authenticated) -> Result<Json<Snapshot>> {
    app.chat
        .snapshot(caller.allowed(Scope::ChatRead)?, caller.acknowledges)
        .await
        .map(Json)
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

/// This client leaves. The cookie is cleared in any case, also where it is of a client that has
/// ended.
#[utoipa::path(post, security((), ("cookie" = []), ("token" = []), ("token" = [], "identity" = [])), path = "/logout",
    tag = "session",
    responses((status = 204, description = "It has left, or had already",
        headers(("set-cookie" = String), ("clear-site-data" = String))), Problems))]
pub async fn logout(
    state: State<Shared>,
    caller: Result<Authenticated>,
    headers: HeaderMap,
) -> Response {
    logout_api(state, caller, headers).await
}

/// This client leaves. The cookie is cleared in any case, also where it is of a client that has
/// ended.
#[utoipa::path(post, security((), ("cookie" = []), ("token" = []), ("token" = [], "identity" = [])),
    path = "/api/v1/logout", tag = "session",
    responses((status = 204, description = "It has left, or had already",
        headers(("set-cookie" = String), ("clear-site-data" = String))), Problems))]
pub async fn logout_api(
    State(app): State<Shared>,
    caller: Result<Authenticated>,
    headers: HeaderMap,
) -> Response {
    let named = headers.contains_key(IDENTITY);
    let left = match caller {
        Err(error) if error == cookie::several() => leave_all(&app, &headers).await,
        caller => leave(&app, caller).await,
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
        HeaderValue::try_from(cookie::clear(&app.site)).map(|cookie| (header::SET_COOKIE, cookie)),
    );
    headers.insert(CLEAR_SITE_DATA, LEFT_BEHIND);
    response
}

/// Where the cookies of several live clients are presented, nobody can tell which is meant, and all
/// of them are cleared: so all leave. To present their secrets is enough for that.
async fn leave_all(app: &Shared, headers: &HeaderMap) -> Result<()> {
    let (now, due) = (app.clock.now(), app.clock.due());
    for secret in app
        .chat
        .live_among(&cookie::presented(headers, &app.site)?, due)
    {
        let live = app.chat.authenticate(secret, now, due).await?;
        app.chat.logout(&live, now).await?;
        tracing::info!(client = %live.caller.client, "logged out");
    }
    Ok(())
}

async fn leave(app: &Shared, caller: Result<Authenticated>) -> Result<()> {
    let caller = caller?;
    let live = caller.allowed(Scope::Any)?;
    app.chat.logout(live, caller.now).await?;
    tracing::info!(client = %live.caller.client, "logged out");
    Ok(())
}
