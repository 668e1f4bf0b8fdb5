//! The devices of a session: each is listed, removed and expires by itself.

use std::time::Duration;

use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{Device, JsonAnswer, TestServer, commands};

/// Alice with three devices, and bob, all on `#rust`.
async fn three_devices(server: &TestServer) -> ([Device; 3], Device) {
    let [alice, bob] = server.sessions_on("#rust", ["alice", "bob"]).await;
    alice.send("PASS :correct horse battery").await;
    let login = |name: &'static str| async move {
        server
            .device()
            .login_with(
                json!({"nick": "alice", "password": "correct horse battery", "client_name": name}),
            )
            .await
    };
    let devices = [
        alice.clone(),
        login("phone").await.unwrap(),
        login("tablet").await.unwrap(),
    ];
    for device in &devices {
        device.snapshot().await;
    }
    bob.drain().await;
    (devices, bob)
}

async fn reason(device: &Device) -> Value {
    let refusal = device
        .call(Method::GET, "/api/v1/session")
        .await
        .unwrap_err();
    assert_eq!(
        (refusal.status, refusal.code.as_str()),
        (401, "client_ended")
    );
    refusal.body["reason"].clone()
}

#[tokio::test]
async fn the_list_names_the_devices_and_marks_the_caller() {
    let server = TestServer::start().await;
    let ([alice, phone, _], bob) = three_devices(&server).await;
    let list = phone.get("/api/v1/clients").await;
    let shown: Vec<_> = list
        .items()
        .iter()
        .map(|c| (c["name"].as_str().unwrap(), c["current"] == true))
        .collect();
    assert_eq!(
        shown,
        [
            ("unnamed client", false),
            ("phone", true),
            ("tablet", false)
        ]
    );
    server.advance(Duration::from_mins(5));
    alice.snapshot().await;
    let list = phone.get("/api/v1/clients").await;
    assert!(list[0]["seen_at"].as_str() > list[2]["seen_at"].as_str());
    assert_eq!(bob.clients().await.len(), 1);
}

#[tokio::test]
async fn a_new_device_is_announced_to_its_siblings() {
    let server = TestServer::with(&["--trusted-proxy", "127.0.0.1"]).await;
    let ([alice, ..], bob) = three_devices(&server).await;
    alice.drain().await;
    let login =
        json!({"nick": "alice", "password": "correct horse battery", "client_name": "television"});
    let television = server
        .device()
        .at_address("2001:db8::1")
        .login_with(login.clone())
        .await
        .unwrap();
    let heard = alice.queue().await;
    assert_eq!(commands(&heard), ["NOTICE"]);
    assert_eq!(
        (heard[0].source.as_str(), heard[0].param(0)),
        ("rejoin.server", "alice")
    );
    let text = heard[0].param(1);
    assert_eq!(
        text,
        "A device logged in to this session: television, from an IPv6 address."
    );
    assert!(
        television.queue().await.is_empty() && bob.queue().await.is_empty(),
        "no other session is told"
    );
    // A renewal adds no device.
    television.login_with(login).await.unwrap();
    assert_eq!(alice.queue().await.len(), 1);
}

