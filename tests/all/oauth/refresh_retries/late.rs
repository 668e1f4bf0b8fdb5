//! Retries long after the exchange, and thefts.

use super::*;

#[tokio::test]
async fn a_theft_is_audited_with_its_address_and_reported_to_the_devices() {
    let server = TestServer::with(&["--trusted-proxy", "127.0.0.1"]).await;
    let alice = server.create_session("alice").await;
    let phone = server.phone_of(&alice, "alice").await;
    let app = server.app("reader", &ALONE).await;
    let first = app.refresh_token_for(&alice, "chat:read").await;
    let (access, _) = pair(&app, &first).await;
    app.program.with_token(&access).snapshot().await;
    for device in [&alice, &phone] {
        device.drain().await;
    }
    let thief = App {
        program: app.program.at_address("192.0.2.66"),
        ..app.clone()
    };
    assert_eq!(thief.refresh(&first, "").await.1["error"], "invalid_grant");
    let audit = alice.get("/api/v1/audit").await;
    let line = audit
        .items()
        .iter()
        .find(|line| line["action"] == "reuse_detected")
        .unwrap();
    assert!(
        line["address"].as_str().unwrap().starts_with("192.0.2."),
        "{line}"
    );
    let printed = rejoin(&server.database(), &["audit"]).await.unwrap();
    assert!(
        printed
            .lines()
            .any(|line| line.contains("reuse_detected") && line.contains("192.0.2.66")),
        "{printed}"
    );
    for device in [&alice, &phone] {
        let queue = device.queue().await;
        let notice = queue
            .iter()
            .find(|message| message.command == "NOTICE")
            .expect("it is reported");
        assert!(
            params(notice)[1].contains("the app reader")
                && params(notice)[1].contains("second time"),
            "{notice}"
        );
    }
    assert_eq!(alice.get("/api/v1/grants").await, json!([]));
    alice.snapshot().await;
    assert_integrity(&server.database());
}

/// A pair that nobody has received does not age: when it is issued again, it works.
#[tokio::test]
async fn a_retry_long_after_a_lost_answer_still_works() {
    let server = TestServer::with(&["--client-idle", "1000d", "--client-lifetime", "1000d"]).await;
    let alice = server.create_session("alice").await;
    let app = server.app("reader", &ALONE).await;
    for (before, lost_for) in [
        (Duration::ZERO, Duration::from_mins(4)),
        (Duration::ZERO, Duration::from_mins(10)),
        (Duration::ZERO, DAY * 2),
        // The presented token would have expired meanwhile if it had not been used.
        (DAY * 29, DAY * 3),
        (DAY * 29, DAY * 29),
    ] {
        let first = app.refresh_token_for(&alice, "chat:read").await;
        server.advance(before);
        let (status, body) = app.refresh(&first, "").await;
        assert_eq!((status, &body["expires_in"]), (200, &json!(600)));
        server.advance(lost_for);
        // Maintenance removes old rows.
        app.refresh_token_for(&alice, "identity").await;
        let (status, again) = app.refresh(&first, "").await;
        assert_eq!(status, 200, "{before:?} {lost_for:?} {again}");
        assert_eq!(
            (&again["access_token"], &again["refresh_token"]),
            (&body["access_token"], &body["refresh_token"])
        );
        let left = 600_u64.saturating_sub(lost_for.as_secs());
        assert_eq!(
            again["expires_in"],
            if left == 0 { 600 } else { left },
            "{lost_for:?}"
        );
        app.program
            .with_token(text(&again["access_token"]))
            .snapshot()
            .await;
        app.refreshed(text(&again["refresh_token"]))
            .await
            .0
            .snapshot()
            .await;
    }
    // An unused token expires in its time, and the record of its exchange with it.
    let first = app.refresh_token_for(&alice, "chat:read").await;
    pair(&app, &first).await;
    server.advance(DAY * 30);
    assert_eq!(app.refresh(&first, "").await.1["error"], "invalid_grant");
    assert_eq!(server.rows("audit WHERE action = 'reuse_detected'"), 0);
    assert_integrity(&server.database());
}

