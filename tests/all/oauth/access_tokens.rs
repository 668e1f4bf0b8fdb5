//! Access tokens: who gets one, what it allows, and that nothing else passes for one.

use std::time::Duration;

use rejoin::model::Requirement;
use reqwest::{Method, Response, header};
use serde_json::{Value, json};

use crate::support::{App, TestServer, until};

mod validity;

/// Every scope, in the order in which they are written.
pub const SCOPES: [&str; 5] = [
    "chat:read",
    "chat:write",
    "chat:moderate",
    "identity",
    "session:manage",
];

fn header_of(response: &Response, name: header::HeaderName) -> String {
    response
        .headers()
        .get(name)
        .map(|value| value.to_str().unwrap().to_owned())
        .unwrap_or_default()
}

#[tokio::test]
async fn every_call_asks_for_its_scope() {
    let server = TestServer::start().await;
    let alice = server.create_session("alice").await;
    alice.send("JOIN #rust").await;
    let key = alice.create_key(&SCOPES.join(" ")).await;
    for (method, path, needed) in [
        (Method::GET, "/api/v1/session", "chat:read"),
        (Method::GET, "/api/v1/messages?timeout=0", "chat:read"),
        (Method::GET, "/api/v1/events", "chat:read"),
        (Method::GET, "/api/v1/history?target=%23rust", "chat:read"),
        (Method::GET, "/auth/userinfo", "identity"),
        (Method::GET, "/api/v1/clients", "session:manage"),
        (Method::GET, "/api/v1/keys", "session:manage"),
        (Method::GET, "/api/v1/grants", "session:manage"),
        (Method::GET, "/api/v1/audit", "session:manage"),
        (Method::DELETE, "/api/v1/clients/0", "session:manage"),
        (Method::DELETE, "/api/v1/keys/app_x", "session:manage"),
        (Method::DELETE, "/api/v1/grants/0", "session:manage"),
        (Method::DELETE, "/api/v1/session", "session:manage"),
    ] {
        let others = SCOPES
            .into_iter()
            .filter(|scope| *scope != needed)
            .collect::<Vec<_>>()
            .join(" ");
        let without = key
            .token(&others)
            .await
            .request(method.clone(), path)
            .send()
            .await
            .unwrap();
        assert_eq!(without.status(), 403, "{method} {path}");
        let challenge = format!("Bearer error=\"insufficient_scope\", scope=\"{needed}\"");
        assert_eq!(
            header_of(&without, header::WWW_AUTHENTICATE),
            challenge,
            "{method} {path}"
        );
        let with = key
            .token(needed)
            .await
            .request(method.clone(), path)
            .send()
            .await
            .unwrap();
        assert!(
            with.status().is_success() || with.status() == 404,
            "{method} {path} is {}",
            with.status()
        );
    }
}

#[tokio::test]
async fn every_command_asks_for_its_scope() {
    let server = TestServer::start().await;
    let alice = server.create_session("alice").await;
    let key = alice.create_key(&SCOPES.join(" ")).await;
    let mut programs = Vec::new();
    for scope in SCOPES {
        programs.push((scope, key.token(scope).await));
    }
    for verb in rejoin::irc::verb::VERBS
        .iter()
        .filter(|verb| verb.name != "QUIT")
    {
        let params = match verb.name {
            "INVITE" => "bob #rust",
            "MARKREAD" | "JOIN" | "PART" | "TOPIC" | "MODE" | "NAMES" => "#rust",
            "KICK" => "#rust bob",
            "ACK" => "0",
            "PASS" => "short",
            "SILENCE" => "+bob",
            _ => "alice :x",
        };
        for (scope, program) in &programs {
            let answer = program.try_send(&format!("{} {params}", verb.name)).await;
            let refused = answer.is_err_and(|problem| problem.code == "insufficient_scope");
            let allowed = match verb.requires {
                Requirement::AnyClient => true,
                Requirement::Scope(needed) => needed.name() == *scope,
            };
            assert_eq!(!refused, allowed, "{} with {scope}", verb.name);
        }
    }
    for (scope, program) in &programs[..4] {
        let refused = program
            .try_send("PASS :correct horse battery")
            .await
            .unwrap_err();
        assert_eq!(refused.code, "insufficient_scope", "{scope}");
    }
}

