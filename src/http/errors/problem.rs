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

/// The realm that challenges name.
const REALM: &str = "rejoin";
/// A scheme, and the parameters by which it is offered.
type Offer = (&'static str, &'static [(&'static str, &'static str)]);
const BASIC: Offer = ("Basic", &[("realm", REALM), ("charset", "UTF-8")]);
const BEARER: Offer = ("Bearer", &[("realm", REALM)]);

/// The one shape of every refusal and failure.
#[derive(Serialize, ToSchema)]
pub struct Problem<'a> {
    /// Always `about:blank`: the code says which problem it is.
    #[schema(pattern = "^about:blank$")]
    r#type: &'static str,
    title: &'static str,
    #[schema(minimum = 400, maximum = 599)]
    status: u16,
    #[schema(schema_with = codes)]
    code: &'static str,
    /// The numeric of modern IRC, where there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, pattern = "^[0-9]{3}$")]
    numeric: Option<&'static str>,
    detail: &'a str,
    /// Of `client_ended`, and of `invalid_token` and `invalid_identity` where their client has
    /// left: why.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    reason: Option<EndReason>,
    /// Of `throttled` and others that pass: seconds until a try can succeed, as in Retry-After.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    retry_after: Option<u64>,
    /// Of `too_many_clients`: those to choose from.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    clients: Option<&'a [ClientView]>,
}

/// Every code there is.
fn codes() -> Object {
    let codes = openapi::ObjectBuilder::new()
        .schema_type(Type::String)
        .description(Some("Stable, in snake case."));
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

/// The error's status as a response may have it.
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

/// Adds the headers of an error, whatever form its body has.
pub fn add_headers(error: &Error, headers: &mut HeaderMap) {
    if let Extra::RetryAfter(seconds) = error.extra {
        headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds.max(1)));
    }
    if let Some(challenge) = challenge(error) {
        headers.insert(header::WWW_AUTHENTICATE, challenge);
    }
    if error.code == Code::RequestTimeout {
        // The rest of the request may still be on its way (RFC 9110 §15.5.9).
        headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
    }
}

/// How a caller would be let in: what every 401 has to say (RFC 9110 §15.5.2; RFC 6750 §3, with at
/// least one parameter; RFC 6749 §5.2 of apps).
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

/// Offers both ways in with a 401 of an endpoint that takes an app's credentials as well as an
/// access token of its own (RFC 9110 §11.6.1): each has a line of its own, because few programs
/// read more than one challenge in a line.
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

// What a call may be refused with, for the description.
problems! {
    /// Of any call that names its caller.
    Problems: 400 401 403 413 421 429 500 503;
    /// Of one that does not, to the API.
    PublicProblems: 403 413 421 429;
    /// Of a page, a file, a probe.
    PageProblems: 413 421 429;
    /// Of what asks the store.
    StoreProblems: 500 503;
    Malformed: 400;
    NotFound: 404;
    TimedOut: 408;
    Conflict: 409;
    Throttled: 429;
}

/// Of a login: a form is answered with the page again.
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

/// Of the page where the code of a device is typed.
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

/// What a form is answered with the page for; some is refused before that.
fn as_pages(
    responses: impl Iterator<Item = (String, RefOr<openapi::Response>)>,
) -> BTreeMap<String, RefOr<openapi::Response>> {
    let described = responses.map(|(status, mut response)| {
        // What comes from another site or is meant for another host is turned away before it is
        // read.
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
        400 => "Malformed, or not what it has to be",
        401 => "Not signed in, or no longer, or not by this password",
        403 => "Not allowed, or from another site",
        404 => "Not there",
        408 => "The body took too long to arrive",
        409 => "In conflict with what there is",
        413 => "Too long",
        421 => "Meant for another host",
        429 => "Too fast",
        500 => "The server failed",
        _ => "Overloaded, or the storage fails",
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
