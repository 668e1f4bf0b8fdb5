//! Creating API keys: what a key with `session:manage` requires, and what ends a key.

use std::time::Duration;

use serde_json::json;

use crate::support::{
    App, Device, FLAGS, JsonAnswer, TestServer, assert_integrity, assert_not_on_disk, commands,
    status_and_code,
};

const PASSWORD: &str = "correct horse battery";

async fn make(by: &Device, scope: &str, password: Option<&str>) -> Result<App, (u16, String)> {
    let mut wanted = json!({"name": "bot", "scope": scope});
    if let Some(password) = password {
        wanted["password"] = password.into();
    }
    by.post("/api/v1/keys", wanted)
        .await
        .map(|key| App::of(by, &key))
        .map_err(status_and_code)
}

fn refused<T>(status: u16, code: &str) -> Result<T, (u16, String)> {
    Err((status, code.into()))
}

/// A short use of a stolen cookie or of a bot's token is not enough to create a key that outlives
/// both.
#[tokio::test]
async fn a_key_with_session_manage_requires_the_password() {
    let server = TestServer::start().await;
    let alice = server.create_session("alice").await;
    let first = make(&alice, "session:manage chat:read", None)
        .await
        .expect("there is no password");
    alice.send(&format!("PASS :{PASSWORD}")).await;
    let manager = first.token("").await;
    for by in [&alice, &manager] {
        for scope in ["session:manage", "chat:read session:manage"] {
            assert_eq!(
                make(by, scope, None).await.err(),
                refused::<()>(403, "password_required").err()
            );
            assert_eq!(
                make(by, scope, Some("not this one")).await.err(),
                refused::<()>(403, "password_mismatch").err()
            );
            make(by, scope, Some(PASSWORD))
                .await
                .unwrap()
                .token("")
                .await
                .get("/api/v1/clients")
                .await;
        }
        make(by, "chat:read", None).await.unwrap();
        make(by, "chat:read", Some("whatever this is"))
            .await
            .unwrap();
    }
    assert_not_on_disk(&server.database(), "horse battery");
    assert_not_on_disk(&server.database(), "not this one");
    // A new secret of an existing key is worth as much as a new key, except to the key's own bot.
    let path = format!("/api/v1/keys/{}/rotate", first.client_id);
    let rotate = async |by: &Device, password: Option<&str>| {
        let mut body = json!({"overlap": 3600});
        if let Some(password) = password {
            body["password"] = password.into();
        }
        by.post(&path, body)
            .await
            .map(|key| App::of(by, &key))
            .map_err(status_and_code)
    };
    let other = make(&alice, "session:manage chat:read", Some(PASSWORD))
        .await
        .unwrap()
        .token("")
        .await;
    for by in [&alice, &other] {
        assert_eq!(
            rotate(by, None).await.err(),
            refused::<()>(403, "password_required").err()
        );
        assert_eq!(
            rotate(by, Some("not this one")).await.err(),
            refused::<()>(403, "password_mismatch").err()
        );
        rotate(by, Some(PASSWORD)).await.unwrap();
    }
    rotate(&manager, None)
        .await
        .unwrap()
        .token("")
        .await
        .get("/api/v1/clients")
        .await;
    let harmless = make(&alice, "chat:read", None).await.unwrap();
    let path = format!("/api/v1/keys/{}/rotate", harmless.client_id);
    alice.post(&path, json!({"overlap": 0})).await.unwrap();
    // A secret that is created through a grant outlives the grant, whatever the key may do.
    let by_grant = other
        .post(&path, json!({"overlap": 0}))
        .await
        .map_err(status_and_code);
    assert_eq!(
        by_grant.err(),
        refused::<()>(403, "password_required").err()
    );
    other
        .post(&path, json!({"overlap": 0, "password": PASSWORD}))
        .await
        .unwrap();
    let audit = alice.get("/api/v1/audit").await.to_string();
    assert_eq!(audit.matches("password_refused").count(), 6);
}

#[tokio::test]
async fn wrong_passwords_for_a_key_count_as_guesses_at_the_sessions_password() {
    let server = TestServer::start().await;
    let alice = server.create_session("alice").await;
    alice.send(&format!("PASS :{PASSWORD}")).await;
    let mut guesses = 0;
    while make(&alice, "session:manage", Some("a guess")).await.err()
        != refused::<()>(429, "throttled").err()
    {
        guesses += 1;
        assert!(guesses <= 20, "guesses are not limited");
    }
    assert_eq!(
        status_and_code(
            alice
                .try_send("PASS 12345678x :another guess")
                .await
                .unwrap_err()
        ),
        (429, "throttled".into())
    );
    make(&alice, "chat:read", None)
        .await
        .expect("there is nothing to guess");
}

