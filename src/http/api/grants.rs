//! Grants and approvals, as their session sees them.

use std::sync::Arc;

use axum::{extract::State, http::StatusCode};
use serde::Serialize;
use utoipa::ToSchema;

use crate::{
    error::{Code, Error, Result},
    http::{
        errors::problem::{NotFound, Problems},
        extract::{
            auth::Authenticated,
            body::{Json, PathParam},
        },
        state::ServerState,
    },
    model::{ChannelName, ClientId, GrantId, Scope, Timestamp, whole_number},
    oauth::grants::{self, Pending},
    session::Core,
    store::{app::App, grant::Grant},
};

/// What an app may do as this session, or may soon: an approval that the app has not redeemed yet.
#[derive(Serialize, ToSchema)]
pub struct GrantView {
    /// None: it is pending.
    #[schema(value_type = Option<i64>)]
    id: Option<GrantId>,
    /// Whether it is an approval that the app has not redeemed yet.
    pending: bool,
    /// The app's name, and its name on the wire.
    app: String,
    client_id: String,
    /// Whether it is an API key's.
    key: bool,
    scope: String,
    /// The channels it is confined to, if it is.
    #[schema(value_type = Option<Vec<String>>)]
    res: Option<Vec<ChannelName>>,
    /// The client by which it calls.
    #[schema(value_type = Option<i64>)]
    client: Option<ClientId>,
    /// None: it is pending.
    #[schema(value_type = Option<String>, format = DateTime)]
    created_at: Option<Timestamp>,
    /// Of one that is pending: the time after which the app comes too late.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, value_type = Option<String>, format = DateTime)]
    expires_at: Option<Timestamp>,
}

impl From<Pending> for GrantView {
    fn from(Pending { approval, app }: Pending) -> Self {
        Self {
            id: None,
            pending: true,
            key: false,
            app: app.name,
            client_id: app.client_id,
            scope: approval.scope.to_string(),
            res: approval.res,
            client: None,
            created_at: None,
            expires_at: Some(approval.expires_at),
        }
    }
}

impl From<(Grant, App)> for GrantView {
    fn from((grant, app): (Grant, App)) -> Self {
        Self {
            id: Some(grant.id),
            pending: false,
            key: app.is_key(),
            app: app.name,
            client_id: app.client_id,
            scope: grant.scope.to_string(),
            res: grant.res,
            client: grant.client,
            created_at: Some(grant.created_at),
            expires_at: None,
        }
    }
}

/// What apps may do as this session, and after that what it has approved and no app has redeemed
/// yet.
#[utoipa::path(get, path = "/api/v1/grants", tag = "oauth",
    responses((status = 200, description = "Grants, oldest first; then what is pending", body = [GrantView]), Problems))]
pub async fn list(
    State(server): State<ServerState>,
    caller: Authenticated,
) -> Result<Json<Vec<GrantView>>> {
    let live = caller.allowed(Scope::SessionManage)?;
    let grants = grants::list(&server.core, live).await?;
    let pending = grants::pending(&server.core, live, server.clock.due()).await?;
    Ok(Json(
        grants
            .into_iter()
            .map(GrantView::from)
            .chain(pending.into_iter().map(GrantView::from))
            .collect(),
    ))
}

/// Takes back what the session has approved for an app that has not redeemed it yet.
#[utoipa::path(delete, path = "/api/v1/approvals/{client_id}", tag = "oauth", params(("client_id" = String, Path)),
    responses((status = 204, description = "It is void"), Problems, NotFound))]
pub async fn withdraw(
    State(core): State<Arc<Core>>,
    caller: Authenticated,
    PathParam(client_id): PathParam,
) -> Result<StatusCode> {
    let live = caller.allowed(Scope::SessionManage)?;
    grants::withdraw(&core, live, client_id, caller.now).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Revokes a grant, with all its tokens and its client.
#[utoipa::path(delete, path = "/api/v1/grants/{id}", tag = "oauth", params(("id" = i64, Path)),
    responses((status = 204, description = "It is revoked"), Problems, NotFound))]
pub async fn revoke(
    State(core): State<Arc<Core>>,
    caller: Authenticated,
    PathParam(id): PathParam,
) -> Result<StatusCode> {
    let live = caller.allowed(Scope::SessionManage)?;
    let id = whole_number(&id)
        .ok_or_else(|| Error::new(Code::NotFound, "this session has no such grant"))?;
    grants::revoke(&core, live, GrantId(id), caller.now).await?;
    tracing::info!(grant = id, by = %live.caller.client, "grant revoked");
    Ok(StatusCode::NO_CONTENT)
}
