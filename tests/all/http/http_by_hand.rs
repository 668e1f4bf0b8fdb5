//! HTTP/1.1 requests written byte by byte, as real peers send them.

use std::time::Duration;

use crate::support::{Device, Raw, TestServer, head};

/// A whole request that sends one IRC line.
fn say(device: &Device, line: &str) -> String {
    let length = line.len();
    head("POST", "/api/v1/messages", device)
        + &format!("Content-Type: text/plain\r\nContent-Length: {length}\r\n\r\n{line}")
}

#[tokio::test]
async fn pipelined_requests_are_answered_in_order() {
    let server = TestServer::start().await;
    let alice = server.create_session("alice").await;
    let mut raw = Raw::to(server.address).await;
    raw.send(
        (0..40)
            .map(|n| say(&alice, &format!("PING {n}")))
            .collect::<String>(),
    )
    .await;
    for n in 0..40 {
        let answer = raw.answer().await;
        assert!(answer.body.contains(&format!("\"{n}\"")), "{answer:?}");
    }
}

#[tokio::test]
async fn a_request_in_pieces_is_answered() {
    let server = TestServer::start().await;
    let alice = server.create_session("alice").await;
    let mut raw = Raw::to(server.address).await;
    for byte in say(&alice, "PING pieces").bytes() {
        raw.send([byte]).await;
        tokio::task::yield_now().await;
    }
    assert!(raw.answer().await.body.contains("pieces"));
}

/// A client that closes its side of the connection has left, even if it could still read. Its held
/// request ends and frees its place.
#[tokio::test]
async fn a_held_request_ends_when_its_client_closes_the_connection() {
    let server = TestServer::start().await;
    let alice = server.create_session("alice").await;
    let (mut poll, mut stream) = (Raw::to(server.address).await, Raw::to(server.address).await);
    poll.send(head("GET", "/api/v1/messages?timeout=60", &alice) + "\r\n")
        .await;
    stream
        .send(head("GET", "/api/v1/events", &alice) + "\r\n")
        .await;
    server.wait_for_connections(2).await;
    poll.finish().await;
    server.wait_for_connections(1).await;
    drop(stream);
    server.wait_for_connections(0).await;
}

#[tokio::test]
async fn a_connection_is_closed_on_request_and_after_http_1_0() {
    let server = TestServer::start().await;
    let visitor = server.device();
    let host = visitor.host();
    for (request, version) in [
        (
            format!("GET /healthz HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n"),
            "HTTP/1.1",
        ),
        (
            format!("GET /healthz HTTP/1.0\r\nHost: {host}\r\n\r\n"),
            "HTTP/1.0",
        ),
    ] {
        let mut raw = Raw::to(server.address).await;
        raw.send(request).await;
        let answer = raw.answer().await;
        assert_eq!(
            (answer.line, answer.body.as_str()),
            (format!("{version} 200 OK"), "ok\n")
        );
        assert_eq!(raw.rest().await, "");
    }
}

#[tokio::test]
async fn a_client_that_expects_100_continue_gets_it() {
    let server = TestServer::start().await;
    let alice = server.create_session("alice").await;
    let mut raw = Raw::to(server.address).await;
    let (start, line) = (say(&alice, "").replace("Length: 0", "Length: 6"), "PING x");
    raw.send(start.replace("Content-Type", "Expect: 100-continue\r\nContent-Type"))
        .await;
    assert_eq!(raw.answer().await.line, "HTTP/1.1 100 Continue");
    raw.send(line).await;
    assert_eq!(raw.answer().await.line, "HTTP/1.1 200 OK");
}

#[tokio::test]
async fn invalid_or_oversized_requests_are_refused_and_their_connections_closed() {
    let server = TestServer::start().await;
    let start = head("GET", "/", &server.device());
    let hello = b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03".repeat(20);
    let long = format!("{start}X: {}\r\n\r\n", "x".repeat(1 << 20));
    let many = start.clone() + &"X: x\r\n".repeat(101) + "\r\n";
    let address = head(
        "GET",
        &format!("/{}", "x".repeat(1 << 17)),
        &server.device(),
    ) + "\r\n";
    for (case, bytes, line) in [
        ("TLS", hello, "HTTP/1.1 400 Bad Request"),
        (
            "bytes that are no text",
            b"\0\xff\n\n".to_vec(),
            "HTTP/1.1 400 Bad Request",
        ),
        (
            "a header of 1 MiB",
            long.into(),
            "HTTP/1.1 431 Request Header Fields Too Large",
        ),
        (
            "101 headers",
            many.into(),
            "HTTP/1.1 431 Request Header Fields Too Large",
        ),
        (
            "an address of 128 KiB",
            address.into(),
            "HTTP/1.1 431 Request Header Fields Too Large",
        ),
    ] {
        let mut raw = Raw::to(server.address).await;
        raw.send(bytes).await;
        assert_eq!(raw.answer().await.line, line, "{case}");
        assert_eq!(raw.rest().await, "", "{case}");
    }
    server
        .create_session("alice")
        .await
        .send("JOIN #rust")
        .await;
}

#[tokio::test]
async fn a_stop_closes_idle_connections_and_lets_the_others_finish() {
    let mut server = TestServer::start().await;
    let alice = server.create_session("alice").await;
    let (silent, mut idle, mut held) = (
        Raw::to(server.address).await,
        Raw::to(server.address).await,
        Raw::to(server.address).await,
    );
    idle.send(say(&alice, "PING x")).await;
    idle.answer().await;
    held.send(head("GET", "/api/v1/messages?timeout=60", &alice) + "\r\n")
        .await;
    server.wait_for_connections(1).await;
    let over = async { (silent.rest().await, idle.rest().await, held.rest().await) };
    let stopped = async {
        tokio::time::timeout(Duration::from_secs(4), server.stop())
            .await
            .expect("no connection had to be cut off");
    };
    let ((silent, idle, held), ()) = tokio::join!(over, stopped);
    assert_eq!((silent.as_str(), idle.as_str()), ("", ""));
    assert!(
        held.starts_with("HTTP/1.1 200 OK") && held.ends_with(r#"{"messages":[],"next":0}"#),
        "{held}"
    );
}
