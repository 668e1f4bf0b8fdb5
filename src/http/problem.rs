//! Errors as problem details (RFC 9457).

use axum::{
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use serde::Serialize;
use utoipa::ToSchema;

use crate::{
    error::{Code, Error, Extra},
    model::ClientView,
};

/// The one shape of every refusal and failure.
#[derive(Serialize, ToSchema)]
pub struct Problem<'a> {
    /// Always `about:blank`: the code says which problem it is.
    r#type: &'static str,
    title: &'static str,
    status: u16,
    /// Stable, in snake case.
    code: &'static str,
    /// The numeric of modern IRC, where there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    numeric: Option<&'static str>,
    detail: &'a str,
    /// Of `client_ended`: quit, logged_out, removed, expired, revoked or session_ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'static str>,
    /// Of `too_many_clients`: those to choose from.
    #[serde(skip_serializing_if = "Option::is_none")]
    clients: Option<&'a [ClientView]>,
}

impl<'a> From<&'a Error> for Problem<'a> {
    fn from(error: &'a Error) -> Self {
        let (reason, clients) = match &error.extra {
            Extra::Reason(reason) => (Some(reason.name()), None),
            Extra::Clients(clients) => (None, Some(clients.as_slice())),
            Extra::RetryAfter(_) | Extra::None => (None, None),
        };
        Self {
            r#type: "about:blank",
            title: error.code.title(),
            status: error.code.status(),
            code: error.code.name(),
            numeric: error.code.numeric(),
            detail: &error.detail,
            reason,
            clients,
        }
    }
}

/// The error's status as a response may have it.
pub fn status(error: &Error) -> StatusCode {
    StatusCode::from_u16(error.code.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
}

impl IntoResponse for Error {
    fn into_response(self) -> Response {
        let mut response = (status(&self), axum::Json(Problem::from(&self))).into_response();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        if let Extra::RetryAfter(seconds) = self.extra {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds.max(1)));
        }
        if self.code == Code::RequestTimeout {
            // The rest of the request may still be on its way (RFC 9110 §15.5.9).
            headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
        }
        response
    }
}

/// The problems any call may be answered with, for the description.
#[derive(utoipa::IntoResponses)]
#[allow(dead_code)]
pub enum Problems {
    #[response(status = 400, description = "Malformed", content_type = "application/problem+json")]
    Malformed(#[to_schema] Problem<'static>),
    #[response(status = 401, description = "Not signed in, or no longer", content_type = "application/problem+json")]
    Unauthenticated(#[to_schema] Problem<'static>),
    #[response(status = 403, description = "Not allowed", content_type = "application/problem+json")]
    Forbidden(#[to_schema] Problem<'static>),
    #[response(status = 404, description = "Not there", content_type = "application/problem+json")]
    NotFound(#[to_schema] Problem<'static>),
    #[response(status = 405, description = "No such method here", content_type = "application/problem+json")]
    NotAllowed(#[to_schema] Problem<'static>),
    #[response(status = 408, description = "The body took too long", content_type = "application/problem+json")]
    TimedOut(#[to_schema] Problem<'static>),
    #[response(status = 409, description = "In conflict with what there is", content_type = "application/problem+json")]
    Conflict(#[to_schema] Problem<'static>),
    #[response(status = 413, description = "Too long", content_type = "application/problem+json")]
    TooLong(#[to_schema] Problem<'static>),
    #[response(status = 421, description = "Meant for another host", content_type = "application/problem+json")]
    Misdirected(#[to_schema] Problem<'static>),
    #[response(status = 429, description = "Too fast", content_type = "application/problem+json")]
    Throttled(#[to_schema] Problem<'static>),
    #[response(status = 500, description = "The server failed", content_type = "application/problem+json")]
    Failed(#[to_schema] Problem<'static>),
    #[response(
        status = 503,
        description = "Overloaded, or the storage fails",
        content_type = "application/problem+json"
    )]
    Overloaded(#[to_schema] Problem<'static>),
}
