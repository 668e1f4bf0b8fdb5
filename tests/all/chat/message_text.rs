//! The texts of messages: the characters they may have, the number of their lines, and that they
//! must show something.

use serde_json::{Value, json};

use crate::support::{Device, JsonAnswer, Socket, TestServer, params, status_and_code};

async fn send(
    device: &Device,
    command: &str,
    target: &str,
    text: &str,
) -> Result<Value, (u16, String)> {
    device
        .try_send_json(json!({"command": command, "params": [target, text]}))
        .await
        .map_err(status_and_code)
}

/// Texts that show nothing.
const BLANK: [&str; 10] = [
    "",
    " ",
    "   ",
    "\t",
    "\u{a0}\u{3000}",
    "\u{200b}",
    "\u{202e}\u{2066}",
    "\u{3164}",
    "\u{2}\u{f}",
    "\n \n",
];

#[tokio::test]
async fn a_text_that_shows_nothing_is_refused() {
    let server = TestServer::start().await;
    let [alice, bob] = server.sessions_on("#rust", ["alice", "bob"]).await;
    bob.drain().await;
    for text in BLANK {
        for target in ["#rust", "bob"] {
            let refused = send(&alice, "PRIVMSG", target, text).await;
            assert_eq!(refused, Err((400, "no_text_to_send".into())), "{text:?}");
            assert_eq!(
                send(&alice, "NOTICE", target, text).await,
                Ok(json!({"replies": [], "ids": []})),
                "{text:?}"
            );
        }
    }
    assert!(bob.queue().await.is_empty());
    for text in [
        "\u{200b}x",
        " . ",
        "\u{1}ACTION waves\u{1}",
        "\u{1}",
        "🦀",
        "\u{2764}\u{fe0f}",
    ] {
        send(&alice, "PRIVMSG", "bob", text).await.unwrap();
        assert_eq!(params(bob.drain().await.last().unwrap())[1], text);
    }
}

#[tokio::test]
async fn a_message_sent_as_json_may_have_several_lines() {
    let server = TestServer::start().await;
    let [alice, bob] = server.sessions_on("#rust", ["alice", "bob"]).await;
    bob.drain().await;
    let mut stream = bob.stream("").await;
    let hundred = vec!["line"; 100].join("\n");
    for command in ["PRIVMSG", "NOTICE"] {
        for target in ["#rust", "bob"] {
            for text in ["one\ntwo", "\none\n\n", &hundred] {
                let sent = send(&alice, command, target, text).await.unwrap();
                assert_eq!(sent.ids().len(), 1, "one message, however many lines");
                assert_eq!(params(&stream.message().await.unwrap()), [target, text]);
                assert_eq!(params(bob.drain().await.last().unwrap()), [target, text]);
            }
        }
    }
    let history = bob.history("target=%23rust&limit=1").await;
    assert_eq!(history[0].param(1), hundred);
}

#[tokio::test]
async fn a_text_with_forbidden_parts_is_refused_and_sends_nothing() {
    let server = TestServer::start().await;
    let [alice, bob] = server.sessions_on("#rust", ["alice", "bob"]).await;
    bob.drain().await;
    let many = vec!["line"; 101].join("\n");
    let breaks = "\n".repeat(4096);
    for (case, text, status, code) in [
        ("101 lines", &many[..], 413, "input_too_long"),
        (
            "4,097 line breaks",
            &format!("x{breaks}"),
            413,
            "input_too_long",
        ),
        (
            "an action of two lines",
            "\u{1}ACTION one\ntwo\u{1}",
            400,
            "malformed_request",
        ),
        (
            "a CTCP query with a line break",
            "\u{1}VERSION\n",
            400,
            "malformed_request",
        ),
    ] {
        assert_eq!(
            send(&alice, "PRIVMSG", "#rust", text).await,
            Err((status, code.into())),
            "{case}"
        );
        assert_eq!(
            send(&alice, "NOTICE", "#rust", text).await,
            Ok(json!({"replies": [], "ids": []})),
            "{case}"
        );
    }
    for text in ["one\rtwo", "one\r\ntwo", "one\0two"] {
        for command in ["PRIVMSG", "NOTICE"] {
            assert_eq!(
                send(&alice, command, "bob", text).await,
                Err((400, "malformed_request".into())),
                "{text:?}"
            );
        }
    }
    for message in [
        json!({"command": "PRIVMSG", "params": ["#rust\nbob", "hi"]}),
        json!({"command": "TOPIC", "params": ["#rust", "one\ntwo"]}),
        json!({"command": "AWAY", "params": ["one\ntwo"]}),
        json!({"command": "PART", "params": ["#rust", "one\ntwo"]}),
        json!({"command": "KICK", "params": ["#rust", "bob", "one\ntwo"]}),
        json!({"command": "QUIT", "params": ["one\ntwo"]}),
        json!({"command": "PRIVMSG", "params": ["#rust", "hi"], "label": "a\nb"}),
    ] {
        let refused = alice
            .try_send_json(message.clone())
            .await
            .map_err(status_and_code);
        assert_eq!(refused, Err((400, "malformed_request".into())), "{message}");
    }
    assert_eq!(
        alice
            .try_send("PRIVMSG #rust :one\ntwo")
            .await
            .unwrap_err()
            .code,
        "malformed_request",
        "as a line"
    );
    assert!(bob.queue().await.is_empty());
}

#[tokio::test]
async fn each_line_counts_toward_the_flood_limit() {
    let server = TestServer::with(&["--flood-limit", "20:1"]).await;
    let alice = server.create_session("alice").await;
    send(&alice, "PRIVMSG", "alice", &vec!["line"; 15].join("\n"))
        .await
        .unwrap();
    assert_eq!(
        send(&alice, "PRIVMSG", "alice", &["line"; 6].join("\n")).await,
        Err((429, "throttled".into()))
    );
    send(&alice, "PRIVMSG", "alice", &["line"; 5].join("\n"))
        .await
        .unwrap();
    assert_eq!(
        send(&alice, "PRIVMSG", "alice", "one").await,
        Err((429, "throttled".into()))
    );
    server.advance(std::time::Duration::from_secs(20));
    // A message longer than the burst is allowed when the whole burst is left. The limit then takes
    // that much longer to refill.
    send(&alice, "PRIVMSG", "alice", &vec!["line"; 100].join("\n"))
        .await
        .unwrap();
    server.advance(std::time::Duration::from_secs(79));
    assert_eq!(
        send(&alice, "PRIVMSG", "alice", "one").await,
        Err((429, "throttled".into()))
    );
    server.advance(std::time::Duration::from_secs(2));
    send(&alice, "PRIVMSG", "alice", "one").await.unwrap();
}

#[tokio::test]
async fn the_socket_accepts_several_lines_too() {
    let server = TestServer::start().await;
    let [alice, bob] = server.sessions_on("#rust", ["alice", "bob"]).await;
    bob.drain().await;
    let mut socket = Socket::open(&alice, "").await;
    let message = |text: &str| json!({"command": "PRIVMSG", "params": ["bob", text], "label": "l"});
    for (text, code) in [
        ("one\ntwo", None),
        ("one\rtwo", Some("malformed_request")),
        ("\u{200b}", Some("no_text_to_send")),
    ] {
        socket.send(message(text)).await;
        assert_eq!(socket.answer().await["code"].as_str(), code, "{text:?}");
    }
    assert_eq!(params(&bob.queue().await[0])[1], "one\ntwo");
}
