//! Reading a queue by long poll and by stream: what is special to each. `delivery_modes` tests what
//! all modes share.

use reqwest::{Method, header};
use serde_json::{Value, json};

use crate::support::{Message, TestServer, commands, params};

fn texts(messages: &[Message]) -> Vec<&str> {
    messages
        .iter()
        .filter(|m| m.command == "PRIVMSG")
        .map(|m| m.param(1))
        .collect()
}

#[tokio::test]
async fn a_poll_pages_acknowledges_and_can_be_repeated() {
    let server = TestServer::start().await;
    let alice = server.create_session("alice").await;
    alice.send("JOIN #rust").await;
    for n in 0..7 {
        alice.send(&format!("PRIVMSG #rust :{n}")).await;
    }
    let first = alice.poll("timeout=0&limit=3").await;
    assert_eq!(
        first,
        alice.poll("timeout=0&limit=3").await,
        "reading acknowledges nothing"
    );
    let next = first.next;
    assert_eq!(
        first.messages[2].id, next,
        "a full page ends at its last event"
    );
    let second = alice
        .poll(&format!("timeout=0&limit=500&after={next}"))
        .await;
    assert_eq!(texts(&second.messages), ["2", "3", "4", "5", "6"]);
    assert_eq!(
        second,
        alice
            .poll(&format!("timeout=0&limit=500&after={next}"))
            .await
    );
    assert_eq!(
        second,
        alice.poll("timeout=0&limit=500").await,
        "after acknowledged everything up to it"
    );
    assert_eq!(alice.snapshot().await["acknowledged"].as_i64(), Some(next));
    assert_eq!(texts(&alice.queue().await).len(), 5);
    alice.poll("timeout=0&after=1").await;
    assert_eq!(
        alice.snapshot().await["acknowledged"].as_i64(),
        Some(next),
        "the acknowledged cursor never goes back"
    );
}

#[tokio::test]
async fn ack_has_the_effect_of_after_and_leaves_no_event() {
    let server = TestServer::start().await;
    let (alice, bob) = (
        server.create_session("alice").await,
        server.create_session("bob").await,
    );
    let joined = alice.send("JOIN #rust").await["ids"][0].as_i64().unwrap();
    let said = bob.send("JOIN #other").await["ids"][0].as_i64().unwrap();
    assert_eq!(
        alice.send(&format!("ACK {joined}")).await,
        json!({"replies": [], "ids": []})
    );
    let page = alice.poll("timeout=0").await;
    assert_eq!(
        (page.messages.len(), page.next),
        (0, said),
        "next is the position up to which the log was read"
    );
    alice.send(&format!("ACK {said}")).await;
    assert_eq!(alice.snapshot().await["acknowledged"].as_i64(), Some(said));
}

#[tokio::test]
async fn a_held_poll_answers_as_soon_as_something_happens() {
    let server = TestServer::start().await;
    let (alice, bob) = (
        server.create_session("alice").await,
        server.create_session("bob").await,
    );
    for person in [&alice, &bob] {
        person.send("JOIN #rust").await;
        person.drain().await;
    }
    let after = alice.drain().await.last().unwrap().id;
    let held = tokio::spawn({
        let alice = alice.clone();
        async move { alice.poll(&format!("timeout=60&after={after}")).await }
    });
    server.wait_for_connections(1).await;
    bob.send("PRIVMSG #rust :now").await;
    assert_eq!(texts(&held.await.unwrap().messages), ["now"]);
}

#[tokio::test]
async fn a_stream_has_the_backlog_then_new_events_and_resumes_exactly() {
    let server = TestServer::start().await;
    let [alice, bob] = server.sessions_on("#rust", ["alice", "bob"]).await;
    let mut stream = alice.stream("after=0").await;
    let opening = stream.frame().await.unwrap();
    assert_eq!(
        opening,
        [("retry".into(), "1000".into()), ("id".into(), "0".into())]
    );
    assert_eq!(stream.message().await.unwrap().command, "JOIN");
    assert_eq!(stream.message().await.unwrap().command, "JOIN");
    bob.send("PRIVMSG #rust :one").await;
    let frame = stream.frame().await.unwrap();
    let message: Value = serde_json::from_str(&frame[1].1).unwrap();
    assert_eq!(
        (frame[0].0.as_str(), frame[0].1.parse().ok()),
        ("id", message["id"].as_i64())
    );
    drop(stream);
    bob.send("PRIVMSG #rust :two").await;
    bob.send("PRIVMSG #rust :three").await;

    let resumed = alice
        .request(Method::GET, "/api/v1/events?after=0")
        .header("last-event-id", &frame[0].1);
    let mut stream = crate::support::Stream::of(resumed.send().await.unwrap());
    for expected in ["two", "three"] {
        assert_eq!(
            params(&stream.message().await.unwrap())[1],
            expected,
            "Last-Event-ID is newer than after"
        );
    }
    let acknowledged = alice.snapshot().await["acknowledged"].as_i64();
    assert_eq!(
        acknowledged,
        message["id"].as_i64(),
        "resuming acknowledges up to its position"
    );
}

