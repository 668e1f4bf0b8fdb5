//! The opening handshake of a WebSocket (RFC 6455 §4.2.1). It is checked by hand, because axum's
//! check is laxer about Connection and the key, and stricter about Upgrade.

use axum::{
    extract::{FromRequestParts, WebSocketUpgrade},
    http::{HeaderMap, HeaderName, HeaderValue, Version, header, request::Parts},
    response::{IntoResponse, Response},
};
use base64::{Engine, engine::general_purpose::STANDARD};

use crate::{
    error::{Code, Error, Result},
    http::{extract::grammar, middleware::csrf, state::ServerState},
};

/// The only version of the protocol.
const VERSION: &str = "13";

/// A valid handshake from this server's own origin or from a program.
pub struct Handshake(pub WebSocketUpgrade);

impl FromRequestParts<ServerState> for Handshake {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, server: &ServerState) -> Result<Self, Response> {
        // Browsers let any page open a WebSocket and send cookies with it. The server must check
        // the page's origin (RFC 6455 §10.2).
        if !csrf::has_own_origin(&server.own_origins, &parts.headers) {
            let detail = "a page of another origin must not open a WebSocket to this server";
            return Err(Error::new(Code::CrossSiteRequest, detail).into_response());
        }
        if parts.version != Version::HTTP_11 || !is_handshake(&parts.headers) {
            return Err(refusal());
        }
        // axum reads only the first line of each header, and accepts only these values.
        parts
            .headers
            .insert(header::CONNECTION, HeaderValue::from_static("upgrade"));
        parts
            .headers
            .insert(header::UPGRADE, HeaderValue::from_static("websocket"));
        WebSocketUpgrade::from_request_parts(parts, server)
            .await
            .map(Self)
            .map_err(|_| refusal())
    }
}

fn is_handshake(headers: &HeaderMap) -> bool {
    let names = |name: HeaderName, value: &str| {
        grammar::list(headers, &name).any(|element| element.eq_ignore_ascii_case(value.as_bytes()))
    };
    let key =
        grammar::only(headers, header::SEC_WEBSOCKET_KEY).and_then(|key| STANDARD.decode(key).ok());
    names(header::CONNECTION, "upgrade")
        && names(header::UPGRADE, "websocket")
        && grammar::only(headers, header::SEC_WEBSOCKET_VERSION) == Some(VERSION)
        && key.is_some_and(|nonce| nonce.len() == 16)
}

/// The refusal of a handshake. It names the version that is supported (RFC 6455 §4.4).
fn refusal() -> Response {
    let mut response =
        Error::malformed("this address accepts only a WebSocket handshake, version 13")
            .into_response();
    response.headers_mut().insert(
        header::SEC_WEBSOCKET_VERSION,
        HeaderValue::from_static(VERSION),
    );
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_handshake_is_read_by_its_grammar() {
        let good = [
            ("connection", "Upgrade"),
            ("upgrade", "websocket"),
            ("sec-websocket-version", "13"),
            ("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ=="),
        ];
        let with = |name: &str, values: &[&str]| {
            let others = good
                .iter()
                .filter(|(own, _)| *own != name)
                .map(|(name, value)| (*name, *value));
            let pairs = others.chain(values.iter().map(|value| (name, *value)));
            let header = |(name, value): (&str, &str)| {
                (
                    HeaderName::try_from(name).unwrap(),
                    HeaderValue::from_bytes(value.as_bytes()).unwrap(),
                )
            };
            is_handshake(&pairs.map(header).collect())
        };
        for (name, values) in [
            ("connection", &["keep-alive, Upgrade"][..]),
            ("connection", &["keep-alive", "UPGRADE"]),
            ("connection", &[",upgrade ,"]),
            ("upgrade", &["WebSocket"]),
            ("upgrade", &["h2c, websocket"]),
            ("upgrade", &["foo/1", "websocket"]),
            ("sec-websocket-extensions", &["permessage-deflate"]),
        ] {
            assert!(with(name, values), "{name}: {values:?}");
        }
        for (name, values) in [
            ("connection", &[][..]),
            ("connection", &["notupgrade"]),
            ("connection", &["keep-alive"]),
            ("connection", &["\"upgrade\""]),
            ("connection", &["upgrade\u{a0}"]),
            ("upgrade", &[]),
            ("upgrade", &[""]),
            ("upgrade", &["websockets"]),
            ("upgrade", &["websocket/13"]),
            ("sec-websocket-version", &[]),
            ("sec-websocket-version", &["8"]),
            ("sec-websocket-version", &["013"]),
            ("sec-websocket-version", &["13, 8"]),
            ("sec-websocket-version", &["13", "13"]),
            ("sec-websocket-key", &[]),
            ("sec-websocket-key", &[""]),
            ("sec-websocket-key", &["dGhlIHNhbXBsZSBub25jZQ"]),
            ("sec-websocket-key", &["dGhlIHNhbXBsZQ=="]),
            ("sec-websocket-key", &["\"dGhlIHNhbXBsZSBub25jZQ==\""]),
            (
                "sec-websocket-key",
                &["dGhlIHNhbXBsZSBub25jZQ==", "dGhlIHNhbXBsZSBub25jZQ=="],
            ),
        ] {
            assert!(!with(name, values), "{name}: {values:?}");
        }
    }
}
