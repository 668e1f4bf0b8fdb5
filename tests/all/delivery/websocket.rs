//! Commands over a WebSocket, and how a WebSocket opens and closes.

use std::time::Duration;

use rejoin::config::Patience;
use reqwest::Method;
use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::Message;

use crate::support::{DeliveryMode, Device, JsonAnswer, Reader, Socket, TEST_TIMEOUT, TestServer};

fn say(text: &str, label: &str) -> Value {
    json!({"command": "PRIVMSG", "params": ["#rust", text], "label": label})
}

/// Sends more to #rust than a connection buffers for a silent reader. Returns the socket that sent
/// it.
async fn say_much(person: &Device) -> Socket {
    const SAID: usize = 400;
    let filler = "x".repeat(4000);
    let mut speaking = Socket::open(person, "").await;
    speaking
        .send_all((0..SAID).map(|n| say(&filler, &n.to_string())))
        .await;
    for _ in 0..SAID {
        speaking.answer().await;
    }
    speaking
}

#[tokio::test]
async fn a_command_is_answered_with_its_label_and_delivered_like_any_other() {
    let server = TestServer::start().await;
    let [alice, bob] = server.sessions_on("#rust", ["alice", "bob"]).await;
    alice.drain().await;
    let mut socket = Socket::open(&alice, "").await;
    socket
        .send(json!({"command": "PRIVMSG", "params": ["#rust", "hi"], "label": "c1"}))
        .await;
    let answer = socket.answer().await;
    assert_eq!(
        (&answer["label"], &answer["replies"]),
        (&json!("c1"), &json!([]))
    );
    let id = answer["ids"][0].as_i64().unwrap();
    let mut again = Socket::open(&alice, "").await;
    let message = again.message().await.unwrap();
    assert_eq!((message.id, message.label.as_deref()), (id, Some("c1")));
    assert_eq!(bob.queue().await.last().unwrap().id, id);
    // A label is the same in every delivery mode.
    assert_eq!(alice.send("@label=c1 PRIVMSG #rust hi").await["ids"][0], id);
    again
        .send(json!({"command": "NAMES", "params": ["#rust"]}))
        .await;
    let names = again.answer().await;
    assert_eq!(
        (&names["replies"][0]["command"], names.get("label")),
        (&json!("353"), None)
    );
}

#[tokio::test]
async fn a_refused_command_gets_a_problem_with_its_label_and_the_connection_goes_on() {
    let server = TestServer::with(&["--flood-limit", "9:1"]).await;
    let alice = server.create_session("alice").await;
    let mut socket = Socket::open(&alice, "").await;
    for (sent, code, label) in [
        (
            r#"{"command":"JOIN","label":"a"}"#,
            "need_more_params",
            Some("a"),
        ),
        (
            r#"{"command":"FROBNICATE","label":"b"}"#,
            "unknown_command",
            Some("b"),
        ),
        (
            r##"{"command":"PRIVMSG","params":["#none","x"],"label":"c"}"##,
            "no_such_channel",
            Some("c"),
        ),
        (
            r#"{"command":"PING","params":["a\r\nQUIT"],"label":"d"}"#,
            "malformed_request",
            Some("d"),
        ),
        (
            r#"{"command":"PING","params":"x","label":"e"}"#,
            "malformed_request",
            Some("e"),
        ),
        ("PRIVMSG #rust :no JSON", "malformed_request", None),
        ("", "malformed_request", None),
        ("[]", "malformed_request", None),
    ] {
        socket.send_frame(Message::text(sent)).await;
        let problem = socket.answer().await;
        assert_eq!(
            (problem["code"].as_str(), problem["label"].as_str()),
            (Some(code), label),
            "{sent}"
        );
        assert!(problem["status"].as_u64().unwrap() >= 400 && problem["replies"].is_null());
    }
    socket.send_frame(Message::text("x".repeat(20_000))).await;
    assert_eq!(socket.answer().await["code"], "input_too_long");
    for n in 0..7 {
        socket
            .send(json!({"command": "PING", "params": [n.to_string()]}))
            .await;
    }
    let answers = [(); 7].map(|()| Value::Null);
    let mut last = Value::Null;
    for _ in answers {
        last = socket.answer().await;
    }
    assert_eq!(
        (&last["code"], &last["retry_after"]),
        (&json!("throttled"), &json!(1))
    );
    server.advance(Duration::from_secs(1));
    socket
        .send(json!({"command": "PING", "params": ["on"]}))
        .await;
    assert_eq!(socket.answer().await["replies"][0]["command"], "PONG");
}