#[tokio::test]
async fn a_key_that_was_created_through_a_grant_ends_with_it() {
    let server = TestServer::start().await;
    let [alice, bob] = server.sessions_on("#rust", ["alice", "bob"]).await;
    let wiki = server
        .app(
            "Wiki",
            &[
                &FLAGS[..],
                &["--public", "--scope", "session:manage chat:read"],
            ]
            .concat(),
        )
        .await;
    let user = wiki.user(&alice, "session:manage chat:read").await;
    let (made, beside) = (
        make(&user, "chat:read", None).await.unwrap(),
        make(&alice, "chat:read", None).await.unwrap(),
    );
    // A key that was created with that key ends too.
    let managing = make(&user, "session:manage chat:read", None).await.unwrap();
    let below = make(&managing.token("").await, "chat:read", None)
        .await
        .unwrap();
    let bots = [made.token("").await, below.token("").await];
    let grants = alice.get("/api/v1/grants").await;
    let grant = grants
        .items()
        .iter()
        .find(|grant| grant["app"] == "Wiki")
        .unwrap()["id"]
        .clone();
    alice
        .delete(&format!("/api/v1/grants/{grant}"))
        .await
        .unwrap();
    for bot in &bots {
        assert!(bot.token_is_invalid().await);
    }
    for key in [&made, &managing, &below] {
        assert_eq!(key.try_token("").await.0, 401);
    }
    let ends =
        "app_grant WHERE ended_at IS NOT NULL AND ended_at = (SELECT max(ended_at) FROM app)";
    assert_eq!(server.rows(ends), 4, "all in one transaction");
    beside.token("").await.snapshot().await;
    assert!(!commands(&bob.queue().await).contains(&"QUIT"));
    assert_integrity(&server.database());
}

/// A bot's grant is a grant, too: QUIT ends it, and with it the keys that were created through it.
#[tokio::test]
async fn a_key_that_was_created_by_another_ends_with_it() {
    let server = TestServer::start().await;
    let alice = server.create_session("alice").await;
    let managing = make(&alice, "session:manage chat:read", None)
        .await
        .unwrap();
    for end in ["quit", "revoke"] {
        let manager = managing.token("").await;
        let made = make(&manager, "chat:read", None).await.unwrap();
        let bot = made.token("").await;
        match end {
            "quit" => drop(manager.send("QUIT").await),
            _ => drop(
                alice
                    .delete(&format!("/api/v1/keys/{}", managing.client_id))
                    .await
                    .unwrap(),
            ),
        }
        assert!(bot.token_is_invalid().await, "{end}");
        assert_eq!(made.try_token("").await.0, 401, "{end}");
    }
    // When a key expires, the keys created with it end too, however long they were to live.
    let brief = alice
        .create_key_with(
            json!({"name": "bot", "scope": "session:manage chat:read", "expires_in": 60}),
        )
        .await;
    let made = make(&brief.token("").await, "chat:read", None)
        .await
        .unwrap();
    server.advance(Duration::from_secs(60));
    crate::support::until("the key to end", async || made.try_token("").await.0 == 401).await;
    assert_integrity(&server.database());
}

/// The app's client is the last device. The session ends once, with everything that depends on it.
#[tokio::test]
async fn the_last_device_is_an_app_that_created_keys() {
    let server = TestServer::start().await;
    let [alice, bob] = server.sessions_on("#rust", ["alice", "bob"]).await;
    let wiki = server
        .app(
            "Wiki",
            &[
                &FLAGS[..],
                &["--public", "--scope", "session:manage chat:read"],
            ]
            .concat(),
        )
        .await;
    let user = wiki.user(&alice, "session:manage chat:read").await;
    let managing = make(&user, "session:manage chat:read", None).await.unwrap();
    let below = make(&managing.token("").await, "chat:read", None)
        .await
        .unwrap();
    let bot = below.token("").await;
    alice.send("QUIT").await;
    bot.snapshot().await;
    user.send("QUIT").await;
    assert!(bot.token_is_invalid().await);
    assert_eq!(
        commands(&bob.queue().await)
            .iter()
            .filter(|command| **command == "QUIT")
            .count(),
        1
    );
    assert_eq!(server.rows("session WHERE ended_at IS NULL"), 1);
    assert_integrity(&server.database());
}
