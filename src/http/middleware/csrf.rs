//! Refuses requests that a page of another origin made the browser send.

use axum::{
    extract::Request,
    http::{HeaderMap, HeaderName, Method, header},
};

use crate::{
    error::{Code, Error, Result},
    http::{
        extract::grammar,
        middleware::{origin::OwnOrigins, route_kind::RouteKind},
    },
};

const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");
const SEC_FETCH_MODE: HeaderName = HeaderName::from_static("sec-fetch-mode");
const SEC_FETCH_DEST: HeaderName = HeaderName::from_static("sec-fetch-dest");
/// The media types of answers to requests that may acknowledge events
/// (`Authenticated::acknowledges`).
const ANSWERS: [&str; 3] = [
    "application/json",
    "application/problem+json",
    "text/event-stream",
];

/// Refuses unsafe requests from other sites. Under the API it also refuses safe ones, except
/// top-level navigations, which change nothing there ([`may_acknowledge`]). The reason is that
/// browsers send our cookie even with reads by a page on another port of our host.
pub fn refuse_other_sites<B>(
    own_origins: &OwnOrigins,
    route: RouteKind,
    request: &Request<B>,
) -> Result<()> {
    let headers = request.headers();
    let open = match route {
        // These endpoints ignore cookies.
        RouteKind::Open => true,
        // A form of another site is only redirected, to the same request by GET.
        RouteKind::Authorize if request.method() == Method::POST => true,
        RouteKind::Api => request.method().is_safe() && is_top_level(headers),
        _ => request.method().is_safe(),
    };
    if open || is_own(own_origins, headers) {
        return Ok(());
    }
    Err(Error::new(
        Code::CrossSiteRequest,
        "this request comes from another site",
    ))
}

/// Whether the request comes from this origin or from a program. Fetch Metadata decides if the
/// browser sends it, and otherwise the Origin (RFC 6454). A request without both comes from a
/// program.
pub fn is_own(own_origins: &OwnOrigins, headers: &HeaderMap) -> bool {
    if headers.contains_key(SEC_FETCH_SITE) {
        return matches!(
            grammar::only(headers, SEC_FETCH_SITE),
            Some("same-origin" | "none")
        );
    }
    has_own_origin(own_origins, headers)
}

/// Whether the Origin is ours or missing.
pub fn has_own_origin(own_origins: &OwnOrigins, headers: &HeaderMap) -> bool {
    !headers.contains_key(header::ORIGIN)
        || grammar::only(headers, header::ORIGIN)
            .is_some_and(|origin| own_origins.contains_origin(origin))
}

/// Whether the request may acknowledge the events that it reads with our cookie. It may unless
/// something shows that a page of another origin sent it. See
/// [`Authenticated::acknowledges`][acknowledges].
///
/// [acknowledges]: crate::http::extract::auth::Authenticated::acknowledges
///
/// If the browser sends Fetch Metadata, [`refuse_other_sites`] has already refused other sites.
/// Over plain http off loopback browsers send none, and a page on another port of our host can make
/// requests with our cookie. Two things give such a page away: a Referer that names it, and an
/// Accept that asks for other types than the API has, as for images, styles and media. A script on
/// such a page that leaves out the Referer cannot be told from a program.
pub fn may_acknowledge(own_origins: &OwnOrigins, headers: &HeaderMap) -> bool {
    if headers.contains_key(SEC_FETCH_MODE) {
        return !says_navigate(headers);
    }
    let asks_for_page =
        grammar::accepts(headers, "text/html") || grammar::accepts_only_others(headers, &ANSWERS);
    comes_from_own_page(own_origins, headers) && (own_origins.secure || !asks_for_page)
}

/// Whether the Referer is missing or names a page of ours.
fn comes_from_own_page(own_origins: &OwnOrigins, headers: &HeaderMap) -> bool {
    let own = |referer: &str| {
        let after_scheme = referer.find("://").map_or(0, |at| at + 3);
        let end = referer[after_scheme..]
            .find(['/', '?', '#'])
            .map_or(referer.len(), |at| after_scheme + at);
        own_origins.contains_origin(&referer[..end])
    };
    !headers.contains_key(header::REFERER)
        || grammar::only(headers, header::REFERER).is_some_and(own)
}

/// Whether the request is a navigation of a whole tab, not of a frame.
fn is_top_level(headers: &HeaderMap) -> bool {
    let whole = matches!(grammar::only(headers, SEC_FETCH_DEST), Some("document"));
    says_navigate(headers) && (whole || !headers.contains_key(SEC_FETCH_DEST))
}

fn says_navigate(headers: &HeaderMap) -> bool {
    grammar::only(headers, SEC_FETCH_MODE) == Some("navigate")
}

#[cfg(test)]
mod tests;
