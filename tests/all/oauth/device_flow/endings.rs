//! Decisions at the same instant, and sessions and apps that end before the tokens are issued.

use serde_json::json;

use super::{PendingDevice, allow, audit, decide, device_flow_app};
use crate::support::{TestServer, assert_integrity};

#[tokio::test]
async fn of_two_decisions_at_the_same_instant_one_counts() {
    let server = TestServer::start().await;
    let (alice, bob) = (
        server.create_session("alice").await,
        server.create_session("bob").await,
    );
    let phone = server.phone_of(&alice, "alice").await;
    let app = device_flow_app(&server, "terminal", true, "chat:read").await;
    for (case, (other, nick), decision) in [
        ("two devices of one session", (&phone, "alice"), "allow"),
        ("two sessions", (&bob, "bob"), "allow"),
        ("one allows and one denies", (&phone, "alice"), "deny"),
    ] {
        let device = PendingDevice::start(&app).await;
        let (one, two) = tokio::join!(
            decide(&alice, &device.code, "allow"),
            decide(other, &device.code, decision)
        );
        let mut statuses = [one.0, two.0];
        statuses.sort_unstable();
        assert_eq!(statuses, [200, 404], "{case}");
        let (first, second) = tokio::join!(device.poll_as(&app), device.poll_as(&app));
        if decision == "deny" && two.0 == 200 {
            assert_eq!(
                (&first.1["error"], &second.1["error"]),
                (&json!("access_denied"), &json!("access_denied")),
                "{case}"
            );
            continue;
        }
        let by_nick = if one.0 == 200 { "alice" } else { nick };
        let (tokens, refused) = if first.0 == 200 {
            (first.1, second.1)
        } else {
            (second.1, first.1)
        };
        assert_eq!(
            refused["error"], "invalid_grant",
            "{case}: one of two polls gets tokens"
        );
        let terminal = server
            .device()
            .with_token(tokens["access_token"].as_str().unwrap());
        assert_eq!(
            terminal.snapshot().await["session"]["nick"],
            by_nick,
            "{case}"
        );
    }
    let approved = "audit WHERE action = 'device_approved'";
    assert_eq!(
        server.rows("app_grant"),
        server.rows(approved),
        "as many grants as approvals"
    );
    assert_integrity(&server.database());
}

#[tokio::test]
async fn an_approval_and_the_sessions_end_at_the_same_instant() {
    let server = TestServer::start().await;
    let app = device_flow_app(&server, "terminal", true, "chat:read").await;
    for round in 0..12 {
        let alice = server.create_session(&format!("alice{round}")).await;
        let device = PendingDevice::start(&app).await;
        let (approved, _) = tokio::join!(decide(&alice, &device.code, "allow"), alice.send("QUIT"));
        match approved.0 {
            200 => assert_eq!(device.refusal().await, "invalid_grant"),
            303 => assert_eq!(device.refusal().await, "authorization_pending"),
            status => panic!("{status} {}", approved.1),
        }
        assert_integrity(&server.database());
    }
    assert_eq!(server.rows("app_grant"), 0);
}

#[tokio::test]
async fn an_approval_ends_with_its_session_and_a_code_with_its_app() {
    let server = TestServer::start().await;
    let (alice, bob) = (
        server.create_session("alice").await,
        server.create_session("bob").await,
    );
    let app = device_flow_app(&server, "terminal", true, "chat:read").await;
    let (approved, waiting) = (
        PendingDevice::start(&app).await,
        PendingDevice::start(&app).await,
    );
    allow(&alice, &approved.code).await;
    alice.delete("/api/v1/session").await.unwrap();
    assert_integrity(&server.database());
    assert_eq!(approved.refusal().await, "invalid_grant");
    assert_eq!(
        waiting.refusal().await,
        "authorization_pending",
        "it belonged to no session"
    );
    server.create_session("alice").await;
    assert_eq!(
        approved.refusal().await,
        "invalid_grant",
        "the nick belongs to another session"
    );
    // The test of the store shows the rest of the operator's subcommand.
    let database = rusqlite::Connection::open(server.database()).unwrap();
    database.execute("UPDATE app SET ended_at = 1", []).unwrap();
    assert_eq!(decide(&bob, &waiting.code, "allow").await.0, 404);
    assert_eq!(waiting.refusal().await, "invalid_client");
    assert_eq!(
        app.ask("/auth/device", &[]).await.1["error"],
        "invalid_client"
    );
}

#[tokio::test]
async fn a_full_session_accepts_no_device_and_loses_none() {
    let server = TestServer::with(&["--max-clients", "2"]).await;
    let alice = server.create_session("alice").await;
    let app = device_flow_app(&server, "terminal", true, "chat:read identity").await;
    let device = PendingDevice::start(&app).await;
    let phone = server.phone_of(&alice, "alice").await;
    let (status, page) = decide(&alice, &device.code, "allow").await;
    assert!(
        status == 409 && page.contains("as many devices as it can have"),
        "{page}"
    );
    assert!(
        page.contains(&device.code) && !page.contains("replace"),
        "{page}"
    );
    assert_eq!(device.refusal().await, "authorization_pending");
    assert_eq!(audit(&alice, "device_approved").await.len(), 0);
    // A grant that only identifies the session takes no slot.
    let (_, badge) = app.ask("/auth/device", &[("scope", "identity")]).await;
    allow(&alice, badge["user_code"].as_str().unwrap()).await;
    phone.send("QUIT").await;
    allow(&alice, &device.code).await;
    // Another login took the last slot meanwhile.
    let tablet = server.login("alice", "correct horse battery").await;
    assert_eq!(device.refusal().await, "invalid_grant");
    assert_eq!(server.rows("app_grant"), 0);
    tablet.send("QUIT").await;
    device.access().await.snapshot().await;
    assert_integrity(&server.database());
}
