//! The grammar of each Authorization scheme in requests, and the headers WWW-Authenticate and Allow
//! in responses.

use reqwest::{Method, Response, header};
use serde_json::json;

use crate::support::TestServer;

#[tokio::test]
async fn a_bearer_token_follows_its_grammar() {
    let server = TestServer::start().await;
    let alice = server.create_session("alice").await;
    let token = alice
        .create_key("chat:read identity")
        .await
        .token("")
        .await
        .token
        .unwrap();
    let present = async |path: &str, lines: &[String]| {
        let mut request = server.device().request(Method::GET, path);
        for line in lines {
            request = request.header(header::AUTHORIZATION, line.as_bytes());
        }
        let response = request.send().await.unwrap();
        (response.status().as_u16(), challenge(&response))
    };
    let (invalid, none) = ("Bearer error=\"invalid_token\"", "Bearer realm=\"rejoin\"");
    for path in ["/api/v1/session", "/auth/userinfo"] {
        for (line, expected) in [
            (format!("Bearer {token}"), (200, "")),
            (format!("bEARER   {token}"), (200, "")),
            (format!("Bearer {token}="), (401, invalid)),
            (format!("Bearer \"{token}\""), (401, invalid)),
            (format!("Bearer [{token}]"), (401, invalid)),
            (format!("Bearer {token} x"), (401, invalid)),
            (format!("Bearer {token},"), (401, invalid)),
            (format!("Bearer\t{token}"), (401, invalid)),
            (format!("Bearer token={token}"), (401, invalid)),
            (format!("Bearer \u{a0}{token}"), (401, invalid)),
            (
                format!("Bearer {}", token.to_ascii_uppercase()),
                (401, invalid),
            ),
            ("Bearer".into(), (401, invalid)),
            (String::new(), (401, none)),
            (token.clone(), (401, none)),
            (format!("\"Bearer\" {token}"), (401, none)),
            (format!("\u{2000}Bearer {token}"), (401, none)),
            (format!("Bearer,{token}"), (401, invalid)),
            ("Basic YTpi".into(), (401, none)),
        ] {
            let (status, challenge) = present(path, std::slice::from_ref(&line)).await;
            assert_eq!((status, challenge.as_str()), expected, "{path} {line}");
        }
        let twice = [format!("Bearer {token}"), "Basic YTpi".into()];
        assert_eq!(
            present(path, &twice).await.0,
            400,
            "a request has at most one Authorization header"
        );
    }
}

#[tokio::test]
async fn an_apps_credentials_follow_the_grammar_of_basic() {
    let server = TestServer::start().await;
    let app = server
        .create_session("alice")
        .await
        .create_key("chat:read")
        .await;
    let encoded =
        |text: String| base64::Engine::encode(&base64::engine::general_purpose::STANDARD, text);
    let own = encoded(format!("{}:{}", app.client_id, app.secret));
    let unpadded = own.trim_end_matches('=');
    let present = async |line: &str| {
        let form = [("grant_type", "client_credentials")];
        let request = server
            .device()
            .request(Method::POST, "/auth/token")
            .header(header::AUTHORIZATION, line.as_bytes());
        let response = request.form(&form).send().await.unwrap();
        (response.status().as_u16(), challenge(&response))
    };
    for line in [format!("Basic {own}"), format!("BASIC   {own}")] {
        assert_eq!(present(&line).await, (200, String::new()), "{line}");
    }
    let percent = app
        .secret
        .bytes()
        .map(|b| format!("%{b:02X}"))
        .collect::<String>();
    assert_eq!(
        present(&format!(
            "Basic {}",
            encoded(format!("{}:{percent}", app.client_id))
        ))
        .await
        .0,
        200
    );
    for line in [
        "Basic".into(),
        "Basic =".into(),
        format!("Basic\t{own}"),
        format!("Basic {own} x"),
        format!("Basic \"{own}\""),
        format!("Basic {own}===="),
        format!(
            "Basic {}",
            encoded(format!("{}{}", app.client_id, app.secret))
        ),
        format!(
            "Basic {}",
            encoded(format!("{}:{}%", app.client_id, app.secret))
        ),
        format!(
            "Basic {}",
            encoded(format!("\u{a0}{}:{}", app.client_id, app.secret))
        ),
        format!("Bearer {own}"),
        format!("Basic {}", if unpadded == own { "x" } else { unpadded }),
    ] {
        assert_eq!(
            present(&line).await,
            (401, "Basic realm=\"rejoin\", charset=\"UTF-8\"".into()),
            "{line}"
        );
    }
}

/// The WWW-Authenticate lines of a response, joined by " + ". Each scheme has one line.
fn challenge(response: &Response) -> String {
    let lines = response
        .headers()
        .get_all(header::WWW_AUTHENTICATE)
        .iter()
        .map(|line| line.to_str().unwrap());
    lines.collect::<Vec<_>>().join(" + ")
}

#[tokio::test]
async fn every_401_has_a_challenge_with_a_parameter_and_every_405_lists_the_methods() {
    let server = TestServer::start().await;
    let visitor = server.device();
    let login = visitor
        .request(Method::POST, "/api/v1/login")
        .json(&json!({"nick": "a", "password": "12345678x"}));
    let page = visitor
        .request(Method::POST, "/login")
        .form(&[("nick", "a"), ("password", "12345678x")]);
    let mut refused = vec![login, page];
    for path in [
        "session",
        "clients",
        "messages",
        "events",
        "socket",
        "keys",
        "grants",
        "audit",
        "history?target=a",
    ] {
        refused.push(visitor.request(Method::GET, &format!("/api/v1/{path}")));
    }
    for path in ["/auth/grants/events", "/auth/userinfo"] {
        refused.push(visitor.request(Method::GET, path));
    }
    for path in [
        "/auth/token",
        "/auth/introspect",
        "/auth/revoke",
        "/auth/device",
    ] {
        let form = [
            ("grant_type", "client_credentials"),
            ("token", "x"),
            ("client_id", "app_x"),
        ];
        refused.push(visitor.request(Method::POST, path).form(&form));
    }
    for request in refused {
        let response = request.send().await.unwrap();
        let (status, url, challenge) = (
            response.status(),
            response.url().clone(),
            challenge(&response),
        );
        let [bearer, basic] = [
            "Bearer realm=\"rejoin\"",
            "Basic realm=\"rejoin\", charset=\"UTF-8\"",
        ];
        let known = [bearer, basic, &format!("{basic} + {bearer}")];
        assert!(
            status == 401 && known.contains(&challenge.as_str()),
            "{url}: {status} {challenge}"
        );
    }
    for (method, path, allowed) in [
        (Method::PUT, "/login", "GET,HEAD,POST"),
        (Method::GET, "/logout", "POST"),
        (Method::OPTIONS, "/api/v1/messages", "GET,HEAD,POST"),
        (Method::OPTIONS, "/auth/token", "POST"),
        (Method::TRACE, "/", "GET,HEAD"),
        (Method::DELETE, "/auth/userinfo", "GET,HEAD,POST"),
    ] {
        let response = visitor.request(method.clone(), path).send().await.unwrap();
        assert_eq!(response.status(), 405, "{method} {path}");
        let mut allow = response.headers()[header::ALLOW]
            .to_str()
            .unwrap()
            .split(',')
            .collect::<Vec<_>>();
        allow.sort_unstable();
        assert_eq!(allow.join(","), allowed, "{method} {path}");
    }
}
