//! The audit log of the caller's own session.

use std::sync::Arc;

use axum::extract::State;
use serde::Deserialize;
use utoipa::IntoParams;

use crate::{
    audit::Entry,
    error::Result,
    http::{
        errors::problem::Problems,
        extract::{
            auth::Authenticated,
            body::{Json, QueryParams, number},
        },
    },
    model::{Authority, Scope},
    session::Core,
};

/// The query of the audit log.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct AuditParams {
    /// Only lines with ids smaller than this.
    #[param(value_type = Option<i64>, minimum = 0)]
    before: Option<String>,
    /// The most lines in the answer, 1 to 500.
    #[param(value_type = Option<u64>, minimum = 1, maximum = 500)]
    limit: Option<String>,
}

/// The audit log of this session, for example logins and failed logins with their addresses: the
/// last lines before an id, oldest first. Only devices with a cookie see addresses.
#[utoipa::path(get, path = "/api/v1/audit", tag = "session", params(AuditParams),
    responses((status = 200, description = "The lines, oldest first", body = [Entry]), Problems))]
pub async fn list(
    State(core): State<Arc<Core>>,
    caller: Authenticated,
    QueryParams(params): QueryParams<AuditParams>,
) -> Result<Json<Vec<Entry>>> {
    let before = number(
        "before",
        params.before.as_deref(),
        0..=i64::MAX as u64,
        i64::MAX as u64,
    )?;
    let limit = number("limit", params.limit.as_deref(), 1..=500, 200)?;
    let live = caller.allowed(Scope::SessionManage)?;
    let mut lines = core.own_audit(live, before as i64, limit as usize).await?;
    // A program that manages a session need not know where its user is.
    if live.caller.authority != Authority::Cookie {
        lines.iter_mut().for_each(|line| line.address = None);
    }
    Ok(Json(lines))
}
