//! Headers of every response.

use axum::http::{HeaderMap, HeaderName, HeaderValue, header};

use crate::http::middleware::{origin::OwnOrigins, route_kind::RouteKind};

/// The content security policy: scripts, styles and requests only from this server, nothing inline,
/// and no framing.
macro_rules! policy {
    ($($more:literal)?) => {
        HeaderValue::from_static(concat!(
            "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; ",
            "manifest-src 'self'; base-uri 'none'; frame-ancestors 'none'",
            $($more)?
        ))
    };
}

const OPENER_POLICY: HeaderName = HeaderName::from_static("cross-origin-opener-policy");

static HEADERS: [(HeaderName, HeaderValue); 5] = [
    (
        header::X_CONTENT_TYPE_OPTIONS,
        HeaderValue::from_static("nosniff"),
    ),
    (header::X_FRAME_OPTIONS, HeaderValue::from_static("DENY")),
    // `no-referrer` would make browsers send `Origin: null` with our own forms.
    (
        header::REFERRER_POLICY,
        HeaderValue::from_static("same-origin"),
    ),
    (
        HeaderName::from_static("cross-origin-resource-policy"),
        HeaderValue::from_static("same-origin"),
    ),
    (
        HeaderName::from_static("permissions-policy"),
        HeaderValue::from_static("camera=(), geolocation=(), microphone=()"),
    ),
];

/// Adds the headers that every response has.
pub fn add(own_origins: &OwnOrigins, route: RouteKind, headers: &mut HeaderMap) {
    headers.reserve(HEADERS.len() + 5);
    if route.signs_in() {
        // An app that opened a window for signing in must keep its handle to that window, so there
        // is no opener policy. Chromium applies `form-action` to every redirect after a form, even
        // to the app's own, so there is no `form-action` either.
        headers.insert(header::CONTENT_SECURITY_POLICY, policy!());
    } else {
        headers.insert(
            header::CONTENT_SECURITY_POLICY,
            policy!("; form-action 'self'"),
        );
        headers.insert(OPENER_POLICY, HeaderValue::from_static("same-origin"));
    }
    for (name, value) in &HEADERS {
        headers.insert(name, value.clone());
    }
    headers
        .entry(header::CACHE_CONTROL)
        .or_insert(HeaderValue::from_static("no-store"));
    if own_origins.secure {
        headers.insert(
            header::STRICT_TRANSPORT_SECURITY,
            HeaderValue::from_static("max-age=31536000"),
        );
    }
    if route == RouteKind::Open {
        headers.insert(
            header::ACCESS_CONTROL_ALLOW_ORIGIN,
            HeaderValue::from_static("*"),
        );
        let readable = HeaderValue::from_static("WWW-Authenticate, Retry-After");
        headers.insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, readable);
    }
}
