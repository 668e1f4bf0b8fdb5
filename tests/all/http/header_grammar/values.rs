//! The grammar of numbers, entity tags and header names, and bytes that are not UTF-8.

use super::*;

#[tokio::test]
async fn a_number_consists_of_digits_in_every_place() {
    let server = TestServer::start().await;
    let alice = server.create_session("alice").await;
    let id = alice.snapshot().await["client"]["id"].to_string();
    for number in ["%2B0", "%200", "0%20", "0x0", "0.0", "", "%D9%A0", "0_0"] {
        for path in [
            "messages?timeout=0&after",
            "messages?timeout",
            "messages?timeout=0&limit",
            "audit?before",
            "events?after",
        ] {
            let refusal = alice
                .call(Method::GET, &format!("/api/v1/{path}={number}"))
                .await
                .unwrap_err();
            assert_eq!(
                status_and_code(refusal),
                (400, "malformed_request".into()),
                "{path}={number}"
            );
        }
    }
    for id in [
        format!("+{id}"),
        format!("%2B{id}"),
        format!("{id}.0"),
        format!(" {id}"),
    ] {
        for path in ["clients", "grants"] {
            let refusal = alice
                .delete(&format!("/api/v1/{path}/{id}"))
                .await
                .unwrap_err();
            assert_eq!(
                status_and_code(refusal),
                (404, "not_found".into()),
                "{path}/{id}"
            );
        }
    }
    for line in ["ACK +0", "ACK 0x0", "MARKREAD #rust +0", "MODE #rust +l +5"] {
        alice.send("JOIN #rust").await;
        assert_eq!(
            alice.try_send(line).await.unwrap_err().status,
            400,
            "{line}"
        );
    }
    let resume = async |lines: &[&str]| {
        let mut request = alice.request(Method::GET, "/api/v1/events");
        for line in lines {
            request = request.header("last-event-id", line.as_bytes());
        }
        request.send().await.unwrap().status().as_u16()
    };
    for good in ["0", "00"] {
        assert_eq!(resume(&[good]).await, 200, "{good}");
    }
    for bad in [
        &[""][..],
        &["+0"],
        &["\"0\""],
        &["[0]"],
        &["0, 0"],
        &["0", "0"],
        &["0\u{a0}"],
        &["0x0"],
        &["é"],
    ] {
        assert_eq!(resume(bad).await, 400, "{bad:?}");
    }
    alice.snapshot().await;
}

#[tokio::test]
async fn an_entity_tag_tells_which_version_the_page_has() {
    let server = TestServer::start().await;
    let asset = |line: Option<&str>| {
        let request = server.device().request(Method::GET, "/assets/app.js");
        let request = match line {
            Some(line) => request.header(header::IF_NONE_MATCH, line.as_bytes()),
            None => request,
        };
        async { request.send().await.unwrap() }
    };
    let tag = asset(None).await.headers()[header::ETAG]
        .to_str()
        .unwrap()
        .to_owned();
    for known in [
        tag.clone(),
        format!("W/{tag}"),
        format!("\"x\" ,, W/{tag}"),
        "*".into(),
    ] {
        let response = asset(Some(&known)).await;
        assert_eq!(
            (
                response.status().as_u16(),
                &response.headers()[header::CACHE_CONTROL]
            ),
            (304, &"no-cache".parse().unwrap())
        );
    }
    for other in [
        "",
        "x",
        &tag[1..tag.len() - 1],
        &tag.to_ascii_uppercase(),
        &format!("\"x{tag}\""),
        &format!("\u{a0}{tag}"),
    ] {
        let changed = asset(Some(other)).await;
        assert_eq!(changed.status(), 200, "{other}");
    }
}

