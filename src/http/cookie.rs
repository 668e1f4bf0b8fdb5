//! The cookie: the one place where a client's secret travels.

use axum::http::{HeaderMap, header};
use cookie::{Cookie, SameSite};

use super::site::Site;
use crate::{
    error::{Error, Result},
    model::Timestamp,
    secret::{Secret, SecretHash},
};

fn name(site: &Site) -> &'static str {
    // The prefix makes browsers refuse the cookie unless it is Secure, for this host alone and for every path
    // (RFC 6265bis §4.1.3.2).
    if site.secure { "__Host-rejoin" } else { "rejoin" }
}

/// The hash of the secret a request presents. Two cookies of our name are refused: which of them is meant, nobody can say.
pub fn presented(headers: &HeaderMap, site: &Site) -> Result<Option<SecretHash>> {
    let mut found = None;
    for line in headers.get_all(header::COOKIE) {
        // What neighbours put beside ours need not be text.
        let line = String::from_utf8_lossy(line.as_bytes());
        for cookie in Cookie::split_parse(line.as_ref()).flatten().filter(|cookie| cookie.name() == name(site)) {
            if found.replace(SecretHash::of(cookie.value())).is_some() {
                return Err(Error::malformed("the request has more than one session cookie"));
            }
        }
    }
    Ok(found)
}

pub fn set(site: &Site, secret: &Secret, expires_at: Timestamp, now: Timestamp) -> String {
    let left = time::Duration::milliseconds(expires_at.0.saturating_sub(now.0));
    cookie(site, secret.reveal(), left)
}

pub fn clear(site: &Site) -> String {
    cookie(site, "", time::Duration::ZERO)
}

fn cookie(site: &Site, value: &str, left: time::Duration) -> String {
    Cookie::build((name(site), value))
        .http_only(true)
        .same_site(SameSite::Lax)
        .path("/")
        .max_age(left)
        .secure(site.secure)
        .build()
        .to_string()
}
