//! Introspection, revocation, userinfo and the server's metadata.

use std::time::Duration;

use reqwest::Method;
use serde_json::{Value, json};

use crate::{
    oauth::access_tokens::SCOPES,
    support::{App, Device, FLAGS, TestServer, VERIFIER, assert_integrity},
};

mod metadata;

#[tokio::test]
async fn an_app_introspects_its_own_tokens_and_a_resource_server_introspects_all() {
    let server = TestServer::start().await;
    let alice = server.create_session("alice").await;
    let (key, other) = (
        alice.create_key("chat:read identity").await,
        alice.create_key("chat:read").await,
    );
    let (api, own) = (
        server.app("api", &["--resource-server"]).await,
        server.app("own", &[]).await,
    );
    let bot = key.token("identity").await;
    let session = alice.snapshot().await["session"]["id"].to_string();
    let jti = key.introspect(&bot).await["jti"].clone();
    assert!(
        jti.as_str()
            .is_some_and(|jti| jti.len() == 32 && !bot.token.as_ref().unwrap().contains(jti)),
        "{jti}"
    );
    let told = json!({
        "active": true, "scope": "identity", "client_id": key.client_id, "jti": jti, "username": "alice", "sub": session,
        "token_type": "Bearer", "exp": 1_795_000_600, "iat": 1_795_000_000, "iss": alice.base,
        "grant_id": alice.get("/api/v1/grants").await[0]["id"],
    });
    assert_eq!(key.introspect(&bot).await, told);
    assert_eq!(api.introspect(&bot).await, told);
    for hint in ["access_token", "refresh_token", "x"] {
        let params = [
            ("token", bot.token.as_deref().unwrap()),
            ("token_type_hint", hint),
        ];
        assert_eq!(
            key.ask("/auth/introspect", &params).await,
            (200, told.clone()),
            "{hint}"
        );
    }
    for stranger in [&other, &own] {
        assert_eq!(stranger.introspect(&bot).await, json!({"active": false}));
    }
    for nothing in [
        "rja_x",
        &key.secret,
        alice
            .cookie
            .as_deref()
            .unwrap()
            .strip_prefix("rejoin=")
            .unwrap(),
    ] {
        assert_eq!(
            api.introspect(&bot.with_token(nothing)).await,
            json!({"active": false})
        );
    }
    assert_eq!(
        api.ask("/auth/introspect", &[]).await.1["error"],
        "invalid_request"
    );
    let nobody = App {
        secret: "rjk_x".into(),
        ..api.clone()
    };
    assert_eq!(
        nobody.ask("/auth/introspect", &[("token", "x")]).await.0,
        401
    );
    alice.send("NICK alicia").await;
    assert_eq!(api.introspect(&bot).await["username"], "alicia");
    alice.delete("/api/v1/session").await.unwrap();
    assert_eq!(api.introspect(&bot).await, json!({"active": false}));
    assert_eq!(
        key.ask("/auth/introspect", &[("token", "x")]).await.1["error"],
        "invalid_client",
        "it ended too"
    );
}

/// An operator's app has a grant of its own, which belongs to no session.
#[tokio::test]
async fn an_apps_own_token_has_no_session() {
    let server = TestServer::start().await;
    let api = server.app("api", &["--resource-server"]).await;
    let program = api.token("").await;
    let told = api.introspect(&program).await;
    assert_eq!(
        (&told["active"], told.get("sub"), told.get("username")),
        (&json!(true), None, None)
    );
    for path in ["/auth/userinfo", "/api/v1/session", "/api/v1/keys"] {
        let refusal = program.call(Method::GET, path).await.unwrap_err();
        assert_eq!(
            (refusal.status, refusal.code.as_str()),
            (403, "insufficient_scope"),
            "{path}"
        );
    }
    assert_eq!(
        program.try_send("PING x").await.unwrap_err().code,
        "insufficient_scope"
    );
    assert_eq!(
        api.ask(
            "/auth/revoke",
            &[("token", program.token.as_ref().unwrap())]
        )
        .await
        .0,
        200
    );
    let refusal = program
        .call(Method::GET, "/auth/userinfo")
        .await
        .unwrap_err();
    assert_eq!(
        refusal.code, "invalid_token",
        "the revoked token is unknown"
    );
    assert_eq!(api.introspect(&program).await, json!({"active": false}));
    assert_integrity(&server.database());
}

#[tokio::test]
async fn revoking_a_token_ends_its_grant_and_no_other() {
    let server = TestServer::start().await;
    let alice = server.create_session("alice").await;
    let (key, other) = (
        alice.create_key("chat:read").await,
        alice.create_key("chat:read").await,
    );
    let (bot, sibling, stranger) = (
        key.token("").await,
        key.token("").await,
        other.token("").await,
    );
    let revoke = async |by: &App, of: &Device| {
        by.ask("/auth/revoke", &[("token", of.token.as_ref().unwrap())])
            .await
            .0
    };
    let params = [("token", bot.token.as_deref().unwrap())];
    let (status, body) = other.ask("/auth/revoke", &params).await;
    assert_eq!(
        (status, &body["error"]),
        (400, &json!("invalid_grant")),
        "another app's (RFC 7009 §2.1)"
    );
    assert_eq!(revoke(&key, &bot.with_token("rja_unknown")).await, 200);
    bot.snapshot().await;
    assert_eq!(key.ask("/auth/revoke", &[]).await.0, 400);
    assert_eq!(
        revoke(
            &App {
                secret: "x".into(),
                ..key.clone()
            },
            &bot
        )
        .await,
        401
    );
    bot.snapshot().await;
    server.advance(Duration::from_secs(700));
    let fresh = key.token("").await;
    assert_eq!(
        revoke(&key, &bot).await,
        200,
        "an expired token can be revoked"
    );
    for dead in [&bot, &sibling, &fresh] {
        assert_eq!(
            dead.call(Method::GET, "/api/v1/session")
                .await
                .unwrap_err()
                .code,
            "invalid_token"
        );
    }
    assert_eq!(
        revoke(&key, &bot).await,
        200,
        "a second revocation succeeds too"
    );
    other.token("").await.snapshot().await;
    assert_eq!(
        stranger
            .call(Method::GET, "/api/v1/session")
            .await
            .unwrap_err()
            .code,
        "invalid_token",
        "it expired"
    );
    key.token("").await.snapshot().await;
    assert_integrity(&server.database());
}

#[tokio::test]
async fn userinfo_identifies_the_session_of_the_token_and_ignores_a_cookie() {
    let server = TestServer::start().await;
    let [alice, bob] = server.sessions_on("#rust", ["alice", "bob"]).await;
    let bot = alice.create_key("identity").await.token("").await;
    let session = alice.snapshot().await["session"]["id"].to_string();
    let told = json!({"sub": session, "nick": "alice", "channels": [{"name": "#rust", "op": true, "voice": false}]});
    assert_eq!(bot.get("/auth/userinfo").await, told);
    let beside = bot.with_cookie(bob.cookie.as_ref().unwrap());
    assert_eq!(beside.get("/auth/userinfo").await, told);
    let refusal = bob.call(Method::GET, "/auth/userinfo").await.unwrap_err();
    assert_eq!(
        (refusal.status, refusal.code.as_str()),
        (401, "unauthenticated")
    );
}
