//! The page where a user types the code that a device shows, and decides about the device (RFC 8628
//! §3.3).
//!
//! Opening the page changes nothing, even by a link with a code in it. The user first sends the
//! code, and then the decision.

use std::{sync::Arc, time::Duration};

use askama::Template;
use axum::{
    extract::State,
    http::{StatusCode, header},
    response::{IntoResponse, Response},
};
use serde::Deserialize;
use utoipa::{IntoParams, ToSchema};

use crate::{
    error::{Code, Error, Result},
    http::{
        errors::problem::{self, DevicePageProblems, Malformed, PageProblems, StoreProblems},
        extract::{
            address::Address, auth::OptionalCaller, body::QueryParams, form_fields::FormFields,
        },
        middleware::rate_limits,
        pages::{
            decision::{self, Decision},
            template::{self, Notice, sentence},
        },
    },
    model::{Moment, Network},
    oauth::device::{self, Waiting},
    secret::UserCode,
    session::{Core, LiveClient},
};

/// The query of the device page.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct DevicePage {
    /// Filled into the form.
    user_code: Option<String>,
}

/// The page where a user types a device's code.
#[utoipa::path(get, security((), ("cookie" = [])), path = "/device", tag = "oauth", params(DevicePage),
    responses((status = 200, description = "The page where a user types a code", content_type = "text/html", body = String),
        (status = 303, description = "A redirect to the login page, which leads back here", headers(("location" = String))),
        PageProblems, Malformed, StoreProblems))]
pub async fn page(
    current_caller: OptionalCaller,
    QueryParams(params): QueryParams<DevicePage>,
) -> Response {
    let code = params.user_code.as_deref().and_then(UserCode::parse);
    match current_caller.0 {
        Some(_) => {
            let code = code.map(|code| code.reveal()).unwrap_or_default();
            let page = CodePage {
                code: &code,
                error: "",
            };
            template::page(StatusCode::OK, &page)
        }
        None => to_login(code),
    }
}

/// The form of the page.
#[derive(ToSchema)]
#[expect(dead_code, reason = "the OpenAPI description alone reads it")]
struct DeviceForm {
    #[schema(min_length = 1)]
    user_code: String,
    /// `allow` or `deny`. Without it, the answer is the page that shows the device.
    #[schema(nullable = false, pattern = "^(allow|deny)$")]
    decision: Option<String>,
    #[schema(nullable = false, pattern = "^(everywhere|chosen)$")]
    r#where: Option<String>,
    /// A channel that is chosen. It appears once for each.
    #[schema(nullable = false)]
    res: Option<Vec<String>>,
}

/// Shows the device of a code, or records the user's decision about it.
#[utoipa::path(post, security((), ("cookie" = [])), path = "/device", tag = "oauth",
    request_body(content = DeviceForm, content_type = "application/x-www-form-urlencoded"),
    responses((status = 200, description = "The next page", content_type = "text/html", body = String),
        (status = 303, description = "A redirect to the login page, which leads back here", headers(("location" = String))),
        DevicePageProblems))]
pub async fn decide(
    State(core): State<Arc<Core>>,
    address: Address,
    current_caller: Result<OptionalCaller>,
    form: Result<FormFields>,
) -> Response {
    let form = match form {
        Ok(form) => form,
        Err(error) if error.code == Code::MalformedRequest => return again("", &error),
        // The body was incomplete or late.
        Err(error) => return error.into_response(),
    };
    let typed = match form.required("user_code") {
        Ok(typed) => typed,
        Err(error) => return again("", &error),
    };
    let code = UserCode::parse(typed);
    let live = match current_caller {
        Ok(OptionalCaller(Some(live))) => live,
        Ok(OptionalCaller(None)) => return to_login(code),
        Err(error) => return again(typed, &error),
    };
    let go_on = async |within| {
        let code = code.as_ref().ok_or_else(device::no_such_code)?;
        step(&core, &live, code, &form, within, address.at).await
    };
    match rate_limits::user_code(&core, &address, live.caller, go_on).await {
        Ok(page) => page,
        Err(error) if error.code == Code::ClientEnded => to_login(code),
        Err(error) => again(typed, &error),
    }
}

