//! The flood limit: all clients and keys of a session share it. It counts commands and stored
//! bytes.

use std::time::Duration;

use serde_json::json;

use crate::support::{Device, JsonAnswer, Problem, TestServer};

/// So many commands a second are allowed that only bytes are limited.
const MANY: [&str; 2] = ["--flood-limit", "1000:1000"];

fn throttled(refusal: &Problem) -> bool {
    (
        refusal.status,
        refusal.code.as_str(),
        refusal.numeric.as_deref(),
    ) == (429, "throttled", Some("263"))
}

/// Sends the command until it is refused. Returns the number of commands that passed, and the
/// refusal.
async fn fill(device: &Device, line: &str) -> (usize, Problem) {
    for sent in 0..1000 {
        if let Err(refusal) = device.try_send(line).await {
            assert!(throttled(&refusal), "{refusal:?}");
            return (sent, refusal);
        }
    }
    panic!("a thousand passed");
}

#[tokio::test]
async fn devices_and_keys_of_a_session_share_its_bytes() {
    let server = TestServer::with(&MANY).await;
    let [alice, bob] = server.sessions_on("#rust", ["alice", "bob"]).await;
    let phone = server.phone_of(&alice, "alice").await;
    let bot = alice
        .create_key("chat:read chat:write")
        .await
        .token("")
        .await;
    let line = format!("PRIVMSG #rust :{}", "x".to_owned() + &"\u{1}".repeat(4095));
    server.advance(Duration::from_secs(60));
    for device in [&alice, &phone, &bot] {
        for _ in 0..4 {
            device.send(&line).await;
        }
    }
    let (sent, refusal) = fill(&bot, &line).await;
    assert!(
        4096 * (12 + sent) <= 64 * 1024 && 64 * 1024 <= 5000 * (13 + sent),
        "{sent} more"
    );
    for device in [&alice, &phone] {
        assert!(throttled(&device.try_send(&line).await.unwrap_err()));
    }
    bob.send(&line).await;
    server.advance(Duration::from_secs(refusal.retry_after.unwrap()));
    phone.send(&line).await;
    let (sent, _) = {
        server.advance(Duration::from_secs(10));
        fill(&alice, &line).await
    };
    assert!((7..=10).contains(&sent), "4 KiB a second: {sent} in ten");
    let lines = alice.get("/api/v1/audit").await;
    assert!(
        lines.items().iter().any(|line| line["reason"] == "bytes"),
        "{lines}"
    );
}

#[tokio::test]
async fn devices_and_keys_of_a_session_share_its_commands() {
    let server = TestServer::with(&["--flood-limit", "8:1"]).await;
    let alice = server.create_session("alice").await;
    let phone = server.phone_of(&alice, "alice").await;
    let bot = alice.create_key("chat:read").await.token("").await;
    server.advance(Duration::from_secs(60));
    for device in [&alice, &phone, &bot, &alice, &phone, &bot, &alice, &phone] {
        device.send("PING x").await;
    }
    for device in [&alice, &phone, &bot] {
        assert!(throttled(&device.try_send("PING x").await.unwrap_err()));
    }
    server.advance(Duration::from_secs(1));
    bot.send("PING x").await;
    assert!(alice.try_send("PING x").await.is_err());
}

#[tokio::test]
async fn each_target_and_all_that_a_command_stores_count() {
    let server = TestServer::with(&MANY).await;
    let alice = server.create_session("alice").await;
    let channels = (0..20)
        .map(|n| format!("#{n}"))
        .collect::<Vec<_>>()
        .join(",");
    alice.send(&format!("JOIN {channels}")).await;
    server.advance(Duration::from_secs(60));
    // A command above the limit passes when the limit is full. The limit then takes longer to
    // refill.
    alice
        .send(&format!("PRIVMSG {channels} :{}", "x".repeat(4096)))
        .await;
    let refusal = alice.try_send("PRIVMSG #1 :x").await.unwrap_err();
    assert!(
        throttled(&refusal) && (1..=20).contains(&refusal.retry_after.unwrap()),
        "{refusal:?}"
    );
    // A command that stores nothing counts only as a command.
    for line in [
        "PING x",
        "WHOIS alice",
        "ACK 1",
        "PASS :correct horse battery",
    ] {
        alice.send(line).await;
    }
    server.advance(Duration::from_secs(refusal.retry_after.unwrap()));
    alice.send("PRIVMSG #1 :x").await;
    // A change of nick is told to twenty channels, so it counts for each.
    server.advance(Duration::from_secs(60));
    let mut changed = 0;
    let refusal = loop {
        changed += 1;
        match alice
            .try_send_json(json!({"command": "NICK", "params": [format!("alice{changed}")]}))
            .await
        {
            Err(refusal) => break refusal,
            Ok(_) => assert!(changed < 100),
        }
    };
    assert!(throttled(&refusal));
    alice.send("QUIT").await;
}

/// With the default limit a page can join its twenty channels at once and then go on.
#[tokio::test]
async fn each_four_targets_count_as_one_command() {
    let server = TestServer::with(&["--flood-limit", "20:5"]).await;
    let alice = server.create_session("alice").await;
    server.advance(Duration::from_secs(60));
    let channels = (0..20)
        .map(|n| format!("#{n}"))
        .collect::<Vec<_>>()
        .join(",");
    let joined = alice.send(&format!("JOIN {channels}")).await;
    assert_eq!(joined.ids().len(), 20);
    let (sent, refusal) = fill(&alice, "PING x").await;
    assert_eq!(
        (sent, refusal.retry_after),
        (15, Some(1)),
        "it counted five"
    );
    server.advance(Duration::from_secs(1));
    alice.send(&format!("NAMES {channels}")).await;
    assert!(
        throttled(&alice.try_send("PING x").await.unwrap_err()),
        "five came back in a second"
    );
}

#[tokio::test]
async fn off_is_off() {
    let server = TestServer::with(&["--flood-limit", "off"]).await;
    let alice = server.create_session("alice").await;
    for _ in 0..40 {
        alice
            .send(&format!("PRIVMSG alice :{}", "x".repeat(4096)))
            .await;
    }
}
