//! Bots of API keys: clients of their session that do not count as devices.

use std::time::Duration;

use reqwest::Method;
use serde_json::json;

use crate::support::{
    DeliveryMode, JsonAnswer, Message, QueueEnd, Reader, TestServer, assert_integrity, commands,
    status_and_code, until,
};

const PASSWORD: &str = "correct horse battery";
const DAY: Duration = Duration::from_hours(24);

#[tokio::test]
async fn a_bot_chats_under_its_sessions_nick_and_is_tagged() {
    let server = TestServer::start().await;
    let [alice, bob] = server.sessions_on("#rust", ["alice", "bob"]).await;
    let bot = alice
        .create_key_with(json!({"name": " deploy-bot ", "scope": "chat:write chat:read"}))
        .await
        .token("")
        .await;
    assert_eq!(bot.snapshot().await["session"]["nick"], "alice");
    let mut stream = bob.stream("").await;
    let said = bot.send("@label=x PRIVMSG #rust :deployed").await["ids"][0]
        .as_i64()
        .unwrap();
    let tagged = |message: &Message| {
        assert_eq!(
            (message.id, &*message.source, message.app.as_deref()),
            (said, "alice", Some("deploy-bot"))
        );
    };
    while let Some(message) = stream.message().await {
        if message.id == said {
            tagged(&message);
            break;
        }
    }
    for reader in [&alice, &bob, &bot] {
        tagged(reader.queue().await.last().unwrap());
        tagged(reader.history("target=%23rust").await.last().unwrap());
    }
    assert_eq!(
        bot.queue().await[0].label.as_deref(),
        Some("x"),
        "its label is shown to the bot alone"
    );
    assert_eq!(
        bot.queue().await.len(),
        1,
        "its queue is its own, and begins with its first snapshot"
    );
    alice.send("PRIVMSG #rust :thanks").await;
    assert!(
        bob.queue().await.last().unwrap().app.is_none(),
        "a message sent by cookie has no tag"
    );
    bot.send("JOIN #bots").await;
    assert_eq!(commands(&alice.queue().await).last(), Some(&"JOIN"));
}

#[tokio::test]
async fn a_bot_is_not_a_device() {
    let server = TestServer::with(&["--max-clients", "2"]).await;
    let alice = server.create_session("alice").await;
    let bot = alice
        .create_key("chat:read session:manage")
        .await
        .token("")
        .await;
    let phone = server.phone_of(&alice, "alice").await;
    assert_eq!(alice.clients().await.len(), 2);
    let full = alice.login("bob", PASSWORD).await.unwrap_err();
    assert_eq!(full.code, "login_failed");
    let full = server.device().login("alice", PASSWORD).await.unwrap_err();
    assert_eq!(
        (full.code.as_str(), full.body["clients"].items().len()),
        ("too_many_clients", 2)
    );
    let id = bot.snapshot().await["client"]["id"].clone();
    let gone = alice
        .delete(&format!("/api/v1/clients/{id}"))
        .await
        .unwrap_err();
    assert_eq!(status_and_code(gone), (404, "not_found".into()));
    alice.delete("/api/v1/clients").await.unwrap();
    assert_eq!(
        phone
            .call(Method::GET, "/api/v1/session")
            .await
            .unwrap_err()
            .code,
        "client_ended"
    );
    bot.snapshot().await;
    let mut stream = Reader::open(&bot, DeliveryMode::Stream, None).await;
    alice.send("QUIT").await;
    assert!(
        bot.token_is_invalid().await,
        "the session ended with its last device"
    );
    assert_eq!(
        stream.ended().await,
        QueueEnd::ClientEnded("session_ended".into())
    );
    assert_eq!(server.rows("session WHERE ended_at IS NULL"), 0);
    assert_integrity(&server.database());
}

#[tokio::test]
async fn a_key_has_one_grant_and_one_client_for_all_its_tokens() {
    let mut server = TestServer::start().await;
    let alice = server.create_session("alice").await;
    let key = alice.create_key("chat:read chat:write").await;
    let one = key.token("").await;
    let first = one.snapshot().await;
    alice.send("PRIVMSG alice :note").await;
    assert_eq!(one.drain().await.len(), 1);
    let other = key.token("chat:read").await;
    let second = other.snapshot().await;
    assert_eq!(first["client"]["id"], second["client"]["id"]);
    assert_eq!(
        second["acknowledged"], second["cursor"],
        "they share one cursor"
    );
    let grants = alice.get("/api/v1/grants").await;
    assert_eq!(grants.items().len(), 1);
    assert_eq!(
        (&grants[0]["client"], &grants[0]["key"]),
        (&first["client"]["id"], &json!(true))
    );
    server.restart().await;
    for bot in [&one, &other] {
        assert_eq!(
            bot.snapshot().await["client"]["id"],
            first["client"]["id"],
            "tokens outlast a restart"
        );
    }
    assert_eq!(
        other.try_send("JOIN #rust").await.unwrap_err().code,
        "insufficient_scope"
    );
    one.send("JOIN #rust").await;
    assert_integrity(&server.database());
}

