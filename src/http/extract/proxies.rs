//! The address that a request comes from, behind trusted proxies.

use std::net::{IpAddr, SocketAddr};

use axum::http::{HeaderMap, HeaderName};
use ipnet::IpNet;

use crate::http::extract::grammar;

/// A list to which each proxy appends the address that the request came from. No standard describes
/// it.
const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

/// The proxies whose `X-Forwarded-For` is believed.
pub struct Proxies(Vec<IpNet>);

impl Proxies {
    /// The proxies in these networks.
    pub fn new(trusted: Vec<IpNet>) -> Self {
        Self(trusted)
    }

    /// Whether an address belongs to a trusted proxy.
    pub fn include(&self, address: IpAddr) -> bool {
        self.0
            .iter()
            .any(|net| net.contains(&address.to_canonical()))
    }

    /// The last address in the chain that is not a trusted proxy's.
    pub fn client(&self, peer: IpAddr, headers: &HeaderMap) -> IpAddr {
        let lines = headers.get_all(FORWARDED_FOR).iter();
        // Quotes are not special. Otherwise a quote by the client would hide what the proxy
        // appended.
        let elements = lines
            .flat_map(|line| line.as_bytes().split(|byte| *byte == b','))
            .map(grammar::trim);
        let chain = elements
            .filter(|element| !element.is_empty())
            .map(hop)
            .collect::<Vec<_>>();
        let mut client = peer;
        for hop in chain.into_iter().rev() {
            match hop {
                Some(hop) if self.include(client) => client = hop,
                _ => break,
            }
        }
        client
    }
}

/// One hop of the chain: an address, optionally with a port. An IPv6 address may be in brackets.
/// `None` for any other text.
fn hop(text: &[u8]) -> Option<IpAddr> {
    let text = std::str::from_utf8(text).ok()?;
    let with_port = || text.parse().ok().map(|address: SocketAddr| address.ip());
    let bracketed = || {
        text.strip_prefix('[')?
            .strip_suffix(']')?
            .parse()
            .ok()
            .map(IpAddr::V6)
    };
    text.parse().ok().or_else(with_port).or_else(bracketed)
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    fn client(trusted: &[&str], peer: &str, forwarded: &[u8]) -> String {
        let proxies = Proxies::new(trusted.iter().map(|net| net.parse().unwrap()).collect());
        let mut headers = HeaderMap::new();
        headers.insert(
            "x-forwarded-for",
            HeaderValue::from_bytes(forwarded).unwrap(),
        );
        proxies.client(peer.parse().unwrap(), &headers).to_string()
    }

    #[test]
    fn only_a_trusted_proxy_is_believed_and_only_about_the_previous_hop() {
        assert_eq!(client(&[], "10.0.0.1", b"1.2.3.4"), "10.0.0.1");
        assert_eq!(client(&["10.0.0.0/8"], "10.0.0.1", b"1.2.3.4"), "1.2.3.4");
        assert_eq!(
            client(&["10.0.0.0/8"], "10.0.0.1", b"6.6.6.6, 1.2.3.4"),
            "1.2.3.4"
        );
        assert_eq!(
            client(&["10.0.0.0/8"], "10.0.0.1", b"1.2.3.4, 10.0.0.2"),
            "1.2.3.4"
        );
        assert_eq!(client(&["10.0.0.0/8"], "10.0.0.1", b"nonsense"), "10.0.0.1");
        assert_eq!(
            client(&["10.0.0.0/8"], "10.0.0.1", b"\xff, 1.2.3.4"),
            "1.2.3.4",
            "an address sent by the client does not hide its own"
        );
        assert_eq!(
            client(&["10.0.0.0/8"], "10.0.0.1", b"1.2.3.4:567"),
            "1.2.3.4"
        );
        assert_eq!(
            client(&["10.0.0.0/8"], "10.0.0.1", b"[2001:db8::1]:9"),
            "2001:db8::1"
        );
        assert_eq!(
            client(&["10.0.0.0/8"], "10.0.0.1", b"\"6.6.6.6, 1.2.3.4"),
            "1.2.3.4",
            "a quote does not hide it either"
        );
        assert_eq!(client(&["10.0.0.0/8"], "9.9.9.9", b"1.2.3.4"), "9.9.9.9");
    }

    #[test]
    fn a_hop_is_an_address_with_or_without_brackets_and_port() {
        let from = |forwarded: &str| client(&["10.0.0.0/8"], "10.0.0.1", forwarded.as_bytes());
        for (forwarded, address) in [
            ("1.2.3.4", "1.2.3.4"),
            ("\t1.2.3.4 ", "1.2.3.4"),
            ("1.2.3.4:0", "1.2.3.4"),
            ("6.6.6.6,,1.2.3.4, ,", "1.2.3.4"),
            ("2001:DB8::1", "2001:db8::1"),
            ("[2001:db8::1]", "2001:db8::1"),
            ("[2001:db8::1]:65535", "2001:db8::1"),
            ("::ffff:1.2.3.4", "::ffff:1.2.3.4"),
        ] {
            assert_eq!(from(forwarded), address, "{forwarded:?}");
        }
        for nobody in [
            "",
            ",",
            "unknown",
            "_hidden",
            "\"1.2.3.4\"",
            "[1.2.3.4]",
            "[1.2.3.4]:5",
            "1.2.3.4:",
            "1.2.3.4:65536",
            "1.2.3.4:x",
            "01.2.3.4",
            "1.2.3",
            "1.2.3.4/8",
            "1.2.3.4 5.6.7.8",
            "[2001:db8::1",
            "[2001:db8::1]:",
            "for=1.2.3.4",
            "\u{a0}1.2.3.4",
            "1.2.3.4\u{2000}",
            "fe80::1%eth0",
            "localhost",
        ] {
            assert_eq!(from(nobody), "10.0.0.1", "{nobody:?}");
            assert_eq!(
                from(&format!("1.2.3.4, {nobody}")),
                if nobody.trim_matches([',', ' ']).is_empty() {
                    "1.2.3.4"
                } else {
                    "10.0.0.1"
                },
                "{nobody:?}"
            );
        }
    }
}
