//! The rule of the audit log: every action that a request causes is recorded with the address of
//! that request.

use std::{collections::BTreeSet, time::Duration};

use reqwest::Method;
use serde_json::{Value, json};

use crate::{
    oauth::device_flow::{PendingDevice, allow, decide, device_flow_app},
    support::{App, Device, FLAGS, JsonAnswer, Socket, TestServer, status_and_code, until},
};

/// The address of the users' devices and the address of the apps.
const HOME: &str = "203.0.113.7";
const CLOUD: &str = "198.51.100.9";
const PASSWORD: &str = "correct horse battery";
/// The actions that no request causes: those of the operator's subcommands, and the line that
/// stands for many refusals.
const OF_NO_REQUEST: [&str; 8] = [
    "app_added",
    "app_rotated",
    "app_removed",
    "restored",
    "by_operator",
    "op_given",
    "channel_ended",
    "refusals",
];

/// The names of all actions, read from the source.
fn actions() -> BTreeSet<String> {
    let source = include_str!("../../../src/audit.rs");
    let names = source
        .split("pub fn name(self)")
        .nth(2)
        .unwrap()
        .split("pub fn reason")
        .next()
        .unwrap();
    names
        .split('"')
        .skip(1)
        .step_by(2)
        .map(str::to_owned)
        .collect()
}

/// The actions of the lines that match a condition.
fn recorded(server: &TestServer, which: &str) -> BTreeSet<String> {
    let database = rusqlite::Connection::open(server.database()).unwrap();
    let mut lines = database
        .prepare(&format!("SELECT DISTINCT action FROM audit WHERE {which}"))
        .unwrap();
    lines
        .query_map([], |row| row.get(0))
        .unwrap()
        .collect::<Result<_, _>>()
        .unwrap()
}

/// An app whose address differs from that of its users.
async fn app(server: &TestServer, name: &str, flags: &[&str]) -> App {
    let app = server.app(name, flags).await;
    App {
        program: app.program.at_address(CLOUD),
        ..app
    }
}

async fn rename(device: &Device, path: &str, name: &str) {
    let renamed = device
        .request(Method::PATCH, path)
        .json(&json!({"name": name}))
        .send()
        .await
        .unwrap();
    assert_eq!(renamed.status(), 200);
}

/// Causes the actions of sessions, devices and passwords.
async fn people(server: &TestServer) -> Device {
    let visitor = server.device().at_address(HOME);
    let alice = visitor.try_create_session("alice").await.unwrap();
    alice.send(&format!("PASS :{PASSWORD}")).await;
    alice.try_send("PASS 12345678x wrong").await.unwrap_err();
    alice
        .try_send_json(json!({"command": "PASS", "params": [PASSWORD, PASSWORD]}))
        .await
        .unwrap();
    visitor.login("alice", "a wrong one").await.unwrap_err();
    let phone = visitor.login("alice", PASSWORD).await.unwrap();
    let bob = visitor.try_create_session("bob").await.unwrap();
    assert_eq!(
        status_and_code(bob.login("alice", PASSWORD).await.unwrap_err()),
        (409, "already_in_session".into())
    );
    bob.send("JOIN #club").await;
    bob.send("MODE #club +k secret").await;
    for _ in 0..11 {
        phone.try_send("JOIN #club guess").await.unwrap_err();
    }
    phone.send("QUIT").await;
    bob.delete("/api/v1/session").await.unwrap();
    alice
}

/// Causes the actions of keys and of apps.
async fn programs(server: &TestServer, alice: &Device) {
    let key = alice.create_key("chat:read").await;
    let path = format!("/api/v1/keys/{}", key.client_id);
    App {
        program: key.program.at_address(CLOUD),
        ..key
    }
    .token("")
    .await;
    alice
        .post(&format!("{path}/rotate"), json!({"overlap": 60}))
        .await
        .unwrap();
    rename(alice, &path, "another name").await;
    alice.delete(&path).await.unwrap();

    let wiki = app(server, "wiki", &FLAGS).await;
    let asking = wiki.authorization_request("chat:read");
    let refresh = wiki.refresh_token_for(alice, "chat:read").await;
    wiki.refreshed(&refresh).await;
    let code = alice.approve(&asking, &[]).await.code();
    assert_eq!(wiki.redeem(&code).await.0, 200);
    assert_eq!(wiki.redeem(&code).await.0, 400);
    assert_eq!(
        alice
            .decide_consent(&asking, &[("decision", "deny")])
            .await
            .error(),
        "access_denied"
    );
    alice.approve(&asking, &[]).await.code();
    alice
        .delete(&format!("/api/v1/approvals/{}", wiki.client_id))
        .await
        .unwrap();

    let terminal = device_flow_app(server, "terminal", true, "chat:read").await;
    let terminal = App {
        program: terminal.program.at_address(CLOUD),
        ..terminal
    };
    let waiting = PendingDevice::start(&terminal).await;
    allow(alice, &waiting.code).await;
    waiting.tokens().await;
    let denied = PendingDevice::start(&terminal).await;
    assert_eq!(decide(alice, &denied.code, "deny").await.0, 200);
}

