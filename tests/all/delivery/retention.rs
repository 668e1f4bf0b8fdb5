//! Retention: old events are removed, and clients that had not received them are told.

use std::time::Duration;

use serde_json::Value;

use crate::support::{JsonAnswer, Message, TestServer, commands, params, until};

const DAY: Duration = Duration::from_hours(24);

/// Restarts the server, which runs maintenance, and waits until this many events are left.
async fn upkeep(server: &mut TestServer, events: i64) {
    server.restart().await;
    until("old events to go", async || server.rows("event") == events).await;
}

#[tokio::test]
async fn only_a_client_that_lost_events_is_told_and_exactly_which() {
    let mut server = TestServer::with(&["--retention", "10d", "--client-idle", "100d"]).await;
    let (alice, bob, carol) = (
        server.create_session("alice").await,
        server.create_session("bob").await,
        server.create_session("carol").await,
    );
    for person in [&alice, &bob, &carol] {
        person.snapshot().await;
    }
    for person in [&alice, &bob] {
        person.send("JOIN #rust").await;
    }
    bob.send("PRIVMSG #rust :old").await;
    let last_old = bob.send("PRIVMSG #rust :older than the retention").await["ids"][0]
        .as_i64()
        .unwrap();
    bob.drain().await;
    server.advance(DAY * 8);
    let kept = bob.send("PRIVMSG #rust :new").await["ids"][0]
        .as_i64()
        .unwrap();
    server.advance(DAY * 3);
    upkeep(&mut server, 1).await;

    let queue = alice.queue().await;
    assert_eq!(commands(&queue), ["WARN", "PRIVMSG"]);
    assert_eq!(
        params(&queue[0])[..4],
        ["*", "QUEUE_GAP", "1", &last_old.to_string()]
    );
    assert_eq!(queue[1].id, kept);
    let mut stream = alice.stream("").await;
    assert_eq!(stream.message().await.unwrap().command, "WARN");
    assert_eq!(stream.message().await.unwrap().id, kept);
    assert_eq!(
        commands(&bob.queue().await),
        ["PRIVMSG"],
        "bob had acknowledged the removed events"
    );
    assert!(
        carol.queue().await.is_empty(),
        "none of it was in carol's queue"
    );
    alice.poll(&format!("timeout=0&after={last_old}")).await;
    assert_eq!(
        commands(&alice.queue().await),
        ["PRIVMSG"],
        "an acknowledged gap is not reported again"
    );
    let said = bob.send("PRIVMSG #rust :newer").await["ids"][0]
        .as_i64()
        .unwrap();
    assert!(said > kept, "ids are never reused");
}

#[tokio::test]
async fn a_gap_is_reported_even_after_the_membership_is_over_and_forgotten() {
    let mut server = TestServer::with(&["--retention", "10d", "--client-idle", "100d"]).await;
    let (alice, bob) = (
        server.create_session("alice").await,
        server.create_session("bob").await,
    );
    alice.snapshot().await;
    for person in [&alice, &bob] {
        person.send("JOIN #rust").await;
    }
    bob.drain().await;
    let kicked = {
        // Alice made the channel, so she is op and gives that to bob, who puts her out.
        alice.send("MODE #rust +o bob").await;
        bob.send("KICK #rust alice").await["ids"][0]
            .as_i64()
            .unwrap()
    };
    bob.send("PRIVMSG #rust :without her").await;
    bob.drain().await;
    server.advance(DAY * 11);
    upkeep(&mut server, 0).await;
    until("the past stay to go", async || {
        server.rows("membership") == 1
    })
    .await;
    let queue = alice.queue().await;
    assert_eq!(commands(&queue), ["WARN"]);
    assert_eq!(params(&queue[0])[2..4], ["1", &kicked.to_string()]);
    assert!(bob.queue().await.is_empty());
}

#[tokio::test]
async fn the_reason_of_a_clients_end_is_kept_for_the_retention_time() {
    let mut server = TestServer::with(&["--retention", "10d"]).await;
    let alice = server.create_session("alice").await;
    alice.send("JOIN #rust").await;
    alice.send("PRIVMSG alice :note").await;
    alice.send("QUIT").await;
    let code = |problem: crate::support::Problem| (problem.code, problem.body["reason"].clone());
    let answer = alice
        .call(reqwest::Method::GET, "/api/v1/session")
        .await
        .unwrap_err();
    assert_eq!(code(answer), ("client_ended".into(), "quit".into()));
    server.advance(DAY * 11);
    upkeep(&mut server, 0).await;
    let tables = [
        "session",
        "client",
        "channel",
        "membership",
        "target",
        "read_marker",
    ];
    until("tombstones to go", async || {
        tables.iter().all(|table| server.rows(table) == 0)
    })
    .await;
    let answer = alice
        .call(reqwest::Method::GET, "/api/v1/session")
        .await
        .unwrap_err();
    assert_eq!(code(answer), ("unauthenticated".into(), Value::Null));
}

