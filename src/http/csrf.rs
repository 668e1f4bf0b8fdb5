//! Requests from elsewhere: one rule over every unsafe route.

use axum::{
    extract::Request,
    http::{HeaderMap, HeaderName, header},
};

use super::site::{Site, only};
use crate::error::{Code, Error, Result};

const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// Refuses unsafe requests, and any to the API, that a page of another origin made the browser send.
pub fn refuse_other_sites<B>(site: &Site, request: &Request<B>) -> Result<()> {
    let headers = request.headers();
    // Reading a queue acknowledges, so no page elsewhere may lead a browser there either, nor open a stream.
    let open = request.method().is_safe() && !request.uri().path().starts_with("/api/");
    if open || is_own(site, headers) {
        return Ok(());
    }
    Err(Error::new(Code::CrossSiteRequest, "this request comes from another site"))
}

/// The browser's own word decides (Fetch Metadata); without it the Origin does (RFC 6454); without both it is no browser.
fn is_own(site: &Site, headers: &HeaderMap) -> bool {
    if headers.contains_key(SEC_FETCH_SITE) {
        return matches!(only(headers, SEC_FETCH_SITE), Some("same-origin" | "none"));
    }
    if headers.contains_key(header::ORIGIN) {
        return only(headers, header::ORIGIN).is_some_and(|origin| site.is_own_origin(origin));
    }
    true
}