/// A sender does not wait for answers. Every command is carried out once, and commands and answers
/// keep their order. A query sees the effects of the commands before it and of none after it.
#[tokio::test]
async fn commands_that_are_sent_together_run_in_their_order() {
    let server = TestServer::start().await;
    let [bob] = server.sessions_on("#rust", ["bob"]).await;
    let alice = server.create_session("alice").await;
    bob.drain().await;
    let mut socket = Socket::open(&alice, "").await;
    let names = |label: &str| json!({"command": "WHOIS", "params": ["alice"], "label": label});
    // More commands than the server carries out at once.
    const BURST: i32 = 300;
    const ROUNDS: i32 = 6;
    for round in 0..ROUNDS {
        let before = [json!({"command": "JOIN", "params": ["#rust"]}), names("in")];
        let after = [
            json!({"command": "PART", "params": ["#rust"]}),
            names("out"),
        ];
        let said = (0..BURST).map(|n| say(&n.to_string(), &format!("{round}.{n}")));
        socket
            .send_all(before.into_iter().chain(said).chain(after))
            .await;
    }
    let mut last = 0;
    let mut next_id = |answer: &Value| {
        let id = answer["ids"][0].as_i64().unwrap();
        assert!(
            std::mem::replace(&mut last, id) < id,
            "ids rise with the commands"
        );
    };
    let channels = |answer: &Value| {
        let replies = answer.replies();
        replies
            .iter()
            .any(|reply| reply["command"] == "319" && reply.to_string().contains("#rust"))
    };
    for round in 0..ROUNDS {
        next_id(&socket.answer().await);
        let asked = socket.answer().await;
        assert!(asked["label"] == "in" && channels(&asked), "{asked}");
        for n in 0..BURST {
            let answer = socket.answer().await;
            assert_eq!(answer["label"], format!("{round}.{n}"));
            next_id(&answer);
        }
        next_id(&socket.answer().await);
        let asked = socket.answer().await;
        assert!(asked["label"] == "out" && !channels(&asked), "{asked}");
    }
    let heard = bob.drain().await;
    let said = heard
        .iter()
        .filter(|message| message.command == "PRIVMSG")
        .map(|message| message.params[1].clone());
    let expected = (0..ROUNDS).flat_map(|_| (0..BURST).map(|n| n.to_string()));
    assert_eq!(said.collect::<Vec<_>>(), expected.collect::<Vec<_>>());
}

#[tokio::test]
async fn pass_runs_in_its_turn_and_quit_is_answered_before_the_close() {
    let server = TestServer::start().await;
    let alice = server.create_session("alice").await;
    let mut socket = Socket::open(&alice, "").await;
    socket
        .send(json!({"command": "PASS", "params": ["correct horse battery"], "label": "p"}))
        .await;
    socket
        .send(json!({"command": "NICK", "params": ["alicia"], "label": "n"}))
        .await;
    socket
        .send(json!({"command": "PASS", "params": ["another password", "wrong"], "label": "w"}))
        .await;
    socket.send(json!({"command": "QUIT", "label": "q"})).await;
    socket
        .send(json!({"command": "PING", "params": ["x"], "label": "late"}))
        .await;
    for (label, code) in [
        ("p", None),
        ("n", None),
        ("w", Some("password_mismatch")),
        ("q", None),
    ] {
        let answer = socket.answer().await;
        assert_eq!(
            (answer["label"].as_str(), answer["code"].as_str()),
            (Some(label), code),
            "{answer}"
        );
    }
    assert_eq!(socket.closed().await, (4401, "quit".into()));
    assert_eq!(
        alice
            .call(Method::GET, "/api/v1/session")
            .await
            .unwrap_err()
            .body["reason"],
        "quit"
    );
}

#[tokio::test]
async fn only_pages_of_this_origin_and_programs_may_open_it() {
    let server = TestServer::start().await;
    let alice = server.create_session("alice").await;
    let own = format!("http://localhost:{}", server.address.port());
    for headers in [
        vec![],
        vec![("origin", own.as_str())],
        vec![("sec-fetch-site", "same-origin")],
    ] {
        assert!(
            Socket::try_open(&alice, "", &headers).await.is_ok(),
            "{headers:?}"
        );
    }
    for headers in [
        ("origin", "https://evil.example"),
        ("origin", "null"),
        ("sec-fetch-site", "cross-site"),
    ] {
        assert_eq!(
            Socket::try_open(&alice, "", &[headers]).await.err(),
            Some(403),
            "{headers:?}"
        );
    }
    assert_eq!(
        Socket::try_open(&server.device(), "", &[]).await.err(),
        Some(401)
    );
    assert_eq!(
        Socket::try_open(&alice, "after=x", &[]).await.err(),
        Some(400)
    );
    assert_eq!(
        Socket::try_open(&alice, "after=99", &[]).await.err(),
        Some(400),
        "this id was never issued"
    );
    let plain = alice.call(Method::GET, "/api/v1/socket").await.unwrap_err();
    assert_eq!(
        (plain.status, plain.code.as_str()),
        (400, "malformed_request")
    );
}

