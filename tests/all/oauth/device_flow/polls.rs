//! Polls that come too early or too late, or with another app's code.

use std::time::Duration;

use serde_json::json;

use super::{PendingDevice, allow, decide, device_flow_app, post};
use crate::support::{App, TestServer, assert_integrity, until};

#[tokio::test]
async fn a_code_expires_after_ten_minutes_and_is_removed_after_a_day() {
    let mut server = TestServer::start().await;
    let alice = server.create_session("alice").await;
    let app = device_flow_app(&server, "terminal", true, "chat:read").await;
    let (waiting, denied) = (
        PendingDevice::start(&app).await,
        PendingDevice::start(&app).await,
    );
    let (in_time, approved) = (
        PendingDevice::start(&app).await,
        PendingDevice::start(&app).await,
    );
    allow(&alice, &in_time.code).await;
    allow(&alice, &approved.code).await;
    decide(&alice, &denied.code, "deny").await;
    // Setting the wall clock forward expires nothing.
    server.set_clock(86400);
    server.advance(Duration::from_millis(599_999));
    assert_eq!(post(&alice, &[("user_code", &waiting.code)]).await.0, 200);
    assert_eq!(waiting.refusal().await, "authorization_pending");
    server.advance(Duration::from_millis(1));
    for device in [&waiting, &denied] {
        assert_eq!(decide(&alice, &device.code, "allow").await.0, 404);
    }
    assert_eq!(waiting.refusal().await, "expired_token");
    // The device may poll just after its code would have expired, so an approved code lives a
    // minute longer.
    server.advance(Duration::from_millis(59_999));
    in_time.access().await;
    server.advance(Duration::from_millis(1));
    assert_eq!(approved.refusal().await, "expired_token");
    server.set_clock(-86400);
    server.advance(Duration::from_hours(24));
    server.restart().await;
    until("expired codes to go", async || {
        server.rows("device_code") == 0
    })
    .await;
    assert_eq!(waiting.refusal().await, "invalid_grant");
    assert_integrity(&server.database());
}

#[tokio::test]
async fn each_early_poll_makes_every_later_one_wait_longer() {
    let server = TestServer::start().await;
    let device =
        PendingDevice::start(&device_flow_app(&server, "terminal", true, "chat:read").await).await;
    for (millis, answer) in [
        (0, "authorization_pending"),
        (5000, "authorization_pending"),
        // A second early counts as in time, because timers and networks vary.
        (4950, "authorization_pending"),
        (4000, "authorization_pending"),
        (3999, "slow_down"),
        (8999, "slow_down"),
        (14_000, "authorization_pending"),
        (13_999, "slow_down"),
        (20_000, "authorization_pending"),
    ] {
        server.advance(Duration::from_millis(millis));
        assert_eq!(device.refusal().await, answer, "after {millis} ms");
    }
    server.set_clock(3600);
    assert_eq!(device.refusal().await, "slow_down", "no time has passed");
    // An approved device gets its tokens without waiting.
    let alice = server.create_session("alice").await;
    allow(&alice, &device.code).await;
    device.access().await.snapshot().await;
}

#[tokio::test]
async fn devices_that_poll_at_the_given_interval_are_never_throttled() {
    let server = TestServer::start().await;
    let app = device_flow_app(&server, "terminal", true, "chat:read").await;
    let devices = [
        PendingDevice::start(&app).await,
        PendingDevice::start(&app).await,
    ];
    for _ in 0..119 {
        server.advance(Duration::from_secs(5));
        for device in &devices {
            assert_eq!(device.refusal().await, "authorization_pending");
        }
    }
    for _ in 0..60 {
        assert_eq!(devices[0].refusal().await, "slow_down");
    }
    let (status, body) = devices[0].poll_as(&app).await;
    assert_eq!(
        (status, &body["error"]),
        (429, &json!("temporarily_unavailable"))
    );
}

#[tokio::test]
async fn another_apps_poll_leaves_no_trace() {
    let server = TestServer::start().await;
    let alice = server.create_session("alice").await;
    let (app, other) = (
        device_flow_app(&server, "terminal", true, "chat:read").await,
        device_flow_app(&server, "other", false, "chat:read chat:write").await,
    );
    let device = PendingDevice::start(&app).await;
    let refused = async |by: &App| {
        device.poll_as(by).await.1["error"]
            .as_str()
            .unwrap()
            .to_owned()
    };
    for _ in 0..2 {
        assert_eq!(refused(&other).await, "invalid_grant");
        assert_eq!(
            refused(&alice.create_key("chat:read").await).await,
            "unauthorized_client"
        );
    }
    assert_eq!(
        device.refusal().await,
        "authorization_pending",
        "its first poll"
    );
    allow(&alice, &device.code).await;
    assert_eq!(refused(&other).await, "invalid_grant");
    device.access().await.snapshot().await;
    assert_integrity(&server.database());
}

#[tokio::test]
async fn a_restart_keeps_codes_and_decisions() {
    let mut server = TestServer::start().await;
    let alice = server.create_session("alice").await;
    let app = device_flow_app(&server, "terminal", true, "chat:read").await;
    let (waiting, approved, denied) = (
        PendingDevice::start(&app).await,
        PendingDevice::start(&app).await,
        PendingDevice::start(&app).await,
    );
    allow(&alice, &approved.code).await;
    decide(&alice, &denied.code, "deny").await;
    server.restart().await;
    assert_eq!(waiting.refusal().await, "authorization_pending");
    assert_eq!(denied.refusal().await, "access_denied");
    assert_eq!(
        approved.access().await.snapshot().await["session"]["nick"],
        "alice"
    );
    allow(&alice, &waiting.code).await;
    waiting.access().await.snapshot().await;
    assert_integrity(&server.database());
}
