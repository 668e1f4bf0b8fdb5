//! API keys: issue, list, rename, rotate, revoke.

use std::{sync::Arc, time::Duration};

use axum::{
    extract::State,
    http::StatusCode,
    response::{IntoResponse, Response},
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{
    error::{Error, Result},
    http::{
        errors::problem::{Conflict, NotFound, Problems, Throttled, TimedOut},
        extract::{
            address::Address,
            auth::Authenticated,
            body::{self, Json, PathParam},
        },
        middleware::rate_limits,
    },
    model::{ChannelName, Password, Scope, Scopes, Timestamp, required_name},
    oauth::{
        MAX_OVERLAP,
        keys::{self, By, Issued, Key, Wanted},
    },
    session::{Core, LiveClient},
    store::app_secret::AppSecret,
};

/// The lifetime that a key may have, and the time for which an old secret may keep working, in
/// seconds.
const EXPIRES_IN: std::ops::RangeInclusive<i64> = 1..=10 * 365 * 86400;
const OVERLAP: std::ops::RangeInclusive<i64> = 0..=MAX_OVERLAP.as_secs().cast_signed();

/// The API key to create.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"name": "deploy-bot", "scope": "chat:read chat:write"}))]
pub struct NewKey {
    /// The key's name. Its messages are tagged with it.
    #[schema(min_length = 1, max_length = 64, pattern = r"^[^\x00-\x1f\x7f-\x9f]*$")]
    name: String,
    /// Scopes separated by spaces.
    #[schema(
        pattern = "^ *(chat:read|chat:write|chat:moderate|identity|session:manage)( +(chat:read|chat:write|chat:moderate|identity|session:manage))* *$"
    )]
    scope: String,
    /// The channels that the key is restricted to. Without it, the key covers all channels of the
    /// session and its direct messages.
    #[schema(min_items = 1, max_items = 100)]
    res: Option<Vec<String>>,
    /// Seconds until the key expires. Without it, the key ends when it is revoked or its session
    /// ends.
    #[serde(default, deserialize_with = "body::whole")]
    #[schema(minimum = 1, maximum = 315360000)]
    expires_in: Option<i64>,
    /// The session's password. It is required for a key with `session:manage` if the session has a
    /// password, and ignored for other keys.
    password: Option<String>,
}

/// A new name for an API key.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"name": "deploy-bot"}))]
pub struct NewKeyName {
    #[schema(min_length = 1, max_length = 64, pattern = r"^[^\x00-\x1f\x7f-\x9f]*$")]
    name: String,
}

/// How to rotate an API key.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"overlap": 86400}))]
pub struct Rotation {
    /// Seconds for which the earlier secrets keep working.
    #[serde(deserialize_with = "body::whole")]
    #[schema(nullable = false, required = true, minimum = 0, maximum = 7776000)]
    overlap: Option<i64>,
    /// The session's password. It is required for a key with `session:manage` if the session has a
    /// password, unless the key's own bot rotates it. It is ignored for other keys.
    password: Option<String>,
}

/// The data of a secret, without the secret itself.
#[derive(Serialize, ToSchema)]
struct SecretView {
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
    /// When the secret expires. `null` if it works as long as the key.
    #[schema(value_type = Option<String>, format = DateTime)]
    valid_until: Option<Timestamp>,
    #[schema(value_type = Option<String>, format = DateTime)]
    last_used_at: Option<Timestamp>,
    /// How often it was tried after its end, and when it was last tried.
    tried: i64,
    #[schema(value_type = Option<String>, format = DateTime)]
    tried_at: Option<Timestamp>,
}

impl From<AppSecret> for SecretView {
    fn from(secret: AppSecret) -> Self {
        let AppSecret {
            created_at,
            valid_until,
            last_used_at,
            tried,
            tried_at,
            ..
        } = secret;
        Self {
            created_at,
            valid_until,
            last_used_at,
            tried,
            tried_at,
        }
    }
}

