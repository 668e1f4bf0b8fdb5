//! Rate limits for strangers: passwords by address, by nick and by both, and new sessions.

use std::time::Duration;

use futures_util::future::join_all;
use serde_json::{Value, json};

use crate::support::{Device, JsonAnswer, Problem, TestServer};

const PASSWORD: &str = "correct horse battery";

/// A server behind a proxy, and alice, whose session was created from 192.0.2.1 and has a password.
async fn alice(args: &[&str]) -> (TestServer, Device) {
    let server = TestServer::with(&[&["--trusted-proxy", "127.0.0.1"], args].concat()).await;
    let alice = server
        .device()
        .at_address("192.0.2.1")
        .try_create_session("alice")
        .await
        .unwrap();
    alice.send(&format!("PASS :{PASSWORD}")).await;
    (server, alice)
}

async fn wrong(device: &Device, nick: &str) -> Problem {
    device.login(nick, "not the password").await.unwrap_err()
}

async fn fails(device: &Device, nick: &str, times: usize) {
    for n in 0..times {
        assert_eq!(
            wrong(device, nick).await.code,
            "login_failed",
            "{nick}, try {n}"
        );
    }
}

fn assert_throttled(problem: &Problem, seconds: u64) {
    assert_eq!(
        (
            problem.code.as_str(),
            problem.status,
            problem.numeric.as_deref()
        ),
        ("throttled", 429, Some("263"))
    );
    assert_eq!(problem.retry_after, Some(seconds));
}

#[tokio::test]
async fn an_address_has_limits_of_passwords_per_nick_and_in_total() {
    let (server, _) = alice(&[]).await;
    let stranger = server.device().at_address("198.51.100.1");
    fails(&stranger, "alice", 10).await;
    assert_throttled(&wrong(&stranger, "alice").await, 30);
    fails(&stranger, "nobody", 10).await;
    assert_throttled(&wrong(&stranger, "somebody").await, 15);
    assert_throttled(&stranger.login("alice", PASSWORD).await.unwrap_err(), 30);
    fails(&server.device().at_address("198.51.100.2"), "alice", 1).await;
    // A guess is allowed when Retry-After has passed, and not earlier.
    server.advance(Duration::from_millis(29_900));
    assert_throttled(&stranger.login("alice", PASSWORD).await.unwrap_err(), 1);
    server.advance(Duration::from_millis(100));
    stranger.login("alice", PASSWORD).await.unwrap();
}

#[tokio::test]
async fn the_addresses_of_a_household_count_as_one() {
    let (server, _) = alice(&[]).await;
    for n in 0..10 {
        fails(
            &server.device().at_address(&format!("2001:db8::{n:x}")),
            "alice",
            1,
        )
        .await;
    }
    assert_throttled(
        &wrong(&server.device().at_address("2001:db8::ffff"), "alice").await,
        30,
    );
    fails(&server.device().at_address("2001:db8:0:1::1"), "alice", 1).await;
}

#[tokio::test]
async fn a_correct_password_is_refunded() {
    let (server, _) = alice(&["--max-clients", "50"]).await;
    let office = server.device().at_address("198.51.100.1");
    for _ in 0..25 {
        office.login("alice", PASSWORD).await.unwrap();
    }
    fails(&office, "alice", 10).await;
}

#[tokio::test]
async fn simultaneous_guesses_are_limited_like_successive_ones() {
    let (server, _) = alice(&[]).await;
    let guesses = (0..60).map(|n| {
        let device = server.device();
        async move {
            device
                .login("alice", &format!("guess number {n}"))
                .await
                .unwrap_err()
                .code
        }
    });
    let codes = join_all(guesses).await;
    assert_eq!(
        codes.iter().filter(|code| *code == "login_failed").count(),
        10
    );
    assert_eq!(codes.iter().filter(|code| *code == "throttled").count(), 50);
}

/// A crowd of strangers uses up the whole limit of a nick. The owner can still log in from a
/// network that a device of the session has used before, also after a change of nick. The network
/// of a removed device no longer helps anybody.
#[tokio::test]
async fn guesses_of_strangers_do_not_lock_out_the_owner() {
    let (server, alice) = alice(&[]).await;
    let thief = server
        .device()
        .at_address("203.0.113.1")
        .login("alice", PASSWORD)
        .await
        .unwrap();
    let id = thief.snapshot().await["client"]["id"].clone();
    alice
        .delete(&format!("/api/v1/clients/{id}"))
        .await
        .unwrap();
    alice.send("NICK alicia").await;
    for n in 0..50 {
        fails(
            &server.device().at_address(&format!("198.51.100.{n}")),
            "alicia",
            1,
        )
        .await;
    }
    for stranger in ["198.51.100.200", "203.0.113.1"] {
        let stranger = server.device().at_address(stranger);
        assert_throttled(&wrong(&stranger, "ALICIA").await, 30);
        assert_throttled(&stranger.login("alicia", PASSWORD).await.unwrap_err(), 30);
        fails(&stranger, "bob", 1).await;
    }
    // A live device may renew itself from any network.
    let renewed = alice
        .at_address("198.51.100.202")
        .login("alicia", PASSWORD)
        .await
        .unwrap();
    let home = server.device().at_address("192.0.2.1");
    fails(&home, "alicia", 2).await;
    home.login("alicia", PASSWORD).await.unwrap();
    let alice = renewed;
    let change = json!({"command": "PASS", "params": ["a new password", PASSWORD]});
    alice
        .at_address("198.51.100.201")
        .try_send_json(change)
        .await
        .unwrap();
    fails(&home, "alicia", 8).await;
    assert_throttled(&wrong(&home, "alicia").await, 30);
}

