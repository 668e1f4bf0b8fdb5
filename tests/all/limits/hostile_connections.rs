//! Hostile and slow connections. Each is bounded in time and memory, and the server goes on serving
//! others.

use std::time::Duration;

use futures_util::future::join_all;
use rejoin::config::Patience;
use reqwest::Method;

use crate::support::{
    Device, OTHER_ADDRESS, Process, Raw, TEST_TIMEOUT, TestServer, checked, head, params, until,
};

/// A time-out that a test can wait for, and that honest requests on a busy machine can keep.
const SHORT: Duration = Duration::from_secs(1);

/// Two new sessions join a channel, send a message, poll and stream.
pub async fn others_are_served(device: &Device) {
    let (alice, bob) = (
        device.try_create_session("guest").await.unwrap(),
        device.try_create_session("host").await.unwrap(),
    );
    alice.send("JOIN #served").await;
    bob.send("JOIN #served").await;
    let mut stream = alice.stream("").await;
    for text in ["one", "two"] {
        bob.send(&format!("PRIVMSG #served :{text}")).await;
        while params(&stream.message().await.unwrap()).last() != Some(&text) {}
    }
    let polled = alice.queue().await;
    assert_eq!(params(polled.last().unwrap()), ["#served", "two"]);
    for person in [alice, bob] {
        person.send("QUIT").await;
    }
}

#[tokio::test]
async fn a_silent_trickling_or_idle_connection_is_closed() {
    let server = TestServer::with_patience(
        &[],
        Patience {
            head: SHORT,
            ..Patience::default()
        },
    )
    .await;
    let mut silent = Raw::crowd(300, server.address).await;
    let mut trickling = Raw::to(server.address).await;
    let mut idle = Raw::to(server.address).await;
    idle.send(head("GET", "/api/v1/server", &server.device()) + "\r\n")
        .await;
    assert_eq!(idle.answer().await.line, "HTTP/1.1 200 OK");
    silent.push(idle);
    let cut_off = join_all(silent.into_iter().map(Raw::rest));
    let trickled = async {
        trickling
            .trickle(
                b"GET / HTTP/1.1\r\nX: "
                    .iter()
                    .copied()
                    .chain(std::iter::repeat(b'x')),
            )
            .await;
        trickling.rest().await
    };
    let visitor = server.device();
    let (cut_off, trickled, ()) = tokio::join!(cut_off, trickled, others_are_served(&visitor));
    assert_eq!(
        (cut_off.concat(), trickled),
        (String::new(), String::new()),
        "no request was complete, so there is no answer"
    );
    // The last connection is the one that reads the metrics.
    server.wait_for_metric("rejoin_tcp_connections 1").await;
}

#[tokio::test]
async fn a_body_that_never_ends_is_refused_and_its_connection_closed() {
    let server = TestServer::with_patience(
        &[],
        Patience {
            body: SHORT,
            ..Patience::default()
        },
    )
    .await;
    let alice = server.create_session("alice").await;
    let json = |path| head("POST", path, &alice) + "Content-Type: application/json\r\n";
    let form =
        head("POST", "/login", &alice) + "Content-Type: application/x-www-form-urlencoded\r\n";
    let (announced, chunked) = (
        "Content-Length: 1000\r\n\r\n",
        "Transfer-Encoding: chunked\r\n\r\n",
    );
    let endless = async |start: String, late: &str| {
        let mut raw = Raw::to(server.address).await;
        raw.send(start).await;
        raw.trickle(late.bytes().cycle()).await;
        let answer = raw.answer().await;
        assert!(answer.head.contains("connection: close"), "{answer:?}");
        let cut_off = raw.rest().await;
        assert_eq!(cut_off, "");
        (
            answer.line,
            serde_json::from_str::<serde_json::Value>(&answer.body).unwrap()["code"].clone(),
        )
    };
    let late = (
        "HTTP/1.1 408 Request Timeout".to_owned(),
        "request_timeout".into(),
    );
    let (one, two, three, four, ()) = tokio::join!(
        endless(json("/api/v1/messages") + announced, "{"),
        endless(json("/api/v1/login") + chunked + "1\r\n{\r\n", "1\r\n \r\n"),
        endless(form + announced, "a"),
        endless(head("POST", "/api/v1/messages", &alice) + announced, ""),
        async {
            server
                .device()
                .try_create_session("bob")
                .await
                .unwrap()
                .send("JOIN #rust")
                .await;
        },
    );
    assert_eq!([one, two, three, four], [(); 4].map(|()| late.clone()));
    alice.send("JOIN #rust").await;
}