#[tokio::test]
async fn every_line_that_a_request_causes_has_its_address() {
    let server = TestServer::with(&["--trusted-proxy", "127.0.0.1"]).await;
    let alice = people(&server).await;
    programs(&server, &alice).await;
    let of_no_request = OF_NO_REQUEST.map(str::to_owned).into();
    let caused = recorded(&server, "action != 'app_added'");
    let missing: Vec<_> = actions()
        .difference(&caused)
        .filter(|action| !OF_NO_REQUEST.contains(&action.as_str()))
        .cloned()
        .collect();
    assert_eq!(
        missing,
        [] as [String; 0],
        "this test does not cause these actions"
    );
    assert!(caused.is_disjoint(&of_no_request), "{caused:?}");
    assert_eq!(
        recorded(&server, "address IS NULL"),
        ["app_added".to_owned()].into()
    );
    // A line has the address of its caller: the app's for tokens, and the user's for decisions.
    let from = |address: &str| recorded(&server, &format!("address = '{address}'"));
    assert_eq!(
        recorded(&server, &format!("address NOT IN ('{HOME}', '{CLOUD}')")),
        [].into()
    );
    let of_apps = [
        "grant_issued",
        "grant_joined",
        "grant_refreshed",
        "reuse_detected",
    ]
    .map(str::to_owned)
    .into();
    assert!(from(CLOUD).is_superset(&of_apps) && from(HOME).is_disjoint(&of_apps));
    for action in [
        "consent_given",
        "consent_denied",
        "device_approved",
        "device_denied",
        "key_issued",
        "key_renamed",
    ] {
        assert!(
            from(HOME).contains(action) && !from(CLOUD).contains(action),
            "{action}"
        );
    }

    // No request causes what expires, so its lines have no address.
    server.advance(Duration::from_hours(24 * 31));
    server.wait_for_clients(0).await;
    let due = ["client_left", "session_ended", "grant_revoked", "app_added"]
        .map(str::to_owned)
        .into();
    assert_eq!(recorded(&server, "address IS NULL"), due);
}

/// The commands of a socket and the end of a stream come long after their request.
#[tokio::test]
async fn actions_over_a_socket_have_its_address() {
    let server = TestServer::with(&["--trusted-proxy", "127.0.0.1"]).await;
    let alice = server
        .device()
        .at_address(HOME)
        .try_create_session("alice")
        .await
        .unwrap();
    let mut socket = Socket::open(&alice, "").await;
    socket
        .send(json!({"command": "PASS", "params": [PASSWORD]}))
        .await;
    until("the password to be set", async || {
        server.rows("audit WHERE action = 'password_set'") == 1
    })
    .await;
    socket.send(json!({"command": "QUIT"})).await;
    until("the session to end", async || {
        server.rows("audit WHERE action = 'session_ended'") == 1
    })
    .await;
    assert_eq!(recorded(&server, "address IS NULL"), [].into());
}

/// A program with session:manage must not learn where its user is.
#[tokio::test]
async fn only_devices_with_a_cookie_see_addresses() {
    let server = TestServer::start().await;
    let alice = server.create_session("alice").await;
    let bot = alice.create_key("session:manage").await.token("").await;
    let app = server
        .app(
            "board",
            &[&FLAGS[..], &["--scope", "session:manage", "--bearer-alone"]].concat(),
        )
        .await;
    let granted = app.user(&alice, "session:manage").await;
    let seen = async |device: &Device| {
        let lines: Value = device.get("/api/v1/audit").await;
        let lines = lines.items().to_vec();
        (
            lines.len(),
            lines
                .iter()
                .filter(|line| line["address"] == "127.0.0.1")
                .count(),
            lines.to_vec(),
        )
    };
    let (lines, with_address, _) = seen(&alice).await;
    assert!(
        lines > 5 && with_address == lines,
        "{with_address} of {lines}"
    );
    for program in [&bot, &granted] {
        let (same, with_address, all) = seen(program).await;
        assert_eq!((same, with_address), (lines, 0));
        assert!(!json!(all).to_string().contains("127.0.0.1"), "{all:?}");
    }
}
