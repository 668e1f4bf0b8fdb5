//! The cookie, which is the only place where a client's secret travels.

use std::collections::HashSet;

use axum::http::{HeaderMap, header};
use cookie::{Cookie, SameSite};

use crate::{
    error::{Error, Result},
    http::{extract::grammar, middleware::origin::OwnOrigins},
    model::Timestamp,
    secret::{Secret, SecretHash},
};

/// The hashes of the secrets that a request presents, each once (the reverse of RFC 6265bis
/// §5.7.3). A cookie is ours if its name equals ours byte for byte. Only SP and HTAB are trimmed
/// around names and values, as browsers do. Every other cookie belongs to a neighbouring
/// application, whatever it looks like.
///
/// Over https nobody else can set a cookie of our name, so browsers never send two, and two are
/// refused. Over plain http, a page on another port or path of the host can plant more cookies. No
/// rule says in which order they come. Their number is limited by the length of a request's head.
///
/// The cookie crate is not used here. It trims all of Unicode's white space, so a neighbour could
/// plant a cookie under a name that browsers allow and that would count as ours.
pub fn presented(headers: &HeaderMap, own_origins: &OwnOrigins) -> Result<Vec<SecretHash>> {
    let (mut found, mut seen) = (Vec::new(), HashSet::new());
    for line in headers.get_all(header::COOKIE) {
        for pair in line.as_bytes().split(|byte| *byte == b';') {
            let Some(end_of_name) = pair.iter().position(|byte| *byte == b'=') else {
                continue;
            };
            let (name, value) = (
                grammar::trim(&pair[..end_of_name]),
                grammar::trim(&pair[end_of_name + 1..]),
            );
            if name != own_origins.cookie_name.as_bytes() {
                continue;
            }
            // A value that is not UTF-8 counts as presented, and belongs to no client.
            let secret = SecretHash::of(std::str::from_utf8(value).unwrap_or_default());
            if own_origins.secure && !found.is_empty() {
                return Err(several());
            }
            if seen.insert(secret) {
                found.push(secret);
            }
        }
    }
    Ok(found)
}

/// The refusal of a request with several session cookies: it is unclear which one is meant.
pub fn several() -> Error {
    Error::malformed(
        "the request has more than one session cookie: clear this site's cookies, and try again",
    )
}

/// The `Set-Cookie` that gives a client its secret until `expires_at`.
pub fn set(
    own_origins: &OwnOrigins,
    secret: &Secret,
    expires_at: Timestamp,
    now: Timestamp,
) -> String {
    let left = time::Duration::milliseconds(expires_at.0.saturating_sub(now.0));
    cookie(own_origins, secret.reveal(), left)
}

/// The `Set-Cookie` that removes the cookie.
pub fn clear(own_origins: &OwnOrigins) -> String {
    cookie(own_origins, "", time::Duration::ZERO)
}

/// Written with the cookie crate and not with axum-extra's `CookieJar`, which percent-encodes the
/// name. The operator chooses the name, and browsers compare it byte for byte.
fn cookie(own_origins: &OwnOrigins, value: &str, left: time::Duration) -> String {
    Cookie::build((own_origins.cookie_name.as_str(), value))
        .http_only(true)
        .same_site(SameSite::Lax)
        .path("/")
        .max_age(left)
        .secure(own_origins.secure)
        .build()
        .to_string()
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    /// The secrets that these Cookie lines present to a server with this public URL.
    fn presented_to(public_url: &str, lines: &[&str]) -> Result<Vec<SecretHash>> {
        let own_origins = OwnOrigins::of(&["--public-url", public_url], "127.0.0.1:8080");
        let line = |line: &&str| {
            (
                header::COOKIE,
                HeaderValue::from_bytes(line.as_bytes()).unwrap(),
            )
        };
        presented(&lines.iter().map(line).collect(), &own_origins)
    }

    #[test]
    fn a_cookie_is_ours_byte_for_byte() {
        for (url, name) in [
            ("https://chat.example", "__Host-rejoin"),
            ("http://chat.example", "rejoin"),
        ] {
            let presented = |lines: &[&str]| presented_to(url, lines);
            let ours = Ok(vec![SecretHash::of("SECRET")]);
            for own in [
                format!("{name}=SECRET"),
                format!(" \t{name}\t = \tSECRET \t"),
                format!("theme=dark; {name}=SECRET;x=\"y"),
                format!("theme=grün;{name}=SECRET"),
                format!(";;=x;rejoin;{name}=SECRET;"),
            ] {
                assert_eq!(presented(&[&own]), ours, "{own}");
                assert_eq!(presented(&["theme=dark", &own, "x=y"]), ours, "{own}");
            }
            let mut neighbours = vec![
                String::new(),
                name.to_owned(),
                format!("={name}=SECRET"),
                format!("{name}: SECRET"),
            ];
            // Every character that some standard calls white space, invisible characters, and names
            // and values that other parsers would fold or unquote.
            let odd = [
                "\u{a0}", "\u{85}", "\u{1680}", "\u{2000}", "\u{200a}", "\u{2028}", "\u{202f}",
                "\u{205f}", "\u{3000}",
            ];
            for odd in odd.into_iter().chain([
                "\u{200b}", "\u{feff}", "\u{ad}", "\"", "'", "$", "_", "[", ".",
            ]) {
                neighbours.extend([
                    format!("{odd}{name}=SECRET"),
                    format!("{name}{odd}=SECRET"),
                    format!("{odd}{name}{odd}=SECRET"),
                ]);
            }
            neighbours.extend([
                name.to_ascii_uppercase() + "=SECRET",
                name.replace('r', "R") + "=SECRET",
            ]);
            neighbours.extend([
                format!("x{name}=SECRET"),
                format!("{}=SECRET", &name[1..]),
                name.replace('e', "%65") + "=SECRET",
            ]);
            for neighbour in neighbours {
                assert_eq!(presented(&[&neighbour]), Ok(vec![]), "{neighbour:?}");
                let beside = format!("{neighbour}; {name}=SECRET");
                assert_eq!(presented(&[&beside]), ours, "{beside:?}");
                assert_eq!(
                    presented(&[&neighbour, &format!("{name}=SECRET; {neighbour}")]),
                    ours,
                    "{neighbour:?}"
                );
            }
            let [ours, other] = ["SECRET", "OTHER"].map(SecretHash::of);
            for (twice, both) in [
                (
                    vec![format!("{name}=OTHER; {name} = SECRET; {name}=OTHER")],
                    vec![other, ours],
                ),
                (vec![format!("{name}=SECRET"); 2], vec![ours]),
            ] {
                let lines = twice.iter().map(String::as_str).collect::<Vec<_>>();
                let expected = if url.starts_with("https") {
                    Err(several())
                } else {
                    Ok(both)
                };
                assert_eq!(presented(&lines), expected, "{twice:?}");
            }
            // Quotes are part of the value.
            assert_eq!(
                presented(&[&format!("{name}=\"SECRET\"")]),
                Ok(vec![SecretHash::of("\"SECRET\"")])
            );
            assert_eq!(
                presented(&[&format!("{name}=SECRET\u{2000}")]),
                Ok(vec![SecretHash::of("SECRET\u{2000}")])
            );
        }
        // The cookie name of the other scheme belongs to another application.
        assert_eq!(
            presented_to("https://chat.example", &["rejoin=SECRET"]),
            Ok(vec![])
        );
        assert_eq!(
            presented_to("http://chat.example", &["__Host-rejoin=SECRET"]),
            Ok(vec![])
        );
    }
}