#[tokio::test]
async fn a_chunked_body_is_refused_as_soon_as_it_is_too_long() {
    let server = TestServer::start().await;
    let alice = server.create_session("alice").await;
    let mut raw = Raw::to(server.address).await;
    raw.send(
        head("POST", "/api/v1/messages", &alice)
            + "Content-Type: text/plain\r\nTransfer-Encoding: chunked\r\n\r\n",
    )
    .await;
    let chunk = format!("400\r\n{}\r\n", "x".repeat(1024));
    // A client that sends its whole body before it reads the answer is not interrupted by a reset.
    for _ in 0..512 {
        assert!(raw.send(&chunk).await);
        tokio::task::yield_now().await;
    }
    assert_eq!(raw.answer().await.line, "HTTP/1.1 413 Payload Too Large");
    assert_eq!(raw.rest().await, "");
}

#[tokio::test]
async fn a_reader_that_stops_is_cut_off_and_a_slow_reader_is_not() {
    let server = TestServer::with_patience(
        &[],
        Patience {
            write: SHORT,
            ..Patience::default()
        },
    )
    .await;
    let [alice, bob] = server.sessions_on("#rust", ["alice", "bob"]).await;
    let mut quick = bob.stream("").await;
    let filler = "x".repeat(4000);
    for n in 0..200 {
        bob.send(&format!("PRIVMSG #rust :{n} {filler}")).await;
        while quick.message().await.unwrap().command != "PRIVMSG" {}
    }
    let [mut deaf, mut slow, mut greedy, mut sipping] =
        Raw::crowd(4, server.address).await.try_into().ok().unwrap();
    for stream in [&mut deaf, &mut slow, &mut sipping] {
        stream
            .send(head("GET", "/api/v1/events?after=0", &alice) + "\r\n")
            .await;
    }
    for _ in 0..50 {
        greedy
            .send(
                head(
                    "GET",
                    "/api/v1/messages?after=0&limit=500&timeout=0",
                    &alice,
                ) + "\r\n",
            )
            .await;
    }
    for _ in 0..8 {
        // This test is about time: the reader is slow, but still within the time-out.
        tokio::time::sleep(SHORT / 5).await;
        slow.read(60_000).await;
    }
    drop(slow);
    sipping.sip().await;
    // Two connections remain: bob's stream and the one that reads the metrics.
    server.wait_for_metric("rejoin_tcp_connections 2").await;
    assert!(
        deaf.rest().await.contains("PRIVMSG"),
        "it had room for something"
    );
    bob.send("PRIVMSG #rust :still here").await;
    assert_eq!(
        params(&quick.message().await.unwrap()),
        ["#rust", "still here"]
    );
}

/// Sixty streams and thirty polls of six megabytes hardly read. Buffering everything for each of
/// them would take more than half a gigabyte.
#[tokio::test]
async fn readers_that_stopped_take_little_memory() {
    let dir = tempfile::tempdir().unwrap();
    let server = Process::start(&dir.path().join("rejoin.db"), &[]);
    let mut people = Vec::new();
    for nick in ["mallory", "eve", "trudy", "bob", "carol", "dave", "erin"] {
        people.push(server.create_session(nick).await);
        people.last().unwrap().send("JOIN #rust").await;
    }
    let (hostile, speakers) = people.split_at(3);
    let before = server.peak_memory();
    let mut streams = Raw::crowd(60, server.address()).await;
    for (n, stream) in streams.iter_mut().enumerate() {
        stream
            .send(head("GET", "/api/v1/events", &hostile[n % 2]) + "\r\n")
            .await;
    }
    let mut quick = speakers[0].stream("").await;
    // Each character takes six bytes in JSON.
    let filler = "\u{1}".repeat(4096);
    let flood = join_all(speakers.iter().map(async |speaker| {
        for _ in 0..60 {
            speaker.send(&format!("PRIVMSG #rust :{filler}")).await;
        }
    }));
    let heard = async {
        for _ in 0..240 {
            while quick.message().await.unwrap().command != "PRIVMSG" {}
        }
    };
    tokio::join!(flood, heard);
    let mut polls = Raw::crowd(30, server.address()).await;
    for poll in &mut polls {
        poll.send(
            head(
                "GET",
                "/api/v1/messages?after=0&limit=500&timeout=0",
                &hostile[2],
            ) + "\r\n",
        )
        .await;
    }
    // Each stream has more to receive than the system buffers for an idle reader, so the server
    // reaches the pending part.
    for stream in &mut streams {
        stream.read(500_000).await;
    }
    for poll in &mut polls {
        poll.read(1).await;
    }
    others_are_served(&server.device()).await;
    let grown = (server.peak_memory() - before) >> 20;
    assert!(grown < 100, "it took {grown} MiB");
}

