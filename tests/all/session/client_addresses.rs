//! The networks of a device's login and last use: who is shown them, and who is not.

use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{App, Device, FLAGS, JsonAnswer, TestServer, browser::at_both_widths};

const PASSWORD: &str = "correct horse battery";
const PROXY: [&str; 2] = ["--trusted-proxy", "127.0.0.1"];

async fn addresses(by: &Device) -> Vec<Value> {
    let clients = by.get("/api/v1/clients").await;
    clients
        .items()
        .iter()
        .map(|client| client["address"].clone())
        .collect()
}

fn from(first: &str, last: &str) -> Value {
    json!({"first": first, "last": last})
}

/// The last networks in the store, in the order of their clients.
fn stored(server: &TestServer) -> Vec<Option<i64>> {
    let database = rusqlite::Connection::open(server.database()).unwrap();
    let mut areas = database
        .prepare("SELECT area FROM client ORDER BY id")
        .unwrap();
    areas
        .query_map([], |row| row.get(0))
        .unwrap()
        .collect::<Result<_, _>>()
        .unwrap()
}

#[tokio::test]
async fn the_first_and_the_last_network_are_shown_and_a_restart_forgets_neither() {
    let mut server = TestServer::with(&PROXY).await;
    let alice = server
        .device()
        .at_address("203.0.113.7")
        .try_create_session("alice")
        .await
        .unwrap();
    assert_eq!(
        addresses(&alice).await,
        [from("203.0.113.0/24", "203.0.113.0/24")]
    );
    alice.send(&format!("PASS :{PASSWORD}")).await;
    let phone = server
        .device()
        .at_address("2001:db8:1:2::3")
        .login("alice", PASSWORD)
        .await
        .unwrap();
    let moved = alice.at_address("198.51.100.9");
    moved.send("PING x").await;
    let expected = [
        from("203.0.113.0/24", "198.51.100.0/24"),
        from("2001:db8:1::/48", "2001:db8:1::/48"),
    ];
    for restarted in [false, true] {
        assert_eq!(addresses(&phone).await, expected);
        assert_eq!(moved.snapshot().await["client"]["address"], expected[0]);
        if !restarted {
            server.restart().await;
        }
    }
    // The renewal comes from another network. It changes the last network, not the first.
    let renewed = phone
        .at_address("203.0.113.99")
        .login("alice", PASSWORD)
        .await
        .unwrap();
    assert_eq!(
        addresses(&renewed).await[1],
        from("2001:db8:1::/48", "203.0.113.0/24")
    );
}

/// No request writes the network by itself. The server collects it and writes it together with the
/// time of use.
#[tokio::test]
async fn it_is_stored_with_the_time_of_use() {
    let server = TestServer::with(&PROXY).await;
    let alice = server
        .device()
        .at_address("203.0.113.7")
        .try_create_session("alice")
        .await
        .unwrap();
    // This first use is a write of its own, because it confirms that the cookie arrived.
    alice.send("PING x").await;
    let moved = alice.at_address("198.51.100.9");
    moved.send("PING x").await;
    moved.snapshot().await;
    assert_eq!(stored(&server), [None]);
    server.core().write_down_use().await.unwrap();
    assert_eq!(stored(&server), [Some(0x00c6_3364)]);
    // A new network is stored even if no time has passed.
    alice.send("PING x").await;
    server.core().write_down_use().await.unwrap();
    assert_eq!(stored(&server), [Some(0x00cb_0071)]);
}

/// Every way to use a device updates the network.
#[tokio::test]
async fn every_use_updates_the_last_network() {
    let server = TestServer::with(&PROXY).await;
    let alice = server.create_session("alice").await;
    let phone = server.phone_of(&alice, "alice").await;
    for (n, how) in ["poll", "stream", "command", "history", "clients"]
        .iter()
        .enumerate()
    {
        let phone = phone.at_address(&format!("203.0.{n}.1"));
        match *how {
            "poll" => drop(phone.poll("timeout=0").await),
            "stream" => drop(phone.stream("").await),
            "command" => drop(phone.send("PING x").await),
            "history" => drop(phone.get("/api/v1/history?target=alice").await),
            _ => drop(addresses(&phone).await),
        }
        assert_eq!(
            addresses(&alice).await[1]["last"],
            format!("203.0.{n}.0/24"),
            "{how}"
        );
    }
}

#[tokio::test]
async fn keys_and_apps_never_see_it_whatever_their_scopes() {
    let server = TestServer::with(&PROXY).await;
    let alice = server
        .device()
        .at_address("203.0.113.7")
        .try_create_session("alice")
        .await
        .unwrap();
    let scope = "chat:read session:manage";
    let app: App = server
        .app(
            "app",
            &[&FLAGS[..], &["--scope", scope, "--bearer-alone"]].concat(),
        )
        .await;
    let key = alice.create_key(scope).await.token("").await;
    for program in [key, app.user(&alice, scope).await] {
        let clients = program.get("/api/v1/clients").await;
        assert!(!clients.items().is_empty());
        let id = clients[0]["id"].clone();
        let snapshot = program.snapshot().await;
        let renamed = program
            .request(Method::PATCH, &format!("/api/v1/clients/{id}"))
            .json(&json!({"name": "mine"}));
        let renamed: Value = renamed.send().await.unwrap().json().await.unwrap();
        assert_eq!(renamed["name"], "mine");
        for shown in [clients, snapshot["client"].clone(), renamed] {
            let shown = shown.to_string();
            assert!(
                !shown.contains("address") && !shown.contains("203.0.113"),
                "{shown}"
            );
        }
    }
    // The app appears among the devices like any other.
    let shown = addresses(&alice).await;
    assert_eq!(
        (shown.len(), &shown[0]),
        (2, &from("203.0.113.0/24", "203.0.113.0/24"))
    );
    assert!(shown[1]["last"].is_string());
}

/// A caller with only the right password has no device yet, so it is not shown the networks.
#[tokio::test]
async fn the_list_in_too_many_clients_has_no_networks() {
    let server = TestServer::with(&[&PROXY[..], &["--max-clients", "1"]].concat()).await;
    let alice = server
        .device()
        .at_address("203.0.113.7")
        .try_create_session("alice")
        .await
        .unwrap();
    alice.send(&format!("PASS :{PASSWORD}")).await;
    let refused = server.device().login("alice", PASSWORD).await.unwrap_err();
    assert_eq!(refused.code, "too_many_clients");
    assert!(!refused.body["clients"].items().is_empty());
    assert!(
        !refused.body.to_string().contains("203.0.113"),
        "{}",
        refused.body
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn the_panel_of_devices_shows_it() {
    at_both_widths(async |server, page| {
        page.create_session(&server.url(""), "alice").await;
        page.shows("#composer").await;
        let alice = page.device(&server).await;
        server.phone_of(&alice, "alice").await;
        page.press("[data-panel=devices]").await;
        page.says(
            "#devices .devices li:nth-child(2)",
            "from 127.0.0.0/24, last used",
        )
        .await;
        page.says("#devices .devices li:nth-child(2)", "ago from 127.0.0.0/24")
            .await;
        page.says(
            "#devices .devices li:nth-child(1)",
            "in use now from 127.0.0.0/24",
        )
        .await;
    })
    .await;
}
