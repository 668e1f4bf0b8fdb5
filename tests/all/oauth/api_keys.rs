//! API keys: created, rotated, ended.

use std::time::Duration;

use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{
    App, DeliveryMode, JsonAnswer, QueueEnd, Reader, TestServer, assert_integrity,
    assert_not_on_disk, status_and_code, until,
};

mod limits;

const DAY: Duration = Duration::from_hours(24);

#[tokio::test]
async fn a_key_shows_its_secret_once_and_the_database_never_holds_it() {
    let server = TestServer::start().await;
    let alice = server.create_session("alice").await;
    let made = alice
        .post(
            "/api/v1/keys",
            json!({"name": "bot", "scope": "chat:read identity"}),
        )
        .await
        .unwrap();
    let key = App::of(&alice, &made);
    assert!(
        key.client_id.starts_with("app_") && key.client_id.len() == 26,
        "{made}"
    );
    assert!(
        key.secret.starts_with("rjk_") && key.secret.len() == 47,
        "{made}"
    );
    let bot = key.token("").await;
    let listed = alice.keys().await.remove(0);
    assert!(listed.get("client_secret").is_none());
    assert_eq!(
        listed["secrets"][0]["last_used_at"],
        listed["secrets"][0]["created_at"]
    );
    for name in [
        "client_id",
        "name",
        "scope",
        "res",
        "created_at",
        "expires_at",
        "ended_at",
    ] {
        assert_eq!(listed[name], made[name], "{name}");
    }
    assert_eq!(listed["scope"], "chat:read identity");
    for secret in [&key.secret, bot.token.as_ref().unwrap()] {
        assert_not_on_disk(&server.database(), secret);
    }
}

#[tokio::test]
async fn a_revoked_key_ends_at_once_with_all_its_tokens_and_its_users_can_be_found() {
    let server = TestServer::start().await;
    let alice = server.create_session("alice").await;
    let key = alice.create_key("chat:read").await;
    let (bot, other) = (key.token("").await, key.token("").await);
    bot.snapshot().await;
    let mut readers = Vec::new();
    for way in [DeliveryMode::Stream, DeliveryMode::Socket] {
        readers.push(Reader::open(&bot, way, None).await);
    }
    let held = tokio::spawn({
        let other = other.clone();
        async move { other.call(Method::GET, "/api/v1/messages?timeout=60").await }
    });
    server.wait_for_connections(3).await;
    alice
        .delete(&format!("/api/v1/keys/{}", key.client_id))
        .await
        .unwrap();
    for bot in [&bot, &other] {
        let response = bot
            .request(Method::GET, "/api/v1/session")
            .send()
            .await
            .unwrap();
        assert_eq!(response.status(), 401);
        assert_eq!(
            response.headers()["www-authenticate"],
            "Bearer error=\"invalid_token\""
        );
    }
    for mut reader in readers {
        assert_eq!(
            reader.ended().await,
            QueueEnd::ClientEnded("revoked".into())
        );
    }
    let refusal = held.await.unwrap().unwrap_err();
    assert_eq!(
        (refusal.code.as_str(), &refusal.body["reason"]),
        ("invalid_token", &json!("revoked"))
    );
    server.advance(DAY);
    for _ in 0..3 {
        let (status, body) = key.try_token("").await;
        assert_eq!((status, &body["error"]), (401, &json!("invalid_client")));
    }
    let wrong = App {
        secret: "rjk_x".into(),
        ..key.clone()
    };
    assert_eq!(wrong.try_token("").await.0, 401);
    let listed = alice.keys().await.remove(0);
    assert_eq!(
        listed["tried"], 3,
        "a request with the client_id alone does not count as use"
    );
    assert!(listed["tried_at"].as_str() > listed["ended_at"].as_str());
    let again = alice
        .delete(&format!("/api/v1/keys/{}", key.client_id))
        .await
        .unwrap_err();
    assert_eq!(status_and_code(again), (404, "not_found".into()));
    assert_eq!(alice.get("/api/v1/grants").await, json!([]));
    assert_integrity(&server.database());
}

#[tokio::test]
async fn a_rotated_keys_old_secret_works_until_the_overlap_is_over() {
    let server = TestServer::start().await;
    let alice = server.create_session("alice").await;
    let old = alice.create_key("chat:read").await;
    let path = format!("/api/v1/keys/{}/rotate", old.client_id);
    let bot = old.token("").await;
    let new = App::of(
        &alice,
        &alice.post(&path, json!({"overlap": 3600})).await.unwrap(),
    );
    assert!(new.client_id == old.client_id && new.secret != old.secret);
    server.advance(Duration::from_secs(3599));
    let both = [old.token("").await, new.token("").await];
    server.advance(Duration::from_secs(1));
    assert_eq!(old.try_token("").await.0, 401);
    new.token("").await;
    assert!(bot.token_is_invalid().await, "ten minutes are over");
    both[0].snapshot().await;
    let newest = App::of(
        &alice,
        &alice.post(&path, json!({"overlap": 0})).await.unwrap(),
    );
    assert_eq!(new.try_token("").await.0, 401);
    newest.token("").await;
    let secrets = alice.keys().await[0]["secrets"].items().to_vec();
    let until: Vec<_> = secrets
        .iter()
        .map(|secret| secret["valid_until"].is_string())
        .collect();
    assert_eq!(until, [true, true, false]);
    let tried: Vec<_> = secrets
        .iter()
        .map(|secret| secret["tried"].as_i64().unwrap())
        .collect();
    assert_eq!(tried, [1, 1, 0], "uses of an old secret are counted");
    assert!(
        secrets[0]["valid_until"].as_str() == secrets[1]["valid_until"].as_str(),
        "a new overlap does not extend an earlier one"
    );
    for body in [
        json!({}),
        json!({"overlap": null}),
        json!({"overlap": -1}),
        json!({"overlap": 7776001}),
        json!({"overlap": "1"}),
    ] {
        let refusal = alice.post(&path, body.clone()).await.unwrap_err();
        assert_eq!(
            status_and_code(refusal),
            (400, "malformed_request".into()),
            "{body}"
        );
    }
    let nobody = alice
        .post("/api/v1/keys/app_x/rotate", json!({"overlap": 0}))
        .await
        .unwrap_err();
    assert_eq!(status_and_code(nobody), (404, "not_found".into()));
}

#[tokio::test]
async fn a_key_ends_when_it_expires_and_no_token_of_it_lives_longer() {
    let server = TestServer::start().await;
    let alice = server.create_session("alice").await;
    let key = alice
        .create_key_with(json!({"name": "bot", "scope": "chat:read", "expires_in": 700}))
        .await;
    server.advance(Duration::from_secs(400));
    let (_, body) = key.try_token("").await;
    assert_eq!(body["expires_in"], 300);
    let bot = key
        .program
        .with_token(body["access_token"].as_str().unwrap());
    let mut stream = Reader::open(&bot, DeliveryMode::Stream, None).await;
    server.advance(Duration::from_secs(300));
    assert!(bot.token_is_invalid().await);
    assert_eq!(key.try_token("").await.0, 401);
    assert_eq!(
        stream.ended().await,
        QueueEnd::ClientEnded("expired".into())
    );
    let listed = alice.keys().await.remove(0);
    assert!(
        listed["ended_at"].is_string() && listed["tried"] == 1,
        "{listed}"
    );
    assert_integrity(&server.database());
}
