//! What the answer to JOIN shows, and what it costs the one writer. A channel with many members
//! costs as little as an empty one. A channel that the session has already joined costs nothing.

use std::time::Duration;

use serde_json::{Value, json};

use crate::support::{Device, JsonAnswer, Socket, TestServer, params};

/// The numerics of an answer. A run of the same numeric counts once.
fn kinds(answer: &Value) -> Vec<String> {
    let mut kinds: Vec<String> = answer.replies().iter().map(command).collect();
    kinds.dedup();
    kinds
}

fn command(reply: &Value) -> String {
    reply.command().to_owned()
}

/// The number of names in an answer.
fn names(answer: &Value) -> usize {
    let replies = answer
        .replies()
        .iter()
        .filter(|reply| reply["command"] == "353");
    replies
        .map(|reply| params(reply)[3].split(' ').count())
        .sum()
}

/// Adds `count` members to the channel.
fn crowd(server: &TestServer, channel: &str, count: usize) {
    let database = rusqlite::Connection::open(server.database()).unwrap();
    let fill = format!(
        "BEGIN;
         CREATE TEMP TABLE n AS WITH RECURSIVE n(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < {count})
             SELECT n + (SELECT max(id) FROM target) AS n FROM n;
         INSERT INTO target (id) SELECT n FROM n;
         INSERT INTO session (id, nick, folded_nick, created_at) SELECT n, 'guest' || n, 'guest' || n, 0 FROM n;
         INSERT INTO membership (session_id, channel_id, since)
             SELECT n, channel.id, 1 FROM n, channel WHERE name = '{channel}' AND ended_at IS NULL;
         COMMIT;"
    );
    database.execute_batch(&fill).unwrap();
}

fn kept(server: &TestServer) -> Vec<String> {
    let database = rusqlite::Connection::open(server.database()).unwrap();
    let mut statement = database
        .prepare("SELECT answer FROM label ORDER BY id")
        .unwrap();
    let answers = statement.query_map([], |row| row.get(0)).unwrap();
    answers.map(Result::unwrap).collect()
}

/// While another process writes, every command that needs the writer waits for it and is refused in
/// the end.
#[tokio::test]
async fn joining_again_and_listing_bans_do_not_use_the_writer() {
    let server = TestServer::start().await;
    let [alice, bob] = server.sessions_on("#rust", ["alice", "bob"]).await;
    alice.send("JOIN #other").await;
    alice.send("TOPIC #rust :about rust").await;
    alice.send("MODE #rust +b mallory").await;
    let other = rusqlite::Connection::open(server.database()).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    let at_once = async |device: &Device, line: &str| {
        let answered = tokio::time::timeout(Duration::from_secs(60), device.try_send(line)).await;
        answered
            .expect("it waits for the writer")
            .unwrap_or_else(|refusal| panic!("{line}: {refusal:?}"))
    };
    let again = at_once(&alice, "JOIN #rust,#OTHER").await;
    assert_eq!(kinds(&again), ["332", "333", "353", "366", "353", "366"]);
    assert_eq!(again["ids"], json!([]));
    let bans = at_once(&bob, "MODE #rust b").await;
    assert_eq!(kinds(&bans), ["367", "368"]);
    drop(other);
    assert_eq!(
        bob.try_send("MODE #other b").await.unwrap_err().code,
        "not_on_channel"
    );
    assert_eq!(
        bob.try_send("MODE #none b").await.unwrap_err().code,
        "no_such_channel"
    );
    // A new channel is joined, although the other one is joined already.
    let both = bob.send("JOIN #rust,#other").await;
    assert_eq!((both.ids().len(), kinds(&both).len()), (1, 6), "{both}");
}

#[tokio::test]
async fn channels_are_shown_in_the_order_of_the_targets() {
    let server = TestServer::start().await;
    let alice = server.create_session("alice").await;
    let bob = server.create_session("bob").await;
    alice.send("JOIN #small,#large,#last").await;
    alice.send("TOPIC #large :about much").await;
    crowd(&server, "#large", 300);
    let answer = bob
        .send("JOIN #small,no-channel,#large,#last,also-none")
        .await;
    assert_eq!(
        kinds(&answer),
        [
            "353", "366", "476", "332", "333", "353", "366", "353", "366", "476"
        ],
        "{answer}"
    );
    assert_eq!((names(&answer), answer.ids().len()), (2 + 302 + 2, 3));
}

