//! The device flow's endpoint, which gives codes to devices (RFC 8628 §3.1).

use std::{collections::HashMap, sync::Arc};

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
        middleware::{origin::OwnOrigins, rate_limits},
    },
    model::Scopes,
    oauth::{
        Shown,
        device::{self, DeviceAuthorization, DeviceRequest, INTERVAL, LIFE},
    },
    session::Core,
};

/// The app may send its credentials by HTTP Basic instead.
#[derive(ToSchema)]
#[schema(example = json!({"scope": "chat:read chat:write"}))]
#[expect(dead_code, reason = "the OpenAPI description alone reads it")]
struct DeviceRequestForm {
    /// Scopes separated by spaces. Without it, everything that the app may be granted, except
    /// `session:manage`.
    #[schema(nullable = false)]
    scope: Option<String>,
    #[schema(nullable = false)]
    client_id: Option<String>,
    #[schema(nullable = false)]
    client_secret: Option<String>,
    /// Other parameters are ignored. No parameter may be repeated.
    #[serde(flatten)]
    others: HashMap<String, String>,
}

/// RFC 8628 §3.2.
#[derive(Serialize, ToSchema)]
struct DeviceView {
    /// The code with which the device polls `/auth/token`.
    device_code: String,
    /// The code that the device shows.
    user_code: String,
    verification_uri: String,
    /// The same address with the code in it, for a QR code.
    verification_uri_complete: String,
    /// The lifetime in seconds.
    expires_in: u64,
    /// The shortest time between two polls, in seconds.
    interval: u64,
}

/// Starts the device flow: gives a device a code to poll with and a code to show.
#[utoipa::path(post, security((), ("app" = [])), path = "/auth/device", tag = "oauth",
    request_body(content = DeviceRequestForm, content_type = "application/x-www-form-urlencoded"),
    responses((status = 200, description = "The device code and the user code", body = DeviceView), Refusals))]
pub async fn authorize(
    State(core): State<Arc<Core>>,
    State(own_origins): State<Arc<OwnOrigins>>,
    address: Address,
    form: Result<AppForm, Refusal>,
) -> Result<Response, Refusal> {
    let form = rate_limits::app_form(&core, &address, form).await?;
    let client_id = form.credentials.client_id.as_str();
    let attempt = async {
        let scope = form.get("scope")?.map(Scopes::parse).transpose()?;
        let request = DeviceRequest {
            credentials: form.credentials.clone(),
            scope,
            address: address.ip,
            at: address.at,
        };
        let given = rate_limits::new_device_code(
            &core,
            &address,
            client_id,
            device::authorize(&core, request),
        )
        .await?;
        let arrival = address.arrival();
        if core.note_line(
            "device code issued",
            format_args!("{client_id} {}", arrival.network().widest()),
            &arrival,
        ) {
            tracing::info!(app = client_id, address = %address.ip, "device code issued");
        }
        Ok(given)
    };
    let given =
        rate_limits::app_call(&core, &address, &form.credentials, Shown::Name, attempt).await?;
    let DeviceAuthorization {
        device_code,
        user_code,
    } = given;
    let verification_uri = format!("{}/device", own_origins.issuer());
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
