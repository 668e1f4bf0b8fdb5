//! Web origins, and the hosts that requests name.
//!
//! They are parsed by hand. The `url` crate rewrites hosts that no browser sends, such as `127.1`,
//! and it does not parse Host headers.

use std::{fmt, net::Ipv6Addr, str::FromStr};

/// An origin: scheme, host and port (RFC 6454 §4). The scheme is http or https.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origin {
    https: bool,
    host: Host,
    port: u16,
}

/// A host with an optional port, as in a Host header (RFC 9110 §7.2).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostPort {
    host: Host,
    port: Option<u16>,
}

/// A host (RFC 3986 §3.2.2). Two spellings of one IPv6 address are equal hosts.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Host {
    /// A name or an IPv4 address, in lower case.
    Name(String),
    /// An IPv6 address.
    V6(Ipv6Addr),
}

impl Origin {
    /// The plain http origin of a host, which is a name or an address in URI form. `None` if it is
    /// neither.
    pub fn http(host: &str, port: u16) -> Option<Self> {
        Host::parse(host).map(|host| Self {
            https: false,
            host,
            port,
        })
    }

    /// Parses an origin as browsers send it: `https://chat.example:8443` (RFC 6454 §6.2). Scheme
    /// and host may be in any case, and the scheme's default port may be written out.
    pub fn parse(text: &str) -> Option<Self> {
        let (scheme, authority) = text.split_once("://")?;
        let https = scheme.eq_ignore_ascii_case("https");
        if !https && !scheme.eq_ignore_ascii_case("http") {
            return None;
        }
        let HostPort { host, port } = HostPort::parse(authority)?;
        Some(Self {
            https,
            host,
            port: port.unwrap_or(default_port(https)),
        })
    }

    /// Whether the scheme is https.
    pub fn is_https(&self) -> bool {
        self.https
    }

    /// The host without its port, in lower case and in URI form.
    pub fn host(&self) -> String {
        self.host.to_string()
    }

    /// Whether a request for this host is for this origin. A missing port means the scheme's
    /// default port.
    pub fn is_at(&self, named: &HostPort) -> bool {
        self.host == named.host && self.port == named.port.unwrap_or(default_port(self.https))
    }
}

/// The default port of the scheme.
fn default_port(https: bool) -> u16 {
    if https { 443 } else { 80 }
}

impl fmt::Display for Origin {
    /// Writes the origin's only serialization (RFC 6454 §6.2).
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { https, host, port } = self;
        write!(f, "{}://{host}", if *https { "https" } else { "http" })?;
        if *port == default_port(*https) {
            Ok(())
        } else {
            write!(f, ":{port}")
        }
    }
}

/// Parses an origin as an operator gives it: the address that people open, with an optional `/`.
impl FromStr for Origin {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let origin = Self::parse(text.strip_suffix('/').unwrap_or(text));
        let named = origin.filter(|origin| match &origin.host {
            Host::Name(name) => is_dns_name(name),
            Host::V6(_) => true,
        });
        named.ok_or_else(|| {
            let why = if text.is_ascii() {
                ""
            } else {
                "; write a host name outside ASCII in its xn--… form, as browsers send it"
            };
            format!("give http:// or https://, a host and optionally a port, without a path{why}")
        })
    }
}

impl HostPort {
    /// Parses `host [":" port]`. An empty port means the scheme's default port. A user name is
    /// refused (RFC 9110 §4.2.4).
    pub fn parse(text: &str) -> Option<Self> {
        let end = match text.strip_prefix('[') {
            Some(_) => text.find(']')? + 1,
            None => text.find(':').unwrap_or(text.len()),
        };
        let (host, port) = text.split_at(end);
        let port = match port.strip_prefix(':') {
            Some("") => None,
            Some(digits) => Some(
                digits
                    .bytes()
                    .all(|b| b.is_ascii_digit())
                    .then(|| digits.parse().ok())??,
            ),
            None if port.is_empty() => None,
            None => return None,
        };
        Some(Self {
            host: Host::parse(host)?,
            port,
        })
    }
}

impl Host {
    fn parse(text: &str) -> Option<Self> {
        match text
            .strip_prefix('[')
            .and_then(|text| text.strip_suffix(']'))
        {
            Some(address) => address.parse().ok().map(Self::V6),
            None => is_reg_name(text).then(|| Self::Name(text.to_ascii_lowercase())),
        }
    }
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name(name) => f.write_str(name),
            Self::V6(address) => write!(f, "[{address}]"),
        }
    }
}

