//! The device flow (RFC 8628): codes for devices, and the page where a person types the one that a
//! device shows.
//!
//! Opening the page changes nothing, also by a link with a code in it: first the code is sent, then
//! the decision.

use std::{collections::HashMap, sync::Arc, time::Duration};

use axum::{
    extract::{FromRequest, Request, State},
    http::{StatusCode, header},
    response::{Html, IntoResponse, Response},
};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::{
    chat::callers::Live,
    error::{Code, Error, Result},
    http::{
        errors::{
            oauth_error::{Refusal, Refusals},
            problem::{self, DevicePageProblems, Malformed, PageProblems, StoreProblems},
        },
        extract::{
            address::Address,
            app_form::AppForm,
            auth::OptionalCaller,
            body::{Json, QueryParams},
            form_fields::FormFields,
        },
        middleware::rate_limits,
        pages::{
            approval, assets,
            template::{self, escape},
        },
        state::ServerState,
    },
    model::{Network, Scopes},
    oauth::{
        Shown,
        device::{self, DeviceAuthorization, DeviceRequest, INTERVAL, LIFE, Waiting},
    },
    secret::UserCode,
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
            device::authorize(&server.chat, request),
        )
        .await?;
        let arrival = address.arrival(&server, now);
        if server.chat.tells(
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

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct DevicePage {
    /// Filled into the form.
    user_code: Option<String>,
}

/// The page where a code is typed.
#[utoipa::path(get, security((), ("cookie" = [])), path = "/device", tag = "oauth", params(DevicePage),
    responses((status = 200, description = "The page", content_type = "text/html", body = String),
        (status = 303, description = "To the login, and back", headers(("location" = String))),
        PageProblems, Malformed, StoreProblems))]
pub async fn page(
    present: OptionalCaller,
    QueryParams(params): QueryParams<DevicePage>,
) -> Response {
    let code = params.user_code.as_deref().and_then(UserCode::parse);
    match present.0 {
        Some(_) => Html(entry(
            &code.map(|code| code.reveal()).unwrap_or_default(),
            "",
        ))
        .into_response(),
        None => to_login(code),
    }
}

/// What the pages send. Fields are looked for by name: one of them comes as often as channels are
/// ticked.
#[derive(ToSchema)]
#[allow(dead_code)]
struct DeviceForm {
    #[schema(min_length = 1)]
    user_code: String,
    /// Without it, what the code stands for is shown.
    #[schema(nullable = false, pattern = "^(allow|deny)$")]
    decision: Option<String>,
    #[schema(nullable = false, pattern = "^(everywhere|chosen)$")]
    r#where: Option<String>,
    /// The channels that are chosen.
    #[schema(nullable = false)]
    res: Option<Vec<String>>,
}

/// Shows which device a code is of, or decides about it.
#[utoipa::path(post, security((), ("cookie" = [])), path = "/device", tag = "oauth",
    request_body(content = DeviceForm, content_type = "application/x-www-form-urlencoded"),
    responses((status = 200, description = "The next page", content_type = "text/html", body = String),
        (status = 303, description = "To the login, and back", headers(("location" = String))),
        DevicePageProblems))]
pub async fn decide(
    State(server): State<ServerState>,
    address: Address,
    present: Result<OptionalCaller>,
    request: Request,
) -> Response {
    let form = match FormFields::from_request(request, &server).await {
        Ok(form) => form,
        Err(error) if error.code == Code::MalformedRequest => return again("", &error),
        // It did not arrive whole, or in time.
        Err(error) => return error.into_response(),
    };
    let typed = match form.required("user_code") {
        Ok(typed) => typed,
        Err(error) => return again("", &error),
    };
    let code = UserCode::parse(typed);
    let live = match present {
        Ok(OptionalCaller(Some(live))) => live,
        Ok(OptionalCaller(None)) => return to_login(code),
        Err(error) => return again(typed, &error),
    };
    let go_on = async |within| {
        let code = code.as_ref().ok_or_else(device::no_such_code)?;
        step(&server, &live, code, &form, within).await
    };
    match rate_limits::user_code(&server, &address, live.caller, go_on).await {
        Ok(page) => page,
        Err(error) if error.code == Code::ClientEnded => to_login(code),
        Err(error) => again(typed, &error),
    }
}

