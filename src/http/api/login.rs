//! Logging in, as JSON for programs.

use axum::{
    extract::{FromRequest, Request, State},
    http::{HeaderMap, StatusCode},
    response::Response,
};
use serde::Deserialize;
use utoipa::ToSchema;

use crate::{
    error::{Code, Result},
    http::{
        api::{
            clients::{client_name, is_named},
            session::{Entered, entered},
        },
        errors::problem::{Conflict, Problems, Throttled, TimedOut},
        extract::{
            address::Address,
            auth::OptionalCaller,
            body::{self, Json},
        },
        state::ServerState,
    },
    model::{ClientId, Nick, Password},
    session::{AdmittedClient, Login},
};

/// A login, as JSON.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"nick": "alice", "password": "correct horse battery", "client_name": "phone"}))]
pub struct LoginBody {
    nick: String,
    password: String,
    #[schema(max_length = 64, pattern = r"^[^\x00-\x1f\x7f-\x9f]*$")]
    client_name: Option<String>,
    /// The id of the client to remove when there are too many.
    #[serde(default, deserialize_with = "body::whole")]
    replace: Option<i64>,
}

/// Logs in, as JSON.
#[utoipa::path(post, security((), ("cookie" = [])), path = "/api/v1/login", tag = "session", request_body = LoginBody,
    responses((status = 200, description = "Logged in", body = Entered, headers(("set-cookie" = String))),
        Problems, Conflict, Throttled, TimedOut))]
pub async fn login_api(
    State(server): State<ServerState>,
    address: Address,
    current_caller: Result<OptionalCaller>,
    headers: HeaderMap,
    request: Request,
) -> Result<Response> {
    let now = address.at.now;
    let Json(body) = Json::<LoginBody>::from_request(request, &server).await?;
    let login = Login {
        nick: Nick::parse(&body.nick).ok(),
        password: Password::new(body.password),
        names_client: is_named(body.client_name.as_deref()),
        client_name: client_name(body.client_name, &headers)?,
        replace: body.replace.map(ClientId),
    };
    let admitted = attempt(&server, &address, current_caller?, login).await?;
    Ok(entered(&server.own_origins, StatusCode::OK, admitted, now))
}

/// Logs in, and counts and logs how it went.
pub async fn attempt(
    server: &ServerState,
    address: &Address,
    current_caller: OptionalCaller,
    login: Login,
) -> Result<AdmittedClient> {
    let arrival = address.arrival();
    let result = server.core.login(login, current_caller.0, arrival).await;
    // Strangers cause these lines, so only so many of a network are written.
    let is_told = |line| {
        server
            .core
            .note_line(line, arrival.network().widest(), &arrival)
    };
    match &result {
        Ok(admitted) => {
            server.metrics.login(true);
            if is_told("logged in") {
                tracing::info!(session = %admitted.session.id, client = %admitted.client.id, address = %address.ip, "logged in");
            }
        }
        Err(error) if error.code == Code::LoginFailed => {
            server.metrics.login(false);
            // Not the nick: people mistake the fields, and then it is their password.
            if is_told("login failed") {
                tracing::warn!(address = %address.ip, "login failed");
            }
        }
        Err(error) if matches!(error.code, Code::TooManyClients | Code::AlreadyInSession) => {
            if is_told("login refused") {
                tracing::warn!(address = %address.ip, code = error.code.name(), "login refused, although the password was right");
            }
        }
        Err(_) => {}
    }
    result
}