/// One step of the form: the code, or the decision. Returns the next page.
async fn step(
    core: &Core,
    live: &Arc<LiveClient>,
    code: &UserCode,
    form: &FormFields,
    within: Option<Network>,
    at: Moment,
) -> Result<Response> {
    let waiting = device::look_up(core, live, code, within, at).await?;
    let once_more = |refusal: &Error| Ok(confirmation(code, &waiting, form, Some(refusal)));
    match form.only("decision") {
        Ok(None) => Ok(confirmation(code, &waiting, form, None)),
        Ok(Some("allow")) => {
            let res = match decision::chosen_channels(waiting.scope, form) {
                Ok(res) => res,
                Err(refusal) => return once_more(&refusal),
            };
            device::approve(core, live, code, res, at).await?;
            tracing::info!(by = %live.caller.client, "device approved");
            let text = format!(
                "{} was let in. You can go back to your device.",
                waiting.app
            );
            Ok(notice("Done", &text))
        }
        Ok(Some("deny")) => {
            device::deny(core, live, code, at).await?;
            tracing::info!(by = %live.caller.client, "device denied");
            let text = format!("{} was not let in. You can close this page.", waiting.app);
            Ok(notice("Denied", &text))
        }
        Ok(Some(_)) => once_more(&decision::undecided()),
        Err(refusal) => once_more(&refusal),
    }
}

/// A redirect to the login page, which leads back here with the code.
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

/// The form for the code again, with the error.
fn again(typed: &str, error: &Error) -> Response {
    let told = match error.code {
        Code::NotFound => {
            "No device is waiting with this code. Check the code on your device. A code expires \
             after ten minutes."
        }
        Code::TooManyClients => {
            "This session has as many devices as it can have. Log one of them out, and then enter \
             this code again."
        }
        Code::Throttled => "Too many wrong codes were entered. Wait a little, and try again.",
        _ => &sentence(&error.detail),
    };
    let page = CodePage {
        code: typed,
        error: told,
    };
    template::error_page(error, &page)
}

/// The page where a user types a device's code.
#[derive(Template)]
#[template(path = "device.html", config = "web/templates/askama.toml")]
struct CodePage<'a> {
    /// The code as the user typed it.
    code: &'a str,
    /// The error as a sentence, or an empty text.
    error: &'a str,
}

/// The page that shows the device of a code and asks for the decision.
#[derive(Template)]
#[template(path = "device_confirm.html", config = "web/templates/askama.toml")]
struct ConfirmPage<'a> {
    /// The code, as the device shows it.
    code: String,
    /// The app's name.
    app: &'a str,
    /// The address from which the device requested the code.
    address: &'a str,
    /// How long ago the device requested it, in words.
    age: String,
    /// The nick of the session.
    nick: &'a str,
    decision: Decision<'a>,
}

fn confirmation(
    code: &UserCode,
    waiting: &Waiting,
    form: &FormFields,
    refusal: Option<&Error>,
) -> Response {
    let page = ConfirmPage {
        code: code.reveal(),
        app: &waiting.app,
        address: &waiting.address,
        age: ago(waiting.age),
        nick: waiting.asked.nick.as_str(),
        decision: Decision {
            scopes: waiting.scope,
            channels: &waiting.asked.channels,
            form,
            refusal,
        },
    };
    let status = refusal.map_or(StatusCode::OK, problem::status);
    template::page(status, &page)
}

fn notice(title: &str, text: &str) -> Response {
    template::page(StatusCode::OK, &Notice { title, text })
}

/// A duration in words.
fn ago(time: Duration) -> String {
    match time.as_secs() / 60 {
        0 => "just now".into(),
        1 => "a minute ago".into(),
        minutes => format!("{minutes} minutes ago"),
    }
}