/// A key as its session sees it.
#[derive(Serialize, ToSchema)]
pub struct KeyView {
    client_id: String,
    /// The secret. It is shown only when it is created.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    client_secret: Option<String>,
    name: String,
    scope: String,
    /// The channels that it is restricted to. `null` if it is not restricted.
    #[schema(value_type = Option<Vec<String>>)]
    res: Option<Vec<ChannelName>>,
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
    #[schema(value_type = Option<String>, format = DateTime)]
    expires_at: Option<Timestamp>,
    #[schema(value_type = Option<String>, format = DateTime)]
    ended_at: Option<Timestamp>,
    /// How often it was tried after its end, and when it was last tried.
    tried: i64,
    #[schema(value_type = Option<String>, format = DateTime)]
    tried_at: Option<Timestamp>,
    /// Oldest first.
    secrets: Vec<SecretView>,
}

impl From<Key> for KeyView {
    fn from(Key { app, secrets }: Key) -> Self {
        Self {
            res: app.res().map(<[_]>::to_vec),
            expires_at: app.expires_at(),
            client_id: app.client_id,
            client_secret: None,
            name: app.name,
            scope: app.scope.to_string(),
            created_at: app.created_at,
            ended_at: app.ended_at,
            tried: app.tried,
            tried_at: app.tried_at,
            secrets: secrets.into_iter().map(SecretView::from).collect(),
        }
    }
}

impl From<Issued> for KeyView {
    fn from(Issued { key, secret }: Issued) -> Self {
        Self {
            client_secret: Some(secret.reveal().to_owned()),
            ..key.into()
        }
    }
}

/// A number of seconds within a range.
fn seconds(name: &str, given: i64, range: std::ops::RangeInclusive<i64>) -> Result<Duration> {
    let bad = || {
        Error::malformed(format!(
            "`{name}` must be a number of seconds from {} to {}",
            range.start(),
            range.end()
        ))
    };
    range
        .contains(&given)
        .then(|| Duration::from_secs(given.unsigned_abs()))
        .ok_or_else(bad)
}

fn by<'a>(live: &'a LiveClient, address: &Address, password: Option<String>) -> By<'a> {
    By {
        live,
        password: password.map(Password::new),
        arrival: address.arrival(),
    }
}

/// Creates an API key. Its secret is shown only in this answer.
#[utoipa::path(post, path = "/api/v1/keys", tag = "oauth", request_body = NewKey,
    responses((status = 201, description = "The new key with its secret", body = KeyView), Problems, Conflict, Throttled, TimedOut))]
pub async fn issue(
    State(core): State<Arc<Core>>,
    caller: Authenticated,
    address: Address,
    Json(body): Json<NewKey>,
) -> Result<Response> {
    let live = caller.allowed(Scope::SessionManage)?;
    let name = required_name(&body.name)?;
    let res = body
        .res
        .map(|names| names.iter().map(|name| ChannelName::parse(name)).collect())
        .transpose()?;
    let expires_in = body
        .expires_in
        .map(|given| seconds("expires_in", given, EXPIRES_IN))
        .transpose()?;
    let wanted = Wanted {
        name,
        scope: Scopes::parse(&body.scope)?,
        res,
        expires_in,
    };
    rate_limits::new_key(&core, &address, live.caller.session).await?;
    let by = by(live, &address, body.password);
    let issued = keys::issue(&core, by, wanted).await;
    let issued = rate_limits::storage(&core, &address, Some(live.caller), issued).await?;
    tracing::info!(app = issued.key.app.client_id, by = %live.caller.client, "key issued");
    Ok((StatusCode::CREATED, Json(KeyView::from(issued))).into_response())
}

/// The session's API keys. The last hundred that have ended stay in the list for 30 days.
#[utoipa::path(get, path = "/api/v1/keys", tag = "oauth",
    responses((status = 200, description = "The keys, oldest first", body = [KeyView]), Problems))]