#[tokio::test]
async fn use_of_a_bot_counts_as_use_of_the_device_that_created_its_key() {
    let mut server = TestServer::with(&["--client-idle", "10d", "--client-lifetime", "100d"]).await;
    let alice = server.create_session("alice").await;
    alice.send("PASS :correct horse battery").await;
    let phone = server.login("alice", PASSWORD).await;
    phone.snapshot().await;
    let key = phone.create_key("chat:read").await;
    for day in [0, 6, 12] {
        let bot = key.token("").await;
        assert_eq!(
            bot.snapshot().await["session"]["nick"],
            "alice",
            "day {day}"
        );
        if day == 6 {
            // The use is collected in memory and written down, and a restart reads it.
            server.restart().await;
        }
        server.advance(DAY * 6);
    }
    let clients = phone.get("/api/v1/clients").await;
    assert_eq!(
        clients.items().len(),
        1,
        "alice's own device was not used for 18 days: {clients}"
    );
    server.advance(DAY * 10);
    until("the session to end", async || {
        server.rows("session WHERE ended_at IS NULL") == 0
    })
    .await;
    assert_integrity(&server.database());
}

/// As a device's client lives on when it logs in again.
#[tokio::test]
async fn a_bot_that_presents_its_keys_secret_again_lives_on() {
    let server = TestServer::with(&["--client-lifetime", "2d"]).await;
    let mut alice = server.create_session("alice").await;
    alice.send("PASS :correct horse battery").await;
    let key = alice.create_key("chat:read").await;
    let mut lived = Vec::new();
    for _ in 0..4 {
        alice = alice.login("alice", PASSWORD).await.unwrap();
        lived.push(key.token("").await.snapshot().await["client"]["id"].clone());
        server.advance(DAY);
    }
    lived.dedup();
    assert_eq!(lived.len(), 1);
    server.advance(DAY);
    until("the session to end", async || {
        server.rows("session WHERE ended_at IS NULL") == 0
    })
    .await;
}

/// The device that created the key leaves. From then on, use of the bot counts as use of the device
/// that was used last.
#[tokio::test]
async fn a_busy_bots_session_does_not_idle_out_as_long_as_it_has_a_device() {
    let mut server = TestServer::with(&["--client-idle", "10d", "--client-lifetime", "100d"]).await;
    let alice = server.create_session("alice").await;
    alice.snapshot().await;
    server.advance(DAY);
    // The phone was used last.
    let phone = server.phone_of(&alice, "alice").await;
    let tablet = server.login("alice", PASSWORD).await;
    let key = tablet.create_key("chat:read").await;
    server.advance(DAY);
    phone.snapshot().await;
    tablet.send("QUIT").await;
    for day in [0, 6, 12, 18] {
        let bot = key.token("").await;
        bot.snapshot().await;
        if day == 6 {
            server.restart().await;
            bot.snapshot().await;
        }
        server.advance(DAY * 6);
    }
    // Her first device was not used for 25 days.
    until("it to leave", async || phone.clients().await.len() == 1).await;
    // A new device is the one that was used last, so the bot's use now counts for it.
    let laptop = server.login("alice", PASSWORD).await;
    laptop.snapshot().await;
    server.advance(DAY * 6);
    key.token("").await.snapshot().await;
    server.advance(DAY * 6);
    until("the phone to leave", async || {
        laptop.clients().await.len() == 1
    })
    .await;
    server.advance(DAY * 10);
    until("the session to end", async || {
        server.rows("session WHERE ended_at IS NULL") == 0
    })
    .await;
    assert_integrity(&server.database());
}

