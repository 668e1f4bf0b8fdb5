//! The page on which a user lets an app in or denies it.

use askama::Template;
use axum::{http::StatusCode, response::Response};

use crate::{
    error::{Code, Error, Result},
    http::{
        errors::problem,
        extract::form_fields::FormFields,
        pages::{
            decision::Decision,
            template::{self, Notice, sentence},
        },
    },
    oauth::authorize::{self, Request},
    session::{Core, LiveClient},
};

#[derive(Template)]
#[template(path = "consent.html", config = "web/templates/askama.toml")]
struct ConsentPage<'a> {
    /// The app's name.
    app: &'a str,
    /// The session's nick.
    nick: &'a str,
    /// The redirect URI without its query.
    back: &'a str,
    /// The app's request. The form sends it again.
    params: &'a [(&'static str, &'a str)],
    decision: Decision<'a>,
}

/// Asks the session whether to let the app in. A refusal is shown with its status.
pub async fn page(
    core: &Core,
    live: &LiveClient,
    params: &FormFields,
    repeated: &[(&'static str, &str)],
    request: &Request,
    refusal: Option<&Error>,
) -> Result<Response> {
    let session = authorize::asked(core, live).await?;
    let redirect_uri = request.asking.redirect_uri();
    let page = ConsentPage {
        app: &request.asking.app.name,
        nick: session.nick.as_str(),
        back: redirect_uri.split(['?', '#']).next().unwrap_or_default(),
        params: repeated,
        decision: Decision {
            scopes: request.scope,
            channels: &session.channels,
            form: params,
            refusal,
        },
    };
    let status = refusal.map_or(StatusCode::OK, problem::status);
    Ok(template::page(status, &page))
}

/// A page with an error that the user cannot correct here.
pub fn notice(error: &Error) -> Response {
    let (title, text) = match error.code {
        Code::Throttled => ("Please wait", sentence(&error.detail)),
        _ => (
            "This request is invalid",
            format!(
                "The app that sent you here made an invalid request: {}.",
                error.detail
            ),
        ),
    };
    let notice = Notice { title, text: &text };
    // This page has no login, so a request without credentials is just an invalid request.
    if error.code == Code::InvalidClient {
        return template::page(StatusCode::BAD_REQUEST, &notice);
    }
    template::error_page(error, &notice)
}