#[tokio::test]
async fn removing_a_device_ends_its_poll_and_stream_at_once() {
    let server = TestServer::start().await;
    let ([alice, phone, tablet], bob) = three_devices(&server).await;
    let id = phone.snapshot().await["client"]["id"].clone();
    let mut stream = phone.stream("").await;
    let held = tokio::spawn({
        let phone = phone.clone();
        async move { phone.call(Method::GET, "/api/v1/messages?timeout=60").await }
    });
    server.wait_for_connections(2).await;
    alice
        .delete(&format!("/api/v1/clients/{id}"))
        .await
        .unwrap();
    let refusal = held.await.unwrap().unwrap_err();
    assert_eq!(
        (refusal.code.as_str(), &refusal.body["reason"]),
        ("client_ended", &json!("removed"))
    );
    let mut last = Vec::new();
    while let Some(frame) = stream.frame().await {
        last = frame;
    }
    assert_eq!(
        last,
        [
            ("event".into(), "end".into()),
            ("data".into(), r#"{"reason":"removed"}"#.into())
        ]
    );
    assert_eq!(reason(&phone).await, "removed");
    assert!(bob.queue().await.is_empty());
    tablet.send("PRIVMSG #rust :still here").await;
    assert_eq!(
        alice
            .delete(&format!("/api/v1/clients/{id}"))
            .await
            .unwrap_err()
            .status,
        404
    );
}

#[tokio::test]
async fn a_session_cannot_remove_the_devices_of_another() {
    let server = TestServer::start().await;
    let ([alice, ..], bob) = three_devices(&server).await;
    let id = bob.snapshot().await["client"]["id"].clone();
    for path in [
        format!("/api/v1/clients/{id}"),
        "/api/v1/clients/999".into(),
        "/api/v1/clients/x".into(),
    ] {
        let refusal = alice.delete(&path).await.unwrap_err();
        assert_eq!((refusal.status, refusal.code.as_str()), (404, "not_found"));
    }
    bob.snapshot().await;
}

#[tokio::test]
async fn removing_all_others_keeps_the_caller() {
    let server = TestServer::start().await;
    let ([alice, phone, tablet], bob) = three_devices(&server).await;
    phone.delete("/api/v1/clients").await.unwrap();
    assert_eq!(
        (reason(&alice).await, reason(&tablet).await),
        (json!("removed"), json!("removed"))
    );
    phone.send("PRIVMSG #rust :only me now").await;
    assert_eq!(commands(&bob.queue().await), ["PRIVMSG"]);
}

#[tokio::test]
async fn removing_the_last_device_ends_the_session() {
    let server = TestServer::start().await;
    let bob = server.create_session("bob").await;
    let id = bob.snapshot().await["client"]["id"].clone();
    bob.delete(&format!("/api/v1/clients/{id}")).await.unwrap();
    assert_eq!(reason(&bob).await, "removed");
    server.create_session("bob").await;
}

#[tokio::test]
async fn an_unused_device_expires_and_a_used_one_does_not() {
    let mut server = TestServer::with(&["--client-idle", "10d"]).await;
    let ([alice, phone, _], bob) = three_devices(&server).await;
    server.advance(Duration::from_hours(24 * 6));
    alice.snapshot().await;
    bob.snapshot().await;
    server.advance(Duration::from_hours(24 * 6));
    assert_eq!(
        reason(&phone).await,
        "expired",
        "an expired device counts as gone before the maintenance removes it"
    );
    alice.send("PRIVMSG #rust :still here").await;
    // The maintenance runs once a minute and at every start.
    server.restart().await;
    server.wait_for_clients(2).await;
    assert_eq!(alice.clients().await.len(), 1);
    assert_eq!(reason(&phone).await, "expired");
    assert_eq!(commands(&bob.queue().await), ["PRIVMSG"]);
}

#[tokio::test]
async fn a_device_expires_after_its_lifetime_however_much_it_is_used() {
    let mut server = TestServer::with(&["--client-lifetime", "2d"]).await;
    let [alice, _] = server.sessions_on("#rust", ["alice", "bob"]).await;
    server.advance(Duration::from_hours(47));
    alice.snapshot().await;
    let phone = server.phone_of(&alice, "alice").await;
    server.advance(Duration::from_hours(2));
    assert_eq!(reason(&alice).await, "expired");
    server.restart().await;
    server.wait_for_clients(1).await;
    assert_eq!(phone.clients().await.len(), 1);
    let queue = phone.queue().await;
    let quits: Vec<_> = queue
        .iter()
        .filter(|m| m.command == "QUIT")
        .map(|m| m.source.as_str())
        .collect();
    assert_eq!(
        quits,
        ["bob"],
        "bob had no other device, so his session ended"
    );
    server.create_session("bob").await;
}

#[tokio::test]
async fn a_seventeenth_device_is_refused_and_may_replace_another() {
    let server = TestServer::with(&["--max-clients", "3"]).await;
    let ([alice, phone, _], _) = three_devices(&server).await;
    let login = |password: &'static str, replace: Option<i64>| {
        let mut body = json!({"nick": "alice", "password": password});
        body["replace"] = replace.map_or(Value::Null, Value::from);
        let device = server.device();
        async move { device.login_with(body).await }
    };
    assert_eq!(
        login("a wrong password", None).await.unwrap_err().code,
        "login_failed"
    );
    let refusal = login("correct horse battery", None).await.unwrap_err();
    assert_eq!(
        (refusal.status, refusal.code.as_str()),
        (409, "too_many_clients")
    );
    let names: Vec<_> = refusal.body["clients"]
        .items()
        .iter()
        .map(|c| c["name"].as_str().unwrap())
        .collect();
    assert_eq!(names, ["unnamed client", "phone", "tablet"]);
    assert_eq!(
        login("correct horse battery", Some(999))
            .await
            .unwrap_err()
            .code,
        "too_many_clients"
    );
    let lines = alice.get("/api/v1/audit?limit=1").await;
    assert_eq!(
        (&lines[0]["action"], &lines[0]["reason"]),
        (&json!("login_refused"), &json!("too_many_clients"))
    );
    let id = phone.snapshot().await["client"]["id"].as_i64().unwrap();
    login("correct horse battery", Some(id)).await.unwrap();
    assert_eq!(reason(&phone).await, "removed");
    assert_eq!(alice.clients().await.len(), 3);
}

#[tokio::test]
async fn a_rename_of_a_device_is_told_to_its_siblings() {
    let server = TestServer::start().await;
    let ([alice, phone, _], bob) = three_devices(&server).await;
    let id = phone.snapshot().await["client"]["id"].clone();
    let rename = async |by: &Device, name: &str| {
        let request = by
            .request(Method::PATCH, &format!("/api/v1/clients/{id}"))
            .json(&json!({"name": name}));
        crate::support::checked(request.send().await.unwrap()).await
    };
    alice.drain().await;
    let shown = rename(&alice, " cafe\u{301} ").await.unwrap();
    assert_eq!(
        (&shown["id"], &shown["name"], &shown["current"]),
        (&id, &json!("café"), &json!(false))
    );
    assert_eq!(phone.snapshot().await["client"]["name"], "café");
    let notice = alice.queue().await.pop().unwrap();
    assert!(
        notice.command == "NOTICE" && notice.param(1).contains("café"),
        "{notice}"
    );
    rename(&alice, "café").await.unwrap();
    assert_eq!(alice.queue().await.len(), 1, "nothing changed");
    for unclean in ["", "a\u{202e}b", "\u{3164}"] {
        assert_eq!(
            rename(&alice, unclean).await.unwrap_err().code,
            "malformed_request",
            "{unclean:?}"
        );
    }
    assert_eq!(rename(&bob, "x").await.unwrap_err().code, "not_found");
    // A renewal with a name renames the device, too. One without a name keeps the old name.
    let login = |name: Value| json!({"nick": "alice", "password": "correct horse battery", "client_name": name});
    let phone = phone
        .login_with(login(json!("tablet of mine")))
        .await
        .unwrap();
    assert_eq!(phone.snapshot().await["client"]["name"], "tablet of mine");
    let phone = phone.login_with(login(Value::Null)).await.unwrap();
    let client = phone.snapshot().await["client"].clone();
    assert_eq!(
        (&client["name"], &client["id"]),
        (&json!("tablet of mine"), &id)
    );
}