/// When a bot removes all other clients, the device that it works for stays. A program's mistake
/// must not end a session.
#[tokio::test]
async fn a_bot_that_removes_all_others_leaves_the_device_it_works_for() {
    let server = TestServer::start().await;
    let [alice, bob] = server.sessions_on("#rust", ["alice", "bob"]).await;
    let phone = server.phone_of(&alice, "alice").await;
    let tablet = server.login("alice", PASSWORD).await;
    let managing = json!({"name": "bot", "scope": "session:manage", "password": PASSWORD});
    let (mine, phones) = (
        alice.create_key_with(managing.clone()).await,
        phone.create_key_with(managing).await,
    );
    mine.token("")
        .await
        .delete("/api/v1/clients")
        .await
        .unwrap();
    alice.snapshot().await;
    for removed in [&phone, &tablet] {
        assert_eq!(
            status_and_code(
                removed
                    .call(Method::GET, "/api/v1/session")
                    .await
                    .unwrap_err()
            ),
            (401, "client_ended".into())
        );
    }
    // The device that created this one has left, so it works for the one that was used last.
    server.advance(DAY);
    let other = server.login("alice", PASSWORD).await;
    other.snapshot().await;
    let bot = phones.token("").await;
    bot.delete("/api/v1/clients").await.unwrap();
    bot.delete("/api/v1/clients").await.unwrap();
    other.snapshot().await;
    assert_eq!(
        status_and_code(
            alice
                .call(Method::GET, "/api/v1/session")
                .await
                .unwrap_err()
        ),
        (401, "client_ended".into())
    );
    assert!(!commands(&bob.queue().await).contains(&"QUIT"));
    // A removal by id removes the last device too.
    let id = other.get("/api/v1/clients").await[0]["id"].clone();
    bot.delete(&format!("/api/v1/clients/{id}")).await.unwrap();
    assert!(bot.token_is_invalid().await);
    assert_integrity(&server.database());
}

#[tokio::test]
async fn a_bot_that_quits_ends_its_grant_and_its_key_can_begin_another() {
    let server = TestServer::start().await;
    let [alice, bob] = server.sessions_on("#rust", ["alice", "bob"]).await;
    let key = alice.create_key("chat:read").await;
    let (bot, other) = (key.token("").await, key.token("").await);
    let first = bot.snapshot().await["client"]["id"].clone();
    bot.send("QUIT").await;
    assert!(bot.token_is_invalid().await && other.token_is_invalid().await);
    assert!(
        !commands(&bob.queue().await).contains(&"QUIT"),
        "the session goes on"
    );
    let again = key.token("").await;
    assert_ne!(again.snapshot().await["client"]["id"], first);
    let grants = alice.get("/api/v1/grants").await;
    assert_eq!(grants.items().len(), 1);
    let revoke = format!("/api/v1/grants/{}", grants[0]["id"]);
    assert_eq!(
        status_and_code(bob.delete(&revoke).await.unwrap_err()),
        (404, "not_found".into())
    );
    alice.delete(&revoke).await.unwrap();
    assert!(again.token_is_invalid().await);
    assert_eq!(
        status_and_code(alice.delete(&revoke).await.unwrap_err()),
        (404, "not_found".into())
    );
    key.token("").await.snapshot().await;
    assert_integrity(&server.database());
}

/// No token outlives the session, whichever request comes first.
#[tokio::test]
async fn a_session_that_ends_at_the_same_instant_leaves_no_token() {
    let server = TestServer::start().await;
    for round in 0..10 {
        let alice = server.create_session("alice").await;
        let key = alice.create_key("chat:read").await;
        let ((status, body), ended) =
            tokio::join!(key.try_token(""), alice.delete("/api/v1/session"));
        ended.unwrap();
        if status == 200 {
            let bot = key
                .program
                .with_token(body["access_token"].as_str().unwrap());
            assert!(bot.token_is_invalid().await, "round {round}");
        }
        assert_eq!(key.try_token("").await.1["error"], "invalid_client");
    }
    assert_eq!(server.rows("token"), 0);
    assert_integrity(&server.database());
}

/// A caller that was authenticated just before its grant ended can neither write nor read: both ask
/// the store about the grant.
#[tokio::test]
async fn the_grant_is_checked_again_in_the_transaction() {
    let server = TestServer::start().await;
    let bot = server
        .create_session("alice")
        .await
        .create_key("chat:read chat:write")
        .await
        .token("")
        .await;
    bot.snapshot().await;
    // End the grant in the database alone, so that no process is told.
    let database = rusqlite::Connection::open(server.database()).unwrap();
    database
        .execute("UPDATE app_grant SET ended_at = 1", [])
        .unwrap();
    for line in ["JOIN #rust", "WHOIS alice"] {
        assert_eq!(
            status_and_code(bot.try_send(line).await.unwrap_err()),
            (401, "invalid_token".into()),
            "{line}"
        );
    }
}
