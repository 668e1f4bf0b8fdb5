//! `rejoin channel`: the operator shows a channel, makes a member op and ends the channel, beside a
//! running server and without one.

use std::path::Path;

use serde_json::{Value, json};

use crate::support::{Process, TestServer, assert_integrity, commands, params, rejoin};

async fn audited(database: &Path) -> Vec<String> {
    let lines = rejoin(database, &["audit"]).await.unwrap();
    lines
        .lines()
        .map(|line| line.splitn(3, ' ').nth(2).unwrap().to_owned())
        .collect()
}

async fn shown(database: &Path, name: &str) -> Vec<Value> {
    let lines = rejoin(database, &["channel", name, "--json"])
        .await
        .unwrap();
    lines
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

#[tokio::test]
async fn a_channel_is_shown_with_its_modes_topic_and_members() {
    let server = TestServer::start().await;
    let [alice, bob] = server.sessions_on("#Rust", ["alice", "bob"]).await;
    alice.send("MODE #rust +ikv secret bob").await;
    alice.send("MODE #rust +b mallory!*@*").await;
    alice.send("TOPIC #rust :\u{1b}[2J the topic").await;
    bob.send("AWAY :lunch").await;
    let rows = shown(&server.database(), "rust").await;
    let [alice, bob] =
        [alice.snapshot().await, bob.snapshot().await].map(|it| it["session"]["id"].clone());
    assert_eq!(rows.len(), 4);
    let (then, topic) = ("2026-11-18T11:06:40.000Z", "\u{1b}[2J the topic");
    let modes = rows[0]["modes"].as_str().unwrap();
    assert!(
        modes.starts_with('+')
            && modes.ends_with(" secret")
            && "iknt".chars().all(|c| modes.contains(c)),
        "{modes}"
    );
    assert_eq!(
        rows[0],
        json!({"channel": "#Rust", "modes": modes, "members": 2, "created_at": then, "topic": topic})
    );
    assert_eq!(
        rows[1],
        json!({"session": alice, "nick": "alice", "op": true, "voice": false, "away": false})
    );
    assert_eq!(
        rows[2],
        json!({"session": bob, "nick": "bob", "op": false, "voice": true, "away": true})
    );
    assert_eq!(
        (&rows[3]["ban"], &rows[3]["set_by"]),
        (&json!("mallory!*@*"), &json!("alice"))
    );
    // Control characters are escaped, so that a topic cannot clear the operator's terminal.
    let table = rejoin(&server.database(), &["channel", "#RUST"])
        .await
        .unwrap();
    assert!(
        table.contains("\\u{1b}[2J the topic") && !table.contains('\u{1b}'),
        "{table}"
    );
}

#[tokio::test]
async fn a_member_becomes_op_and_the_channel_is_told() {
    let server = TestServer::start().await;
    let [alice, bob] = server.sessions_on("#rust", ["alice", "bob"]).await;
    alice.drain().await;
    let database = server.database();
    for _ in 0..2 {
        rejoin(&database, &["channel", "#rust", "--op", "Bob"])
            .await
            .unwrap();
    }
    let seen = alice.queue().await;
    assert_eq!(commands(&seen), ["MODE"], "the second call changes nothing");
    assert_eq!(
        (seen[0].source.as_str(), params(&seen[0])),
        ("rejoin.server", vec!["#rust", "+o", "bob"])
    );
    bob.send("KICK #rust alice").await;
    let told = audited(&database).await;
    assert_eq!(
        told.iter()
            .filter(|line| line.starts_with("op_given"))
            .count(),
        1
    );
    assert!(
        told.iter()
            .any(|line| line.ends_with("nick=bob channel=#rust")),
        "{told:?}"
    );
    assert_integrity(&database);
}

#[tokio::test]
async fn ending_a_channel_removes_all_its_members() {
    let server = TestServer::start().await;
    let [alice, bob] = server.sessions_on("#rust", ["alice", "bob"]).await;
    alice.send("MODE #rust +im").await;
    bob.drain().await;
    let database = server.database();
    rejoin(&database, &["channel", "rust", "--end"])
        .await
        .unwrap();
    let seen = bob.queue().await;
    assert_eq!(commands(&seen), ["KICK"]);
    assert_eq!(
        (seen[0].source.as_str(), &params(&seen[0])[..2]),
        ("rejoin.server", &["#rust", "bob"][..])
    );
    for device in [&alice, &bob] {
        assert_eq!(device.snapshot().await["channels"], json!([]));
    }
    assert!(
        audited(&database)
            .await
            .contains(&"channel_ended channel=#rust".to_owned())
    );
    bob.send("JOIN #rust").await;
    assert_eq!(
        shown(&database, "rust").await[1]["op"],
        true,
        "the name can be used again"
    );
    assert_integrity(&database);
}

#[tokio::test]
async fn a_channel_is_changed_without_a_running_server_too() {
    let dir = tempfile::tempdir().unwrap();
    let database = dir.path().join("rejoin.db");
    let server = Process::start(&database, &[]);
    let (alice, bob) = (
        server.create_session("alice").await,
        server.create_session("bob").await,
    );
    for device in [&alice, &bob] {
        device.send("JOIN #rust").await;
    }
    alice.send("JOIN #other").await;
    server.terminate();
    rejoin(&database, &["channel", "rust", "--op", "bob"])
        .await
        .unwrap();
    rejoin(&database, &["channel", "other", "--end"])
        .await
        .unwrap();
    let server = Process::start(&database, &[]);
    let bob = server.device().with_cookie(bob.cookie.as_deref().unwrap());
    bob.send("KICK #rust alice").await;
    let alice = server
        .device()
        .with_cookie(alice.cookie.as_deref().unwrap());
    assert_eq!(alice.snapshot().await["channels"], json!([]));
    assert_integrity(&database);
}

#[tokio::test]
async fn unknown_channels_and_members_are_refused_by_name() {
    let server = TestServer::start().await;
    let [_alice] = server.sessions_on("#rust", ["alice"]).await;
    server.create_session("bob").await;
    let database = server.database();
    let before = audited(&database).await;
    for (args, why) in [
        (vec!["channel"], "required arguments were not provided"),
        (vec!["channel", "nowhere"], "#nowhere"),
        (vec!["channel", "nowhere", "--end"], "#nowhere"),
        (vec!["channel", "nowhere", "--op", "alice"], "#nowhere"),
        (vec!["channel", "rust", "--op", "nobody"], "nobody"),
        (
            vec!["channel", "rust", "--op", "bob"],
            "bob is not on #rust",
        ),
        (
            vec!["channel", "rust", "--op", "not a nick"],
            "no live session \"not a nick\"",
        ),
        (
            vec!["channel", "rust", "--op", "alice", "--end"],
            "cannot be used with",
        ),
    ] {
        let said = rejoin(&database, &args).await.unwrap_err();
        assert!(said.contains(why), "{args:?}: {said}");
    }
    assert_eq!(audited(&database).await, before);
}