#[tokio::test]
async fn the_same_pair_has_the_scope_that_was_requested_first() {
    let server = TestServer::start().await;
    let alice = server.create_session("alice").await;
    let app = server.app("reader", &ALONE).await;
    let first = app.refresh_token_for(&alice, "chat:read chat:write").await;
    let (_, narrow) = app.refresh(&first, "chat:read").await;
    for (scope, status) in [
        ("chat:read", 200),
        ("", 200),
        ("chat:read chat:write", 200),
        ("identity", 400),
    ] {
        let (answered, again) = app.refresh(&first, scope).await;
        assert_eq!(answered, status, "{scope} {again}");
        if status == 200 {
            assert_eq!(
                (&again["access_token"], &again["scope"]),
                (&narrow["access_token"], &json!("chat:read"))
            );
        }
    }
    let (_, wide) = app.refresh(text(&narrow["refresh_token"]), "").await;
    assert_eq!(wide["scope"], "chat:read chat:write");
}

#[tokio::test]
async fn an_exchange_outlives_a_rotation_of_the_keys_and_ends_quietly_if_its_key_is_lost() {
    let mut server = TestServer::start().await;
    let alice = server.create_session("alice").await;
    let app = server.app("reader", &ALONE).await;
    let (first, other) = (
        app.refresh_token_for(&alice, "chat:read").await,
        app.refresh_token_for(&alice, "identity").await,
    );
    let (lost, gone) = (pair(&app, &first).await, pair(&app, &other).await);
    let database = server.database();
    for _ in 0..3 {
        rejoin(&database, &["keys", "rotate", "--at-once"])
            .await
            .unwrap();
        assert_eq!(pair(&app, &first).await, lost);
    }
    server.restart().await;
    assert_eq!(pair(&app, &first).await, lost);
    app.program.with_token(&lost.0).snapshot().await;
    let newest = pair(&app, &lost.1).await;
    assert_eq!(pair(&app, &lost.1).await, newest, "by the current key");
    // Without its key the pair cannot be derived, and that does not count as a theft.
    server.stop().await;
    std::fs::remove_file(database.with_extension("db.keys")).unwrap();
    rejoin(&database, &["keys", "create"]).await.unwrap();
    rejoin(&database, &["keys", "accept"]).await.unwrap();
    server.run().await;
    assert_eq!(app.refresh(&other, "").await.1["error"], "invalid_grant");
    assert_eq!(
        alice.grants().await.len(),
        2,
        "a client that has the pair goes on"
    );
    app.refreshed(&gone.1).await;
    app.refreshed(&newest.1).await.0.snapshot().await;
    assert_eq!(server.rows("audit WHERE action = 'reuse_detected'"), 0);
    assert_integrity(&database);
}

/// The derived pair is in no file, and the database holds nothing from which it could be derived.
#[tokio::test]
async fn no_file_beside_the_database_has_the_pair() {
    let server = TestServer::start().await;
    let alice = server.create_session("alice").await;
    let app = server.app("reader", &ALONE).await;
    let first = app.refresh_token_for(&alice, "chat:read").await;
    let (access, refresh) = pair(&app, &first).await;
    rejoin(&server.database(), &["backup", "copy.db"])
        .await
        .unwrap();
    for secret in [&first, &access, &refresh] {
        assert_not_on_disk(&server.database(), secret);
        assert_not_on_disk(&server.database(), &secret[4..]);
    }
    // A copy of the database, even together with the used token, has other keys and derives
    // nothing.
    let dir = tempfile::tempdir().unwrap();
    let stolen = dir.path().join("rejoin.db");
    std::fs::copy(server.database().with_file_name("copy.db"), &stolen).unwrap();
    rejoin(&stolen, &["keys", "create"]).await.unwrap();
    rejoin(&stolen, &["keys", "accept"]).await.unwrap();
    let elsewhere = Process::start(&stolen, &[]);
    let thief = App {
        program: elsewhere.device(),
        ..app.clone()
    };
    assert_eq!(thief.refresh(&first, "").await.1["error"], "invalid_grant");
    let reader: Device = app.program.with_token(&access);
    reader.snapshot().await;
}