/// Whether a text is a `reg-name` (RFC 3986 §3.2.2). That includes IPv4 addresses and the empty
/// text.
fn is_reg_name(text: &str) -> bool {
    let allowed = |b: u8| b.is_ascii_alphanumeric() || b"-._~!$&'()*+,;=%".contains(&b);
    text.bytes().all(allowed) && is_percent_encoded(text)
}

/// Whether each `%` precedes two hexadecimal digits.
pub fn is_percent_encoded(text: &str) -> bool {
    let encoded =
        |rest: &str| rest.len() >= 2 && rest.bytes().take(2).all(|digit| digit.is_ascii_hexdigit());
    text.split('%').skip(1).all(encoded)
}

/// Whether a browser can look up the name.
fn is_dns_name(name: &str) -> bool {
    let allowed = |b: u8| b.is_ascii_alphanumeric() || b"-_".contains(&b);
    name.split('.')
        .all(|label| !label.is_empty() && label.bytes().all(allowed))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_origin_is_scheme_host_and_port_in_any_spelling() {
        for (text, serialized) in [
            ("https://chat.example", Some("https://chat.example")),
            ("HTTPS://Chat.Example:443", Some("https://chat.example")),
            ("https://chat.example:0443", Some("https://chat.example")),
            ("https://chat.example:", Some("https://chat.example")),
            ("http://chat.example:80", Some("http://chat.example")),
            ("http://chat.example:443", Some("http://chat.example:443")),
            ("http://127.0.0.1:8080", Some("http://127.0.0.1:8080")),
            ("http://[0:0:0:0:0:0:0:1]:8080", Some("http://[::1]:8080")),
            ("http://[2001:DB8::1]", Some("http://[2001:db8::1]")),
            ("", None),
            ("null", None),
            ("chat.example", None),
            ("//chat.example", None),
            ("https:chat.example", None),
            ("ftp://chat.example", None),
            ("https://chat.example/", None),
            ("https://chat.example/x", None),
            ("https://chat.example?x", None),
            ("https://alice@chat.example", None),
            ("https://chat.example:65536", None),
            ("https://chat.example:+443", None),
            ("https://chat.example:4 3", None),
            ("https://chat.example https://chat.example", None),
            ("\"https://chat.example\"", None),
            ("https://[chat.example]", None),
            ("https://[::1", None),
            ("https://[::1]x", None),
            ("https://::1", None),
            ("https://chät.example", None),
            ("https://chat\u{a0}.example", None),
        ] {
            assert_eq!(
                Origin::parse(text)
                    .map(|origin| origin.to_string())
                    .as_deref(),
                serialized,
                "{text}"
            );
        }
    }

    #[test]
    fn a_host_is_at_an_origin_by_name_and_port() {
        let at = |origin: &str, host: &str| {
            Origin::parse(origin)
                .unwrap()
                .is_at(&HostPort::parse(host).unwrap_or_else(|| panic!("{host}")))
        };
        for host in [
            "chat.example",
            "CHAT.example",
            "chat.example:443",
            "chat.example:",
            "chat.example:00443",
        ] {
            assert!(at("https://chat.example", host), "{host}");
        }
        for host in [
            "",
            ":443",
            "chat.example:80",
            "chat.example.",
            "chat.example.evil",
            "xchat.example",
            "chat%2eexample",
        ] {
            assert!(!at("https://chat.example", host), "{host}");
        }
        assert!(at("http://[::1]:8080", "[0::1]:8080") && !at("http://[::1]:8080", "[::1]"));
        for bad in [
            "a b",
            "a:b",
            "a:1:2",
            "[::1",
            "::1",
            "u@a",
            "a/b",
            "a%2",
            "a%zz",
            "\"a\"",
            "ä",
            "[::1%25lo]",
            "a:-1",
        ] {
            assert_eq!(HostPort::parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn an_operator_gives_an_address_that_people_can_open() {
        let given = |text: &str| text.parse::<Origin>().map(|origin| origin.to_string());
        assert_eq!(
            given("HTTPS://Chat.Example:443/"),
            Ok("https://chat.example".into())
        );
        assert_eq!(given("http://[::1]:8080"), Ok("http://[::1]:8080".into()));
        assert_eq!(
            given("http://my_host:8080"),
            Ok("http://my_host:8080".into())
        );
        for bad in [
            "chat.example",
            "https://",
            "https://a//",
            "https://a/b",
            "ftp://a",
            "https://a b",
            "https://u@a",
            "https://a..b",
        ] {
            assert!(given(bad).is_err(), "{bad}");
        }
        assert!(given("https://chät.example").unwrap_err().contains("xn--"));
    }
}