#[tokio::test]
async fn an_address_has_a_limit_of_connections() {
    let server = TestServer::start().await;
    let crowd = Raw::crowd(1000, server.address).await;
    server
        .wait_for_metric("rejoin_tcp_connections_refused_total 488")
        .await;
    others_are_served(&server.device()).await;
    let mut crowd = crowd.into_iter();
    let (first, mut later) = (crowd.next().unwrap(), crowd.next_back().unwrap());
    assert_eq!(later.rest().await, "", "it was closed at once");
    server.wait_for_metric("rejoin_tcp_connections 513").await;
    drop(first);
    server.wait_for_metric("rejoin_tcp_connections 512").await;
    later = Raw::from(OTHER_ADDRESS, server.address).await;
    later
        .send(head("GET", "/api/v1/server", &server.device()) + "\r\n")
        .await;
    assert_eq!(
        later.answer().await.line,
        "HTTP/1.1 200 OK",
        "a closed connection frees its place"
    );
}

#[tokio::test]
async fn a_trusted_proxy_and_a_load_test_have_no_limit_of_connections() {
    for args in [["--trusted-proxy", "127.0.0.2"], ["--login-limit", "off"]] {
        let server = TestServer::with(&args).await;
        let _crowd = Raw::crowd(600, server.address).await;
        server.wait_for_metric("rejoin_tcp_connections 601").await;
        server
            .wait_for_metric("rejoin_tcp_connections_refused_total 0")
            .await;
    }
}

#[tokio::test]
async fn when_no_more_files_can_be_opened_a_connection_waits() {
    let dir = tempfile::tempdir().unwrap();
    let log = dir.path().join("log");
    let server = Process::limited(&dir.path().join("rejoin.db"), &log, 100);
    let alice = server.create_session("alice").await;
    let mut inside = Raw::to(server.address()).await;
    let ask = head("POST", "/api/v1/messages", &alice)
        + "Content-Type: text/plain\r\nContent-Length: 7\r\n\r\nJOIN #a";
    inside.send(&ask).await;
    assert_eq!(inside.answer().await.line, "HTTP/1.1 200 OK");
    let crowd = Raw::crowd(150, server.address()).await;
    let mut outside = Raw::to(server.address()).await;
    outside.send(head("GET", "/metrics", &alice) + "\r\n").await;
    inside.send(&ask).await;
    assert_eq!(
        inside.answer().await.line,
        "HTTP/1.1 200 OK",
        "the database and the open connections still work"
    );
    drop(crowd);
    let metrics = outside.answer().await.body;
    assert!(
        metrics.contains("rejoin_tcp_connections_refused_total 0"),
        "{metrics}"
    );
    let log = std::fs::read_to_string(log).unwrap();
    assert!(!log.contains("cannot accept connections"), "{log}");
}

#[tokio::test]
async fn the_server_retries_after_a_pause_when_the_system_has_no_more_files() {
    let dir = tempfile::tempdir().unwrap();
    let log = dir.path().join("log");
    // The limit is so low that the program's own files exceed the reserve it keeps for them.
    let server = Process::limited(&dir.path().join("rejoin.db"), &log, 32);
    let crowd = Raw::crowd(40, server.address()).await;
    let refusals = || {
        std::fs::read_to_string(&log)
            .unwrap()
            .matches("cannot accept connections")
            .count()
    };
    until("the system to refuse", async || refusals() > 0).await;
    drop(crowd);
    let visitor = server.device();
    let served = tokio::time::timeout(TEST_TIMEOUT, others_are_served(&visitor)).await;
    assert!(
        served.is_ok() && refusals() < 5,
        "the server tried {} times",
        refusals()
    );
}

#[tokio::test]
async fn each_client_has_its_own_limit_of_polls_and_streams() {
    let server = TestServer::start().await;
    let alice = server.create_session("alice").await;
    let phone = server.phone_of(&alice, "alice").await;
    let mut streams = Vec::new();
    for _ in 0..32 {
        streams.push(alice.stream("").await);
    }
    for path in ["/api/v1/events", "/api/v1/messages"] {
        let refusal = alice.request(Method::GET, path).send().await.unwrap();
        assert_eq!(refusal.status(), 429);
        let refusal = checked(refusal).await.unwrap_err();
        assert_eq!(
            (refusal.code.as_str(), refusal.retry_after),
            ("throttled", Some(5))
        );
    }
    let mut sibling = phone.stream("").await;
    alice.send("JOIN #rust").await;
    for stream in streams.iter_mut().chain([&mut sibling]) {
        while stream.message().await.unwrap().command != "JOIN" {}
    }
    streams.pop();
    server.wait_for_connections(32).await;
    alice.stream("").await;
}
