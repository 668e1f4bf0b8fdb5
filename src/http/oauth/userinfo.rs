//! The identity of a token's session.

use std::sync::Arc;

use axum::extract::State;
use serde::Serialize;
use utoipa::ToSchema;

use crate::{
    error::{Error, Result},
    http::{
        errors::problem::{Problems, TimedOut},
        extract::{
            auth::{PostedTokenCaller, TokenCaller},
            body::Json,
        },
    },
    model::Scope,
    oauth::grants,
    session::Core,
};

/// The identity of the token's session.
#[derive(Serialize, ToSchema)]
pub struct UserInfo {
    /// The session's id. It stays when the nick changes, and is never reused.
    sub: String,
    nick: String,
    /// The channels that the session is on, as far as the grant's `res` covers them.
    channels: Vec<MembershipView>,
}

/// A session's membership of a channel.
#[derive(Serialize, ToSchema)]
pub struct MembershipView {
    name: String,
    op: bool,
    voice: bool,
}

/// A form with the access token (RFC 6750 §2.2).
#[derive(ToSchema)]
#[expect(dead_code, reason = "the OpenAPI description alone reads it")]
struct UserInfoForm {
    /// The access token, if it is not in Authorization.
    #[schema(nullable = false)]
    access_token: Option<String>,
}

/// The identity of the token's session.
#[utoipa::path(get, security(("token" = []), ("token" = [], "identity" = [])), path = "/auth/userinfo", tag = "oauth",
    responses((status = 200, description = "The session's identity", body = UserInfo), Problems))]
pub async fn userinfo(
    State(core): State<Arc<Core>>,
    caller: TokenCaller,
) -> Result<Json<UserInfo>> {
    identify(&core, caller).await
}

/// The identity of the token's session. The token may be in a form (RFC 6750 §2.2).
#[utoipa::path(post, security((), ("token" = []), ("token" = [], "identity" = [])), path = "/auth/userinfo", tag = "oauth",
    request_body(content = Option<UserInfoForm>, content_type = "application/x-www-form-urlencoded"),
    responses((status = 200, description = "The session's identity", body = UserInfo), Problems, TimedOut))]
pub async fn posted_userinfo(
    State(core): State<Arc<Core>>,
    PostedTokenCaller(caller): PostedTokenCaller,
) -> Result<Json<UserInfo>> {
    identify(&core, caller).await
}

async fn identify(core: &Core, TokenCaller { token }: TokenCaller) -> Result<Json<UserInfo>> {
    let session = token
        .session
        .filter(|_| token.granted.scope.allow(Scope::Identity))
        .ok_or_else(|| Error::insufficient_scope(Scope::Identity))?;
    let identity = grants::identity(core, token.granted.id, session.id).await?;
    let channels = identity
        .channels
        .into_iter()
        .map(|(channel, own)| MembershipView {
            name: channel.name.to_string(),
            op: own.op,
            voice: own.voice,
        });
    Ok(Json(UserInfo {
        sub: identity.session.to_string(),
        nick: identity.nick.to_string(),
        channels: channels.collect(),
    }))
}
