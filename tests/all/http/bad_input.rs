//! Bad input, by name: each gets the contract's error, leaves no trace, and the next request works.

use reqwest::{Method, header};
use serde_json::{Value, json};

use crate::support::{Device, JsonAnswer, Problem, TestServer, checked};

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

#[tokio::test]
async fn positions_and_limits_are_checked() {
    let server = TestServer::start().await;
    let alice = server.create_session("alice").await;
    alice.send("JOIN #rust").await;
    for (query, code) in [
        ("after=1000", "invalid_cursor"),
        ("after=9223372036854775807", "invalid_cursor"),
        ("after=-1", "invalid_cursor"),
        ("after=x", "malformed_request"),
        ("after=", "malformed_request"),
        ("after=99999999999999999999999", "malformed_request"),
        ("after=0&after=1", "malformed_request"),
        ("timeout=1000000000", "malformed_request"),
        ("timeout=1e9", "malformed_request"),
        ("timeout=61", "malformed_request"),
        ("timeout=-1", "malformed_request"),
        ("limit=0", "malformed_request"),
        ("limit=501", "malformed_request"),
        ("limit=%ff", "malformed_request"),
    ] {
        let refusal = alice
            .call(Method::GET, &format!("/api/v1/messages?{query}"))
            .await
            .unwrap_err();
        assert_eq!(
            (refusal.code.as_str(), refusal.status),
            (code, 400),
            "{query}"
        );
    }
    for line in ["ACK 1000", "ACK -1", "MARKREAD #rust 1000"] {
        assert_eq!(
            alice.try_send(line).await.unwrap_err().code,
            "invalid_cursor",
            "{line}"
        );
    }
    assert_eq!(
        alice
            .call(Method::GET, "/api/v1/events?after=1000")
            .await
            .unwrap_err()
            .code,
        "invalid_cursor"
    );
    for (after, last) in [("x", "0"), ("0", "x"), ("0", "")] {
        let resumed = alice
            .request(Method::GET, &format!("/api/v1/events?after={after}"))
            .header("last-event-id", last);
        let refusal = crate::support::checked(resumed.send().await.unwrap())
            .await
            .unwrap_err();
        assert_eq!(refusal.code, "malformed_request", "{after:?} {last:?}");
    }
    assert_eq!(
        alice
            .call(Method::GET, "/api/v1/history?target=%23rust&limit=0")
            .await
            .unwrap_err()
            .code,
        "malformed_request"
    );
    assert_eq!(
        alice
            .call(Method::GET, "/api/v1/history")
            .await
            .unwrap_err()
            .code,
        "malformed_request"
    );
    assert_eq!(
        alice.queue().await.len(),
        1,
        "none of it acknowledged anything"
    );
}

#[tokio::test]
async fn an_id_that_was_never_issued_is_refused_wherever_one_is_taken() {
    let server = TestServer::start().await;
    let [alice, bob] = server.sessions_on("#rust", ["alice", "bob"]).await;
    bob.send("PRIVMSG alice,#rust :hello").await;
    let id = bob.snapshot().await["session"]["id"].as_i64().unwrap();
    let issued = alice.snapshot().await["cursor"].as_i64().unwrap();
    let get = async |path: String, last: Option<i64>| {
        let request = alice.request(Method::GET, &path);
        let request = last.into_iter().fold(request, |request, last| {
            request.header("last-event-id", last)
        });
        let response = request.send().await.unwrap();
        // A stream that is open has no end to wait for.
        if response.status() == 200 {
            Ok(())
        } else {
            checked(response).await.map(drop)
        }
    };
    for (position, refused) in [(issued + 1, true), (i64::MAX, true), (issued, false)] {
        let mut answers = vec![
            get(format!("/api/v1/messages?timeout=0&after={position}"), None).await,
            get(format!("/api/v1/events?after={position}"), None).await,
            get("/api/v1/events".into(), Some(position)).await,
        ];
        let socket = alice.request(Method::GET, &format!("/api/v1/socket?after={position}"));
        let socket = socket
            .header("connection", "upgrade")
            .header("upgrade", "websocket");
        let socket = socket
            .header("sec-websocket-version", "13")
            .header("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ==");
        let socket = socket.send().await.unwrap();
        answers.push(if socket.status() == 101 {
            Ok(())
        } else {
            checked(socket).await.map(drop)
        });
        for of in [
            "target=%23rust".to_owned(),
            "target=bob".into(),
            format!("session={id}"),
        ] {
            for part in ["before", "after", "around"] {
                answers.push(get(format!("/api/v1/history?{of}&{part}={position}"), None).await);
            }
        }
        for line in ["ACK", "MARKREAD #rust", "MARKREAD bob"] {
            answers.push(
                alice
                    .try_send(&format!("{line} {position}"))
                    .await
                    .map(drop),
            );
        }
        let marked =
            json!({"command": "MARKREAD", "params": ["bob", position.to_string()], "to": id});
        answers.push(alice.try_send_json(marked).await.map(drop));
        let codes: Vec<_> = answers
            .into_iter()
            .map(|answer| answer.err().map(|problem| problem.code))
            .collect();
        assert_eq!(
            codes,
            vec![refused.then(|| "invalid_cursor".to_owned()); 17],
            "{position} of {issued}"
        );
    }
}

