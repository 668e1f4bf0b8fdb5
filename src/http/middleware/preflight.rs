//! Answers to CORS preflight requests, which browsers send before a page of another origin calls
//! (the Fetch standard, "CORS-preflight fetch").

use axum::{
    extract::Request,
    http::{HeaderValue, Method, StatusCode, header},
    response::{IntoResponse, Response},
};

use crate::http::middleware::route_kind::RouteKind;

/// The seconds for which a browser may cache the answer.
const MAX_AGE: HeaderValue = HeaderValue::from_static("86400");

/// The answer to a preflight request for a path that pages of other origins may call. `None` for
/// any other request. Credentials are not allowed, so the calls that follow carry no cookie.
pub fn answer<B>(route: RouteKind, request: &Request<B>) -> Option<Response> {
    let headers = request.headers();
    let asks = headers.contains_key(header::ORIGIN)
        && headers.contains_key(header::ACCESS_CONTROL_REQUEST_METHOD);
    if route != RouteKind::Open || request.method() != Method::OPTIONS || !asks {
        return None;
    }
    let methods = HeaderValue::from_static(match request.uri().path() {
        "/auth/userinfo" => "GET, HEAD, POST",
        path if path.starts_with("/auth/") => "POST",
        _ => "GET, HEAD",
    });
    let allowed = [
        (header::ALLOW, methods.clone()),
        (header::ACCESS_CONTROL_ALLOW_METHODS, methods),
        (
            header::ACCESS_CONTROL_ALLOW_HEADERS,
            HeaderValue::from_static("Authorization, Content-Type"),
        ),
        (header::ACCESS_CONTROL_MAX_AGE, MAX_AGE),
    ];
    Some((StatusCode::NO_CONTENT, allowed).into_response())
}
