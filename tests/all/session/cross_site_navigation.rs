//! A browser navigates to the API, by a link on another site or because its user opens the address.
//! It reads the queue, and its request acknowledges nothing.

use reqwest::Method;
use serde_json::Value;

use crate::support::{Device, JsonAnswer, Message, Stream, TestServer};

/// The headers that a request of a navigating browser has.
type Head = &'static [(&'static str, &'static str)];

const SAID: Head = &[
    ("sec-fetch-site", "cross-site"),
    ("sec-fetch-mode", "navigate"),
    ("sec-fetch-dest", "document"),
];
const TYPED: Head = &[
    ("sec-fetch-site", "none"),
    ("sec-fetch-mode", "navigate"),
    ("sec-fetch-dest", "document"),
];
const PLAIN: Head = &[(
    "accept",
    "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8",
)];

fn led(device: &Device, path: &str, head: Head) -> reqwest::RequestBuilder {
    head.iter().fold(
        device.request(Method::GET, path),
        |request, (name, value)| request.header(*name, *value),
    )
}

async fn read(device: &Device, path: &str, head: Head) -> Value {
    let response = led(device, path, head).send().await.unwrap();
    assert_eq!(response.status(), 200, "{path} {head:?}");
    serde_json::from_slice(&response.bytes().await.unwrap()).unwrap()
}

#[tokio::test]
async fn a_navigation_to_a_queue_reads_it_and_acknowledges_nothing() {
    let server = TestServer::start().await;
    let [alice, bob] = server.sessions_on("#rust", ["alice", "bob"]).await;
    alice.drain().await;
    let last = bob.send("PRIVMSG #rust :hello").await["ids"][0].to_string();
    let acknowledged = async || alice.snapshot().await["acknowledged"].clone();
    let before = acknowledged().await;
    for head in [SAID, TYPED, PLAIN] {
        // The request reads from the position in the address, and the events stay in the queue.
        assert_eq!(
            read(&alice, "/api/v1/messages?timeout=0", head)
                .await
                .messages()
                .len(),
            1
        );
        let past = read(
            &alice,
            &format!("/api/v1/messages?timeout=0&after={last}"),
            head,
        )
        .await;
        assert_eq!(
            (past.messages().len(), past["next"].to_string()),
            (0, last.clone())
        );
        for (path, resumed) in [
            (format!("/api/v1/events?after={last}"), "0"),
            ("/api/v1/events".into(), last.as_str()),
        ] {
            let request = led(&alice, &path, head);
            let request = if resumed == "0" {
                request
            } else {
                request.header("last-event-id", resumed)
            };
            let mut stream = Stream::of(request.send().await.unwrap());
            assert_eq!(
                stream.frame().await.unwrap()[1],
                ("id".into(), last.clone()),
                "{path}"
            );
        }
        assert_eq!(acknowledged().await, before, "{head:?}");
        assert_eq!(alice.queue().await.len(), 1, "{head:?}");
    }
    // The page's own script acknowledges, and so does a program with any Accept header.
    let script: Head = &[
        ("sec-fetch-site", "same-origin"),
        ("sec-fetch-mode", "cors"),
        ("accept", "text/html"),
    ];
    read(
        &alice,
        &format!("/api/v1/messages?timeout=0&after={last}"),
        script,
    )
    .await;
    assert_eq!(acknowledged().await.to_string(), last);
    let next = bob.send("PRIVMSG #rust :and again").await["ids"][0].to_string();
    let bot = alice
        .create_key("chat:read chat:write")
        .await
        .token("")
        .await;
    bot.snapshot().await;
    let heard = bob.send("PRIVMSG #rust :to the bot").await["ids"][0].to_string();
    read(
        &bot,
        &format!("/api/v1/messages?timeout=0&after={heard}"),
        PLAIN,
    )
    .await;
    assert_eq!(
        bot.snapshot().await["acknowledged"].to_string(),
        heard,
        "no browser has a token"
    );
    alice.poll(&format!("timeout=0&after={next}")).await;
    assert_eq!(acknowledged().await.to_string(), next);
}

