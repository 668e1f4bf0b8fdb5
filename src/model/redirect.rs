//! Redirect URIs: where an app's users may be sent back to.
//!
//! They are parsed by hand. The `url` crate normalizes URIs, and redirect URIs must be compared
//! character by character (RFC 9700 §4.1.3).

use std::fmt;

use serde::Serialize;

use super::{invalid::Invalid, origin::is_percent_encoded};

/// The most bytes of a redirect URI.
const LIMIT: usize = 512;
/// The loopback hosts. A native app listens there on any port that it gets (RFC 8252 §7.3).
const LOOPBACK: [&str; 3] = ["127.0.0.1", "[::1]", "localhost"];

/// An absolute URI without a fragment (RFC 6749 §3.1.2). It is `https`, or `http` on loopback, or
/// has a private-use scheme with a dot (RFC 8252 §7.1), such as `com.example.app:/done`. Scheme and
/// host are in lower case, so that each URI has one spelling.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct RedirectUri(String);

/// The parts of a URI that matter here: `scheme://host:port/rest`, or `scheme:rest`.
struct Parts<'u> {
    scheme: &'u str,
    host: &'u str,
    rest: &'u str,
}

impl RedirectUri {
    /// Parses a redirect URI. Fails with [`Invalid::Malformed`] or [`Invalid::TooLong`].
    pub fn parse(text: &str) -> Result<Self, Invalid> {
        let refuse = |why: &str| {
            Err(Invalid::malformed(format!(
                "the redirect URI {text:?} {why}"
            )))
        };
        if text.len() > LIMIT {
            return Err(Invalid::TooLong {
                what: "a redirect URI",
                limit: LIMIT,
                unit: "bytes",
            });
        }
        if !is_written_well(text) {
            return refuse("has a fragment, or characters that must be percent-encoded (RFC 3986)");
        }
        let Some((scheme, rest)) = text.split_once(':') else {
            return refuse("has no scheme");
        };
        if !matches!(scheme, "https" | "http") {
            let private = scheme.contains('.')
                && is_dotted(scheme, "+-")
                && scheme.starts_with(char::is_alphabetic);
            return match private && !rest.is_empty() {
                true => Ok(Self(text.to_owned())),
                false => refuse(
                    "must use https, http on loopback, or a scheme with a dot, such as \
                     com.example.app:/done",
                ),
            };
        }
        let Some(Parts { scheme, host, .. }) = Parts::of(text) else {
            return refuse("must have a host in lower case, optionally a port, and no user name");
        };
        if scheme == "http" && !LOOPBACK.contains(&host) {
            return refuse("uses plain http on a host other than 127.0.0.1, [::1] and localhost");
        }
        Ok(Self(text.to_owned()))
    }

    /// A URI from the store, which was checked before it was stored.
    pub fn stored(text: String) -> Self {
        Self(text)
    }

    /// Whether a request may use this spelling. The comparison is character by character, except
    /// that the port on loopback may differ (RFC 9700 §4.1.3).
    pub fn matches(&self, requested: &str) -> bool {
        let on_loopback = |own: &Parts| own.scheme == "http";
        requested == self.0
            || match (Parts::of(&self.0).filter(on_loopback), Parts::of(requested)) {
                (Some(own), Some(other)) => {
                    (own.scheme, own.host, own.rest) == (other.scheme, other.host, other.rest)
                }
                _ => false,
            }
    }

    /// The URI as it was registered.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl<'u> Parts<'u> {
    /// The parts of an http or https URI that has a host. `None` for everything else.
    fn of(text: &'u str) -> Option<Self> {
        let (scheme, rest) = text
            .split_once("://")
            .filter(|(scheme, _)| matches!(*scheme, "https" | "http"))?;
        let (authority, rest) = rest.split_at(rest.find(['/', '?']).unwrap_or(rest.len()));
        let end_of_host = authority
            .find(']')
            .map_or_else(|| authority.find(':'), |bracket| Some(bracket + 1));
        let (host, port) = authority.split_at(end_of_host.unwrap_or(authority.len()));
        if !port.is_empty() && !port.strip_prefix(':').is_some_and(is_port) {
            return None;
        }
        let address = host
            .strip_prefix('[')
            .and_then(|host| host.strip_suffix(']'));
        let known = address.map_or_else(
            || is_dotted(host, "-_"),
            |v6| v6.parse::<std::net::Ipv6Addr>().is_ok(),
        );
        known.then_some(Self { scheme, host, rest })
    }
}

/// Whether a text has only the characters of RFC 3986 §2, without the `#` of a fragment. Each `%`
/// must precede two hexadecimal digits. Brackets may only enclose the host.
fn is_written_well(text: &str) -> bool {
    let allowed = |c: char| c.is_ascii_alphanumeric() || "-._~:/?@!$&'()*+,;=%".contains(c);
    let address = text
        .split_once("://[")
        .and_then(|(scheme, rest)| Some((scheme, rest.split_once(']')?.1)));
    let (before, after) = address.unwrap_or((text, ""));
    before.chars().chain(after.chars()).all(allowed) && is_percent_encoded(text)
}

