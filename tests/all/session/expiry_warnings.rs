//! A week before a device's lifetime ends, the server tells its session when it ends and how to
//! keep the device.

use std::time::Duration;

use serde_json::json;

use crate::support::{Device, FLAGS, TestServer, params, until};

const PASSWORD: &str = "correct horse battery";
const DAY: Duration = Duration::from_hours(24);

/// The warnings that a device received about devices that will be logged out.
async fn warnings(device: &Device) -> Vec<String> {
    let queue = device.queue().await;
    let notices = queue.iter().filter(|message| message.command == "NOTICE");
    let texts = notices.map(|notice| params(notice)[1].to_owned());
    texts
        .filter(|text| text.contains("logged out on"))
        .collect()
}

async fn warned(device: &Device, times: usize) -> Vec<String> {
    until("a warning", async || warnings(device).await.len() >= times).await;
    let warnings = warnings(device).await;
    assert_eq!(warnings.len(), times, "{warnings:?}");
    warnings
}

/// Waits until the maintenance has run once more. It shows by a nick that becomes free, because its
/// cookie never arrived and ten minutes have passed.
async fn looked(server: &TestServer, witness: &Device, nick: &str) {
    server.create_session(nick).await;
    server.advance(Duration::from_mins(10));
    until("a run of the maintenance", async || {
        witness.try_send(&format!("WHOIS {nick}")).await.is_err()
    })
    .await;
}

#[tokio::test]
async fn every_device_is_warned_a_week_before_and_a_login_renews() {
    let mut server = TestServer::with(&["--client-idle", "400d", "--retention", "400d"]).await;
    let alice = server.device().try_create_session("alice").await.unwrap();
    alice.snapshot().await;
    server.advance(DAY * 90);
    let phone = server.phone_of(&alice, "alice").await;
    server.advance(DAY * 83 - Duration::from_hours(1));
    looked(&server, &alice, "lost").await;
    assert_eq!(
        (warnings(&alice).await.len(), warnings(&phone).await.len()),
        (0, 0),
        "more than a week is left"
    );
    server.advance(Duration::from_hours(1));
    for device in [&alice, &phone] {
        let text = warned(device, 1).await.remove(0);
        assert!(
            text.starts_with("unnamed client will be logged out on 2027-05-17 "),
            "{text}"
        );
        assert!(
            text.contains("log in") && !text.contains("last device"),
            "{text}"
        );
    }
    server.restart().await;
    looked(&server, &alice, "gone").await;
    warned(&phone, 1).await;
    // On the day before the end she logs in again on the same device.
    server.advance(DAY * 5);
    let renewed = alice.login("alice", PASSWORD).await.unwrap();
    server.advance(DAY * 5);
    let clients = renewed.get("/api/v1/clients").await;
    assert!(
        clients[0]["expires_at"]
            .as_str()
            .unwrap()
            .starts_with("2027-11-"),
        "{clients}"
    );
    // The phone is next, and then her first device again. Each lifetime has one warning.
    server.advance(DAY * 80);
    warned(&renewed, 2).await;
    server.advance(DAY * 60);
    warned(&renewed, 2).await;
    server.advance(DAY * 30);
    let text = warned(&renewed, 3).await.remove(2);
    assert!(
        text.contains("It is the last device of this session, so the session ends with it."),
        "{text}"
    );
}

#[tokio::test]
async fn warnings_differ_for_sessions_without_password_bots_and_apps() {
    let server = TestServer::with(&["--client-idle", "400d", "--retention", "400d"]).await;
    let alice = server.create_session("alice").await;
    alice.snapshot().await;
    alice
        .create_key("chat:read")
        .await
        .token("")
        .await
        .snapshot()
        .await;
    server.advance(DAY * 173);
    let text = warned(&alice, 1).await.remove(0);
    assert!(
        text.contains("last device") && text.contains("set a password"),
        "{text}"
    );
    alice.send(&format!("PASS :{PASSWORD}")).await;
    let alice = alice.login("alice", PASSWORD).await.unwrap();
    let wiki = server.app("Wiki", &FLAGS).await;
    let mut refresh = wiki.refresh_token_for(&alice, "chat:read").await;
    for _ in 0..7 {
        server.advance(DAY * 24);
        refresh = wiki.refreshed(&refresh).await.1;
    }
    server.advance(DAY * 6);
    let told = warned(&alice, 3).await;
    let wiki = told
        .iter()
        .find(|text| text.starts_with("Wiki"))
        .expect("it is a device, too");
    assert!(wiki.contains("let the app in again"), "{wiki}");
    assert_eq!(
        alice.snapshot().await["session"]["has_password"],
        json!(true),
        "it is past day 181"
    );
}

/// If lifetimes are shorter than a week, the warning comes with each new device.
#[tokio::test]
async fn a_lifetime_under_a_week_is_warned_of_at_once() {
    let server = TestServer::with(&["--client-lifetime", "3d"]).await;
    let alice = server.create_session("alice").await;
    warned(&alice, 1).await;
}