/// A label keeps the answer. Of a large channel it keeps only that the session joined, and the
/// repeated command shows the channel as it is now.
#[tokio::test]
async fn a_label_keeps_the_names_of_small_channels_and_rereads_large_ones() {
    let server = TestServer::start().await;
    let [alice, bob] = server.sessions_on("#small", ["alice", "bob"]).await;
    alice.send("JOIN #large").await;
    crowd(&server, "#large", 3000);
    let carol = server.create_session("carol").await;
    let small = carol.send("@label=small JOIN #small").await;
    let large = carol.send("@label=large JOIN #large,#new").await;
    assert_eq!((names(&large), large.ids().len()), (3002 + 1, 2));
    assert!(large.to_string().len() > 30_000);
    let longest = kept(&server).iter().map(String::len).max().unwrap();
    assert!(longest < 1000, "{longest} bytes are kept");
    bob.send("QUIT").await;
    alice.send("PART #large").await;
    assert_eq!(
        carol.send("@label=small JOIN #small").await,
        small,
        "the first answer"
    );
    let again = carol.send("@label=large JOIN #large,#new").await;
    assert_eq!((names(&again), &again["ids"]), (3001 + 1, &large["ids"]));
    let events = carol.queue().await;
    assert_eq!(
        events
            .iter()
            .filter(|event| event.command == "JOIN" && event.source == "carol")
            .count(),
        3
    );
    // After she has left, the repeated command neither shows the channel nor joins it again.
    carol.send("PART #large").await;
    alice.send("JOIN #large").await;
    let database = rusqlite::Connection::open(server.database()).unwrap();
    database
        .execute("UPDATE channel SET modes = 's' WHERE name = '#large'", [])
        .unwrap();
    let again = carol.send("@label=large JOIN #large,#new").await;
    assert_eq!(
        (names(&again), kinds(&again), &again["ids"]),
        (
            1,
            vec!["366".into(), "353".into(), "366".into()],
            &large["ids"]
        )
    );
}

/// Joining again keeps its label, too. If the session has left since, the repeated command does not
/// join.
#[tokio::test]
async fn a_label_of_joining_again_has_no_later_effect() {
    let server = TestServer::start().await;
    let [alice, _bob] = server.sessions_on("#rust", ["alice", "bob"]).await;
    let again = alice.send("@label=x JOIN #rust").await;
    assert_eq!((&again["ids"], names(&again)), (&json!([]), 2));
    alice.send("PART #rust").await;
    assert_eq!(alice.send("@label=x JOIN #rust").await, again);
    assert_eq!(alice.snapshot().await["channels"], json!([]));
    assert_eq!(
        alice
            .try_send("@label=x JOIN #other")
            .await
            .unwrap_err()
            .code,
        "label_reused"
    );
}

/// The socket carries out commands in their order, so a PART just before may make a JOIN a real
/// one.
#[tokio::test]
async fn over_the_socket_a_join_sees_the_commands_sent_before_it() {
    let server = TestServer::start().await;
    let [alice, _bob] = server.sessions_on("#rust", ["alice", "bob"]).await;
    alice.snapshot().await;
    let mut socket = Socket::open(&alice, "").await;
    let sent = [
        json!({"command": "PART", "params": ["#rust"]}),
        json!({"command": "JOIN", "params": ["#rust"]}),
        json!({"command": "JOIN", "params": ["#rust"]}),
        json!({"command": "MODE", "params": ["#rust", "b"]}),
    ];
    socket.send_all(sent).await;
    let mut answers = Vec::new();
    for _ in 0..4 {
        answers.push(socket.answer().await);
    }
    let ids = answers
        .iter()
        .map(|answer| answer.ids().len())
        .collect::<Vec<_>>();
    assert_eq!(ids, [1, 1, 0, 0]);
    assert_eq!(
        (kinds(&answers[1]), kinds(&answers[2])),
        (kinds(&answers[2]), vec!["353".into(), "366".into()])
    );
    assert_eq!(kinds(&answers[3]), ["368"]);
}
