//! Invalid API keys, limits on their number, and what remains of ended keys.

use super::*;

#[tokio::test]
async fn a_key_is_never_wider_than_the_credential_that_created_it() {
    let server = TestServer::start().await;
    let alice = server.create_session("alice").await;
    let reader = alice.create_key("chat:read chat:write").await;
    let manager = alice
        .create_key("session:manage identity")
        .await
        .token("")
        .await;
    let wider = manager
        .post(
            "/api/v1/keys",
            json!({"name": "x", "scope": "identity chat:write"}),
        )
        .await
        .unwrap_err();
    assert_eq!(status_and_code(wider), (403, "insufficient_scope".into()));
    let rotate = format!("/api/v1/keys/{}/rotate", reader.client_id);
    let wider = manager
        .post(&rotate, json!({"overlap": 0}))
        .await
        .unwrap_err();
    assert_eq!(status_and_code(wider), (403, "insufficient_scope".into()));
    reader.token("").await.snapshot().await;
    // A key that is as narrow works, for the device that created the first.
    manager
        .create_key("identity")
        .await
        .token("")
        .await
        .get("/auth/userinfo")
        .await;
    manager
        .delete(&format!("/api/v1/keys/{}", reader.client_id))
        .await
        .unwrap();
    assert_eq!(reader.try_token("").await.0, 401);
}

#[tokio::test]
async fn a_malformed_key_is_refused_with_its_reason() {
    let server = TestServer::start().await;
    let [alice, bob] = server.sessions_on("#rust", ["alice", "bob"]).await;
    for (case, body, status, code) in [
        (
            "no name",
            json!({"scope": "chat:read"}),
            400,
            "malformed_request",
        ),
        ("no scope", json!({"name": "x"}), 400, "malformed_request"),
        (
            "an empty name",
            json!({"name": "", "scope": "chat:read"}),
            400,
            "malformed_request",
        ),
        (
            "a name of blanks",
            json!({"name": " ", "scope": "chat:read"}),
            400,
            "malformed_request",
        ),
        (
            "an escape in the name",
            json!({"name": "a\u{1b}[2J", "scope": "chat:read"}),
            400,
            "malformed_request",
        ),
        (
            "a name that shows nothing",
            json!({"name": "\u{3164}", "scope": "chat:read"}),
            400,
            "malformed_request",
        ),
        (
            "a name that turns the direction",
            json!({"name": "bot\u{202e}tob", "scope": "chat:read"}),
            400,
            "malformed_request",
        ),
        (
            "a name with a hidden space",
            json!({"name": "bo\u{200b}t", "scope": "chat:read"}),
            400,
            "malformed_request",
        ),
        (
            "a name of 65 characters",
            json!({"name": "x".repeat(65), "scope": "chat:read"}),
            413,
            "input_too_long",
        ),
        (
            "an empty scope",
            json!({"name": "x", "scope": ""}),
            400,
            "invalid_scope",
        ),
        (
            "an unknown scope",
            json!({"name": "x", "scope": "chat:read admin"}),
            400,
            "invalid_scope",
        ),
        (
            "a list as scope",
            json!({"name": "x", "scope": ["chat:read"]}),
            400,
            "malformed_request",
        ),
        (
            "no lifetime",
            json!({"name": "x", "scope": "chat:read", "expires_in": 0}),
            400,
            "malformed_request",
        ),
        (
            "a lifetime over ten years",
            json!({"name": "x", "scope": "chat:read", "expires_in": 315360001}),
            400,
            "malformed_request",
        ),
        (
            "an unknown field",
            json!({"name": "x", "scope": "chat:read", "secret": "mine"}),
            400,
            "malformed_request",
        ),
        (
            "a channel without #",
            json!({"name": "x", "scope": "chat:read", "res": ["rust"]}),
            400,
            "bad_channel_name",
        ),
        (
            "the whole session on one channel",
            json!({"name": "x", "scope": "chat:read session:manage", "res": ["#rust"]}),
            400,
            "invalid_scope",
        ),
        (
            "101 channels",
            json!({"name": "x", "scope": "chat:read", "res": vec!["#rust"; 101]}),
            400,
            "malformed_request",
        ),
        (
            "no channels",
            json!({"name": "x", "scope": "chat:read", "res": []}),
            400,
            "malformed_request",
        ),
    ] {
        assert_eq!(
            status_and_code(alice.post("/api/v1/keys", body.clone()).await.unwrap_err()),
            (status, code.into()),
            "{case}"
        );
    }
    assert_eq!(alice.keys().await, Vec::<Value>::new());
    let key = alice.create_key("chat:read").await;
    assert_eq!(
        bob.keys().await,
        Vec::<Value>::new(),
        "a session cannot see another session's keys"
    );
    let others = bob
        .delete(&format!("/api/v1/keys/{}", key.client_id))
        .await
        .unwrap_err();
    assert_eq!(status_and_code(others), (404, "not_found".into()));
    let others = bob
        .post(
            &format!("/api/v1/keys/{}/rotate", key.client_id),
            json!({"overlap": 0}),
        )
        .await
        .unwrap_err();
    assert_eq!(status_and_code(others), (404, "not_found".into()));
    key.token("").await;
}