#[tokio::test]
async fn a_token_is_as_wide_as_asked_for_and_never_wider_than_its_app() {
    let server = TestServer::start().await;
    let key = server
        .create_session("alice")
        .await
        .create_key("identity chat:write chat:read")
        .await;
    for (asked, granted) in [
        ("", "chat:read chat:write identity"),
        ("chat:read", "chat:read"),
        ("identity chat:read identity", "chat:read identity"),
    ] {
        let (status, body) = key.try_token(asked).await;
        assert_eq!((status, &body["scope"]), (200, &json!(granted)), "{asked}");
        assert_eq!(
            (&body["token_type"], &body["expires_in"]),
            (&json!("Bearer"), &json!(600))
        );
        let token = body["access_token"].as_str().unwrap();
        assert!(token.starts_with("rja_") && token.len() == 47, "{token}");
    }
    for asked in [
        "chat:moderate",
        "chat:read session:manage",
        "everything",
        "chat:read chat:admin",
        " ",
    ] {
        let (status, body) = key.try_token(asked).await;
        assert_eq!(
            (status, &body["error"]),
            (400, &json!("invalid_scope")),
            "{asked}"
        );
    }
}

#[tokio::test]
async fn a_request_for_a_token_that_is_not_well_formed_is_refused_by_name() {
    let server = TestServer::start().await;
    let alice = server.create_session("alice").await;
    let App {
        client_id: id,
        secret,
        program,
    } = alice.create_key("chat:read").await;
    let good = format!("grant_type=client_credentials&client_id={id}&client_secret={secret}");
    const FORM: &str = "application/x-www-form-urlencoded";
    let basic = |id: &str, secret: &str| {
        use base64::{Engine, engine::general_purpose::STANDARD};
        format!("Basic {}", STANDARD.encode(format!("{id}:{secret}")))
    };
    let own = basic(&id, &secret);
    // Every character may be written as its code (RFC 6749 §2.3.1).
    let coded = |text: &str| {
        text.bytes()
            .map(|byte| format!("%{byte:02x}"))
            .collect::<String>()
    };
    let grant = "grant_type=client_credentials";
    for (authorization, kind, body, expected) in [
        ("", FORM, good.clone(), ""),
        (&own, FORM, grant.into(), ""),
        (&own.replacen("Basic", "bAsIc", 1), FORM, grant.into(), ""),
        (&basic(&coded(&id), &coded(&secret)), FORM, grant.into(), ""),
        (&own, FORM, format!("{grant}&client_id={id}"), ""),
        (
            "",
            "application/x-www-form-urlencoded; charset=UTF-8",
            good.clone(),
            "",
        ),
        ("", FORM, format!("{good}&unknown=1"), ""),
        ("", FORM, format!("{good}&scope="), ""),
        (
            "",
            FORM,
            format!("client_id={id}&client_secret={secret}"),
            "invalid_request",
        ),
        (
            "",
            FORM,
            format!("grant_type=&client_id={id}&client_secret={secret}"),
            "invalid_request",
        ),
        ("", FORM, format!("{good}&{grant}"), "invalid_request"),
        (
            "",
            FORM,
            format!("{good}&scope=chat:read&scope=chat:read"),
            "invalid_request",
        ),
        (
            "",
            FORM,
            format!("{good}&scope=&scope=chat:read"),
            "invalid_request",
        ),
        (
            "",
            FORM,
            format!("{good}&unknown=1&unknown=2"),
            "invalid_request",
        ),
        (
            "",
            FORM,
            format!("{good}&client_id={id}"),
            "invalid_request",
        ),
        (
            "",
            "application/json",
            json!({"grant_type": "client_credentials"}).to_string(),
            "invalid_request",
        ),
        ("", "text/plain", good.clone(), "invalid_request"),
        ("", "", good.clone(), "invalid_request"),
        (&own, FORM, good.clone(), "invalid_request"),
        (
            &own,
            FORM,
            format!("{grant}&client_id=app_x"),
            "invalid_request",
        ),
        (
            "",
            FORM,
            good.replace("client_credentials", "password"),
            "unsupported_grant_type",
        ),
        (
            "",
            FORM,
            good.replace("client_credentials", "password"),
            "unsupported_grant_type",
        ),
        ("", FORM, format!("{good}x"), "invalid_client"),
        ("", FORM, good.replace("app_", "app-"), "invalid_client"),
        (
            "",
            FORM,
            format!("{grant}&client_id={id}"),
            "invalid_client",
        ),
        (
            "",
            FORM,
            format!("{grant}&client_id={id}&client_secret="),
            "invalid_client",
        ),
        (
            "",
            FORM,
            format!("{grant}&client_secret={secret}"),
            "invalid_client",
        ),
        (
            "",
            FORM,
            format!("{grant}&client_id={}&client_secret=x", "i".repeat(5000)),
            "invalid_client",
        ),
        (
            &basic(&id, &format!("{secret}:x")),
            FORM,
            grant.into(),
            "invalid_client",
        ),
        (
            &basic(&id, &format!("{secret}%")),
            FORM,
            grant.into(),
            "invalid_client",
        ),
        (
            &basic(&id, &format!("{secret}%00")),
            FORM,
            grant.into(),
            "invalid_client",
        ),
        (
            &basic(&format!("{id}%3A"), &secret),
            FORM,
            grant.into(),
            "invalid_client",
        ),
        (&basic(&id, ""), FORM, grant.into(), "invalid_client"),
        ("Basic", FORM, grant.into(), "invalid_client"),
        ("Basic ???", FORM, grant.into(), "invalid_client"),
        (
            &own.replacen("Basic", "Bearer", 1),
            FORM,
            grant.into(),
            "invalid_client",
        ),
        (
            &format!("Bearer {secret}"),
            FORM,
            good.clone(),
            "invalid_client",
        ),
    ] {
        let mut request = program
            .request(Method::POST, "/auth/token")
            .body(body.clone());
        for (name, value) in [
            (header::AUTHORIZATION, authorization),
            (header::CONTENT_TYPE, kind),
        ] {
            if !value.is_empty() {
                request = request.header(name, value);
            }
        }
        let response = request.send().await.unwrap();
        let status = if expected.is_empty() {
            200
        } else if expected == "invalid_client" {
            401
        } else {
            400
        };
        assert_eq!(header_of(&response, header::CACHE_CONTROL), "no-store");
        assert_eq!(
            header_of(&response, header::CONTENT_TYPE),
            "application/json"
        );
        assert_eq!(
            header_of(&response, header::WWW_AUTHENTICATE).starts_with("Basic"),
            status == 401,
            "{body}"
        );
        let answered = response.status().as_u16();
        let answer: Value = response.json().await.unwrap();
        assert_eq!(
            (answered, answer["error"].as_str().unwrap_or_default()),
            (status, expected),
            "{authorization} {body}"
        );
        assert!(
            !answer["error_description"].to_string().contains(&secret),
            "{body}"
        );
    }
    for query in ["client_secret=x", &good, "x"] {
        let path = format!("/auth/token?{query}");
        let form = [
            ("grant_type", "client_credentials"),
            ("client_id", &id),
            ("client_secret", &secret),
        ];
        let response = program
            .request(Method::POST, &path)
            .form(&form)
            .send()
            .await
            .unwrap();
        assert_eq!(response.status(), 400, "{query}");
        assert_eq!(
            response.json::<Value>().await.unwrap()["error"],
            "invalid_request",
            "{query}"
        );
    }
    // Whoever has a cookie too is known by the credentials alone.
    let response = alice
        .request(Method::POST, "/auth/token")
        .header(header::CONTENT_TYPE, FORM)
        .body(good);
    assert_eq!(response.send().await.unwrap().status(), 200);
}