#[tokio::test]
async fn an_address_header_counts_only_from_a_trusted_proxy() {
    let server = TestServer::start().await;
    for n in 0..20 {
        fails(
            &server.device().at_address(&format!("198.51.100.{n}")),
            &format!("nick{n}"),
            1,
        )
        .await;
    }
    assert_throttled(
        &wrong(&server.device().at_address("192.0.2.1"), "alice").await,
        15,
    );
}

#[tokio::test]
async fn an_address_has_a_rate_limit_of_new_sessions() {
    let (server, _) = alice(&[]).await;
    let stranger = server.device().at_address("198.51.100.1");
    for n in 0..100 {
        stranger.try_create_session(&format!("s{n}")).await.unwrap();
    }
    assert_throttled(&stranger.try_create_session("s100").await.unwrap_err(), 10);
    server
        .device()
        .at_address("198.51.100.2")
        .try_create_session("s100")
        .await
        .unwrap();
    server.advance(Duration::from_secs(10));
    stranger.try_create_session("s101").await.unwrap();
    assert_throttled(&stranger.try_create_session("s102").await.unwrap_err(), 10);
}

#[tokio::test]
async fn an_address_has_a_limit_of_live_sessions() {
    for (limit, refused) in [("on", true), ("off", false)] {
        let (server, alice) = alice(&["--login-limit", limit]).await;
        let database = rusqlite::Connection::open(server.database()).unwrap();
        database
            .execute_batch(
                "PRAGMA foreign_keys = off;
                 WITH RECURSIVE n (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < 999)
                 INSERT INTO session (id, nick, folded_nick, created_at, network)
                 SELECT -n, 's' || n, 's' || n, 0, '192.0.2.1' FROM n",
            )
            .unwrap();
        let again = server
            .device()
            .at_address("192.0.2.1")
            .try_create_session("again")
            .await;
        assert_eq!(
            again.err().map(|problem| (problem.code, problem.status)),
            refused.then(|| ("too_many_sessions".into(), 409)),
            "--login-limit {limit}"
        );
        server
            .device()
            .at_address("192.0.2.2")
            .try_create_session("another")
            .await
            .unwrap();
        alice.send("QUIT").await;
        server
            .device()
            .at_address("192.0.2.1")
            .try_create_session("alice")
            .await
            .unwrap();
    }
}

#[tokio::test]
async fn a_refusal_by_the_nicks_limit_is_recorded_for_the_nicks_session() {
    let (server, alice) = alice(&[]).await;
    for n in 0..50 {
        fails(
            &server.device().at_address(&format!("198.51.100.{n}")),
            "alice",
            1,
        )
        .await;
    }
    // The limit does not apply to the owner.
    fails(&server.device().at_address("192.0.2.1"), "alice", 1).await;
    let stranger = server.device().at_address("203.0.113.1");
    for _ in 0..11 {
        assert_throttled(&wrong(&stranger, "alice").await, 30);
    }
    // A refused attempt is not a guess and costs nothing.
    server.advance(Duration::from_secs(30));
    fails(&stranger, "alice", 1).await;
    let lines = alice.get("/api/v1/audit").await;
    let limits: Vec<_> = lines
        .items()
        .iter()
        .filter(|line| line["action"] == "throttled")
        .map(|line| &line["reason"])
        .collect();
    assert_eq!(limits, ["nick"]);
}

#[tokio::test]
async fn an_address_has_a_limit_of_correct_logins() {
    let (server, _) = alice(&["--max-clients", "1000"]).await;
    let office = server.device().at_address("198.51.100.1");
    for _ in 0..100 {
        office.login("alice", PASSWORD).await.unwrap();
    }
    assert_throttled(&office.login("alice", PASSWORD).await.unwrap_err(), 30);
    server
        .device()
        .at_address("198.51.100.2")
        .login("alice", PASSWORD)
        .await
        .unwrap();
}

/// A limit that refuses many times is one line of the audit log in an hour. The owner of the nick
/// sees it.
#[tokio::test]
async fn a_reached_limit_is_in_the_audit_log_once() {
    let (server, alice) = alice(&[]).await;
    let throttled = async || {
        let lines: Value = alice.get("/api/v1/audit").await;
        let lines = lines
            .items()
            .iter()
            .filter(|line| line["action"] == "throttled");
        lines
            .map(|line| {
                (
                    line["reason"].clone(),
                    line["address"].clone(),
                    line["nick"].clone(),
                )
            })
            .collect::<Vec<_>>()
    };
    let stranger = server.device().at_address("198.51.100.1");
    for _ in 0..3 {
        while wrong(&stranger, "alice").await.code != "throttled" {}
        wrong(&stranger, "alice").await;
        server.advance(Duration::from_secs(30));
    }
    // An unused nick may be a password that was typed into the wrong field, so the log does not
    // show it.
    for _ in 0..12 {
        wrong(&server.device().at_address("198.51.100.2"), "nobody").await;
    }
    let database = rusqlite::Connection::open(server.database()).unwrap();
    let named = "SELECT count(*) FROM audit WHERE nick = 'nobody' OR (action = 'throttled' AND address = '198.51.100.2')";
    assert_eq!(
        database.query_row(named, [], |row| row.get::<_, i64>(0)),
        Ok(1),
        "one line, without the nick"
    );
    let line = (
        json!("nick_and_address"),
        json!("198.51.100.1"),
        json!("alice"),
    );
    assert_eq!(throttled().await, std::slice::from_ref(&line));
    server.advance(Duration::from_hours(1));
    while wrong(&stranger, "alice").await.code != "throttled" {}
    assert_eq!(throttled().await, [line.clone(), line]);
}
