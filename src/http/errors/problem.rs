//! Errors as problem details (RFC 9457).

use std::collections::BTreeMap;

use axum::{
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use serde::Serialize;
use utoipa::{
    IntoResponses, ToSchema,
    openapi::{self, Content, Header, Object, Ref, RefOr, Type},
};

use crate::{
    error::{Code, Error, Extra},
    http::extract::{body::Json, grammar},
    model::{ClientView, EndReason},
};

/// The realm in challenges.
const REALM: &str = "rejoin";
/// A scheme with the parameters of its challenge.
type Offer = (&'static str, &'static [(&'static str, &'static str)]);
const BASIC: Offer = ("Basic", &[("realm", REALM), ("charset", "UTF-8")]);
const BEARER: Offer = ("Bearer", &[("realm", REALM)]);

/// The body of every error (RFC 9457).
#[derive(Serialize, ToSchema)]
pub struct Problem<'a> {
    /// Always `about:blank`. The code says which problem it is.
    #[schema(pattern = "^about:blank$")]
    r#type: &'static str,
    title: &'static str,
    #[schema(minimum = 400, maximum = 599)]
    status: u16,
    #[schema(schema_with = codes)]
    code: &'static str,
    /// The numeric of modern IRC, if IRC has one.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, pattern = "^[0-9]{3}$")]
    numeric: Option<&'static str>,
    detail: &'a str,
    /// Why the client has left. Goes with `client_ended`, and with `invalid_token` and
    /// `invalid_identity` if that is their cause.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    reason: Option<EndReason>,
    /// The seconds until a new try can succeed, as in Retry-After. Goes with `throttled` and other
    /// temporary errors.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    retry_after: Option<u64>,
    /// The clients from which the user may choose one to remove. Goes with `too_many_clients`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    clients: Option<&'a [ClientView]>,
}

/// The schema of all error codes.
fn codes() -> Object {
    let codes = openapi::ObjectBuilder::new()
        .schema_type(Type::String)
        .description(Some("The stable code of the error, in snake case."));
    codes
        .enum_values(Some(Code::ALL.iter().map(|code| code.name())))
        .build()
}

impl<'a> From<&'a Error> for Problem<'a> {
    fn from(error: &'a Error) -> Self {
        let (mut reason, mut retry_after, mut clients) = (None, None, None);
        match &error.extra {
            Extra::Reason(why) => reason = Some(*why),
            Extra::RetryAfter(seconds) => retry_after = Some((*seconds).max(1)),
            Extra::Clients(all) => clients = Some(all.as_slice()),
            Extra::Scope(_) | Extra::None => {}
        }
        Self {
            r#type: "about:blank",
            title: error.code.title(),
            status: error.code.status(),
            code: error.code.name(),
            numeric: error.code.numeric(),
            detail: &error.detail,
            reason,
            retry_after,
            clients,
        }
    }
}

/// The error's HTTP status.
pub fn status(error: &Error) -> StatusCode {
    StatusCode::from_u16(error.code.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
}

impl IntoResponse for Error {
    fn into_response(self) -> Response {
        let mut response = (status(&self), Json(Problem::from(&self))).into_response();
        let headers = response.headers_mut();
        headers.insert(
            header::CONTENT_TYPE,
            HeaderValue::from_static("application/problem+json"),
        );
        add_headers(&self, headers);
        response
    }
}

/// Adds the headers of an error, for every form of body.
pub fn add_headers(error: &Error, headers: &mut HeaderMap) {
    if let Extra::RetryAfter(seconds) = error.extra {
        headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds.max(1)));
    }
    if let Some(challenge) = challenge(error) {
        headers.insert(header::WWW_AUTHENTICATE, challenge);
    }
    if error.code == Code::RequestTimeout {
        // The rest of the request may still be arriving (RFC 9110 §15.5.9).
        headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
    }
}

/// The challenge, which every 401 must have: how the caller can authenticate (RFC 9110 §15.5.2; RFC
/// 6750 §3, with at least one parameter; RFC 6749 §5.2 for apps).
fn challenge(error: &Error) -> Option<HeaderValue> {
    match (error.code, &error.extra) {
        (Code::InvalidClient, _) => challenge_of(BASIC.0, BASIC.1),
        (Code::InvalidToken | Code::InvalidIdentity, _) => {
            challenge_of("Bearer", &[("error", "invalid_token")])
        }
        (Code::InsufficientScope, Extra::Scope(needed)) => challenge_of(
            "Bearer",
            &[("error", "insufficient_scope"), ("scope", needed.name())],
        ),
        (Code::InsufficientScope, _) => challenge_of("Bearer", &[("error", "insufficient_scope")]),
        (code, _) if code.status() == 401 => challenge_of(BEARER.0, BEARER.1),
        _ => None,
    }
}

