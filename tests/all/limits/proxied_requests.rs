//! Requests that a trusted proxy forwards: each network has a limit of pending requests that equals
//! its limit of connections.

use futures_util::future::join_all;

use crate::support::{Device, Socket, Stream, TestServer, until};

/// The most polls and streams that one client may hold, and the most pending requests of one
/// network.
const OF_CLIENT: usize = 32;
const OF_NETWORK: usize = 512;

/// Streams, sockets and held polls all count, and each counts only while it is held.
#[tokio::test(flavor = "multi_thread")]
async fn a_forwarded_network_has_a_limit_of_pending_requests() {
    let server = TestServer::with(&["--trusted-proxy", "127.0.0.1"]).await;
    let mut devices = Vec::new();
    for n in 0..=OF_NETWORK / OF_CLIENT {
        devices.push(
            server
                .device()
                .at_address("192.0.2.1")
                .try_create_session(&format!("s{n}"))
                .await
                .unwrap(),
        );
    }
    let (mut streams, mut sockets, mut polls) = (Vec::new(), Vec::new(), Vec::new());
    for (n, device) in devices[1..].iter().enumerate() {
        match n {
            0 => {
                for _ in 0..OF_CLIENT {
                    let from = [("x-forwarded-for", "192.0.2.1")];
                    sockets.push(Socket::try_open(device, "", &from).await.unwrap());
                }
            }
            1 => polls.extend((0..OF_CLIENT).map(|_| {
                let device = device.clone();
                tokio::spawn(async move { device.poll("timeout=60").await })
            })),
            _ => streams.extend(join_all((0..OF_CLIENT).map(|_| device.stream(""))).await),
        }
    }
    server.wait_for_connections(OF_NETWORK).await;
    let refused = devices[0]
        .call(reqwest::Method::GET, "/api/v1/session")
        .await
        .unwrap_err();
    assert_eq!(
        (refused.status, refused.code.as_str(), refused.retry_after),
        (429, "throttled", Some(5))
    );
    // Other networks and the proxy itself are not limited by it.
    server
        .device()
        .at_address("192.0.2.2")
        .try_create_session("other")
        .await
        .unwrap();
    assert_eq!(
        server.device().get("/api/v1/server").await["name"],
        "rejoin.server"
    );
    let is_let_in = async |device: &Device| {
        device
            .call(reqwest::Method::GET, "/api/v1/session")
            .await
            .is_ok()
    };
    // A stream, a socket or a poll frees its place when it ends.
    drop::<Option<Stream>>(streams.pop());
    let _held = open_stream(&devices[0], "a stream's place").await;
    assert!(!is_let_in(&devices[0]).await);
    drop(sockets.pop());
    let _also_held = open_stream(&devices[0], "a socket's place").await;
    assert!(!is_let_in(&devices[0]).await);
    polls.pop().unwrap().abort();
    until("a poll's place", async || is_let_in(&devices[0]).await).await;
    for poll in polls {
        poll.abort();
    }
}

/// Opens a stream as soon as there is a place for it.
async fn open_stream(device: &Device, place: &str) -> Stream {
    let mut stream = None;
    until(place, async || {
        stream = device.try_stream("").await;
        stream.is_some()
    })
    .await;
    stream.unwrap()
}

/// A finished request no longer counts.
#[tokio::test]
async fn answered_requests_no_longer_count() {
    let server = TestServer::with(&["--trusted-proxy", "127.0.0.1"]).await;
    let stranger = server.device().at_address("192.0.2.1");
    for _ in 0..OF_NETWORK + 8 {
        stranger.get("/api/v1/server").await;
    }
}
