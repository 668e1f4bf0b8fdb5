//! Labels: a command that is sent again has no second effect and gets the first answer.

use std::time::Duration;

use serde_json::json;

use crate::support::{JsonAnswer, TestServer, assert_not_on_disk, commands, until};

#[tokio::test]
async fn the_same_label_again_has_no_second_effect_also_after_a_restart() {
    let mut server = TestServer::start().await;
    let alice = server.create_session("alice").await;
    let first = alice.send("@label=j JOIN #rust").await;
    let said = alice.send("@label=m PRIVMSG #rust :once").await;
    assert_eq!(alice.send("@label=j JOIN #rust").await, first);
    assert_eq!(alice.send("@label=m PRIVMSG #rust :once").await, said);
    server.restart().await;
    assert_eq!(alice.send("@label=m privmsg #rust :once").await, said);
    assert_eq!(commands(&alice.queue().await), ["JOIN", "PRIVMSG"]);
}

#[tokio::test]
async fn a_label_of_another_command_is_refused() {
    let server = TestServer::start().await;
    let (alice, bob) = (
        server.create_session("alice").await,
        server.create_session("bob").await,
    );
    alice.send("@label=x JOIN #rust").await;
    for line in [
        "@label=x JOIN #other",
        "@label=x PART #rust",
        "@label=x PING #rust",
        "@label=x JOIN #rust key",
    ] {
        let refusal = alice.try_send(line).await.unwrap_err();
        assert_eq!(
            (refusal.code.as_str(), refusal.status),
            ("label_reused", 409),
            "{line}"
        );
    }
    bob.send("@label=x JOIN #other").await;
    assert_eq!(alice.snapshot().await["channels"].items().len(), 1);
}

#[tokio::test]
async fn a_refused_command_is_not_remembered() {
    let server = TestServer::start().await;
    let (alice, bob) = (
        server.create_session("alice").await,
        server.create_session("bob").await,
    );
    alice.send("JOIN #rust").await;
    assert_eq!(
        bob.try_send("@label=x PRIVMSG #rust :hi")
            .await
            .unwrap_err()
            .code,
        "cannot_send_to_channel"
    );
    bob.send("JOIN #rust").await;
    bob.send("@label=x PRIVMSG #rust :hi").await;
}

#[tokio::test]
async fn two_commands_at_the_same_instant_take_effect_once() {
    let server = TestServer::start().await;
    let alice = server.create_session("alice").await;
    alice.send("JOIN #rust").await;
    let again = || alice.send("@label=x PRIVMSG #rust :once");
    let (a, b, c, d) = tokio::join!(again(), again(), again(), again());
    assert!(a == b && b == c && c == d);
    assert_eq!(commands(&alice.queue().await), ["JOIN", "PRIVMSG"]);
}

#[tokio::test]
async fn only_the_verb_of_pass_is_kept() {
    let server = TestServer::start().await;
    let alice = server.create_session("alice").await;
    let first = alice.send("@label=p PASS :correct horse battery").await;
    assert_eq!(
        alice.send("@label=p PASS :correct horse battery").await,
        first,
        "and no second effect"
    );
    server.login("alice", "correct horse battery").await;
    assert_eq!(
        alice.try_send("@label=p PING x").await.unwrap_err().code,
        "label_reused"
    );
    assert_not_on_disk(&server.database(), "horse battery");
}

#[tokio::test]
async fn a_label_is_kept_a_day_and_the_last_256_of_a_client() {
    let mut server = TestServer::start().await;
    let alice = server.create_session("alice").await;
    let first = alice.send("@label=x JOIN #a").await;
    server.advance(Duration::from_hours(23));
    assert_eq!(alice.send("@label=x JOIN #a").await, first);
    // A clock that is set forward removes no label early, so no command is carried out twice.
    server.set_clock(24 * 60 * 60);
    assert_eq!(alice.send("@label=x JOIN #a").await, first);
    server.set_clock(-24 * 60 * 60);
    server.advance(Duration::from_hours(2));
    server.restart().await;
    let labels = || {
        let database = rusqlite::Connection::open(server.database()).unwrap();
        database
            .query_row("SELECT count(*) FROM label", [], |row| row.get::<_, i64>(0))
            .unwrap()
    };
    until("the label to be deleted", async || labels() == 0).await;
    assert_eq!(
        alice.send("@label=x JOIN #a").await["ids"],
        json!([]),
        "it is carried out again, and changes nothing"
    );
    for n in 0..256 {
        alice.send(&format!("@label=n{n} PING x")).await;
    }
    assert_eq!(alice.send("@label=n0 PING x").await["ids"], json!([]));
    alice.send("@label=x PING another").await;
}
