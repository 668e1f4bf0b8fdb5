//! The device flow's endpoint, which gives codes to devices (RFC 8628 §3.1).

use std::collections::HashMap;

use axum::{
    extract::State,
    response::{IntoResponse, Response},
};
use serde::Serialize;
use utoipa::ToSchema;

use crate::{
    error::Result,
    http::{
        errors::oauth_error::{Refusal, Refusals},
        extract::{address::Address, app_form::AppForm, body::Json},
        middleware::rate_limits,
        state::ServerState,
    },
    model::Scopes,
    oauth::{
        Shown,
        device::{self, DeviceAuthorization, DeviceRequest, INTERVAL, LIFE},
    },
};

/// The app's credentials may come by HTTP Basic instead.
#[derive(ToSchema)]
#[schema(example = json!({"scope": "chat:read chat:write"}))]
#[allow(dead_code)]
struct DeviceRequestForm {
    /// Scopes parted by spaces; left out, all that the app may do, except to manage the session.
    #[schema(nullable = false)]
    scope: Option<String>,
    #[schema(nullable = false)]
    client_id: Option<String>,
    #[schema(nullable = false)]
    client_secret: Option<String>,
    /// What else there is counts for nothing, but nothing is there twice.
    #[serde(flatten)]
    others: HashMap<String, String>,
}

/// RFC 8628 §3.2.
#[derive(Serialize, ToSchema)]
struct DeviceView {
    /// For the device to ask with at `/auth/token`.
    device_code: String,
    /// For it to show.
    user_code: String,
    verification_uri: String,
    /// The same with the code in it, for a QR code.
    verification_uri_complete: String,
    /// Seconds.
    expires_in: u64,
    /// Seconds between two polls, at least.
    interval: u64,
}

/// Gives a device a code to ask with, and one to show.
#[utoipa::path(post, security((), ("app" = [])), path = "/auth/device", tag = "oauth",
    request_body(content = DeviceRequestForm, content_type = "application/x-www-form-urlencoded"),
    responses((status = 200, description = "The codes", body = DeviceView), Refusals))]
pub async fn authorize(
    State(server): State<ServerState>,
    address: Address,
    form: Result<AppForm, Refusal>,
) -> Result<Response, Refusal> {
    let form = rate_limits::app_form(&server, &address, form).await?;
    let client_id = form.credentials.client_id.as_str();
    let attempt = async {
        let scope = form.get("scope")?.map(Scopes::parse).transpose()?;
        let (credentials, now, due) = (
            form.credentials.clone(),
            server.clock.now(),
            server.clock.due(),
        );
        let request = DeviceRequest {
            credentials,
            scope,
            address: address.ip,
            now,
            due,
        };
        let given = rate_limits::new_device_code(
            &server,
            &address,
            client_id,
            device::authorize(&server.core, request),
        )
        .await?;
        let arrival = address.arrival(&server, now);
        if server.core.tells(
            "device code issued",
            format_args!("{client_id} {}", arrival.network().widest()),
            &arrival,
        ) {
            tracing::info!(app = client_id, address = %address.ip, "device code issued");
        }
        Ok(given)
    };
    let given =
        rate_limits::app_call(&server, &address, &form.credentials, Shown::Name, attempt).await?;
    let DeviceAuthorization {
        device_code,
        user_code,
    } = given;
    let verification_uri = format!("{}/device", server.own_origins.issuer());
    let user_code = user_code.reveal();
    Ok(Json(DeviceView {
        device_code: device_code.reveal().to_owned(),
        verification_uri_complete: format!("{verification_uri}?user_code={user_code}"),
        verification_uri,
        user_code,
        expires_in: LIFE.as_secs(),
        interval: INTERVAL.as_secs(),
    })
    .into_response())
}
