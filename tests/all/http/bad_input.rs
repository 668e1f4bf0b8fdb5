//! Bad input, by name: each gets the contract's error, leaves no trace, and the next request works.

use reqwest::{Method, header};
use serde_json::{Value, json};

use crate::support::{Device, JsonAnswer, Problem, TestServer, checked};

mod outside_the_body;

async fn post(
    device: &Device,
    path: &str,
    kind: &str,
    body: impl Into<reqwest::Body>,
) -> Result<Value, Problem> {
    let request = device
        .request(Method::POST, path)
        .header(header::CONTENT_TYPE, kind)
        .body(body);
    crate::support::checked(request.send().await.unwrap()).await
}

/// What somebody else sees of the server: every channel, every nick.
async fn state(witness: &Device) -> (Value, Value) {
    (
        witness.get("/api/v1/channels").await,
        witness.send("WHO *").await["replies"].clone(),
    )
}

#[tokio::test]
async fn what_is_no_message_is_refused_and_leaves_no_trace() {
    let server = TestServer::start().await;
    let (alice, witness) = (
        server.create_session("alice").await,
        server.create_session("witness").await,
    );
    alice.send("JOIN #rust").await;
    witness.send("JOIN #rust").await;
    let (before, snapshot) = (state(&witness).await, alice.snapshot().await);
    witness.drain().await;
    let big = format!(
        "{{\"command\":\"PRIVMSG\",\"params\":[\"#rust\",\"{}\"]}}",
        "x".repeat(17 * 1024)
    );
    let deep = "[".repeat(10_000);
    let long_label = format!(
        r##"{{"command":"JOIN","params":["#a"],"label":"{}"}}"##,
        "l".repeat(65)
    );
    let (json, text) = ("application/json", "text/plain");
    for (kind, body, code, status) in [
        (json, "", "malformed_request", 400),
        (json, "no json", "malformed_request", 400),
        (json, "[]", "malformed_request", 400),
        (json, deep.as_str(), "malformed_request", 400),
        (
            json,
            r##"{"command":7,"params":["#a"]}"##,
            "malformed_request",
            400,
        ),
        (
            json,
            r##"{"command":"JOIN","params":"#a"}"##,
            "malformed_request",
            400,
        ),
        (
            json,
            r##"{"command":"JOIN","params":[1]}"##,
            "malformed_request",
            400,
        ),
        (
            json,
            r##"{"command":"JOIN","params":["#a"],"source":"bob"}"##,
            "malformed_request",
            400,
        ),
        (
            json,
            r##"{"command":"JOIN","params":["#a"],"nick":"bob"}"##,
            "malformed_request",
            400,
        ),
        (
            json,
            r##"{"command":"JOIN","command":"JOIN","params":["#a"]}"##,
            "malformed_request",
            400,
        ),
        (json, r##"{"params":["#a"]}"##, "malformed_request", 400),
        (
            json,
            r##"{"command":"","params":["#a"]}"##,
            "malformed_request",
            400,
        ),
        (
            json,
            r##"{"command":"JOIN","params":["#a"],"label":""}"##,
            "malformed_request",
            400,
        ),
        (json, &long_label, "input_too_long", 413),
        (json, &big, "input_too_long", 413),
        (
            json,
            r##"{"command":"PRIVMSG","params":["#rust","a\r\nQUIT"]}"##,
            "malformed_request",
            400,
        ),
        (
            json,
            r##"{"command":"PRIVMSG","params":["#rust","a\u0000b"]}"##,
            "malformed_request",
            400,
        ),
        (
            json,
            r##"{"command":"JOIN\n","params":["#a"]}"##,
            "malformed_request",
            400,
        ),
        (
            "application/x-www-form-urlencoded",
            "command=JOIN",
            "malformed_request",
            400,
        ),
        (
            "",
            r##"{"command":"JOIN","params":["#a"]}"##,
            "malformed_request",
            400,
        ),
        (
            "application/jsonp",
            r##"{"command":"JOIN","params":["#a"]}"##,
            "malformed_request",
            400,
        ),
        (text, "", "malformed_request", 400),
        (text, "JOIN #a\nJOIN #b", "malformed_request", 400),
        (text, "JOIN #a\0", "malformed_request", 400),
        (text, "FROBNICATE #a", "unknown_command", 400),
        (text, "JOIN", "need_more_params", 400),
        (text, "JOIN rust", "bad_channel_name", 400),
        (text, "JOIN #", "bad_channel_name", 400),
        (text, "PRIVMSG", "no_recipient", 400),
        (text, "PRIVMSG #rust", "no_text_to_send", 400),
        (text, "PRIVMSG #nowhere :x", "no_such_channel", 404),
        (text, "PRIVMSG nobody :x", "no_such_nick", 404),
        (text, "PASS short", "weak_password", 400),
        (text, "PASS correct horse battery", "malformed_request", 400),
    ] {
        let refusal = post(&alice, "/api/v1/messages", kind, body.to_owned())
            .await
            .expect_err(body);
        assert_eq!(
            (refusal.code.as_str(), refusal.status),
            (code, status),
            "{kind} {}",
            &body[..body.len().min(80)]
        );
    }
    let invalid_utf8 = post(
        &alice,
        "/api/v1/messages",
        text,
        b"PRIVMSG #rust :\xff\xfe".to_vec(),
    )
    .await
    .unwrap_err();
    assert_eq!(invalid_utf8.code, "malformed_request");
    let invalid_json = post(
        &alice,
        "/api/v1/messages",
        json,
        b"{\"command\":\"PRIVMSG\",\"params\":[\"\xff\"]}".to_vec(),
    )
    .await;
    assert_eq!(invalid_json.unwrap_err().code, "malformed_request");
    let long = alice
        .try_send(&format!("PRIVMSG #rust :{}", "x".repeat(4097)))
        .await
        .unwrap_err();
    assert_eq!(
        (long.code.as_str(), long.numeric.as_deref(), long.status),
        ("input_too_long", Some("417"), 413)
    );

    assert_eq!(state(&witness).await, before);
    assert_eq!(alice.snapshot().await["channels"], snapshot["channels"]);
    assert!(witness.queue().await.is_empty());
    alice
        .send(&format!("PRIVMSG #rust :{}", "x".repeat(4096)))
        .await;
    assert_eq!(witness.queue().await.len(), 1);
}

#[tokio::test]
async fn a_body_has_16_kib_and_not_a_byte_more() {
    let server = TestServer::start().await;
    let alice = server.create_session("alice").await;
    let (json, text) = ("application/json", "text/plain");
    let message = r#"{"command":"PING","params":["x"]}"#;
    for (bytes, good) in [(16 * 1024, true), (16 * 1024 + 1, false)] {
        for (kind, body) in [
            (json, format!("{message:<bytes$}")),
            (text, format!("{:<bytes$}", "PING x")),
        ] {
            let chunked =
                reqwest::Body::wrap_stream(futures_util::stream::iter([Ok::<_, std::io::Error>(
                    body.clone(),
                )]));
            for body in [body.into(), chunked] {
                let answer = post(&alice, "/api/v1/messages", kind, body).await;
                assert_eq!(answer.is_ok(), good, "{kind}, {bytes} bytes");
                assert!(
                    answer
                        .err()
                        .is_none_or(|refusal| refusal.code == "input_too_long")
                );
            }
        }
    }
}

#[tokio::test]
async fn nicks_are_checked_where_sessions_are_made_and_renamed() {
    let server = TestServer::start().await;
    let (alice, visitor) = (server.create_session("alice").await, server.device());
    let (long, huge) = ("a".repeat(33), "a".repeat(10_000));
    for (nick, code, numeric) in [
        ("", "no_nickname_given", "431"),
        (long.as_str(), "erroneous_nickname", "432"),
        (&huge, "erroneous_nickname", "432"),
        ("0", "erroneous_nickname", "432"),
        ("   ", "erroneous_nickname", "432"),
        ("#rust", "erroneous_nickname", "432"),
        ("ALICE", "nickname_in_use", "433"),
        ("alice", "nickname_in_use", "433"),
    ] {
        let refusal = visitor.try_create_session(nick).await.unwrap_err();
        assert_eq!(
            (refusal.code.as_str(), refusal.numeric.as_deref()),
            (code, Some(numeric)),
            "{nick:?}"
        );
    }
    let bob = server.create_session("bob").await;
    for (nick, code) in [
        ("Alice", "nickname_in_use"),
        ("0", "erroneous_nickname"),
        (&huge, "erroneous_nickname"),
    ] {
        let refusal = bob
            .try_send_json(json!({"command": "NICK", "params": [nick]}))
            .await
            .unwrap_err();
        assert_eq!(refusal.code, code);
    }
    assert_eq!(
        bob.try_send("NICK").await.unwrap_err().code,
        "no_nickname_given"
    );
    assert_eq!(bob.snapshot().await["session"]["nick"], "bob");
    bob.send("NICK BOB").await;
    assert_eq!(bob.snapshot().await["session"]["nick"], "BOB");
    assert_eq!(
        alice.send("WHO *").await.replies().len(),
        3,
        "two people and the end of the list"
    );
}

#[tokio::test]
async fn a_new_sessions_body_is_checked() {
    let server = TestServer::start().await;
    let visitor = server.device();
    let long_name = format!(r#"{{"nick":"alice","client_name":"{}"}}"#, "n".repeat(65));
    for (kind, body, code) in [
        ("application/json", "{}", "malformed_request"),
        ("application/json", r#"{"nick":5}"#, "malformed_request"),
        ("application/json", r#"{"nick":null}"#, "malformed_request"),
        (
            "application/json",
            r#"{"nick":"alice","admin":true}"#,
            "malformed_request",
        ),
        (
            "application/json",
            r#"{"nick":"alice""#,
            "malformed_request",
        ),
        (
            "application/json",
            r#"{"nick":"alice","client_name":"a\u0007"}"#,
            "malformed_request",
        ),
        ("application/json", &long_name, "input_too_long"),
        ("text/plain", r#"{"nick":"alice"}"#, "malformed_request"),
    ] {
        assert_eq!(
            post(&visitor, "/api/v1/session", kind, body.to_owned())
                .await
                .unwrap_err()
                .code,
            code,
            "{body}"
        );
    }
    visitor.try_create_session("alice").await.unwrap();
}

#[tokio::test]
async fn a_wrong_value_is_not_repeated_in_the_error() {
    let server = TestServer::start().await;
    for body in [
        r#"{"nick":"alice","password":{"hunter2secret":1}}"#,
        r#"{"nick":"alice","password":"x","replace":"hunter2secret"}"#,
    ] {
        let refusal = post(
            &server.device(),
            "/api/v1/login",
            "application/json",
            body.to_owned(),
        )
        .await
        .unwrap_err();
        assert_eq!(refusal.code, "malformed_request");
        assert!(
            !refusal.body.to_string().contains("hunter2secret"),
            "{}",
            refusal.body
        );
    }
}
