//! Conversations of direct messages: how they are listed, and how to reach one after the other
//! session left or changed its nick.

use std::time::Duration;

use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{Device, JsonAnswer, TestServer, commands, params, until};

mod nicks;

/// The nicks of a device's conversations in the listed order. Ended sessions are in brackets, and
/// unread conversations have a `*`.
async fn listed(device: &Device) -> Vec<String> {
    let snapshot = device.snapshot().await;
    let shown = |direct: &Value| {
        let nick = direct["nick"].as_str().unwrap();
        let nick = if direct["ended"] == true {
            format!("({nick})")
        } else {
            nick.to_owned()
        };
        if direct["unread"]["count"] == 0 {
            nick
        } else {
            format!("{nick}*")
        }
    };
    snapshot["directs"].items().iter().map(shown).collect()
}

async fn session(device: &Device) -> i64 {
    device.snapshot().await["session"]["id"].as_i64().unwrap()
}

async fn say(device: &Device, line: &str) -> i64 {
    device.send(line).await["ids"][0].as_i64().unwrap()
}

/// The texts of a history.
async fn texts(device: &Device, query: &str) -> Vec<String> {
    let history = device.history(query).await;
    history
        .iter()
        .map(|message| message.param(1).to_owned())
        .collect()
}

/// Sends a message as JSON with `to`.
async fn send_to(
    device: &Device,
    command: &str,
    param: [&str; 2],
    to: i64,
) -> Result<Value, (u16, String)> {
    let message = json!({"command": command, "params": param, "to": to});
    device
        .try_send_json(message)
        .await
        .map_err(|problem| (problem.status, problem.code))
}

#[tokio::test]
async fn sessions_written_to_come_first_then_unread_then_newest() {
    let mut server = TestServer::start().await;
    let alice = server.create_session("alice").await;
    for nick in ["ann", "bob", "cat", "dan", "eve", "fay"] {
        let person = server.create_session(nick).await;
        if ["bob", "cat"].contains(&nick) {
            alice.send(&format!("PRIVMSG {nick} :hello")).await;
        }
        if !["bob", "fay"].contains(&nick) {
            person.send("PRIVMSG alice :hello").await;
        }
    }
    alice.send("NOTICE alice :to myself").await;
    for restarted in [false, true] {
        assert_eq!(
            listed(&alice).await,
            ["cat*", "alice", "bob", "eve*", "dan*", "ann*"]
        );
        if !restarted {
            server.restart().await;
        }
    }
    let head = alice.snapshot().await["cursor"].clone();
    for nick in ["cat", "eve", "ann"] {
        alice.send(&format!("MARKREAD {nick} {head}")).await;
    }
    assert_eq!(
        listed(&alice).await,
        ["alice", "cat", "bob", "dan*", "eve", "ann"]
    );
    alice.send("PRIVMSG ann :at last").await;
    assert_eq!(
        listed(&alice).await,
        ["ann", "alice", "cat", "bob", "dan*", "eve"]
    );
    alice.send(&format!("MARKREAD fay {head}")).await;
    assert_eq!(
        listed(&alice).await.len(),
        6,
        "a read marker alone is no conversation"
    );
}