/// Over plain http a browser does not send Sec-Fetch headers, unless the host is its own machine.
/// Cookies have no port, so a page on another port can fetch this server's addresses as an image or
/// as a script.
#[tokio::test]
async fn recognised_fetches_by_a_page_on_another_port_acknowledge_nothing() {
    const IMAGE: Head = &[(
        "accept",
        "image/avif,image/webp,image/apng,image/svg+xml,image/*,*/*;q=0.8",
    )];
    const STYLE: Head = &[("accept", "text/css,*/*;q=0.1")];
    const SCRIPT: Head = &[("accept", "*/*"), ("referer", "http://127.0.0.1:1/")];
    let server = TestServer::start().await;
    let [alice, bob] = server.sessions_on("#rust", ["alice", "bob"]).await;
    alice.drain().await;
    let last = bob.send("PRIVMSG #rust :hello").await["ids"][0].to_string();
    let path = format!("/api/v1/messages?timeout=0&after={last}");
    for head in [IMAGE, STYLE, SCRIPT] {
        read(&alice, &path, head).await;
        let mut stream = Stream::of(
            led(&alice, &format!("/api/v1/events?after={last}"), head)
                .send()
                .await
                .unwrap(),
        );
        assert_eq!(
            stream.frame().await.unwrap()[1],
            ("id".into(), last.clone())
        );
        assert_eq!(alice.queue().await.len(), 1, "{head:?}");
    }
    // The page's own requests acknowledge, and so do those of programs.
    let referer = format!("{}/", alice.base);
    for (name, value) in [
        ("referer", referer.as_str()),
        ("accept", "application/json, text/plain, */*"),
        ("accept", "*/*"),
    ] {
        let next = bob.send("PRIVMSG #rust :more").await["ids"][0].to_string();
        let request = alice.request(
            Method::GET,
            &format!("/api/v1/messages?timeout=0&after={next}"),
        );
        assert_eq!(
            request.header(name, value).send().await.unwrap().status(),
            200
        );
        assert_eq!(
            alice.snapshot().await["acknowledged"].to_string(),
            next,
            "{name}: {value}"
        );
    }
}

#[tokio::test]
async fn a_queue_begins_with_the_first_snapshot_of_its_own_client() {
    let server = TestServer::start().await;
    let alice = server.create_session("alice").await;
    alice.send("PASS :correct horse battery").await;
    let bob = server.create_session("bob").await;
    for path in ["/api/v1/session", "/api/v1/messages?timeout=0"] {
        for head in [SAID, PLAIN] {
            let phone = server.login("alice", "correct horse battery").await;
            read(&phone, path, head).await;
            bob.send("PRIVMSG alice :before it begins").await;
            let begun = phone.snapshot().await["cursor"].clone();
            assert_eq!(
                phone.queue().await,
                [] as [Message; 0],
                "{path} {head:?}: the snapshot shows it"
            );
            bob.send("PRIVMSG alice :after that").await;
            assert_eq!(phone.queue().await.len(), 1);
            assert_eq!(phone.snapshot().await["acknowledged"], begun);
            phone.send("QUIT").await;
        }
    }
}

#[tokio::test]
async fn over_https_the_sec_fetch_headers_are_required() {
    let server = TestServer::with(&["--public-url", "https://chat.example"]).await;
    let alice = server
        .device()
        .with_host("chat.example")
        .try_create_session("alice")
        .await
        .unwrap();
    alice.snapshot().await;
    alice.send("JOIN #rust").await;
    let last = alice.queue().await[0].id.to_string();
    let path = format!("/api/v1/messages?timeout=0&after={last}");
    read(&alice, &path, SAID).await;
    assert_eq!(alice.queue().await.len(), 1);
    read(&alice, &path, PLAIN).await;
    assert_eq!(
        alice.queue().await.len(),
        0,
        "every browser sends Sec-Fetch headers over TLS"
    );
}
