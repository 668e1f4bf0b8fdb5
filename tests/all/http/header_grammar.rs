//! The grammar of every header, form field and number that the server reads. Unusual valid values
//! are accepted, and invalid ones are refused by name. The tables of the grammars themselves are in
//! `src/http/extract/grammar` and `src/model`.

use reqwest::{Method, header};

use crate::support::{Device, Raw, TestServer, checked, head, status_and_code};

mod values;

async fn status_line(server: &TestServer, request: impl AsRef<[u8]>) -> String {
    let mut raw = Raw::to(server.address).await;
    raw.send(request).await;
    raw.answer().await.line
}

#[tokio::test]
async fn a_request_needs_exactly_one_host_that_is_the_servers() {
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
        // Health probes know only an address, not the server's name.
        ("/healthz", vec!["10.1.2.3:8080".into()], fine),
        ("/metrics", vec!["rejoin.internal".into()], fine),
        ("/healthz?x", vec![String::new()], fine),
        ("/healthz", vec![], bad),
        ("/api/v1/server", vec!["10.1.2.3:8080".into()], misdirected),
        // The host in the request target takes precedence over the Host header.
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
    // Any client can send X-Forwarded-Host, so the server does not trust it.
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
async fn cookies_of_other_servers_on_the_host_are_ignored() {
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
async fn a_body_is_read_by_its_media_type() {
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
async fn a_form_has_each_field_at_most_once_and_a_known_value() {
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