#[tokio::test]
async fn an_invalid_message_closes_it_with_a_code() {
    let server = TestServer::start().await;
    let alice = server.create_session("alice").await;
    let mut socket = Socket::open(&alice, "").await;
    socket.send_frame(Message::binary(vec![0, 1, 2])).await;
    assert_eq!(socket.closed().await.0, 1003);
    let mut socket = Socket::open(&alice, "").await;
    socket.send_frame(Message::text("x".repeat(100_000))).await;
    assert_eq!(socket.closed().await.0, 1009);
    let mut socket = Socket::open(&alice, "").await;
    socket.send_frame(Message::Close(None)).await;
    assert!(socket.frame().await.is_err(), "a close is answered");
    server.wait_for_connections(0).await;
}

#[tokio::test]
async fn a_stopping_server_closes_it_with_a_code() {
    let mut server = TestServer::start().await;
    let alice = server.create_session("alice").await;
    let mut socket = Socket::open(&alice, "").await;
    socket
        .send(json!({"command": "JOIN", "params": ["#rust"]}))
        .await;
    socket.answer().await;
    let (closed, ()) = tokio::join!(socket.closed(), server.stop());
    assert_eq!(closed.0, 1001);
}

#[tokio::test]
async fn commands_before_a_close_are_carried_out() {
    let server = TestServer::start().await;
    let [alice, bob] = server.sessions_on("#rust", ["alice", "bob"]).await;
    let mut socket = Socket::open(&alice, "").await;
    socket
        .send_and_close((0..100).map(|n| say(&n.to_string(), &n.to_string())))
        .await;
    let mut heard = Reader::open(&bob, DeliveryMode::Socket, None).await;
    let all = async {
        for n in 0..100 {
            assert_eq!(heard.next_of("PRIVMSG").await.params[1], n.to_string());
        }
    };
    tokio::time::timeout(TEST_TIMEOUT, all)
        .await
        .expect("every command is carried out");
}

/// A login with a new secret must lock out a thief who has the old one.
#[tokio::test]
async fn connections_of_a_replaced_secret_receive_and_do_nothing_more() {
    let server = TestServer::start().await;
    let [alice, bob] = server.sessions_on("#rust", ["alice", "bob"]).await;
    alice.send("PASS :correct horse battery").await;
    let _speaking = say_much(&bob).await;
    let mut socket = Socket::open(&alice, "after=0").await;
    let mut stream = alice.stream("after=0").await;
    let renewed = alice.login("alice", "correct horse battery").await.unwrap();
    bob.send("PRIVMSG #rust later").await;
    socket.send(say("not by me", "late")).await;
    loop {
        match socket.frame().await {
            Ok(frame) => assert!(
                frame["params"][1] != "later" && frame["label"] != "late",
                "{frame}"
            ),
            Err(close) => break assert_eq!(u16::from(close.unwrap().code), 1001),
        }
    }
    while let Some(message) = stream.message().await {
        assert_ne!(message.text(), Some("later"));
    }
    let said = renewed.drain().await;
    assert_eq!(said.last().unwrap().params[1], "later");
    assert!(
        said.iter()
            .all(|message| message.text() != Some("not by me"))
    );
}

#[tokio::test]
async fn the_end_of_a_client_closes_its_connection_even_if_it_reads_nothing() {
    let patience = Patience {
        write: Duration::from_hours(1),
        ..Patience::default()
    };
    let server = TestServer::with_patience(&[], patience).await;
    let [alice, bob] = server.sessions_on("#rust", ["alice", "bob"]).await;
    let _speaking = say_much(&bob).await;
    let _deaf = Socket::open(&alice, "after=0").await;
    server.wait_for_connections(2).await;
    alice.send("QUIT").await;
    server.wait_for_connections(1).await;
}

#[tokio::test]
async fn an_open_socket_is_pinged_and_counts_as_use_and_a_silent_one_is_closed() {
    let patience = Patience {
        ping: Duration::from_millis(400),
        ..Patience::default()
    };
    let server = TestServer::with_patience(&["--client-idle", "1h"], patience).await;
    let [alice, bob] = [
        server.create_session("alice").await,
        server.create_session("bob").await,
    ];
    let mut socket = Socket::open(&alice, "").await;
    let _silent = Socket::open(&bob, "").await;
    for _ in 0..2 {
        server.advance(Duration::from_mins(50));
        // One ping may already have been on its way.
        socket.pinged().await;
        socket.pinged().await;
    }
    // Alice keeps answering pings.
    tokio::select! {
        () = async { loop { socket.pinged().await } } => {}
        () = server.wait_for_connections(1) => {}
    }
    alice.snapshot().await;
}
