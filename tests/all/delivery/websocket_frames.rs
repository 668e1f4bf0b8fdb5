//! A WebSocket frame by frame (RFC 6455). Unusual but valid frames are understood. An invalid frame
//! closes the connection with the code of its error.

use crate::support::{Device, Raw, TestServer, head};

const FIN: u8 = 0x80;
const TEXT: u8 = 1;
const BINARY: u8 = 2;
const CLOSE: u8 = 8;
const PING: u8 = 9;

/// Opens a WebSocket by hand.
async fn open(server: &TestServer, device: &Device) -> Raw {
    let mut raw = Raw::to(server.address).await;
    let handshake = "Connection: keep-alive, Upgrade\r\nUpgrade: WebSocket\r\nSec-WebSocket-Version: 13\r\n\
        Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
    raw.send(head("GET", "/api/v1/socket", device) + handshake)
        .await;
    let answer = raw.answer().await;
    assert_eq!(answer.line, "HTTP/1.1 101 Switching Protocols");
    assert!(
        answer
            .head
            .contains("sec-websocket-accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo="),
        "RFC 6455 §1.3: {answer:?}"
    );
    raw
}

/// A client's frame: with this first byte, and masked.
fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    let mask = [0x37, 0xfa, 0x21, 0x3d];
    let mut bytes = vec![first];
    match payload.len() {
        length @ ..126 => bytes.push(0x80 | length as u8),
        length @ ..0x1_0000 => {
            bytes.extend([&[0x80 | 126], &(length as u16).to_be_bytes()[..]].concat())
        }
        length => bytes.extend([&[0x80 | 127], &(length as u64).to_be_bytes()[..]].concat()),
    }
    bytes.extend(mask);
    bytes.extend(
        payload
            .iter()
            .zip(mask.iter().cycle())
            .map(|(byte, mask)| byte ^ mask),
    );
    bytes
}

/// A close frame with a code and a reason.
fn close(code: u16, reason: &[u8]) -> Vec<u8> {
    frame(FIN | CLOSE, &[&code.to_be_bytes(), reason].concat())
}

/// The server's frames up to the end, which are not masked: the texts, and the code of the close if
/// there is one.
fn read(mut bytes: &[u8]) -> (Vec<String>, Option<u16>) {
    let mut texts = Vec::new();
    while let [first, length, rest @ ..] = bytes {
        let (length, rest) = match (length, rest) {
            (126, [a, b, rest @ ..]) => (usize::from(u16::from_be_bytes([*a, *b])), rest),
            (length, rest) => (usize::from(*length), rest),
        };
        let (payload, rest) = rest.split_at(length);
        match first & 0x0f {
            TEXT => texts.push(String::from_utf8(payload.to_vec()).unwrap()),
            CLOSE => {
                return (
                    texts,
                    payload.first_chunk().map(|code| u16::from_be_bytes(*code)),
                );
            }
            _ => {}
        }
        bytes = rest;
    }
    panic!("it was not closed: {texts:?}");
}

#[tokio::test]
async fn an_invalid_frame_closes_the_connection_with_its_code() {
    let server = TestServer::start().await;
    let alice = server.create_session("alice").await;
    let long = vec![b'x'; 64 * 1024 + 1];
    let parts = |parts: &[(u8, &[u8])]| {
        parts
            .iter()
            .flat_map(|(first, payload)| frame(*first, payload))
            .collect::<Vec<_>>()
    };
    let unmasked = [&[FIN | TEXT, 2][..], b"{}"].concat();
    let endless = [
        &[FIN | TEXT, 0xff][..],
        &(1_u64 << 40).to_be_bytes(),
        &[0; 4],
    ]
    .concat();
    for (what, bytes, code) in [
        ("no mask", unmasked, Some(1002)),
        (
            "a reserved bit",
            frame(FIN | 0x40 | TEXT, b"{}"),
            Some(1002),
        ),
        ("a reserved opcode", frame(FIN | 3, b"{}"), Some(1002)),
        (
            "a reserved control opcode",
            frame(FIN | 0xb, b""),
            Some(1002),
        ),
        ("a ping in fragments", frame(PING, b"x"), Some(1002)),
        (
            "a ping that is too long",
            frame(FIN | PING, &[b'x'; 126]),
            Some(1002),
        ),
        ("a continuation of nothing", frame(FIN, b"{}"), Some(1002)),
        (
            "a text within a text",
            parts(&[(TEXT, b"{"), (FIN | TEXT, b"}")]),
            Some(1002),
        ),
        ("binary", frame(FIN | BINARY, b"{}"), Some(1003)),
        (
            "a text that is not UTF-8",
            frame(FIN | TEXT, b"\"\xff\""),
            Some(1007),
        ),
        (
            "half a surrogate",
            frame(FIN | TEXT, b"\"\xed\xa0\x80\""),
            Some(1007),
        ),
        (
            "fragments that are not UTF-8",
            parts(&[(TEXT, b"\"\xc3"), (FIN, b"\"")]),
            Some(1007),
        ),
        (
            "a message that is too long",
            frame(FIN | TEXT, &long),
            Some(1009),
        ),
        (
            "one in fragments",
            parts(&[(TEXT, &long[1..]), (FIN, b"x")]),
            Some(1009),
        ),
        ("one that only says so", endless, Some(1009)),
        ("half a code", frame(FIN | CLOSE, b"\x03"), Some(1002)),
        (
            "a reason that is not UTF-8",
            close(1000, b"\xff"),
            Some(1007),
        ),
        ("a goodbye", close(1000, b"bye"), Some(1000)),
        ("one that goes away", close(1001, b""), Some(1001)),
        ("a registered code", close(3000, b""), Some(3000)),
        (
            "a code of its own",
            close(4999, "tschüß".as_bytes()),
            Some(4999),
        ),
        ("a close without a payload", frame(FIN | CLOSE, b""), None),
        ("a code that no standard defines", close(0, b""), Some(1002)),
        ("a code below all", close(999, b""), Some(1002)),
        ("a reserved code", close(1004, b""), Some(1002)),
        ("the code for no code", close(1005, b""), Some(1002)),
        ("the code for no close", close(1006, b""), Some(1002)),
        ("the code for no TLS", close(1015, b""), Some(1002)),
        ("a code not yet given", close(2999, b""), Some(1002)),
        ("a code beyond all", close(5000, b""), Some(1002)),
    ] {
        let mut raw = open(&server, &alice).await;
        raw.send(bytes).await;
        raw.finish().await;
        assert_eq!(read(&raw.rest_bytes().await), (vec![], code), "{what}");
    }
    server.wait_for_connections(0).await;
}