#[tokio::test]
async fn history_covers_the_sessions_own_stay_and_a_recreated_channel_has_no_past() {
    let server = TestServer::start().await;
    let (alice, bob) = (
        server.create_session("alice").await,
        server.create_session("bob").await,
    );
    alice.send("JOIN #rust").await;
    alice.send("PRIVMSG #rust :before bob").await;
    bob.send("JOIN #rust").await;
    let mut ids = Vec::new();
    for n in 0..5 {
        ids.push(
            alice.send(&format!("PRIVMSG #rust :{n}")).await["ids"][0]
                .as_i64()
                .unwrap(),
        );
    }
    bob.send("PART #rust").await;
    alice.send("PRIVMSG #rust :without bob").await;
    bob.send("JOIN #rust").await;
    alice.send("PRIVMSG #rust :with bob").await;
    let of = |device: &crate::support::Device, query: String| {
        let device = device.clone();
        async move { device.history(&query).await }
    };
    let all = of(&bob, "target=%23rust".into()).await;
    assert_eq!(texts(&all), ["0", "1", "2", "3", "4", "with bob"]);
    assert_eq!(commands(&all)[0], "JOIN");
    assert_eq!(
        texts(&of(&bob, format!("target=%23RUST&before={}&limit=2", ids[4])).await),
        ["2", "3"]
    );
    let carol = server.create_session("carol").await;
    let refusal = carol.try_history("target=%23rust").await.unwrap_err();
    assert_eq!(refusal.code, "not_on_channel");
    for person in [&alice, &bob] {
        person.send("PART #rust").await;
    }
    assert_eq!(
        bob.try_history("target=%23rust").await.unwrap_err().code,
        "no_such_channel"
    );
    bob.send("JOIN #rust").await;
    assert_eq!(commands(&of(&bob, "target=%23rust".into()).await), ["JOIN"]);
}

#[tokio::test]
async fn the_history_of_a_conversation_is_with_the_session_that_has_the_nick_now() {
    let server = TestServer::start().await;
    let (alice, bob) = (
        server.create_session("alice").await,
        server.create_session("bob").await,
    );
    for n in 0..3 {
        alice.send(&format!("PRIVMSG bob :to {n}")).await;
        bob.send(&format!("PRIVMSG alice :from {n}")).await;
    }
    server
        .create_session("carol")
        .await
        .send("PRIVMSG alice :not this")
        .await;
    let history = alice.history("target=bob&limit=4").await;
    assert_eq!(texts(&history), ["to 1", "from 1", "to 2", "from 2"]);
    bob.send("NICK robert").await;
    assert_eq!(alice.history("target=robert").await.len(), 6);
    server.create_session("bob").await;
    assert_eq!(
        alice.history("target=bob").await,
        [] as [Message; 0],
        "another session called bob, another conversation"
    );
    assert_eq!(
        alice.try_history("target=nobody").await.unwrap_err().code,
        "no_such_nick"
    );
}

#[tokio::test]
async fn read_markers_are_shared_by_devices_and_only_move_forward() {
    let server = TestServer::start().await;
    let [alice, bob] = server.sessions_on("#rust", ["alice", "bob"]).await;
    let phone = server.phone_of(&alice, "alice").await;
    let said = bob.send("PRIVMSG #rust :x").await["ids"][0]
        .as_i64()
        .unwrap();
    phone.drain().await;
    bob.drain().await;
    let answer = alice.send(&format!("MARKREAD #rust {said}")).await;
    assert_eq!(params(&answer["replies"][0]), ["#rust", &said.to_string()]);
    let queue = phone.queue().await;
    assert_eq!(
        (commands(&queue), params(&queue[0])),
        (vec!["MARKREAD"], vec!["#rust", &said.to_string()])
    );
    assert!(
        bob.queue().await.is_empty(),
        "other sessions do not see the read marker"
    );
    let back = phone.send("MARKREAD #rust 1").await;
    assert_eq!(
        (&back["ids"], params(&back["replies"][0])[1]),
        (&json!([]), said.to_string().as_str())
    );
    assert_eq!(
        phone.snapshot().await["channels"][0]["read"].as_i64(),
        Some(said)
    );
    assert_eq!(
        params(&phone.send("MARKREAD #rust").await["replies"][0])[1],
        said.to_string()
    );
    assert_eq!(
        phone.try_send("MARKREAD #none 1").await.unwrap_err().code,
        "no_such_channel"
    );
    bob.send("PRIVMSG alice :psst").await;
    phone.send(&format!("MARKREAD bob {said}")).await;
    let unread = json!({"count": 1, "mention": false});
    let session = bob.snapshot().await["session"]["id"].clone();
    let direct = json!({"nick": "bob", "session": session, "read": said, "unread": unread});
    assert_eq!(alice.snapshot().await["directs"], json!([direct]));
}

#[tokio::test]
async fn the_head_of_a_stream_has_its_content_type_and_is_not_cached() {
    let server = TestServer::start().await;
    let alice = server.create_session("alice").await;
    let response = alice
        .request(Method::GET, "/api/v1/events")
        .send()
        .await
        .unwrap();
    assert_eq!(
        response.headers()[header::CONTENT_TYPE],
        "text/event-stream"
    );
    assert_eq!(response.headers()[header::CACHE_CONTROL], "no-store");
}