/// One step on the way, and the page that comes after it.
async fn step(
    server: &ServerState,
    live: &Arc<Live>,
    code: &UserCode,
    form: &FormFields,
    within: Option<Network>,
) -> Result<Response> {
    let (now, due) = (server.clock.now(), server.clock.due());
    let waiting = device::look_up(&server.chat, live, code, within, due).await?;
    let once_more = |refusal: &Error| Ok(confirmation(code, &waiting, form, Some(refusal)));
    match form.only("decision") {
        Ok(None) => Ok(confirmation(code, &waiting, form, None)),
        Ok(Some("allow")) => {
            let res = match approval::chosen_channels(waiting.scope, form) {
                Ok(res) => res,
                Err(refusal) => return once_more(&refusal),
            };
            device::approve(&server.chat, live, code, res, now, due).await?;
            tracing::info!(by = %live.caller.client, "device approved");
            Ok(notice(
                "Done",
                &format!("{} is let in. You can go back to your device.", waiting.app),
            ))
        }
        Ok(Some("deny")) => {
            device::deny(&server.chat, live, code, now, due).await?;
            tracing::info!(by = %live.caller.client, "device denied");
            Ok(notice(
                "Denied",
                &format!("{} is not let in. You can close this page.", waiting.app),
            ))
        }
        Ok(Some(_)) => once_more(&Error::malformed("the decision is allow or deny")),
        Err(refusal) => once_more(&refusal),
    }
}

fn notice(title: &str, text: &str) -> Response {
    Html(template::notice(title, text)).into_response()
}

/// To the login, and back here with the code.
fn to_login(code: Option<UserCode>) -> Response {
    let query = code
        .map(|code| format!("%3Fuser_code%3D{}", code.reveal()))
        .unwrap_or_default();
    (
        StatusCode::SEE_OTHER,
        [(header::LOCATION, format!("/login?next=/device{query}"))],
    )
        .into_response()
}

/// The page where a code is typed once more, with what was wrong.
fn again(typed: &str, error: &Error) -> Response {
    let sentence = match error.code {
        Code::NotFound => {
            "No device waits with this code. Look again at what it shows: after ten minutes it needs a new one."
        }
        Code::TooManyClients => {
            "This session has as many devices as it may have. Sign one of them out, then come back with this code."
        }
        Code::Throttled => "There were too many wrong codes. Please wait a little and try again.",
        _ => &template::sentence(&error.detail),
    };
    let mut response = (problem::status(error), Html(entry(typed, sentence))).into_response();
    problem::add_headers(error, response.headers_mut());
    response
}

fn entry(code: &str, error: &str) -> String {
    template::card(
        "Let a device join",
        assets::DEVICE_CARD,
        |name, page| match name {
            "code" => escape(code, page),
            "error" => escape(error, page),
            _ => {}
        },
    )
}

/// The page of `web/device-confirm.html`.
fn confirmation(
    code: &UserCode,
    waiting: &Waiting,
    form: &FormFields,
    refusal: Option<&Error>,
) -> Response {
    let page = template::card(
        "Let this device join?",
        assets::DEVICE_CONFIRM_CARD,
        |name, page| match name {
            "code" => page.push_str(&code.reveal()),
            "app" => escape(&waiting.app, page),
            "address" => escape(&waiting.address, page),
            "age" => page.push_str(&ago(waiting.age)),
            "nick" => escape(waiting.asked.nick.as_str(), page),
            "decision" => {
                approval::ask(waiting.scope, &waiting.asked.channels, form, refusal, page)
            }
            _ => {}
        },
    );
    (refusal.map_or(StatusCode::OK, problem::status), Html(page)).into_response()
}

/// A time that has passed, in words.
fn ago(time: Duration) -> String {
    match time.as_secs() / 60 {
        0 => "just now".into(),
        1 => "a minute ago".into(),
        minutes => format!("{minutes} minutes ago"),
    }
}
