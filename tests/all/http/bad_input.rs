//! Named cases of bad input. Each gets the contract's error and leaves no trace, and the next
//! request works.

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

/// The server's state as another session sees it: every channel and every nick.
async fn state(witness: &Device) -> (Value, Value) {
    (
        witness.get("/api/v1/channels").await,
        witness.send("WHO *").await["replies"].clone(),
    )
}

#[tokio::test]
async fn a_malformed_command_is_refused_and_leaves_no_trace() {
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
    let malformed = [
        ("an empty body", json, ""),
        ("no JSON", json, "no json"),
        ("an array", json, "[]"),
        ("10,000 open brackets", json, deep.as_str()),
        (
            "a number as command",
            json,
            r##"{"command":7,"params":["#a"]}"##,
        ),
        (
            "a text as params",
            json,
            r##"{"command":"JOIN","params":"#a"}"##,
        ),
        (
            "a number among the params",
            json,
            r##"{"command":"JOIN","params":[1]}"##,
        ),
        (
            "a source of its own",
            json,
            r##"{"command":"JOIN","params":["#a"],"source":"bob"}"##,
        ),
        (
            "an unknown field",
            json,
            r##"{"command":"JOIN","params":["#a"],"nick":"bob"}"##,
        ),
        (
            "a field that comes twice",
            json,
            r##"{"command":"JOIN","command":"JOIN","params":["#a"]}"##,
        ),
        ("no command", json, r##"{"params":["#a"]}"##),
        (
            "an empty command",
            json,
            r##"{"command":"","params":["#a"]}"##,
        ),
        (
            "an empty label",
            json,
            r##"{"command":"JOIN","params":["#a"],"label":""}"##,
        ),
        (
            "a line break that begins another command",
            json,
            r##"{"command":"PRIVMSG","params":["#rust","a\r\nQUIT"]}"##,
        ),
        (
            "a NUL in a text",
            json,
            r##"{"command":"PRIVMSG","params":["#rust","a\u0000b"]}"##,
        ),
        (
            "a line break in the command",
            json,
            r##"{"command":"JOIN\n","params":["#a"]}"##,
        ),
        (
            "a form",
            "application/x-www-form-urlencoded",
            "command=JOIN",
        ),
        (
            "no media type",
            "",
            r##"{"command":"JOIN","params":["#a"]}"##,
        ),
        (
            "a media type that begins like JSON",
            "application/jsonp",
            r##"{"command":"JOIN","params":["#a"]}"##,
        ),
        ("an empty line", text, ""),
        ("two lines", text, "JOIN #a\nJOIN #b"),
        ("a NUL at the end", text, "JOIN #a\0"),
        (
            "a password in three words",
            text,
            "PASS correct horse battery",
        ),
    ];
    let malformed =
        malformed.map(|(case, kind, body)| (case, kind, body, "malformed_request", 400));
    let others = [
        (
            "a label of 65 characters",
            json,
            long_label.as_str(),
            "input_too_long",
            413,
        ),
        ("a body of 17 KiB", json, &big, "input_too_long", 413),
        (
            "an unknown verb",
            text,
            "FROBNICATE #a",
            "unknown_command",
            400,
        ),
        (
            "a parameter that is missing",
            text,
            "JOIN",
            "need_more_params",
            400,
        ),
        (
            "a channel without #",
            text,
            "JOIN rust",
            "bad_channel_name",
            400,
        ),
        ("a # alone", text, "JOIN #", "bad_channel_name", 400),
        ("no recipient", text, "PRIVMSG", "no_recipient", 400),
        ("no text", text, "PRIVMSG #rust", "no_text_to_send", 400),
        (
            "no such channel",
            text,
            "PRIVMSG #nowhere :x",
            "no_such_channel",
            404,
        ),
        (
            "no such nick",
            text,
            "PRIVMSG nobody :x",
            "no_such_nick",
            404,
        ),
        (
            "a password that is too short",
            text,
            "PASS short",
            "weak_password",
            400,
        ),
    ];
    for (case, kind, body, code, status) in malformed.into_iter().chain(others) {
        let refusal = post(&alice, "/api/v1/messages", kind, body.to_owned())
            .await
            .expect_err(case);
        assert_eq!(
            (refusal.code.as_str(), refusal.status),
            (code, status),
            "{case}"
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
async fn a_body_has_at_most_16_kib() {
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
async fn nicks_are_checked_when_a_session_is_created_or_renamed() {
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
    for (case, nick, code) in [
        ("taken in another case", "Alice", "nickname_in_use"),
        ("begins with a digit", "0", "erroneous_nickname"),
        ("10,000 characters", &huge, "erroneous_nickname"),
    ] {
        let refusal = bob
            .try_send_json(json!({"command": "NICK", "params": [nick]}))
            .await
            .unwrap_err();
        assert_eq!(refusal.code, code, "{case}");
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
        "two members and the end of the list"
    );
}

#[tokio::test]
async fn a_new_sessions_body_is_checked() {
    let server = TestServer::start().await;
    let visitor = server.device();
    let long_name = format!(r#"{{"nick":"alice","client_name":"{}"}}"#, "n".repeat(65));
    for (case, kind, body, code) in [
        ("no nick", "application/json", "{}", "malformed_request"),
        (
            "a number as nick",
            "application/json",
            r#"{"nick":5}"#,
            "malformed_request",
        ),
        (
            "null as nick",
            "application/json",
            r#"{"nick":null}"#,
            "malformed_request",
        ),
        (
            "an unknown field",
            "application/json",
            r#"{"nick":"alice","admin":true}"#,
            "malformed_request",
        ),
        (
            "JSON cut off",
            "application/json",
            r#"{"nick":"alice""#,
            "malformed_request",
        ),
        (
            "a control character in the name",
            "application/json",
            r#"{"nick":"alice","client_name":"a\u0007"}"#,
            "malformed_request",
        ),
        (
            "a name of 65 characters",
            "application/json",
            &long_name,
            "input_too_long",
        ),
        (
            "JSON sent as text",
            "text/plain",
            r#"{"nick":"alice"}"#,
            "malformed_request",
        ),
    ] {
        assert_eq!(
            post(&visitor, "/api/v1/session", kind, body.to_owned())
                .await
                .unwrap_err()
                .code,
            code,
            "{case}"
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
