//! Every header, form field and number that the server reads, by its own grammar: odd ones that are
//! valid are read, and what is not valid is refused by name. The tables of the grammars themselves
//! stand beside them, in `src/http/extract/grammar` and `src/model`.

use reqwest::{Method, header};

use crate::support::{Device, Raw, TestServer, checked, head, status_and_code};

async fn status_line(server: &TestServer, request: impl AsRef<[u8]>) -> String {
    let mut raw = Raw::to(server.address).await;
    raw.send(request).await;
    raw.answer().await.line
}

#[tokio::test]
async fn a_request_is_for_us_by_its_host_and_that_is_there_once() {
    let server = TestServer::start().await;
    let own = format!("127.0.0.1:{}", server.address.port());
    let port = server.address.port();
    let (misdirected, bad, fine) = (
        "HTTP/1.1 421 Misdirected Request",
        "HTTP/1.1 400 Bad Request",
        "HTTP/1.1 200 OK",
    );
    for (target, hosts, expected) in [
        ("/", vec![own.clone()], fine),
        ("/", vec![format!("LOCALHOST:{port}")], fine),
        ("/", vec![format!("[::1]:{port}")], fine),
        ("/", vec![format!("[0:0:0:0:0:0:0:1]:0{port}")], fine),
        ("/", vec!["localhost".into()], misdirected),
        ("/", vec!["evil.example".into()], misdirected),
        ("/", vec![String::new()], misdirected),
        ("/", vec![format!("localhost.:{port}")], misdirected),
        ("/", vec![], bad),
        ("/", vec![own.clone(), own.clone()], bad),
        ("/", vec![format!("\"{own}\"")], bad),
        ("/", vec![format!("alice@{own}")], bad),
        ("/", vec![format!("{own}\u{a0}")], bad),
        ("/", vec![format!("{own}, {own}")], bad),
        // Probes know an address and no name.
        ("/healthz", vec!["10.1.2.3:8080".into()], fine),
        ("/metrics", vec!["rejoin.internal".into()], fine),
        ("/healthz?x", vec![String::new()], fine),
        ("/healthz", vec![], bad),
        ("/api/v1/server", vec!["10.1.2.3:8080".into()], misdirected),
        // What the target says counts, and not the Host beside it.
        (&format!("http://{own}/"), vec!["evil.example".into()], fine),
        ("http://evil.example/", vec![own.clone()], misdirected),
        (&format!("https://{own}/"), vec![own.clone()], misdirected),
        (
            &format!("http://alice@{own}/"),
            vec![own.clone()],
            misdirected,
        ),
    ] {
        let hosts: String = hosts
            .iter()
            .map(|host| format!("Host: {host}\r\n"))
            .collect();
        let answered = status_line(&server, format!("GET {target} HTTP/1.1\r\n{hosts}\r\n")).await;
        assert_eq!(answered, expected, "{target} {hosts:?}");
    }
    for (request, expected) in [
        ("GET /healthz HTTP/1.0\r\n\r\n".into(), "HTTP/1.0 200 OK"),
        (
            "GET / HTTP/1.0\r\n\r\n".into(),
            "HTTP/1.0 421 Misdirected Request",
        ),
        (
            format!("CONNECT {own} HTTP/1.1\r\nHost: {own}\r\n\r\n"),
            "HTTP/1.1 404 Not Found",
        ),
        (
            format!("CONNECT evil.example:443 HTTP/1.1\r\nHost: {own}\r\n\r\n"),
            misdirected,
        ),
        (
            format!("OPTIONS * HTTP/1.1\r\nHost: {own}\r\n\r\n"),
            "HTTP/1.1 404 Not Found",
        ),
    ] {
        assert_eq!(
            status_line(&server, &request).await,
            expected,
            "{request:?}"
        );
    }
    // A forwarded name is nobody's word but the sender's.
    let forwarded = server
        .device()
        .request(Method::GET, "/")
        .header("x-forwarded-host", "evil.example");
    assert_eq!(
        forwarded
            .header("x-forwarded-proto", "https")
            .send()
            .await
            .unwrap()
            .status(),
        200
    );
}

