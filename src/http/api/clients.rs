//! The clients of a session: list, rename and remove; and the name of a new client.

use std::sync::Arc;

use axum::{
    extract::State,
    http::{HeaderMap, StatusCode, header},
};
use serde::Deserialize;
use utoipa::ToSchema;

use crate::{
    error::Result,
    http::{
        errors::problem::{NotFound, Problems, Throttled, TimedOut},
        extract::{
            address::Address,
            auth::Authenticated,
            body::{Json, PathParam},
            grammar,
        },
        middleware::command_limits,
        state::ServerState,
    },
    model::{
        CLIENT_NAME_LIMIT, ClientId, ClientView, Scope, checked_name, required_name, whole_number,
    },
    session::{Core, no_such_client},
};

/// This session's clients.
#[utoipa::path(get, path = "/api/v1/clients", tag = "client",
    responses((status = 200, description = "The clients, oldest first", body = [ClientView]), Problems))]
pub async fn list(
    State(core): State<Arc<Core>>,
    caller: Authenticated,
) -> Result<Json<Vec<ClientView>>> {
    core.devices(caller.allowed(Scope::SessionManage)?)
        .await
        .map(Json)
}

/// A new name for a client.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"name": "phone"}))]
pub struct NewName {
    #[schema(min_length = 1, max_length = 64, pattern = r"^[^\x00-\x1f\x7f-\x9f]*$")]
    name: String,
}

/// Renames a client. This counts as a command.
#[utoipa::path(patch, path = "/api/v1/clients/{id}", tag = "client", params(("id" = i64, Path)), request_body = NewName,
    responses((status = 200, description = "The client with its new name", body = ClientView),
        Problems, NotFound, Throttled, TimedOut))]
pub async fn rename(
    State(server): State<ServerState>,
    caller: Authenticated,
    address: Address,
    PathParam(id): PathParam,
    Json(body): Json<NewName>,
) -> Result<Json<ClientView>> {
    let live = caller.allowed(Scope::SessionManage)?;
    let id = whole_number(&id).ok_or_else(no_such_client)?;
    let name = required_name(&body.name)?;
    command_limits::charge(&server, live, &address, 1).await?;
    server
        .core
        .rename_device(live, ClientId(id), name, caller.at.now)
        .await
        .map(Json)
}

/// Removes a client. Its held poll or stream ends at once.
#[utoipa::path(delete, path = "/api/v1/clients/{id}", tag = "client", params(("id" = i64, Path)),
    responses((status = 204, description = "The client has left"), Problems, NotFound))]
pub async fn remove(
    State(core): State<Arc<Core>>,
    caller: Authenticated,
    PathParam(id): PathParam,
) -> Result<StatusCode> {
    let live = caller.allowed(Scope::SessionManage)?;
    let id = whole_number(&id).ok_or_else(no_such_client)?;
    core.remove_device(live, ClientId(id), caller.at.now)
        .await?;
    tracing::info!(client = id, by = %live.caller.client, "client removed");
    Ok(StatusCode::NO_CONTENT)
}

/// Removes every client except the caller and the clients of API keys.
#[utoipa::path(delete, path = "/api/v1/clients", tag = "client",
    responses((status = 204, description = "The other clients have left"), Problems))]
pub async fn remove_others(
    State(core): State<Arc<Core>>,
    caller: Authenticated,
) -> Result<StatusCode> {
    let live = caller.allowed(Scope::SessionManage)?;
    let left = core.remove_other_devices(live, caller.at.now).await?;
    if left > 0 {
        tracing::info!(by = %live.caller.client, left, "other clients removed");
    }
    Ok(StatusCode::NO_CONTENT)
}

/// Whether a request names the client.
pub fn is_named(given: Option<&str>) -> bool {
    given.is_some_and(|given| !given.trim().is_empty())
}

/// The given name, or else a short form of User-Agent.
pub fn client_name(given: Option<String>, headers: &HeaderMap) -> Result<String> {
    let given = checked_name(&given.unwrap_or_default())?;
    if !given.is_empty() {
        return Ok(given);
    }
    let agent = headers
        .get(header::USER_AGENT)
        .map(|value| String::from_utf8_lossy(value.as_bytes()));
    Ok(from_user_agent(&agent.unwrap_or_default()))
}

/// A short form of User-Agent, such as `Firefox on Linux`. For other programs it is the program's
/// name.
fn from_user_agent(agent: &str) -> String {
    // The order matters, because browsers also name the browsers that they descend from.
    const BROWSERS: [(&str, &str); 7] = [
        ("Edg", "Edge"),
        ("OPR/", "Opera"),
        ("Firefox/", "Firefox"),
        ("FxiOS/", "Firefox"),
        ("CriOS/", "Chrome"),
        ("Chrome/", "Chrome"),
        ("Safari/", "Safari"),
    ];
    const SYSTEMS: [(&str, &str); 7] = [
        ("Android", "Android"),
        ("iPhone", "iPhone"),
        ("iPad", "iPad"),
        ("Windows", "Windows"),
        ("Mac OS X", "Mac"),
        ("CrOS", "ChromeOS"),
        ("Linux", "Linux"),
    ];
    let named = |table: &[(&str, &'static str)]| {
        table
            .iter()
            .find(|(mark, _)| agent.contains(mark))
            .map(|(_, name)| *name)
    };
    match (named(&BROWSERS), named(&SYSTEMS)) {
        (Some(browser), Some(system)) => format!("{browser} on {system}"),
        (Some(browser), None) => browser.to_owned(),
        (None, _) => {
            // The first product's name (RFC 9110 §10.1.5).
            let program = grammar::leading_token(agent.as_bytes());
            if program.is_empty() {
                "unnamed client".into()
            } else {
                program.chars().take(CLIENT_NAME_LIMIT).collect()
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Code;

    #[test]
    fn a_client_is_named_after_its_browser() {
        for (agent, name) in [
            (
                "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0",
                "Firefox on Linux",
            ),
            (
                "Mozilla/5.0 (Windows NT 10.0) AppleWebKit/537.36 Chrome/140.0 Safari/537.36 Edg/140.0",
                "Edge on Windows",
            ),
            (
                "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) Version/18.0 Mobile Safari/604.1",
                "Safari on iPhone",
            ),
            (
                "Mozilla/5.0 (Linux; Android 15) AppleWebKit/537.36 Chrome/140.0 Mobile Safari/537.36",
                "Chrome on Android",
            ),
            ("curl/8.5.0", "curl"),
            ("my-bot", "my-bot"),
            ("my\tbot", "my"),
            ("(none)", "unnamed client"),
            ("", "unnamed client"),
        ] {
            assert_eq!(from_user_agent(agent), name);
        }
    }

    #[test]
    fn a_given_name_is_checked() {
        let name = |given: &str| client_name(Some(given.into()), &HeaderMap::new());
        assert_eq!(name(" my phone "), Ok("my phone".into()));
        assert_eq!(
            name("x".repeat(65).as_str()).unwrap_err().code,
            Code::InputTooLong
        );
        assert_eq!(name("cafe\u{301}"), Ok("caf\u{e9}".into()));
        assert_eq!(name("   "), Ok("unnamed client".into()));
        for unclean in [
            "a\u{1b}[2J",
            "my phone\n",
            "\n",
            "bot\u{202e}tob",
            "bo\u{200b}t",
            "\u{3164}",
            "a\u{a0}b",
            "\u{301}a",
        ] {
            assert_eq!(name(unclean).unwrap_err().code, Code::MalformedRequest);
        }
        assert_eq!(name("   "), Ok("unnamed client".into()));
    }
}
