//! What expires with time, and what a wrong clock must not expire.

use std::time::Duration;

use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{Device, Message, TestServer, until};

const PASSWORD: &str = "correct horse battery";
const DAY: i64 = 24 * 60 * 60;

/// Waits until another session sees that no session has the nick.
async fn gone(witness: &Device, nick: &str) {
    let whois = format!("WHOIS {nick}");
    until(&format!("{nick} to leave"), async || {
        witness.try_send(&whois).await.is_err()
    })
    .await;
}

fn unpresented(server: &TestServer) -> i64 {
    let database = rusqlite::Connection::open(server.database()).unwrap();
    database
        .query_row(
            "SELECT count(*) FROM client WHERE unpresented IS NOT NULL",
            [],
            |row| row.get(0),
        )
        .unwrap()
}

async fn ended(device: &Device) -> Value {
    device
        .call(Method::GET, "/api/v1/session")
        .await
        .unwrap_err()
        .body["reason"]
        .clone()
}

#[tokio::test]
async fn a_held_poll_and_a_stream_end_when_their_client_expires() {
    let server = TestServer::with(&["--client-lifetime", "20d"]).await;
    let alice = server.create_session("alice").await;
    alice.snapshot().await;
    let mut stream = alice.stream("").await;
    let held = tokio::spawn({
        let alice = alice.clone();
        async move { alice.call(Method::GET, "/api/v1/messages?timeout=60").await }
    });
    server.wait_for_connections(2).await;
    server.advance(Duration::from_hours(20 * 24));
    let both = async {
        let refusal = held.await.unwrap().unwrap_err();
        assert_eq!(
            (refusal.code.as_str(), &refusal.body["reason"]),
            ("client_ended", &json!("expired"))
        );
        let mut last = Vec::new();
        while let Some(frame) = stream.frame().await {
            last = frame;
        }
        assert_eq!(
            last,
            [
                ("event".into(), "end".into()),
                ("data".into(), r#"{"reason":"expired"}"#.into())
            ]
        );
    };
    // This is well before the maintenance of the next minute and before the poll's own timeout.
    tokio::time::timeout(Duration::from_secs(20), both)
        .await
        .expect("they end within about a second");
}

/// A session whose cookie got lost holds its nick for only ten minutes, because nobody can use or
/// end it.
#[tokio::test]
async fn a_cookie_that_is_never_presented_expires_after_ten_minutes() {
    let server = TestServer::start().await;
    let (_, kept, late) = (
        server.create_session("lost").await,
        server.create_session("kept").await,
        server.create_session("late").await,
    );
    kept.send("PING x").await;
    server.advance(Duration::from_secs(599));
    late.send("PING x").await;
    server.advance(Duration::from_secs(1));
    gone(&kept, "lost").await;
    server.advance(Duration::from_hours(1));
    let another = server.create_session("lost").await;
    server.advance(Duration::from_mins(10));
    gone(&kept, "lost").await;
    late.snapshot().await;
    assert_eq!(ended(&another).await, "expired");
}

#[tokio::test]
async fn the_first_use_of_a_cookie_is_stored_before_its_answer() {
    let mut server = TestServer::start().await;
    let alice = server.create_session("alice").await;
    assert_eq!(unpresented(&server), 1);
    alice.send("PING x").await;
    assert_eq!(
        unpresented(&server),
        0,
        "the session survives a crash of the server"
    );
    server.restart().await;
    server.create_session("lost").await;
    server.advance(Duration::from_mins(10));
    gone(&alice, "lost").await;
}

/// A login whose answer is lost removes only the new client. A renewed client stays until it is
/// idle: otherwise a session could end with its last client although its owner knows the password.
#[tokio::test]
async fn a_client_whose_login_answer_is_lost_expires_and_its_siblings_stay() {
    let server = TestServer::start().await;
    let alice = server.create_session("alice").await;
    alice.send(&format!("PASS :{PASSWORD}")).await;
    let phone = server.login("alice", PASSWORD).await;
    phone.snapshot().await;
    let (lost, renewed) = (
        server.login("alice", PASSWORD).await,
        phone.login("alice", PASSWORD).await.unwrap(),
    );
    server.advance(Duration::from_mins(10));
    server.wait_for_clients(2).await;
    assert_eq!(ended(&lost).await, json!("expired"));
    renewed.snapshot().await;
    assert_eq!(alice.clients().await.len(), 2);
}

/// A clock that is set a day forward expires only what is due, and a clock that is set back delays
/// no expiry. Events stay in the order of their ids.
#[tokio::test]
async fn a_clock_change_expires_no_session_and_keeps_the_order() {
    let server = TestServer::with(&["--client-idle", "12h", "--retention", "20h"]).await;
    let alice = server.create_session("alice").await;
    alice.send("JOIN #rust").await;
    let phone = server.phone_of(&alice, "alice").await;
    let lost = server.create_session("lost").await;
    server.advance(Duration::from_mins(5));
    let fresh = server.create_session("fresh").await;
    let mut said = Vec::new();
    for (round, set) in [DAY, -2 * DAY, DAY].into_iter().enumerate() {
        server.set_clock(set);
        let answer = alice.send(&format!("PRIVMSG #rust :{round}")).await;
        said.push(answer["ids"][0].as_i64().unwrap());
    }
    server.set_clock(DAY);
    server.advance(Duration::from_mins(5));
    // The client that is due expires, so the maintenance has run since the clock changed. It left
    // the others alone.
    gone(&alice, "lost").await;
    assert_eq!(ended(&lost).await, "expired");
    fresh.snapshot().await;
    let queue = phone.queue().await;
    let ids = |messages: &[Message]| {
        messages
            .iter()
            .map(|message| message.id)
            .collect::<Vec<_>>()
    };
    assert_eq!(ids(&queue), said, "no event was dropped");
    let times: Vec<_> = queue.iter().map(|message| &message.time).collect();
    assert!(times.is_sorted(), "times never decrease: {times:?}");
    let next = phone.poll(&format!("timeout=0&after={}", said[0])).await;
    assert_eq!(ids(&next.messages), said[1..]);
    assert_eq!(ids(&alice.history("target=%23rust&limit=3").await), said);
}

/// The time of use is stored once a minute. A use since then counts as well.
#[tokio::test]
async fn a_use_that_is_not_stored_yet_counts() {
    let server = TestServer::with(&["--client-idle", "1h"]).await;
    let (alice, idle) = (
        server.create_session("alice").await,
        server.create_session("idle").await,
    );
    for person in [&alice, &idle] {
        person.snapshot().await;
    }
    for _ in 0..2 {
        server.advance(Duration::from_mins(40));
        alice.snapshot().await;
    }
    gone(&alice, "idle").await;
    alice.snapshot().await;
}

#[tokio::test]
async fn a_clock_that_is_set_back_delays_no_expiry() {
    let server = TestServer::start().await;
    let alice = server.create_session("alice").await;
    alice.send(&format!("PASS :{PASSWORD}")).await;
    while server
        .device()
        .login("alice", "a wrong one")
        .await
        .unwrap_err()
        .code
        != "throttled"
    {}
    server.set_clock(-DAY);
    server.advance(Duration::from_secs(30));
    server.login("alice", PASSWORD).await;
    server.set_clock(2 * DAY);
    alice.snapshot().await;
}