#[tokio::test]
async fn unusual_but_valid_frames_make_one_message() {
    let server = TestServer::start().await;
    let alice = server.create_session("alice").await;
    let ping = r#"{"command":"PING","params":["é"],"label":"p"}"#.as_bytes();
    let within = ping.iter().position(|byte| *byte == 0xc3).unwrap() + 1;
    for (what, frames) in [
        ("whole", vec![(FIN | TEXT, ping)]),
        (
            "in two, parted within a character",
            vec![(TEXT, &ping[..within]), (FIN, &ping[within..])],
        ),
        (
            "with fragments of nothing",
            vec![(TEXT, &b""[..]), (0, ping), (FIN, b"")],
        ),
        (
            "with a ping in between",
            vec![(TEXT, &ping[..9]), (FIN | PING, b"x"), (FIN, &ping[9..])],
        ),
    ] {
        let mut raw = open(&server, &alice).await;
        let mut bytes = frames
            .iter()
            .flat_map(|(first, payload)| frame(*first, payload))
            .collect::<Vec<_>>();
        bytes.extend(close(1000, b""));
        raw.send(bytes).await;
        let (texts, code) = read(&raw.rest_bytes().await);
        assert!(
            texts.len() == 1 && texts[0].contains(r#""label":"p""#) && texts[0].contains("PONG"),
            "{what}: {texts:?}"
        );
        assert_eq!(code, Some(1000), "{what}");
    }
}

#[tokio::test]
async fn a_handshake_must_be_valid_and_from_this_origin_or_a_program() {
    let server = TestServer::start().await;
    let alice = server.create_session("alice").await;
    let own = format!("Origin: http://localhost:{}", server.address.port());
    let key = "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==";
    let (upgrade, version) = (
        "Connection: upgrade\r\nUpgrade: websocket",
        "Sec-WebSocket-Version: 13",
    );
    let (open, bad, elsewhere) = (
        "HTTP/1.1 101 Switching Protocols",
        "HTTP/1.1 400 Bad Request",
        "HTTP/1.1 403 Forbidden",
    );
    for (lines, expected) in [
        (vec![upgrade, version, key], open),
        (vec![upgrade, version, key, &own], open),
        (
            vec![
                upgrade,
                version,
                key,
                &own,
                "Sec-Fetch-Site: same-origin",
                "Sec-Fetch-Mode: websocket",
            ],
            open,
        ),
        (
            vec![
                "Connection: keep-alive",
                "Connection: UPGRADE",
                "Upgrade: h2c, WebSocket",
                version,
                key,
            ],
            open,
        ),
        (
            vec![
                upgrade,
                version,
                key,
                "Sec-WebSocket-Protocol: chat",
                "Sec-WebSocket-Extensions: permessage-deflate",
            ],
            open,
        ),
        // The Origin decides, whatever Sec-Fetch-Site says.
        (
            vec![
                upgrade,
                version,
                key,
                "Origin: https://evil.example",
                "Sec-Fetch-Site: same-origin",
            ],
            elsewhere,
        ),
        (
            vec![
                upgrade,
                version,
                key,
                "Origin: https://evil.example",
                "Sec-Fetch-Site: none",
            ],
            elsewhere,
        ),
        (vec![upgrade, version, key, "Origin: null"], elsewhere),
        (vec![upgrade, version, key, "Origin:"], elsewhere),
        (vec![upgrade, version, key, &own, &own], elsewhere),
        (
            vec![upgrade, version, key, &own, "Sec-Fetch-Site: cross-site"],
            elsewhere,
        ),
        (vec![version, key], bad),
        (
            vec!["Connection: upgrades\r\nUpgrade: websocket", version, key],
            bad,
        ),
        (
            vec!["Connection: upgrade\r\nUpgrade: websocket/13", version, key],
            bad,
        ),
        (vec![upgrade, "Sec-WebSocket-Version: 8", key], bad),
        (vec![upgrade, version, version, key], bad),
        (vec![upgrade, version], bad),
        (
            vec![
                upgrade,
                version,
                "Sec-WebSocket-Key: \"dGhlIHNhbXBsZSBub25jZQ==\"",
            ],
            bad,
        ),
        (
            vec![upgrade, version, "Sec-WebSocket-Key: dGhlIHNhbXBsZQ=="],
            bad,
        ),
    ] {
        let mut raw = Raw::to(server.address).await;
        raw.send(head("GET", "/api/v1/socket", &alice) + &lines.join("\r\n") + "\r\n\r\n")
            .await;
        let answer = raw.answer().await;
        assert_eq!(answer.line, expected, "{lines:?}");
        assert_eq!(
            answer.head.contains("sec-websocket-version: 13"),
            expected == bad,
            "{lines:?}"
        );
    }
}