#[tokio::test]
async fn neighbours_cookies_are_neither_ours_nor_in_the_way() {
    for (args, host, name) in [
        (
            &["--public-url", "https://chat.example"][..],
            "chat.example",
            "__Host-rejoin",
        ),
        (&[], "", "rejoin"),
        (&["--cookie-name", "chat"], "", "chat"),
        (
            &[
                "--cookie-name",
                "chat",
                "--public-url",
                "https://chat.example",
            ],
            "chat.example",
            "__Host-chat",
        ),
    ] {
        let server = TestServer::with(args).await;
        let visitor = if host.is_empty() {
            server.device()
        } else {
            server.device().with_host(host)
        };
        let [alice, mallory] = [
            visitor.try_create_session("alice").await.unwrap(),
            visitor.try_create_session("mallory").await.unwrap(),
        ];
        let secret = mallory
            .cookie
            .as_ref()
            .unwrap()
            .strip_prefix(&format!("{name}="))
            .expect("its name");
        let mut planted = vec![
            format!("={name}={secret}"),
            format!("\"{name}\"={secret}"),
            name.to_owned(),
        ];
        for odd in [
            "\u{a0}", "\u{85}", "\u{2000}", "\u{3000}", "\u{feff}", "\u{200b}",
        ] {
            planted.extend([
                format!("{odd}{name}={secret}"),
                format!("{name}{odd}={secret}"),
            ]);
        }
        planted.extend([
            format!("{}={secret}", name.to_ascii_uppercase()),
            format!("x{name}={secret}"),
        ]);
        for planted in planted {
            let alone = visitor
                .with_cookie(&planted)
                .call(Method::GET, "/api/v1/session")
                .await;
            assert_eq!(
                status_and_code(alone.unwrap_err()),
                (401, "unauthenticated".into()),
                "{planted:?}"
            );
            let own = alice.cookie.as_ref().unwrap();
            for both in [
                format!("{planted}; {own}"),
                format!("{own};{planted}"),
                format!("a; {planted} ;\t{own} ;b=\"c"),
            ] {
                let snapshot = visitor.with_cookie(&both).snapshot().await;
                assert_eq!(snapshot["session"]["nick"], "alice", "{both:?}");
            }
        }
        let lines = alice
            .request(Method::GET, "/api/v1/session")
            .header(header::COOKIE, "theme=grün");
        assert_eq!(
            lines.send().await.unwrap().status(),
            200,
            "another line of cookies"
        );
    }
}

