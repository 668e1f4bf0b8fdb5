//! Access tokens: how an app gets one, what it allows, and that no other secret works as one.

use std::time::Duration;

use rejoin::model::Requirement;
use reqwest::{Method, Response, header};
use serde_json::{Value, json};

use crate::support::{App, TestServer, until};

mod malformed_requests;
mod validity;

/// Every scope, in the order in which answers list them.
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
async fn every_endpoint_requires_its_scope() {
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
async fn every_command_requires_its_scope() {
    let server = TestServer::start().await;
    let alice = server.create_session("alice").await;
    let key = alice.create_key(&SCOPES.join(" ")).await;
    let mut programs = Vec::new();
    for scope in SCOPES {
        programs.push((scope, key.token(scope).await));
    }
    for verb in rejoin::irc::command::verbs().filter(|verb| verb.name != "QUIT") {
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
async fn a_token_has_the_requested_scope_and_never_more_than_its_app() {
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
