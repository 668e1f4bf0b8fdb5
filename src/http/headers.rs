//! Security headers on every answer.

use axum::http::{HeaderMap, HeaderName, HeaderValue, header};

use super::site::Site;

/// Scripts, styles and requests from ourselves alone; nothing inline, nothing framed.
const CONTENT_SECURITY_POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; \
     connect-src 'self'; manifest-src 'self'; base-uri 'none'; frame-ancestors 'none'; form-action 'self'";

/// The policy of a page whose form may end at `target`, too: Chromium holds a form's redirects to it.
pub fn policy_with_form_action(target: &str) -> Option<HeaderValue> {
    HeaderValue::try_from(format!("{CONTENT_SECURITY_POLICY} {target}")).ok()
}

static HEADERS: [(HeaderName, HeaderValue); 6] = [
    (header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
    (header::X_FRAME_OPTIONS, HeaderValue::from_static("DENY")),
    // `no-referrer` would make browsers send `Origin: null` with our own forms.
    (header::REFERRER_POLICY, HeaderValue::from_static("same-origin")),
    (HeaderName::from_static("cross-origin-opener-policy"), HeaderValue::from_static("same-origin")),
    (HeaderName::from_static("cross-origin-resource-policy"), HeaderValue::from_static("same-origin")),
    (
        HeaderName::from_static("permissions-policy"),
        HeaderValue::from_static("camera=(), geolocation=(), microphone=()"),
    ),
];

pub fn add(site: &Site, headers: &mut HeaderMap) {
    headers.reserve(HEADERS.len() + 3);
    // Pages with a policy of their own have said so.
    let policy = HeaderValue::from_static(CONTENT_SECURITY_POLICY);
    headers.entry(header::CONTENT_SECURITY_POLICY).or_insert(policy);
    for (name, value) in &HEADERS {
        headers.insert(name, value.clone());
    }
    // What did not say otherwise is nobody's to keep.
    headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    if site.secure {
        headers.insert(header::STRICT_TRANSPORT_SECURITY, HeaderValue::from_static("max-age=31536000"));
    }
}
