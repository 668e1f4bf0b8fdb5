//! Wrong queries, ids, cookies and origins.

use super::*;

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
        "no refused request acknowledged events"
    );
}

#[tokio::test]
async fn an_id_that_was_never_issued_is_refused_by_every_endpoint() {
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
        // A stream that was accepted never ends, so its body is not read.
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
async fn cookies_that_this_server_did_not_set_are_refused() {
    let (server, other) = (TestServer::start().await, TestServer::start().await);
    let (alice, stranger) = (
        server.create_session("alice").await,
        other.create_session("mallory").await,
    );
    let cookie = alice.cookie.clone().unwrap();
    let foreign = stranger.cookie.clone().unwrap();
    for (case, cookie, code, status) in [
        (
            "a byte is missing",
            cookie[..cookie.len() - 1].to_owned(),
            "unauthenticated",
            401,
        ),
        (
            "a byte too many",
            format!("{cookie}x"),
            "unauthenticated",
            401,
        ),
        ("no secret", "rejoin=".to_owned(), "unauthenticated", 401),
        (
            "another case of the name",
            cookie.replace("rejoin=", "Rejoin="),
            "unauthenticated",
            401,
        ),
        (
            "a secret of another server",
            foreign.clone(),
            "unauthenticated",
            401,
        ),
        (
            "another server's secret and an invented one",
            format!("{foreign}; rejoin=x"),
            "unauthenticated",
            401,
        ),
        (
            "two secrets in one",
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
            "{case}"
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
    // A proxy may require a password of its own, which this server ignores.
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
                .request(method.clone(), path)
                .header("authorization", credential);
            let refusal = crate::support::checked(request.send().await.unwrap())
                .await
                .unwrap_err();
            assert_eq!(
                (refusal.status, refusal.code.as_str()),
                (400, "malformed_request"),
                "{credential}: {method} {path}"
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
async fn a_session_joins_at_most_a_hundred_channels() {
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
async fn requests_from_another_origin_are_refused() {
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
async fn input_that_is_too_long_or_garbled_is_a_problem_at_every_endpoint() {
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