/// Joining and leaving must not grow the database without end. The oldest past stays of a session
/// are forgotten. A client that had not read them is told of a gap, and receives exactly the other
/// events.
#[tokio::test]
async fn a_session_has_a_limit_on_past_stays() {
    let server = TestServer::start().await;
    let [alice, bob] = server.sessions_on("#rust", ["alice", "bob"]).await;
    let phone = server.phone_of(&alice, "alice").await;
    let channels = (0..20)
        .map(|n| format!("#{n}"))
        .collect::<Vec<_>>()
        .join(",");
    for channel in channels.split(',') {
        bob.send(&format!("JOIN {channel}")).await;
    }
    let (mut lost_up_to, mut expected) = (0, Vec::new());
    for round in 0..60 {
        let mut round_of = alice.send(&format!("JOIN {channels}")).await.ids().to_vec();
        let parts = alice.send(&format!("PART {channels}")).await.ids().to_vec();
        round_of.extend(parts);
        // Of 60 times 20 stays the last 1,000 are kept.
        if round < 10 {
            lost_up_to = round_of.last().unwrap().as_i64().unwrap()
        } else {
            expected.extend(round_of)
        }
        if round < 10 {
            expected.push(
                bob.send("PRIVMSG #rust :kept, as #rust was never left")
                    .await["ids"][0]
                    .clone(),
            );
        }
    }
    assert_eq!(
        server.rows("membership WHERE session_id = 1 AND until IS NOT NULL"),
        1000
    );
    let start = phone.snapshot().await["acknowledged"].as_i64().unwrap();
    let gap = |message: &Message| (params(message)[1..4].join(" "), message.command.clone());
    let told = (
        format!("QUEUE_GAP {} {lost_up_to}", start + 1),
        "WARN".to_owned(),
    );

    let mut stream = phone.stream("").await;
    assert_eq!(gap(&stream.message().await.unwrap()), told);
    for id in &expected {
        assert_eq!(stream.message().await.unwrap().id, *id);
    }
    let page = phone.poll("timeout=0&limit=5").await;
    assert_eq!(gap(&page.messages[0]), told);
    let (mut read, mut after) = (Vec::new(), start);
    while read.len() < expected.len() {
        let page = phone
            .poll(&format!("timeout=0&limit=500&after={after}"))
            .await;
        let messages = page
            .messages
            .iter()
            .filter(|message| message.command != "WARN");
        read.extend(messages.map(|message| message.id));
        after = page.next;
    }
    assert_eq!(read, expected);
}

#[tokio::test]
async fn ids_are_never_reused_even_if_retention_leaves_no_event() {
    let mut server = TestServer::with(&["--retention", "10d"]).await;
    let ids = async |server: &TestServer, nick: &str| {
        let person = server.create_session(nick).await;
        person.send("JOIN #rust").await;
        let event = person.send("@label=hello PRIVMSG #rust :hello").await["ids"][0]
            .as_i64()
            .unwrap();
        let snapshot = person.snapshot().await;
        person.send("QUIT").await;
        let id = |of: &str| snapshot[of]["id"].as_i64().unwrap();
        [event, id("session"), id("client")]
    };
    let before = ids(&server, "alice").await;
    server.advance(DAY * 11);
    upkeep(&mut server, 0).await;
    let tables = ["target", "session", "client", "channel"];
    until("everything to go", async || {
        tables.iter().all(|table| server.rows(table) == 0)
    })
    .await;
    server.restart().await;
    let after = ids(&server, "bob").await;
    assert!(
        before
            .iter()
            .zip(after)
            .all(|(before, after)| *before < after),
        "{before:?}, then {after:?}"
    );
}

/// A clock that was set wrong has dated an event years ahead. The events after it are still
/// removed.
#[tokio::test]
async fn an_event_dated_in_the_future_does_not_stop_retention() {
    let mut server = TestServer::with(&["--retention", "10d", "--client-idle", "100d"]).await;
    let alice = server.create_session("alice").await;
    alice.send("JOIN #rust").await;
    server.set_clock(20 * 365 * 24 * 3600);
    alice.send("PRIVMSG #rust :from the future").await;
    server.set_clock(-20 * 365 * 24 * 3600);
    alice.send("PRIVMSG #rust :from today").await;
    server.advance(DAY * 11);
    alice.send("PRIVMSG #rust :kept").await;
    upkeep(&mut server, 1).await;
}
