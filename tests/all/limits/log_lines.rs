//! Events that strangers can repeat write a bounded number of lines to the log, and the log still
//! counts all of them.

use std::time::Duration;

use serde_json::{Value, json};

use crate::support::{App, Device, FLAGS, JsonAnswer, TestServer, until};

async fn lines(device: &Device, action: &str) -> Vec<Value> {
    let lines = device.get("/api/v1/audit?limit=500").await;
    lines
        .items()
        .iter()
        .filter(|line| line["action"] == action)
        .cloned()
        .collect()
}

/// In each hour the first fifty failed logins have a line each. The others are one line with their
/// number when the hour is over.
#[tokio::test]
async fn failed_logins_are_logged_one_by_one_and_then_counted() {
    let server = TestServer::with(&["--trusted-proxy", "127.0.0.1"]).await;
    let alice = server.create_session("alice").await;
    alice.send("PASS :correct horse battery").await;
    let mut failed = 0;
    for n in 0..110 {
        let stranger = server.device().at_address(&format!("198.51.100.{n}"));
        failed += usize::from(
            stranger
                .login("alice", "a wrong one")
                .await
                .unwrap_err()
                .code
                == "login_failed",
        );
        // Later logins wait for the limit, which allows them one by one.
        if n >= 50 {
            server.advance(Duration::from_secs(30));
        }
    }
    assert!(failed > 100, "{failed}");
    let told = lines(&alice, "login_failed").await;
    assert_eq!(told.len(), 50);
    assert!(
        told.iter()
            .all(|line| line["count"].is_null() && line["address"].is_string())
    );
    server.advance(Duration::from_hours(1));
    until("the count to be logged", async || {
        lines(&alice, "login_failed").await.len() > 50
    })
    .await;
    let told = lines(&alice, "login_failed").await;
    let [last] = &told[50..] else {
        panic!("{told:?}")
    };
    assert_eq!(
        (&last["count"], &last["session"]),
        (&json!(failed - 50), &told[0]["session"])
    );
    server
        .device()
        .at_address("203.0.113.1")
        .login("alice", "a wrong one")
        .await
        .unwrap_err();
    assert_eq!(
        lines(&alice, "login_failed").await.len(),
        52,
        "the next hour starts a new count"
    );
}

/// A server that stops logs the number it has counted so far.
#[tokio::test]
async fn a_restart_does_not_lose_the_count() {
    let mut server = TestServer::with(&["--trusted-proxy", "127.0.0.1"]).await;
    for n in 0..60 {
        server
            .device()
            .at_address(&format!("2001:db8:1:{n:x}::1"))
            .login(&format!("nobody{n}"), "a wrong one")
            .await
            .unwrap_err();
    }
    assert_eq!(server.rows("audit WHERE action = 'login_failed'"), 50);
    server.restart().await;
    assert_eq!(
        server.rows(
            "audit WHERE action = 'login_failed' AND count = 10 AND address = '2001:db8:1::'"
        ),
        1
    );
}

/// An app that refreshes without end writes its limited lines and one more with the number. A
/// refresh from another network still has its own line.
#[tokio::test]
async fn refreshes_are_logged_one_by_one_and_then_counted() {
    let server = TestServer::with(&["--trusted-proxy", "127.0.0.1"]).await;
    let alice = server.create_session("alice").await;
    let app = server.app("reader", &FLAGS).await;
    let of = |address: &str| App {
        program: app.program.at_address(address),
        ..app.clone()
    };
    let mut token = app.refresh_token_for(&alice, "chat:read").await;
    for _ in 0..30 {
        (_, token) = of("192.0.2.1").refreshed(&token).await;
    }
    (_, token) = of("192.0.2.2").refreshed(&token).await;
    let told = lines(&alice, "grant_refreshed").await;
    assert_eq!(told.len(), 11);
    assert!(told.iter().all(|line| line["count"].is_null()), "{told:?}");
    assert_eq!(told[10]["address"], "192.0.2.2");
    server.advance(Duration::from_hours(1));
    until("the count to be logged", async || {
        lines(&alice, "grant_refreshed").await.len() > 11
    })
    .await;
    let told = lines(&alice, "grant_refreshed").await;
    let [last] = &told[11..] else {
        panic!("{told:?}")
    };
    assert_eq!(
        (&last["count"], &last["address"]),
        (&json!(20), &json!("192.0.2.1"))
    );
    for same in ["session", "client", "app"] {
        assert!(
            last[same] == told[0][same] && !last[same].is_null(),
            "{same}: {last}"
        );
    }
    of("192.0.2.1").refreshed(&token).await;
    assert_eq!(
        lines(&alice, "grant_refreshed").await.len(),
        13,
        "the next hour starts a new count"
    );
}