/// Strangers who write to a session and ops who invite it add rows to the store. Their number is
/// bounded.
#[tokio::test]
async fn strangers_never_displace_a_session_that_was_written_to() {
    let server = TestServer::start().await;
    let [alice, friend] = server.sessions_on("#rust", ["alice", "friend"]).await;
    let old = server.create_session("old").await;
    old.send("PRIVMSG alice :read long ago").await;
    let head = alice.snapshot().await["cursor"].clone();
    alice.send(&format!("MARKREAD old {head}")).await;
    alice.send("PRIVMSG friend :hello").await;
    friend.send("PRIVMSG alice :unread").await;
    let database = rusqlite::Connection::open(server.database()).unwrap();
    let fill = |into: &str| {
        let sql = format!(
            "PRAGMA foreign_keys = off;
             WITH RECURSIVE n (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < 1000) INSERT INTO {into} FROM n"
        );
        database.execute_batch(&sql).unwrap();
    };
    fill("session (id, nick, folded_nick, created_at) SELECT 5000 + n, 's' || n, 's' || n, 0");
    fill(
        "conversation (session_id, other_id, wrote, unread, last, read) SELECT 1, 5000 + n, 0, 1, 100 + n, 0",
    );
    fill("invite (channel_id, session_id) SELECT (SELECT id FROM channel), -n");
    for n in 0..3 {
        let stranger = server.create_session(&format!("stranger{n}")).await;
        stranger.send("PRIVMSG alice :hello").await;
        alice.send(&format!("INVITE stranger{n} #rust")).await;
    }
    let listed = listed(&alice).await;
    assert_eq!((listed.len(), listed[0].as_str()), (200, "friend*"));
    assert_eq!(
        (listed[1].as_str(), listed[199].as_str()),
        ("s1000", "s802")
    );
    assert_eq!(
        server.rows("conversation WHERE session_id = 1 AND NOT wrote"),
        1000
    );
    assert_eq!(
        server.rows(
            "conversation WHERE session_id = 1 AND other_id = (SELECT id FROM session WHERE nick = 'old')"
        ),
        0
    );
    assert_eq!(
        texts(&alice, "target=old").await,
        ["read long ago"],
        "a conversation that is not listed is still kept"
    );
    assert_eq!(server.rows("invite"), 1000);
    assert_eq!(
        server.rows("invite WHERE session_id > 0"),
        3,
        "the newest stay"
    );
}

#[tokio::test]
async fn a_conversation_with_an_ended_session_stays_until_its_last_message_goes() {
    const DAY: Duration = Duration::from_hours(24);
    let mut server = TestServer::with(&["--retention", "10d", "--client-idle", "100d"]).await;
    let [alice, bob] = server.sessions_on("#rust", ["alice", "bob"]).await;
    let first = session(&bob).await;
    say(&bob, "PRIVMSG alice :one").await;
    say(&alice, "PRIVMSG bob :two").await;
    let three = say(&bob, "PRIVMSG alice :three").await;
    bob.send("QUIT").await;
    let other = server.create_session("bob").await;
    let second = session(&other).await;
    say(&other, "PRIVMSG alice :another bob").await;
    let phone = server.phone_of(&alice, "alice").await;
    for restarted in [false, true] {
        assert_eq!(listed(&phone).await, ["(bob)*", "bob*"]);
        let directs = phone.snapshot().await["directs"].clone();
        assert_eq!(
            (&directs[0]["session"], &directs[1]["session"]),
            (&json!(first), &json!(second))
        );
        assert_eq!(directs[0]["unread"], json!({"count": 2, "mention": false}));
        assert_eq!(directs[1]["ended"], Value::Null);
        assert_eq!(
            texts(&phone, &format!("session={first}")).await,
            ["one", "two", "three"]
        );
        assert_eq!(texts(&phone, "target=bob").await, ["another bob"]);
        assert_eq!(
            texts(&phone, &format!("session={second}")).await,
            ["another bob"]
        );
        if !restarted {
            server.restart().await;
        }
    }
    // Other sessions learn nothing from the id, and an unknown id tells nothing.
    assert_eq!(
        texts(&other, &format!("session={first}")).await,
        Vec::<String>::new()
    );
    let nobody = alice
        .call(Method::GET, "/api/v1/history?session=9999")
        .await
        .unwrap_err();
    assert_eq!((nobody.status, nobody.code.as_str()), (404, "no_such_nick"));
    // The conversation has its own read marker, and the sibling devices are told which marker
    // moved.
    alice.drain().await;
    let marked = send_to(&phone, "MARKREAD", ["bob", &three.to_string()], first)
        .await
        .unwrap();
    assert_eq!(params(&marked["replies"][0]), ["bob", &three.to_string()]);
    let told = alice.queue().await;
    assert_eq!(
        (commands(&told), params(&told[0])[2]),
        (vec!["MARKREAD"], first.to_string().as_str())
    );
    assert_eq!(listed(&alice).await, ["(bob)", "bob*"]);
    server.advance(DAY * 5);
    say(&alice, "PRIVMSG bob :to the new one").await;
    server.advance(DAY * 6);
    server.restart().await;
    until("old events to be deleted", async || {
        server.rows("event WHERE id <= 20 AND command = 'PRIVMSG'") < 5
    })
    .await;
    until("the conversation to be deleted", async || {
        listed(&alice).await == ["bob*"] || listed(&alice).await == ["bob"]
    })
    .await;
}