/// Whether a text is words of lower-case letters, digits and `others`, separated by dots.
fn is_dotted(text: &str, others: &str) -> bool {
    let allowed = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || others.contains(c);
    text.split('.')
        .all(|word| !word.is_empty() && word.chars().all(allowed))
}

fn is_port(digits: &str) -> bool {
    digits.bytes().all(|digit| digit.is_ascii_digit()) && digits.parse::<u16>().is_ok()
}

impl fmt::Display for RedirectUri {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn uri(text: &str) -> RedirectUri {
        RedirectUri::parse(text).unwrap_or_else(|e| panic!("{text}: {e}"))
    }

    #[test]
    fn a_redirect_uri_that_leads_elsewhere_or_nowhere_is_refused() {
        let long = format!("https://app.example/{}", "x".repeat(LIMIT));
        for bad in [
            "",
            "/done",
            "app.example/done",
            "//app.example/done",
            "https:",
            "https:/done",
            "https:app.example",
            "https://",
            "https:///done",
            "https://:443/",
            "https://?x",
            "HTTPS://app.example/",
            "https://App.example/",
            "https://app.example./done",
            "https://app..example/",
            "https://app.example:/",
            "https://app.example:x/",
            "https://app.example:+80/",
            "https://app.example:65536/",
            "https://user@app.example/",
            "https://user:pass@app.example/",
            "https://app.example\\@evil.example/",
            "https://app%2eexample/",
            "https://app.example/[x]",
            "https://app.example/?a[]=b",
            "com.example.app:/[x]",
            "https://[::1/",
            "https://[::g]/",
            "https://x[::1]/",
            "https://[::1]x/",
            "https://bücher.example/",
            "https://app.example/#done",
            "https://app.example/done#",
            "https://app.example/a b",
            "https://app.example/\r\nx",
            "https://app.example/\u{7f}",
            "https://app.example/%",
            "https://app.example/%2",
            "https://app.example/%zz",
            "http://app.example/done",
            "http://localhost.evil.example/",
            "http://127.0.0.1.evil.example/",
            "http://127.0.0.2/",
            "http://127.1/",
            "http://[::ffff:127.0.0.1]/",
            "http://127.0.0.1:80@evil.example/",
            "http://localhost./",
            "javascript:alert(1)",
            "data:text/html,x",
            "file:///etc/passwd",
            "ftp://app.example/",
            "app:/done",
            "com.example.app:",
            "com.Example.app:/done",
            ".com:/done",
            "com.:/done",
            "1.com:/done",
            " https://app.example/",
            &long,
        ] {
            assert!(RedirectUri::parse(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn it_is_matched_character_by_character() {
        for odd in [
            "https://app_1.example/",
            "https://[2001:db8::1]:8443/",
            "com.example.app:/~a(b)!$&'*+,;=:@",
        ] {
            assert!(uri(odd).matches(odd), "{odd}");
        }
        let registered = uri("https://app.example/done?a=%2F");
        assert!(registered.matches("https://app.example/done?a=%2F"));
        for other in [
            "https://app.example/done/?a=%2F",
            "https://app.example/done?a=%2f",
            "https://app.example/done?a=/",
            "https://app.example/done?a=%2F&b",
            "https://app.example/Done?a=%2F",
            "https://APP.example/done?a=%2F",
            "https://app.example:443/done?a=%2F",
            "https://app.example./done?a=%2F",
            "https://app.example/done?a=%2F#",
            "http://app.example/done?a=%2F",
            "https://u@app.example/done?a=%2F",
            "",
        ] {
            assert!(!registered.matches(other), "{other}");
        }
        assert!(!uri("https://app.example").matches("https://app.example/"));
        assert!(uri("com.example.app:/done").matches("com.example.app:/done"));
        assert!(!uri("com.example.app:/done").matches("com.example.app://done"));
    }

    #[test]
    fn on_loopback_only_the_port_may_differ() {
        for host in LOOPBACK {
            let registered = uri(&format!("http://{host}/done"));
            for port in ["", ":80", ":51004", ":65535"] {
                assert!(
                    registered.matches(&format!("http://{host}{port}/done")),
                    "{host}{port}"
                );
                assert!(
                    uri(&format!("http://{host}:8080/done"))
                        .matches(&format!("http://{host}{port}/done"))
                );
            }
            for other in [
                ":80@evil/done",
                ":/done",
                ":x/done",
                ":65536/done",
                "/done/",
                ":80/done#",
                "/",
                ".evil/done",
            ] {
                assert!(
                    !registered.matches(&format!("http://{host}{other}")),
                    "{host}{other}"
                );
            }
            assert!(!registered.matches(&format!("https://{host}/done")));
        }
        assert!(!uri("http://127.0.0.1/done").matches("http://localhost/done"));
        assert!(!uri("http://localhost").matches("http://localhost:80@evil"));
        assert!(
            !uri("https://127.0.0.1/done").matches("https://127.0.0.1:8443/done"),
            "with TLS the port is fixed"
        );
    }
}
