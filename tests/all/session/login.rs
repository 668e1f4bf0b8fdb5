//! Logging in: refusals that reveal nothing, and renewal.

use reqwest::{Method, header};
use serde_json::{Value, json};

use crate::support::{Device, TestServer, assert_not_on_disk};

mod form;

const PASSWORD: &str = "correct horse battery";

async fn alice_with_password(server: &TestServer) -> Device {
    let alice = server.create_session("alice").await;
    alice.send(&format!("PASS :{PASSWORD}")).await;
    alice
}

#[tokio::test]
async fn unknown_nick_no_password_and_wrong_password_get_the_same_answer() {
    let server = TestServer::start().await;
    alice_with_password(&server).await;
    server.create_session("bob").await;
    let mut answers = Vec::new();
    for nick in ["nobody", "bob", "alice", "0", ""] {
        let request = server
            .device()
            .request(Method::POST, "/api/v1/login")
            .json(&json!({"nick": nick, "password": "not this one"}));
        let response = request.send().await.unwrap();
        let mut headers: Vec<_> = response
            .headers()
            .iter()
            .map(|(name, value)| format!("{name}: {value:?}"))
            .collect();
        headers.retain(|line| !line.starts_with("date"));
        answers.push((
            response.status().as_u16(),
            headers,
            response.text().await.unwrap(),
        ));
    }
    assert_eq!(answers[0].0, 401);
    assert!(answers[0].2.contains("login_failed") && answers[0].2.contains("464"));
    assert!(
        answers.iter().all(|answer| *answer == answers[0]),
        "{answers:?}"
    );
}

#[tokio::test]
async fn the_password_is_compared_byte_for_byte_and_may_use_any_script() {
    let server = TestServer::start().await;
    let alice = server.create_session("alice").await;
    let password: String = "語 пароль ".chars().cycle().take(256).collect();
    alice
        .try_send_json(json!({"command": "PASS", "params": [password]}))
        .await
        .unwrap();
    for wrong in [&format!("{password} "), &password.to_uppercase(), ""] {
        assert_eq!(
            server
                .device()
                .login("alice", wrong)
                .await
                .unwrap_err()
                .code,
            "login_failed"
        );
    }
    server.login("alice", &password).await;
}

#[tokio::test]
async fn a_change_needs_the_current_password_and_is_told_to_siblings() {
    let server = TestServer::start().await;
    let alice = alice_with_password(&server).await;
    let phone = server.login("alice", PASSWORD).await;
    phone.snapshot().await;
    let refused = |line: &'static str| {
        let phone = phone.clone();
        async move { phone.try_send(line).await.unwrap_err() }
    };
    let problem = refused("PASS :a new password").await;
    assert_eq!(
        (
            problem.code.as_str(),
            problem.status,
            problem.numeric.as_deref()
        ),
        ("password_required", 403, Some("464"))
    );
    let problem = refused("PASS 12345678x :not the current").await;
    assert_eq!(
        (problem.code.as_str(), problem.status),
        ("password_mismatch", 403)
    );
    assert!(phone.queue().await.is_empty());
    let body = json!({"command": "PASS", "params": ["a new password", PASSWORD]});
    let answer = phone.try_send_json(body).await.unwrap();
    assert_eq!(
        (
            &answer["replies"][0]["command"],
            &answer["replies"][0]["params"][1]
        ),
        (&json!("NOTE"), &json!("PASSWORD_SET"))
    );
    let notice = alice.queue().await.pop().unwrap();
    assert_eq!(
        (notice.command.as_str(), notice.source.as_str()),
        ("NOTICE", "rejoin.server")
    );
    assert!(!notice.to_string().contains("a new password"));
    assert_eq!(
        server
            .device()
            .login("alice", PASSWORD)
            .await
            .unwrap_err()
            .code,
        "login_failed"
    );
    server.login("alice", "a new password").await;
}

#[tokio::test]
async fn a_login_from_a_live_client_of_the_session_renews_it() {
    let server = TestServer::start().await;
    let alice = alice_with_password(&server).await;
    alice.send("JOIN #rust").await;
    let before = alice.snapshot().await;
    let mut stream = alice.stream("").await;
    let held = tokio::spawn({
        let alice = alice.clone();
        let after = before["cursor"].clone();
        async move { alice.poll(&format!("timeout=60&after={after}")).await }
    });
    server.wait_for_connections(2).await;
    let renewed = alice.login("alice", PASSWORD).await.unwrap();
    assert_ne!(alice.cookie, renewed.cookie);
    assert_eq!(
        alice
            .call(Method::GET, "/api/v1/session")
            .await
            .unwrap_err()
            .code,
        "unauthenticated",
        "the old secret stops working at once"
    );
    // Streams that the old secret opened end without a message, because the browser comes back with
    // the new secret.
    while let Some(frame) = stream.frame().await {
        assert!(!frame.iter().any(|(name, _)| name == "event"), "{frame:?}");
    }
    assert_eq!(held.await.unwrap().messages, []);
    let after = renewed.snapshot().await;
    assert_eq!(before["client"]["id"], after["client"]["id"]);
    assert_eq!(before["acknowledged"], after["acknowledged"]);
    assert_eq!(renewed.clients().await.len(), 1);
}

#[tokio::test]
async fn a_login_from_a_client_of_another_session_changes_nothing() {
    let server = TestServer::start().await;
    let (alice, bob) = (
        alice_with_password(&server).await,
        server.create_session("bob").await,
    );
    assert_eq!(
        bob.login("alice", "a wrong one").await.unwrap_err().code,
        "login_failed"
    );
    let refusal = bob.login("alice", PASSWORD).await.unwrap_err();
    assert_eq!(
        (refusal.code.as_str(), refusal.status),
        ("already_in_session", 409)
    );
    assert_eq!(bob.snapshot().await["session"]["nick"], "bob");
    assert_eq!(alice.clients().await.len(), 1);
}

#[tokio::test]
async fn an_outdated_hash_is_replaced_at_login() {
    let mut server = TestServer::start().await;
    alice_with_password(&server).await;
    server.stop().await;
    let database = rusqlite::Connection::open(server.database()).unwrap();
    // The outdated hash is Argon2id of the same password with 64 KiB and one pass.
    let outdated = argon2id(PASSWORD, 64, 1);
    database
        .execute("UPDATE session SET password_hash = ?1", [&outdated])
        .unwrap();
    server.run().await;
    server.login("alice", PASSWORD).await;
    let stored: String = database
        .query_row("SELECT password_hash FROM session", [], |row| row.get(0))
        .unwrap();
    assert!(
        stored.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"),
        "{stored}"
    );
    server.login("alice", PASSWORD).await;
    // Of two logins at once, the second finds the new hash of the first and verifies its password
    // again.
    database
        .execute("UPDATE session SET password_hash = ?1", [&outdated])
        .unwrap();
    let (one, other) = tokio::join!(
        server.login("alice", PASSWORD),
        server.login("alice", PASSWORD)
    );
    assert_ne!(one.cookie, other.cookie);
}

fn argon2id(password: &str, memory: u32, passes: u32) -> String {
    use argon2::{Algorithm, Argon2, Params, PasswordHasher, Version};
    let argon2 = Argon2::new(
        Algorithm::Argon2id,
        Version::V0x13,
        Params::new(memory, passes, 1, None).unwrap(),
    );
    argon2
        .hash_password_with_salt(password.as_bytes(), b"0123456789abcdef")
        .unwrap()
        .to_string()
}