#[tokio::test]
async fn a_session_has_a_hundred_live_keys_and_a_hundred_ended_ones() {
    let server = TestServer::with(&["--login-limit", "off"]).await;
    let alice = server.create_session("alice").await;
    let revoke = async |key: &App| {
        alice
            .delete(&format!("/api/v1/keys/{}", key.client_id))
            .await
            .unwrap()
    };
    let first = alice.create_key("chat:read").await;
    revoke(&first).await;
    let mut keys = Vec::new();
    for _ in 0..100 {
        keys.push(alice.create_key("chat:read").await);
    }
    let wanted = json!({"name": "x", "scope": "chat:read"});
    assert_eq!(
        status_and_code(alice.post("/api/v1/keys", wanted).await.unwrap_err()),
        (409, "too_many_keys".into())
    );
    assert_eq!(alice.keys().await.len(), 101);
    server.advance(Duration::from_secs(1));
    for key in &keys {
        revoke(key).await;
    }
    let last = alice.create_key("chat:read").await;
    let listed = alice.keys().await;
    assert_eq!(
        (listed.len(), &listed[100]["client_id"]),
        (101, &json!(last.client_id))
    );
    assert!(
        !listed.iter().any(|key| key["client_id"] == first.client_id),
        "the key that ended first made room"
    );
}

#[tokio::test]
async fn changes_of_keys_and_grants_are_audited() {
    let server = TestServer::start().await;
    let alice = server.create_session("alice").await;
    let key = alice.create_key("chat:read").await;
    key.token("").await;
    key.token("").await.send("QUIT").await;
    alice
        .post(
            &format!("/api/v1/keys/{}/rotate", key.client_id),
            json!({"overlap": 60}),
        )
        .await
        .unwrap();
    key.token("").await;
    alice
        .delete(&format!("/api/v1/keys/{}", key.client_id))
        .await
        .unwrap();
    let audit = alice.get("/api/v1/audit").await;
    let of_key = audit
        .items()
        .iter()
        .filter(|line| line["app"] == key.client_id);
    let told = |line: &Value| {
        format!(
            "{} {}",
            line["action"].as_str().unwrap(),
            line["reason"].as_str().unwrap_or("-")
        )
    };
    assert_eq!(
        of_key.map(told).collect::<Vec<_>>(),
        [
            "key_issued -",
            "grant_issued -",
            "grant_revoked quit",
            "key_rotated -",
            "grant_issued -",
            "grant_revoked revoked",
            "key_revoked revoked",
        ]
    );
    assert!(!audit.to_string().contains("rjk_") && !audit.to_string().contains("rja_"));
}

#[tokio::test]
async fn an_ended_key_is_listed_for_30_days_and_then_removed() {
    let mut server = TestServer::with(&["--retention", "10d", "--client-idle", "100d"]).await;
    let [alice, bob] = server.sessions_on("#rust", ["alice", "bob"]).await;
    let (key, bobs) = (
        alice.create_key("chat:read").await,
        bob.create_key("chat:read").await,
    );
    let bot = key.token("").await;
    bobs.token("").await;
    alice
        .delete(&format!("/api/v1/keys/{}", key.client_id))
        .await
        .unwrap();
    bob.send("QUIT").await;
    server.advance(DAY * 29);
    server.restart().await;
    // Keys of an ended session are removed at once, because no client can ask about them.
    until("bob's to go", async || {
        server.rows("app") == 1 && server.rows("session") == 1
    })
    .await;
    assert_eq!((alice.keys().await.len(), server.rows("app_grant")), (1, 0));
    server.advance(DAY);
    server.restart().await;
    until("alice's to go", async || {
        server.rows("app") == 0 && server.rows("app_secret") == 0
    })
    .await;
    assert!(alice.keys().await.is_empty());
    assert!(bot.token_is_invalid().await);
}