#[tokio::test]
async fn cookies_that_are_not_ours_are_refused() {
    let (server, other) = (TestServer::start().await, TestServer::start().await);
    let (alice, stranger) = (
        server.create_session("alice").await,
        other.create_session("mallory").await,
    );
    let cookie = alice.cookie.clone().unwrap();
    let foreign = stranger.cookie.clone().unwrap();
    for (cookie, code, status) in [
        (
            cookie[..cookie.len() - 1].to_owned(),
            "unauthenticated",
            401,
        ),
        (format!("{cookie}x"), "unauthenticated", 401),
        ("rejoin=".to_owned(), "unauthenticated", 401),
        (cookie.replace("rejoin=", "Rejoin="), "unauthenticated", 401),
        (foreign.clone(), "unauthenticated", 401),
        (format!("{foreign}; rejoin=x"), "unauthenticated", 401),
        (
            format!("{cookie}{}", cookie.trim_start_matches("rejoin=")),
            "unauthenticated",
            401,
        ),
    ] {
        let refusal = server
            .device()
            .with_cookie(&cookie)
            .call(Method::GET, "/api/v1/session")
            .await
            .unwrap_err();
        assert_eq!(
            (refusal.code.as_str(), refusal.status),
            (code, status),
            "{cookie}"
        );
    }
    assert_eq!(
        server
            .device()
            .call(Method::GET, "/api/v1/session")
            .await
            .unwrap_err()
            .numeric
            .as_deref(),
        Some("451")
    );
    let beside = [
        format!("{cookie}; {cookie}"),
        format!("{cookie}; {foreign}"),
    ];
    for with_others in [
        format!("theme=dark; {cookie}; x=\"y"),
        format!("{cookie}; theme=grün"),
    ]
    .into_iter()
    .chain(beside)
    {
        server.device().with_cookie(&with_others).snapshot().await;
    }
}

#[tokio::test]
async fn a_cookie_together_with_a_bearer_token_is_refused() {
    let server = TestServer::start().await;
    let alice = server.create_session("alice").await;
    let before = state(&alice).await;
    // A proxy may have a password of its own, which is none of ours.
    let by_proxy = alice
        .request(Method::GET, "/api/v1/session")
        .header("authorization", "Basic YTpi");
    assert_eq!(by_proxy.send().await.unwrap().status(), 200);
    for credential in ["Bearer abc", "bearer", "BEARER  x y"] {
        for (method, path) in [
            (Method::GET, "/api/v1/session"),
            (Method::DELETE, "/api/v1/session"),
            (Method::POST, "/logout"),
        ] {
            let request = alice
                .request(method, path)
                .header("authorization", credential);
            let refusal = crate::support::checked(request.send().await.unwrap())
                .await
                .unwrap_err();
            assert_eq!(
                (refusal.status, refusal.code.as_str()),
                (400, "malformed_request")
            );
        }
        let alone = server
            .device()
            .request(Method::GET, "/api/v1/session")
            .header("authorization", credential);
        let refusal = crate::support::checked(alone.send().await.unwrap())
            .await
            .unwrap_err();
        assert_eq!(
            (refusal.status, refusal.code.as_str()),
            (401, "invalid_token")
        );
    }
    assert_eq!(state(&alice).await, before);
}

