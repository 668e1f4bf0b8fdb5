//! The origins of this server. Requests for other hosts are refused, because DNS rebinding can make
//! a browser send them.

use std::net::SocketAddr;

use axum::{
    extract::Request,
    http::{Version, header},
};

use crate::{
    config::Config,
    error::{Code, Error, Result},
    http::extract::grammar,
    model::{HostPort, Origin},
};

const LOOPBACK_NAMES: [&str; 3] = ["localhost", "127.0.0.1", "[::1]"];
/// Paths that any Host may request, because probes use the server's address.
const FOR_PROBES: [&str; 2] = ["/healthz", "/metrics"];

/// The origins of this server, its issuer and its cookie's name.
pub struct OwnOrigins {
    /// The public URL's origin. A server without https that listens on loopback also has an origin
    /// for each loopback name at its port.
    origins: Vec<Origin>,
    issuer: String,
    /// Whether the public URL is https.
    pub secure: bool,
    /// The cookie's name.
    pub cookie_name: String,
}

impl OwnOrigins {
    /// The origins of a server with this configuration that listens on `address`.
    pub fn new(config: &Config, address: SocketAddr) -> Self {
        let secure = config.public_url.as_ref().is_some_and(Origin::is_https);
        let listened = bracketed(address);
        let mut origins = Vec::from_iter(config.public_url.clone());
        if address.ip().is_loopback() && !secure {
            let names = LOOPBACK_NAMES.into_iter().chain([listened.as_str()]);
            origins.extend(names.filter_map(|name| Origin::http(name, address.port())));
        }
        let issuer = config
            .public_url
            .clone()
            .or_else(|| Origin::http(&listened, address.port()));
        let issuer = issuer.as_ref().map(Origin::to_string).unwrap_or_default();
        // The prefix makes browsers refuse the cookie unless it is Secure, for this host alone and
        // for every path (RFC 6265bis §4.1.3.2).
        let cookie_name = format!(
            "{}{}",
            if secure { "__Host-" } else { "" },
            config.cookie_name
        );
        Self {
            origins,
            issuer,
            secure,
            cookie_name,
        }
    }

    /// OAuth's issuer: the public URL's origin or, without one, that of the listening address.
    pub fn issuer(&self) -> &str {
        &self.issuer
    }

    /// Whether a text is one of this server's origins.
    pub fn contains_origin(&self, text: &str) -> bool {
        Origin::parse(text).is_some_and(|origin| self.origins.contains(&origin))
    }

    fn contains_host(&self, host: &HostPort) -> bool {
        self.origins.iter().any(|own| own.is_at(host))
    }
}

/// The IP address as a URI's host.
fn bracketed(address: SocketAddr) -> String {
    match address {
        SocketAddr::V4(v4) => v4.ip().to_string(),
        SocketAddr::V6(v6) => format!("[{}]", v6.ip()),
    }
}

/// Refuses requests for other hosts with `misdirected_request`, 421 (RFC 9110 §7.4). A missing,
/// repeated or invalid Host header is refused with `malformed_request`, 400 (RFC 9112 §3.2). The
/// host of a target in absolute form takes precedence over the Host header (RFC 9112 §3.2.2).
pub fn refuse_other_hosts<B>(own_origins: &OwnOrigins, request: &Request<B>) -> Result<()> {
    let named = named_host(request)?;
    let uri = request.uri();
    let own = match (uri.scheme_str(), uri.authority()) {
        (Some(scheme), Some(authority)) => {
            own_origins.contains_origin(&format!("{scheme}://{authority}"))
        }
        (None, Some(authority)) => {
            HostPort::parse(authority.as_str()).is_some_and(|host| own_origins.contains_host(&host))
        }
        (_, None) => named.is_some_and(|host| own_origins.contains_host(&host)),
    };
    if own || FOR_PROBES.contains(&uri.path()) {
        return Ok(());
    }
    Err(Error::new(
        Code::MisdirectedRequest,
        "the Host of this request is not a name of this server",
    ))
}

/// The host and port of the Host header. HTTP/1.0 may leave the header out.
fn named_host<B>(request: &Request<B>) -> Result<Option<HostPort>> {
    let mut lines = request.headers().get_all(header::HOST).iter();
    let Some(line) = lines.next() else {
        return match request.version() {
            Version::HTTP_09 | Version::HTTP_10 => Ok(None),
            _ => Err(Error::malformed("the request has no Host header")),
        };
    };
    if lines.next().is_some() {
        return Err(Error::malformed(
            "the request has more than one Host header",
        ));
    }
    let host = std::str::from_utf8(grammar::trim(line.as_bytes()))
        .ok()
        .and_then(HostPort::parse);
    host.map(Some)
        .ok_or_else(|| Error::malformed("the Host header must be a host, optionally with a port"))
}

