//! Who we are on the web: our origins, and the refusal of requests that name another host (DNS rebinding).

use std::net::SocketAddr;

use axum::{
    extract::Request,
    http::{HeaderMap, header},
};

use crate::{
    config::{Config, PublicUrl},
    error::{Code, Error, Result},
};

const LOOPBACK_NAMES: [&str; 3] = ["localhost", "127.0.0.1", "[::1]"];

/// The origins that are ours: the public URL's, and on a loopback bind any loopback name at that port.
pub struct Site {
    origins: Vec<PublicUrl>,
    issuer: String,
    pub secure: bool,
}

impl Site {
    pub fn new(config: &Config, address: SocketAddr) -> Self {
        let mut origins = Vec::from_iter(config.public_url.clone());
        if address.ip().is_loopback() {
            origins.extend(LOOPBACK_NAMES.map(|name| PublicUrl::http(name, address.port())));
            origins.push(PublicUrl::http(&bracketed(address), address.port()));
        }
        let listened = || PublicUrl::http(&bracketed(address), address.port());
        let issuer = config.public_url.clone().unwrap_or_else(listened).to_string();
        Self { issuer, secure: config.public_url.as_ref().is_some_and(PublicUrl::is_https), origins }
    }

    /// The origin by which we speak of ourselves: the public URL's, or the address we listen on.
    pub fn issuer(&self) -> &str {
        &self.issuer
    }

    pub fn is_own_origin(&self, origin: &str) -> bool {
        self.origins.iter().any(|own| own.to_string().eq_ignore_ascii_case(origin))
    }

    fn is_own_host(&self, host: &str) -> bool {
        // A scheme's own port may be written out.
        self.origins.iter().any(|own| {
            let port = if own.is_https() { ":443" } else { ":80" };
            host.strip_suffix(port).unwrap_or(host).eq_ignore_ascii_case(&own.authority)
        })
    }
}

fn bracketed(address: SocketAddr) -> String {
    match address {
        SocketAddr::V4(v4) => v4.ip().to_string(),
        SocketAddr::V6(v6) => format!("[{}]", v6.ip()),
    }
}

/// RFC 9110 §7.4: a request for another host than ours is answered 421.
pub fn refuse_other_hosts<B>(site: &Site, request: &Request<B>) -> Result<()> {
    let host = match request.uri().authority() {
        Some(authority) => Some(authority.as_str()),
        None => only(request.headers(), header::HOST),
    };
    if host.is_some_and(|host| site.is_own_host(host)) {
        return Ok(());
    }
    Err(Error::new(Code::MisdirectedRequest, "this server does not answer for the host of this request"))
}

/// A header's value, if it is there once and is text.
pub fn only(headers: &HeaderMap, name: header::HeaderName) -> Option<&str> {
    let mut values = headers.get_all(name).iter();
    let value = values.next()?.to_str().ok()?;
    values.next().is_none().then_some(value)
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    fn site(args: &[&str], address: &str) -> Site {
        Site::new(&Config::parse_from(std::iter::once(&"rejoin").chain(args)), address.parse().unwrap())
    }

    #[test]
    fn on_loopback_every_loopback_name_at_the_port_is_ours() {
        let site = site(&[], "127.0.0.1:8080");
        for host in ["localhost:8080", "127.0.0.1:8080", "[::1]:8080", "LOCALHOST:8080"] {
            assert!(site.is_own_host(host) && site.is_own_origin(&format!("http://{host}")), "{host}");
        }
        for host in
            ["localhost", "localhost:8081", "evil.example", "evil.example:8080", "localhost.evil.example:8080", ""]
        {
            assert!(!site.is_own_host(host), "{host}");
        }
        assert!(!site.is_own_origin("https://localhost:8080") && !site.is_own_origin("null"));
    }

    #[test]
    fn a_public_url_is_ours_and_its_own_port_may_be_written() {
        let site = site(&["--public-url", "https://chat.example"], "0.0.0.0:8080");
        assert!(site.secure && site.is_own_host("chat.example") && site.is_own_host("chat.example:443"));
        assert!(site.is_own_origin("https://chat.example") && !site.is_own_origin("http://chat.example"));
        assert!(!site.is_own_host("localhost:8080"));
    }
}