/// Sends the same request in the other forms that HTTP/1.1 allows.
#[tokio::test]
async fn names_of_headers_are_in_any_case_and_values_keep_their_bytes() {
    let server = TestServer::start().await;
    let alice = server.create_session("alice").await;
    let cookie = alice.cookie.clone().unwrap();
    let host = alice.host();
    for head in [
        format!("hOST:{host}\r\ncOOKIE:{cookie}"),
        format!("HOST: \t {host} \t \r\nCOOKIE: \t{cookie}\t "),
        format!("Host: {host}\r\nCookie: x=y\r\nCookie: {cookie}\r\nCookie:"),
    ] {
        assert_eq!(
            status_line(
                &server,
                format!("GET /api/v1/session HTTP/1.1\r\n{head}\r\n\r\n")
            )
            .await,
            "HTTP/1.1 200 OK"
        );
    }
    let nobody: Device = server.device();
    let folded =
        head("GET", "/api/v1/session", &nobody) + &format!("Cookie: x=y;\r\n {cookie}\r\n\r\n");
    assert_eq!(
        status_line(&server, folded).await,
        "HTTP/1.1 400 Bad Request",
        "obsolete folding"
    );
    checked(
        alice
            .request(Method::GET, "/api/v1/session")
            .send()
            .await
            .unwrap(),
    )
    .await
    .unwrap();
}

/// A decoder that puts U+FFFD in place of invalid bytes reads another text than was sent, and it
/// reads two different texts as equal.
#[tokio::test]
async fn invalid_utf_8_is_refused_in_every_query_and_every_form() {
    let server = TestServer::start().await;
    let alice = server.create_session("alice").await;
    let garbled = [
        "x=%ff",
        "x=a%C3",
        "%C3%28=x",
        "x=%ED%A0%80",
        "after=0&x=%80",
    ];
    let paths = [
        "/api/v1/session",
        "/api/v1/messages",
        "/api/v1/channels",
        "/api/v1/history",
        "/api/v1/audit",
        "/login",
    ];
    for path in paths.into_iter().chain([
        "/",
        "/device",
        "/login/code",
        "/api/v1/events",
        "/auth/grants/events",
    ]) {
        for query in garbled {
            let refused = alice
                .call(Method::GET, &format!("{path}?{query}"))
                .await
                .map_err(status_and_code)
                .unwrap_err();
            assert_eq!(refused, (400, "malformed_request".into()), "{path}?{query}");
        }
    }
    let mut raw = Raw::to(server.address).await;
    raw.send(
        [
            head("GET", "/login?nick=\u{e9}", &alice).as_bytes(),
            b"\r\n",
        ]
        .concat(),
    )
    .await;
    assert_eq!(
        raw.answer().await.line,
        "HTTP/1.1 200 OK",
        "a query may contain UTF-8 that is not percent-encoded"
    );
    let app = server
        .app("wiki", &["--redirect-uri", "https://app.example/done"])
        .await;
    let own = format!(
        "grant_type=client_credentials&client_id={}&client_secret={}",
        app.client_id, app.secret
    );
    for (path, good) in [
        ("/login", "nick=alice&password=x"),
        ("/device", "user_code=BBBB-BBBB"),
        ("/auth/token", &own),
        ("/auth/consent", "client_id=x"),
        ("/auth/authorize", "client_id=x"),
        ("/auth/userinfo", "access_token=x"),
    ] {
        for garbled in garbled {
            let request = alice
                .request(Method::POST, path)
                .body(format!("{good}&{garbled}"));
            let request = request.header(header::CONTENT_TYPE, "application/x-www-form-urlencoded");
            let response = request.send().await.unwrap();
            assert_eq!(response.status(), 400, "{path} {garbled}");
            assert!(
                response.text().await.unwrap().contains("is not UTF-8"),
                "{path} {garbled}"
            );
        }
    }
    // If the request identifies its app, the app receives the error.
    let asked = form_urlencoded::Serializer::new(String::new())
        .extend_pairs(app.authorization_request("identity"))
        .finish();
    for garbled in garbled {
        assert_eq!(
            alice
                .open_page(&format!("/auth/authorize?{asked}&{garbled}"))
                .await
                .error(),
            "invalid_request",
            "{garbled}"
        );
    }
    assert_eq!(
        alice
            .open_page("/auth/authorize?client_id=%ff")
            .await
            .status,
        400
    );
}

/// U+FFFD that was sent as a character is valid like any other.
#[tokio::test]
async fn a_password_may_have_a_replacement_character_in_it() {
    let server = TestServer::start().await;
    let alice = server.create_session("alice").await;
    let password = "correct \u{fffd} battery";
    alice.send(&format!("PASS :{password}")).await;
    server.login("alice", password).await;
    let form = [("nick", "alice"), ("password", password)];
    let response = server
        .device()
        .request(Method::POST, "/login")
        .form(&form)
        .send()
        .await
        .unwrap();
    assert_eq!(response.status(), 303);
}
