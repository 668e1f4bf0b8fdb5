//! Guesses at the keys of channels are limited by session, by network and by channel, and they are
//! recorded.

use std::time::Duration;

use serde_json::{Value, json};

use crate::support::{Device, JsonAnswer, Socket, TestServer};

/// A server behind a proxy, with alice as the op of a channel that has a key.
async fn vault() -> (TestServer, Device) {
    let server = TestServer::with(&["--trusted-proxy", "127.0.0.1"]).await;
    let alice = server
        .device()
        .at_address("192.0.2.1")
        .try_create_session("alice")
        .await
        .unwrap();
    alice.send("JOIN #vault").await;
    alice.send("MODE #vault +k secret").await;
    (server, alice)
}

async fn stranger(server: &TestServer, nick: &str, from: &str) -> Device {
    server
        .device()
        .at_address(from)
        .try_create_session(nick)
        .await
        .unwrap()
}

async fn join(device: &Device, key: &str) -> (String, Option<u64>) {
    match device.try_send(&format!("JOIN #vault {key}")).await {
        Ok(_) => ("joined".into(), None),
        Err(problem) => (problem.code, problem.retry_after),
    }
}

fn wrong() -> (String, Option<u64>) {
    ("bad_channel_key".into(), None)
}

fn throttled(seconds: u64) -> (String, Option<u64>) {
    ("throttled".into(), Some(seconds))
}

#[tokio::test]
async fn a_session_shares_one_limit_of_guesses_over_all_ways_and_networks() {
    let (server, _alice) = vault().await;
    let mallory = stranger(&server, "mallory", "198.51.100.1").await;
    for n in 0..8 {
        assert_eq!(
            join(&mallory.at_address(&format!("198.51.100.{n}")), "guess").await,
            wrong()
        );
    }
    let message = json!({"command": "JOIN", "params": ["#other,#vault", ",guess"]});
    let replies = mallory.try_send_json(message).await.unwrap()["replies"].clone();
    assert!(
        replies
            .items()
            .iter()
            .any(|reply| reply["command"] == "475"),
        "{replies}"
    );
    let mut socket = Socket::open(&mallory, "").await;
    let message = json!({"command": "JOIN", "params": ["#vault", "guess"]});
    socket.send(message.clone()).await;
    assert_eq!(socket.answer().await["code"], "bad_channel_key");
    socket.send(message).await;
    let answer: Value = socket.answer().await;
    assert_eq!(
        (&answer["code"], &answer["retry_after"]),
        (&json!("throttled"), &json!(30))
    );
    // The correct key gets the same refusal as a wrong one until Retry-After has passed.
    assert_eq!(join(&mallory, "secret").await, throttled(30));
    server.advance(Duration::from_secs(30));
    assert_eq!(join(&mallory, "secret").await.0, "joined");
    let audit = mallory.get("/api/v1/audit").await;
    let refused = audit
        .items()
        .iter()
        .filter(|line| line["action"] == "channel_key_refused");
    assert_eq!(refused.clone().count(), 10);
    assert!(
        refused
            .clone()
            .all(|line| line["channel"] == "#vault" && line["nick"] == "mallory")
    );
    assert!(
        audit
            .items()
            .iter()
            .any(|line| line["reason"] == "session_channel_keys")
    );
}

#[tokio::test]
async fn a_network_has_a_limit_that_spares_sessions_without_failures() {
    let (server, _alice) = vault().await;
    for nick in ["mallory", "malice"] {
        let mallory = stranger(&server, nick, "198.51.100.1").await;
        for _ in 0..10 {
            assert_eq!(join(&mallory, "guess").await, wrong());
        }
    }
    let bob = stranger(&server, "bob", "198.51.100.1").await;
    assert_eq!(join(&bob, "guess").await, throttled(15));
    assert_eq!(
        join(&bob, "secret").await,
        throttled(15),
        "he has failed once"
    );
    let carol = stranger(&server, "carol", "198.51.100.1").await;
    assert_eq!(join(&carol, "secret").await.0, "joined");
}

#[tokio::test]
async fn a_channel_has_a_limit_that_spares_sessions_it_knows() {
    let (server, alice) = vault().await;
    let [bob, guest] = [("bob", "203.0.113.1"), ("guest", "203.0.113.2")];
    let bob = stranger(&server, bob.0, bob.1).await;
    let guest = stranger(&server, guest.0, guest.1).await;
    bob.send("JOIN #vault secret").await;
    bob.send("PART #vault").await;
    alice.send("INVITE guest #vault").await;
    for n in 0..5 {
        let mallory = stranger(&server, &format!("mallory{n}"), &format!("198.51.100.{n}")).await;
        for _ in 0..10 {
            assert_eq!(join(&mallory, "guess").await, wrong());
        }
    }
    let newcomer = stranger(&server, "newcomer", "203.0.113.3").await;
    assert_eq!(join(&newcomer, "secret").await, throttled(30));
    assert_eq!(
        (join(&bob, "secret").await.0, join(&guest, "secret").await.0),
        ("joined".into(), "joined".into())
    );
    // Members and ops are not limited.
    alice.send("MODE #vault +k another").await;
    alice.send("JOIN #vault wrong").await;
    bob.send("JOIN #vault").await;
    server.advance(Duration::from_secs(30));
    assert_eq!(join(&newcomer, "another").await.0, "joined");
}

/// None of these is a guess: a correct key, a JOIN without a key, and a JOIN with a key on a
/// channel without one.
#[tokio::test]
async fn a_join_that_is_no_guess_does_not_count() {
    let (server, alice) = vault().await;
    let bob = stranger(&server, "bob", "198.51.100.1").await;
    alice.send("JOIN #open").await;
    for _ in 0..25 {
        bob.send("JOIN #vault secret").await;
        bob.send("PART #vault").await;
        assert_eq!(join(&bob, "").await, wrong());
        bob.send("JOIN #open unwanted").await;
        bob.send("PART #open").await;
    }
    assert_eq!(
        server.rows("audit WHERE action = 'channel_key_refused' OR action = 'throttled'"),
        0
    );
    for _ in 0..10 {
        assert_eq!(join(&bob, "guess").await, wrong());
    }
}