fn challenge_of(scheme: &str, parameters: &[(&str, &str)]) -> Option<HeaderValue> {
    let parameters = parameters
        .iter()
        .map(|(name, value)| format!("{name}={}", grammar::quote(value)));
    HeaderValue::try_from(format!(
        "{scheme} {}",
        parameters.collect::<Vec<_>>().join(", ")
    ))
    .ok()
}

/// Adds both challenges to a 401 of an endpoint that accepts an app's credentials or an access
/// token of the app itself (RFC 9110 §11.6.1). Each challenge has a line of its own, because few
/// programs read more than one challenge in a line.
pub fn offer_both(mut response: Response) -> Response {
    if response.status() != StatusCode::UNAUTHORIZED {
        return response;
    }
    for (scheme, parameters) in [BASIC, BEARER] {
        let names = |line: &HeaderValue| grammar::leading_token(line.as_bytes()) == scheme;
        if !response
            .headers()
            .get_all(header::WWW_AUTHENTICATE)
            .iter()
            .any(names)
            && let Some(challenge) = challenge_of(scheme, parameters)
        {
            response
                .headers_mut()
                .append(header::WWW_AUTHENTICATE, challenge);
        }
    }
    response
}

macro_rules! problems {
    ($($(#[$doc:meta])* $name:ident: $($status:literal)+;)*) => {$(
        $(#[$doc])*
        pub enum $name {}

        impl IntoResponses for $name {
            fn responses() -> BTreeMap<String, RefOr<openapi::Response>> {
                [$($status),+].map(|status| (status.to_string(), described(status).into())).into()
            }
        }
    )*};
}

// The errors of a call, for the description.
problems! {
    /// The errors of every call with a caller.
    Problems: 400 401 403 413 421 429 500 503;
    /// The errors of an API call without a caller.
    PublicProblems: 403 413 421 429;
    /// The errors of a page, a file or a probe.
    PageProblems: 413 421 429;
    /// The errors of a call that uses the store.
    StoreProblems: 500 503;
    Malformed: 400;
    NotFound: 404;
    TimedOut: 408;
    Conflict: 409;
    Throttled: 429;
}

/// The errors of a login. A form gets the page again.
pub enum LoginProblems {}

impl IntoResponses for LoginProblems {
    fn responses() -> BTreeMap<String, RefOr<openapi::Response>> {
        let shared = [
            Problems::responses(),
            TimedOut::responses(),
            Conflict::responses(),
            Throttled::responses(),
        ];
        as_pages(shared.into_iter().flatten())
    }
}

/// The errors of the page where a user types a device's code.
pub enum DevicePageProblems {}

impl IntoResponses for DevicePageProblems {
    fn responses() -> BTreeMap<String, RefOr<openapi::Response>> {
        let shared = [
            PublicProblems::responses(),
            StoreProblems::responses(),
            Malformed::responses(),
        ];
        let more = [
            NotFound::responses(),
            TimedOut::responses(),
            Conflict::responses(),
            Throttled::responses(),
        ];
        as_pages(shared.into_iter().chain(more).flatten())
    }
}

/// Adds the page to the errors for which a form gets the page. Some requests are refused before
/// that.
fn as_pages(
    responses: impl Iterator<Item = (String, RefOr<openapi::Response>)>,
) -> BTreeMap<String, RefOr<openapi::Response>> {
    let described = responses.map(|(status, mut response)| {
        // A request from another site or for another host is refused before it is read.
        let read = !["403", "421"].contains(&status.as_str());
        if let (true, RefOr::T(response)) = (read, &mut response) {
            let page = Content::new(Some(Object::with_type(Type::String)));
            response.content.insert("text/html".into(), page.into());
        }
        (status, response)
    });
    described.collect()
}

fn described(status: u16) -> openapi::Response {
    let about = match status {
        400 => "Malformed request",
        401 => "Not logged in, logged out, or wrong credentials",
        403 => "Not allowed, or sent by another site",
        404 => "Not found",
        408 => "The body took too long to arrive",
        409 => "Conflict with the current state",
        413 => "Too long",
        421 => "Host of another server",
        429 => "Too many requests, or storage limit reached",
        500 => "Internal error",
        _ => "Overloaded, or the storage failed",
    };
    let content = Content::new(Some(Ref::from_schema_name(Problem::name())));
    let response = openapi::ResponseBuilder::new()
        .description(about)
        .content("application/problem+json", content);
    match status {
        429 | 503 => response
            .header("retry-after", Header::new(Object::with_type(Type::Integer)))
            .build(),
        _ => response.build(),
    }
}