#[cfg(test)]
impl OwnOrigins {
    /// The origins of a server with these flags that listens on `address`.
    pub fn of(args: &[&str], address: &str) -> Self {
        let config = clap::Parser::parse_from(std::iter::once(&"rejoin").chain(args));
        Self::new(&config, address.parse().unwrap())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(own_origins: &OwnOrigins, target: &str, hosts: &[&str]) -> Option<Code> {
        let mut request = Request::builder().uri(target);
        for host in hosts {
            request = request.header(header::HOST, host.as_bytes());
        }
        refuse_other_hosts(own_origins, &request.body(()).unwrap())
            .err()
            .map(|error| error.code)
    }

    #[test]
    fn on_loopback_every_loopback_name_at_the_port_is_ours() {
        let own_origins = OwnOrigins::of(&[], "127.0.0.1:8080");
        for host in [
            "localhost:8080",
            "127.0.0.1:8080",
            "[::1]:8080",
            "LOCALHOST:8080",
            "[0:0::1]:8080",
        ] {
            assert_eq!(refusal(&own_origins, "/", &[host]), None, "{host}");
            assert!(
                own_origins.contains_origin(&format!("http://{host}")),
                "{host}"
            );
        }
        for host in [
            "localhost",
            "localhost:8081",
            "localhost:",
            "evil.example",
            "evil.example:8080",
            "[::2]:8080",
        ] {
            assert_eq!(
                refusal(&own_origins, "/", &[host]),
                Some(Code::MisdirectedRequest),
                "{host}"
            );
            assert!(
                !own_origins.contains_origin(&format!("http://{host}")),
                "{host}"
            );
        }
        for host in [
            "localhost.evil.example:8080",
            "localhost.:8080",
            "127.1:8080",
            "2130706433:8080",
            "%6cocalhost:8080",
            "",
        ] {
            assert_eq!(
                refusal(&own_origins, "/", &[host]),
                Some(Code::MisdirectedRequest),
                "{host}"
            );
        }
        for bad in [
            "localhost:x",
            "local host:8080",
            "\"localhost:8080\"",
            "[localhost]:8080",
            "a@localhost:8080",
            "localhost:8080/",
        ] {
            assert_eq!(
                refusal(&own_origins, "/", &[bad]),
                Some(Code::MalformedRequest),
                "{bad}"
            );
        }
        assert!(
            !own_origins.contains_origin("https://localhost:8080")
                && !own_origins.contains_origin("null")
                && !own_origins.contains_origin("")
        );
    }

    #[test]
    fn a_public_url_is_ours_and_an_https_one_is_the_only_origin() {
        let own_origins =
            OwnOrigins::of(&["--public-url", "https://chat.example"], "127.0.0.1:8080");
        for host in [
            "chat.example",
            "chat.example:443",
            "chat.example:",
            "Chat.Example",
        ] {
            assert_eq!(refusal(&own_origins, "/", &[host]), None, "{host}");
            assert!(
                own_origins.contains_origin(&format!("https://{host}")),
                "{host}"
            );
        }
        for host in [
            "chat.example:80",
            "chat.example:8080",
            "localhost:8080",
            "127.0.0.1:8080",
            "[::1]:8080",
            "x.chat.example",
        ] {
            assert_eq!(
                refusal(&own_origins, "/", &[host]),
                Some(Code::MisdirectedRequest),
                "{host}"
            );
            assert!(
                !own_origins.contains_origin(&format!("http://{host}"))
                    && !own_origins.contains_origin(&format!("https://{host}")),
                "{host}"
            );
        }
        assert!(!own_origins.contains_origin("http://chat.example"));
        let plain = OwnOrigins::of(
            &["--public-url", "http://chat.example:8000"],
            "127.0.0.1:8080",
        );
        for own in [
            "http://chat.example:8000",
            "http://localhost:8080",
            "http://[::1]:8080",
        ] {
            assert!(plain.contains_origin(own), "{own}");
        }
        assert!(
            !plain.contains_origin("http://localhost:8000")
                && !plain.contains_origin("http://chat.example:8080")
        );
        let open = OwnOrigins::of(
            &["--public-url", "http://chat.example", "--insecure-http"],
            "0.0.0.0:8080",
        );
        assert!(
            open.contains_origin("http://chat.example")
                && !open.contains_origin("http://localhost:8080")
        );
    }

    #[test]
    fn a_request_has_one_host_header_and_an_absolute_target_takes_precedence() {
        let own_origins = OwnOrigins::of(&[], "127.0.0.1:8080");
        for (target, hosts, expected) in [
            ("/", &[][..], Some(Code::MalformedRequest)),
            (
                "/",
                &["localhost:8080", "localhost:8080"],
                Some(Code::MalformedRequest),
            ),
            ("/healthz", &[], Some(Code::MalformedRequest)),
            ("http://localhost:8080/", &["evil.example"], None),
            (
                "http://evil.example/",
                &["localhost:8080"],
                Some(Code::MisdirectedRequest),
            ),
            ("http://localhost:8080/", &[], Some(Code::MalformedRequest)),
            (
                "https://localhost:8080/",
                &["localhost:8080"],
                Some(Code::MisdirectedRequest),
            ),
            (
                "http://a@localhost:8080/",
                &["localhost:8080"],
                Some(Code::MisdirectedRequest),
            ),
            ("/healthz", &["10.1.2.3:8080"], None),
            ("/metrics", &["whatever"], None),
            (
                "/healthz/",
                &["10.1.2.3:8080"],
                Some(Code::MisdirectedRequest),
            ),
            (
                "/api/v1/server",
                &["10.1.2.3:8080"],
                Some(Code::MisdirectedRequest),
            ),
        ] {
            assert_eq!(
                refusal(&own_origins, target, hosts),
                expected,
                "{target} {hosts:?}"
            );
        }
        let ask = |target: &str| {
            let request = Request::builder()
                .version(Version::HTTP_10)
                .uri(target)
                .body(())
                .unwrap();
            refuse_other_hosts(&own_origins, &request)
                .err()
                .map(|error| error.code)
        };
        assert_eq!(
            (ask("/healthz"), ask("/")),
            (None, Some(Code::MisdirectedRequest))
        );
    }
}