#[tokio::test]
async fn there_is_a_hundredth_channel_and_no_more() {
    let server = TestServer::with(&["--max-channels", "5"]).await;
    let alice = server.create_session("alice").await;
    let answer = alice.send("JOIN #1,#2,#3,#4,#5,#6").await;
    assert_eq!(answer.ids().len(), 5);
    assert_eq!(answer.replies().last().unwrap()["command"], "405");
    let refusal = alice.try_send("JOIN #7").await.unwrap_err();
    assert_eq!(
        (
            refusal.code.as_str(),
            refusal.numeric.as_deref(),
            refusal.status
        ),
        ("too_many_channels", Some("405"), 409)
    );
    alice.send("PART #1").await;
    alice.send("JOIN #7").await;
}

#[tokio::test]
async fn requests_from_elsewhere_are_refused() {
    let server = TestServer::start().await;
    let alice = server.create_session("alice").await;
    let own = format!("http://localhost:{}", server.address.port());
    let attempt = |headers: Vec<(&'static str, String)>| {
        let mut request = alice
            .request(Method::POST, "/api/v1/messages")
            .header(header::CONTENT_TYPE, "text/plain");
        for (name, value) in headers {
            request = request.header(name, value);
        }
        async move {
            request
                .body("PING x")
                .send()
                .await
                .unwrap()
                .status()
                .as_u16()
        }
    };
    let header = |name, value: &str| vec![(name, value.to_owned())];
    assert_eq!(attempt(vec![]).await, 200);
    for good in ["same-origin", "none"] {
        assert_eq!(attempt(header("sec-fetch-site", good)).await, 200);
    }
    for bad in ["cross-site", "same-site", "", "nonsense"] {
        assert_eq!(attempt(header("sec-fetch-site", bad)).await, 403, "{bad:?}");
    }
    assert_eq!(attempt(header("origin", &own)).await, 200);
    for bad in [
        "null",
        "https://evil.example",
        "http://localhost:1",
        "http://localhost",
    ] {
        assert_eq!(attempt(header("origin", bad)).await, 403, "{bad}");
    }
    for (name, value) in [
        ("sec-fetch-site", "cross-site"),
        ("origin", "https://evil.example"),
        ("origin", "null"),
    ] {
        for path in [
            "/api/v1/messages?timeout=0&after=0",
            "/api/v1/events",
            "/api/v1/session",
        ] {
            let led_here = alice.request(Method::GET, path).header(name, value);
            assert_eq!(
                led_here.send().await.unwrap().status().as_u16(),
                403,
                "reading acknowledges: {path} {value}"
            );
        }
    }
    assert_eq!(attempt(header("host", "evil.example")).await, 421);
    assert_eq!(attempt(header("host", &own["http://".len()..])).await, 200);
}

#[tokio::test]
async fn what_is_too_long_or_garbled_is_a_problem_everywhere() {
    let server = TestServer::start().await;
    let alice = server.create_session("alice").await;
    let id = alice.snapshot().await["client"]["id"].clone();
    let long = alice
        .request(Method::DELETE, &format!("/api/v1/clients/{id}"))
        .body("x".repeat(17_000));
    assert_eq!(
        crate::support::checked(long.send().await.unwrap())
            .await
            .unwrap_err()
            .code,
        "input_too_long"
    );
    for (method, path) in [
        (Method::DELETE, "/api/v1/clients/%ff"),
        (Method::GET, "/assets/%ff"),
        (Method::GET, "/%ff"),
    ] {
        assert_eq!(
            alice.call(method, path).await.unwrap_err().code,
            "not_found",
            "{path}"
        );
    }
    alice.snapshot().await;
}