#[tokio::test]
async fn a_body_is_what_its_media_type_says() {
    let server = TestServer::start().await;
    let alice = server.create_session("alice").await;
    let post = async |path: &str, kinds: &[&str], body: &str| {
        let mut request = alice.request(Method::POST, path).body(body.to_owned());
        for kind in kinds {
            request = request.header(header::CONTENT_TYPE, kind.as_bytes());
        }
        request.send().await.unwrap().status().as_u16()
    };
    let (json, line) = (r#"{"command":"PING","params":["x"]}"#, "PING x");
    for (kinds, body, expected) in [
        (&["application/json"][..], json, 200),
        (&["Application/JSON"], json, 200),
        (&["application/json;charset=UTF-8"], json, 200),
        (&["application/json ; charset=\"utf-8\" ;"], json, 200),
        (&["application/json; x=\"a;b\\\"c\""], json, 200),
        (&["text/plain"], line, 200),
        (&["TEXT/PLAIN; Charset=Utf-8"], line, 200),
        (&["text/plain; charset=\"us-ascii\""], line, 200),
        (&["text/plain;format=flowed"], line, 200),
        (&["text/plain; charset=iso-8859-1"], line, 400),
        (&["text/plain; charset=utf-16"], line, 400),
        (&["text/plain; charset=utf-8; charset=utf-7"], line, 400),
        (&[], json, 400),
        (&[""], json, 400),
        (&["application/json", "application/json"], json, 400),
        (&["application/json, text/plain"], json, 400),
        (&["\"application/json\""], json, 400),
        (&["application/json; charset"], json, 400),
        (&["application/json; charset=\"utf-8"], json, 400),
        (&["application/json charset=utf-8"], json, 400),
        (&["application/json\u{a0}"], json, 400),
        (&["application/ json"], json, 400),
        (&["application/problem+json"], json, 400),
        (&["text/html"], line, 400),
        (
            &["application/json"],
            "\u{feff}{\"command\":\"PING\",\"params\":[\"x\"]}",
            400,
        ),
        (
            &["application/json"],
            r#"{"command":"PING","params":["x"],"params":["y"]}"#,
            400,
        ),
    ] {
        assert_eq!(
            post("/api/v1/messages", kinds, body).await,
            expected,
            "{kinds:?} {body}"
        );
    }
    let app = alice.create_key("chat:read").await;
    let form = format!(
        "grant_type=client_credentials&client_id={}&client_secret={}",
        app.client_id, app.secret
    );
    for (kind, expected) in [
        ("application/x-www-form-urlencoded", 200),
        ("APPLICATION/x-www-form-urlencoded;charset=utf-8", 200),
        ("application/x-www-form-urlencoded;;", 200),
        ("application/x-www-form-urlencoded,", 400),
        ("multipart/form-data; boundary=x", 400),
    ] {
        assert_eq!(
            post("/auth/token", &[kind], &form).await,
            expected,
            "{kind}"
        );
    }
}

#[tokio::test]
async fn a_form_has_each_field_once_and_says_what_it_means() {
    let server = TestServer::start().await;
    let alice = server.create_session("alice").await;
    alice.send("PASS :correct horse battery").await;
    let app = alice.create_key("chat:read").await;
    let post = async |path: &str, form: &str| {
        let kind = "application/x-www-form-urlencoded";
        let request = server
            .device()
            .request(Method::POST, path)
            .header(header::CONTENT_TYPE, kind);
        request
            .body(form.to_owned())
            .send()
            .await
            .unwrap()
            .status()
            .as_u16()
    };
    for (form, expected) in [
        ("nick=alice&password=correct+horse+battery", 303),
        (
            "nick=+alice%20&password=correct%20horse%20battery&replace=&unknown=x&unknown=y",
            303,
        ),
        ("n%69ck=alice&password=correct+horse+batter%79", 303),
        ("nick=alice&nick=alice&password=correct+horse+battery", 400),
        ("nick=alice&password=correct+horse+battery&password=x", 400),
        (
            "nick=alice&password=correct+horse+battery&next=/&next=/",
            400,
        ),
        (
            "nick=alice&password=correct+horse+battery&replace=first",
            400,
        ),
        (
            "nick=alice&password=correct+horse+battery&replace=%2B1",
            400,
        ),
        (
            "nick=alice&password=correct+horse+battery&client_name=%ff",
            400,
        ),
        ("nick=%C2%A0alice&password=correct+horse+battery", 401),
        ("NICK=alice&password=correct+horse+battery", 400),
        ("nick=alice&password=", 400),
        ("", 400),
    ] {
        assert_eq!(post("/login", form).await, expected, "{form}");
    }
    let own = format!("client_id={}&client_secret={}", app.client_id, app.secret);
    for (more, expected) in [
        ("grant_type=client_credentials", 200),
        ("grant_type=client_credentials&scope=&unknown=x", 200),
        (
            "grant_type=client_credentials&resource=https://a.example&resource=https://b.example",
            200,
        ),
        (
            "grant_type=client_credentials&grant_type=client_credentials",
            400,
        ),
        ("grant_type=client_credentials&unknown=x&unknown=y", 400),
        ("grant_type=client_credentials&scope=&scope=chat:read", 400),
        ("grant_type=client_credentials&scope=%ff", 400),
        ("grant_type=Client_Credentials", 400),
        ("Grant_Type=client_credentials", 400),
    ] {
        assert_eq!(
            post("/auth/token", &format!("{own}&{more}")).await,
            expected,
            "{more}"
        );
    }
}

#[tokio::test]
async fn a_number_is_digits_wherever_it_stands() {
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
async fn what_the_page_has_is_known_by_its_tag() {
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

/// The same request in the other forms that HTTP/1.1 has for it.
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

/// Whoever reads U+FFFD there reads something else than was sent, and two things that differ as the
/// same.
#[tokio::test]
async fn what_is_no_utf_8_is_refused_in_every_query_and_every_form() {
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
        "text need not be encoded"
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
    // An app hears of it, as long as it is known which app that is.
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

/// U+FFFD is a character like any other where it was sent as one.
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