pub async fn list(
    State(core): State<Arc<Core>>,
    caller: Authenticated,
) -> Result<Json<Vec<KeyView>>> {
    let keys = keys::list(&core, caller.allowed(Scope::SessionManage)?).await?;
    Ok(Json(keys.into_iter().map(KeyView::from).collect()))
}

/// Renames a key. From now on its messages are tagged with the new name.
#[utoipa::path(patch, path = "/api/v1/keys/{client_id}", tag = "oauth", params(("client_id" = String, Path)),
    request_body = NewKeyName,
    responses((status = 200, description = "The key with its new name", body = KeyView),
        Problems, NotFound, Throttled, TimedOut))]
pub async fn rename(
    State(core): State<Arc<Core>>,
    caller: Authenticated,
    address: Address,
    PathParam(client_id): PathParam,
    Json(body): Json<NewKeyName>,
) -> Result<Json<KeyView>> {
    let live = caller.allowed(Scope::SessionManage)?;
    let name = required_name(&body.name)?;
    rate_limits::new_key(&core, &address, live.caller.session).await?;
    let key = keys::rename(&core, live, client_id, name, caller.at.now).await?;
    tracing::info!(app = key.app.client_id, by = %live.caller.client, "key renamed");
    Ok(Json(key.into()))
}

/// Gives a key a new secret. The earlier secrets keep working for the overlap.
#[utoipa::path(post, path = "/api/v1/keys/{client_id}/rotate", tag = "oauth", params(("client_id" = String, Path)),
    request_body = Rotation,
    responses((status = 200, description = "The key with its new secret", body = KeyView),
        Problems, NotFound, Throttled, TimedOut))]
pub async fn rotate(
    State(core): State<Arc<Core>>,
    caller: Authenticated,
    address: Address,
    PathParam(client_id): PathParam,
    Json(body): Json<Rotation>,
) -> Result<Json<KeyView>> {
    let live = caller.allowed(Scope::SessionManage)?;
    let overlap = body
        .overlap
        .ok_or_else(|| Error::malformed("`overlap` is missing"))?;
    let overlap = seconds("overlap", overlap, OVERLAP)?;
    rate_limits::new_key(&core, &address, live.caller.session).await?;
    let by = by(live, &address, body.password);
    let rotated = keys::rotate(&core, by, client_id, overlap).await;
    let issued = rate_limits::storage(&core, &address, Some(live.caller), rotated).await?;
    tracing::info!(app = issued.key.app.client_id, by = %live.caller.client, "key rotated");
    Ok(Json(issued.into()))
}

/// Revokes a key, with all its tokens and its client.
#[utoipa::path(delete, path = "/api/v1/keys/{client_id}", tag = "oauth", params(("client_id" = String, Path)),
    responses((status = 204, description = "The key is revoked"), Problems, NotFound))]
pub async fn revoke(
    State(core): State<Arc<Core>>,
    caller: Authenticated,
    PathParam(client_id): PathParam,
) -> Result<StatusCode> {
    let live = caller.allowed(Scope::SessionManage)?;
    keys::revoke(&core, live, client_id.clone(), caller.at.now).await?;
    tracing::info!(app = client_id, by = %live.caller.client, "key revoked");
    Ok(StatusCode::NO_CONTENT)
}

/// Revokes every API key of the session, with all their tokens and clients. If the caller is an API
/// key, it is revoked too.
#[utoipa::path(delete, path = "/api/v1/keys", tag = "oauth",
    responses((status = 204, description = "All keys are revoked"), Problems))]
pub async fn revoke_all(
    State(core): State<Arc<Core>>,
    caller: Authenticated,
) -> Result<StatusCode> {
    let live = caller.allowed(Scope::SessionManage)?;
    keys::revoke_all(&core, live, caller.at.now).await?;
    tracing::info!(session = %live.caller.session, by = %live.caller.client, "all keys revoked");
    Ok(StatusCode::NO_CONTENT)
}
