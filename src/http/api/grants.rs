//! Grants and approvals, as their session sees them.

use std::sync::Arc;

use axum::{extract::State, http::StatusCode};
use serde::Serialize;
use utoipa::ToSchema;

use crate::{
    error::Result,
    http::{
        errors::problem::{NotFound, Problems},
        extract::{
            auth::Authenticated,
            body::{Json, PathParam},
        },
    },
    model::{ChannelName, ClientId, GrantId, Scope, Timestamp, whole_number},
    oauth::grants::{self, Pending},
    session::Core,
    store::{app::App, app_grant::Grant},
};

/// A grant: what an app may do as this session. Or a pending approval, which the app has not
/// redeemed yet.
#[derive(Serialize, ToSchema)]
pub struct GrantView {
    /// `null` if this is a pending approval.
    #[schema(value_type = Option<i64>)]
    id: Option<GrantId>,
    /// Whether this is an approval that the app has not redeemed yet.
    pending: bool,
    /// The app's name. Its `client_id` identifies it.
    app: String,
    client_id: String,
    /// Whether the app is an API key.
    key: bool,
    scope: String,
    /// The channels that it is restricted to. `null` if it is not restricted.
    #[schema(value_type = Option<Vec<String>>)]
    res: Option<Vec<ChannelName>>,
    /// The client that calls with this grant.
    #[schema(value_type = Option<i64>)]
    client: Option<ClientId>,
    /// `null` if this is a pending approval.
    #[schema(value_type = Option<String>, format = DateTime)]
    created_at: Option<Timestamp>,
    /// When a pending approval expires.
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
            res: grant.res().map(<[_]>::to_vec),
            client: grant.client(),
            created_at: Some(grant.created_at),
            expires_at: None,
        }
    }
}

/// The session's grants, followed by its pending approvals, which no app has redeemed yet.
#[utoipa::path(get, path = "/api/v1/grants", tag = "oauth",
    responses((status = 200, description = "The grants, oldest first, and then the pending approvals", body = [GrantView]), Problems))]
pub async fn list(
    State(core): State<Arc<Core>>,
    caller: Authenticated,
) -> Result<Json<Vec<GrantView>>> {
    let live = caller.allowed(Scope::SessionManage)?;
    let grants = grants::list(&core, live).await?;
    let pending = grants::pending(&core, live, caller.at).await?;
    Ok(Json(
        grants
            .into_iter()
            .map(GrantView::from)
            .chain(pending.into_iter().map(GrantView::from))
            .collect(),
    ))
}

/// Withdraws the session's pending approvals for an app, which the app has not redeemed yet.
#[utoipa::path(delete, path = "/api/v1/approvals/{client_id}", tag = "oauth", params(("client_id" = String, Path)),
    responses((status = 204, description = "The approval is void"), Problems, NotFound))]
pub async fn withdraw(
    State(core): State<Arc<Core>>,
    caller: Authenticated,
    PathParam(client_id): PathParam,
) -> Result<StatusCode> {
    let live = caller.allowed(Scope::SessionManage)?;
    grants::withdraw(&core, live, client_id, caller.at.now).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Revokes a grant, with all its tokens and its client.
#[utoipa::path(delete, path = "/api/v1/grants/{id}", tag = "oauth", params(("id" = i64, Path)),
    responses((status = 204, description = "The grant is revoked"), Problems, NotFound))]
pub async fn revoke(
    State(core): State<Arc<Core>>,
    caller: Authenticated,
    PathParam(id): PathParam,
) -> Result<StatusCode> {
    let live = caller.allowed(Scope::SessionManage)?;
    let id = whole_number(&id).ok_or_else(grants::no_such_grant)?;
    grants::revoke(&core, live, GrantId(id), caller.at.now).await?;
    tracing::info!(grant = id, by = %live.caller.client, "grant revoked");
    Ok(StatusCode::NO_CONTENT)
}
