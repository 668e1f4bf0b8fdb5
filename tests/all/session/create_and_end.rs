//! Sessions are created, rejoined, renewed and ended.

use reqwest::{Method, header};
use serde_json::json;

use crate::support::{JsonAnswer, TestServer, commands, params};

#[tokio::test]
async fn a_new_session_gives_the_browser_only_its_cookie() {
    let server = TestServer::start().await;
    let request = server
        .device()
        .request(Method::POST, "/api/v1/session")
        .json(&json!({"nick": "alice"}));
    let response = request.send().await.unwrap();
    assert_eq!(response.status(), 201);
    assert_eq!(response.headers()[header::CACHE_CONTROL], "no-store");
    let cookies: Vec<_> = response
        .headers()
        .get_all(header::SET_COOKIE)
        .iter()
        .collect();
    let [cookie] = cookies[..] else {
        panic!("{cookies:?}")
    };
    let mut parts = cookie.to_str().unwrap().split("; ");
    let (name, secret) = parts.next().unwrap().split_once('=').unwrap();
    assert_eq!((name, secret.len()), ("rejoin", 43));
    let attributes: Vec<_> = parts.collect();
    for attribute in ["HttpOnly", "SameSite=Lax", "Path=/", "Max-Age=15552000"] {
        assert!(
            attributes.contains(&attribute),
            "{attributes:?} lacks {attribute}"
        );
    }
    let secret = secret.to_owned();
    assert!(
        !response.text().await.unwrap().contains(&secret),
        "only the cookie carries the secret"
    );
}

#[tokio::test]
async fn behind_https_the_cookie_has_the_host_prefix_and_is_secure() {
    let server = TestServer::with(&["--public-url", "https://chat.example"]).await;
    let visitor = server.device().with_host("chat.example");
    let request = visitor
        .request(Method::POST, "/api/v1/session")
        .json(&json!({"nick": "alice"}));
    let response = request.send().await.unwrap();
    let cookie = response.headers()[header::SET_COOKIE]
        .to_str()
        .unwrap()
        .to_owned();
    assert!(
        cookie.starts_with("__Host-rejoin=") && cookie.contains("; Secure"),
        "{cookie}"
    );
    assert!(
        response
            .headers()
            .contains_key(header::STRICT_TRANSPORT_SECURITY)
    );
    let under_the_other_name = cookie.split(';').next().unwrap().replace("__Host-", "");
    let device = visitor.with_cookie(&under_the_other_name);
    assert_eq!(
        device
            .call(Method::GET, "/api/v1/session")
            .await
            .unwrap_err()
            .code,
        "unauthenticated"
    );
}

#[tokio::test]
async fn logging_in_rejoins_the_session_and_tells_no_other_session() {
    let server = TestServer::start().await;
    let (alice, bob) = (
        server.create_session("alice").await,
        server.create_session("bob").await,
    );
    alice.send("JOIN #rust").await;
    alice.send("TOPIC #rust :all about rust").await;
    bob.send("JOIN #rust").await;
    alice.send("PASS :correct horse battery").await;
    bob.drain().await;

    let phone = server.login("ALICE", "correct horse battery").await;
    let (here, there) = (alice.snapshot().await, phone.snapshot().await);
    assert_eq!(here["session"], there["session"]);
    assert_eq!(here["channels"], there["channels"]);
    assert_eq!(there["channels"][0]["topic"]["text"], "all about rust");
    assert_ne!(here["client"]["id"], there["client"]["id"]);
    assert!(bob.queue().await.is_empty(), "bob saw the login");

    bob.send("PRIVMSG #rust :welcome back").await;
    alice.send("PRIVMSG #rust :thanks").await;
    phone.send("PRIVMSG #rust :from the phone").await;
    for device in [&alice, &phone, &bob] {
        let queue = device.queue().await;
        let said: Vec<_> = queue
            .iter()
            .filter(|m| m.command == "PRIVMSG")
            .map(|m| params(m)[1])
            .collect();
        assert_eq!(said, ["welcome back", "thanks", "from the phone"]);
    }
    assert_eq!(
        phone.queue().await.len(),
        3,
        "a new device's queue begins at its first snapshot"
    );
}

#[tokio::test]
async fn quitting_one_device_is_silent_and_the_last_one_ends_the_session() {
    let server = TestServer::start().await;
    let [alice, bob] = server.sessions_on("#rust", ["alice", "bob"]).await;
    alice.send("PASS :correct horse battery").await;
    let phone = server.login("alice", "correct horse battery").await;
    bob.drain().await;

    assert_eq!(alice.send("QUIT :see you").await["ids"], json!([]));
    assert!(bob.queue().await.is_empty());
    phone.send("PRIVMSG #rust :still here").await;
    let quit = phone.send("QUIT :good bye").await["ids"][0]
        .as_i64()
        .unwrap();

    let queue = bob.queue().await;
    assert_eq!(
        commands(&queue),
        ["PRIVMSG", "QUIT", "MODE"],
        "the last op has gone, and bob is op"
    );
    assert_eq!(
        (queue[1].id, queue[1].source.as_str(), params(&queue[1])),
        (quit, "alice", vec!["good bye"])
    );
    assert_eq!(
        bob.snapshot().await["channels"][0]["members"].items().len(),
        1
    );
    for device in [&alice, &phone] {
        let refusal = device
            .call(Method::GET, "/api/v1/session")
            .await
            .unwrap_err();
        assert_eq!(
            (
                refusal.status,
                refusal.code.as_str(),
                &refusal.body["reason"]
            ),
            (401, "client_ended", &json!("quit"))
        );
        assert_eq!(
            device.try_send("PRIVMSG #rust :?").await.unwrap_err().code,
            "client_ended"
        );
    }
    assert_eq!(
        server
            .device()
            .login("alice", "correct horse battery")
            .await
            .unwrap_err()
            .code,
        "login_failed"
    );
    let other = server.create_session("alice").await;
    assert_eq!(other.snapshot().await["channels"], json!([]));
}

#[tokio::test]
async fn a_request_with_a_live_clients_cookie_creates_no_second_session() {
    let server = TestServer::start().await;
    let alice = server.create_session("alice").await;
    let refusal = alice.try_create_session("carol").await.unwrap_err();
    assert_eq!(
        (
            refusal.status,
            refusal.code.as_str(),
            refusal.numeric.as_deref()
        ),
        (409, "already_in_session", Some("462"))
    );
    assert_eq!(alice.snapshot().await["session"]["nick"], "alice");
    alice.send("QUIT").await;
    let again = alice.try_create_session("alice").await.unwrap();
    assert_ne!(again.cookie, alice.cookie, "no presented secret is adopted");
}

#[tokio::test]
async fn ending_the_session_ends_every_client_and_gives_the_reason() {
    let server = TestServer::start().await;
    let [alice, bob] = server.sessions_on("#rust", ["alice", "bob"]).await;
    alice.send("PASS :correct horse battery").await;
    let phone = server.login("alice", "correct horse battery").await;
    phone.delete("/api/v1/session").await.unwrap();
    for device in [&alice, &phone] {
        let refusal = device
            .call(Method::GET, "/api/v1/session")
            .await
            .unwrap_err();
        assert_eq!(refusal.body["reason"], "session_ended");
    }
    assert_eq!(commands(&bob.queue().await)[1..], ["QUIT", "MODE"]);
}

#[tokio::test]
async fn logout_clears_the_cookie_and_later_requests_get_the_reason() {
    let server = TestServer::start().await;
    let alice = server.create_session("alice").await;
    let response = alice.request(Method::POST, "/logout").send().await.unwrap();
    assert_eq!(response.status(), 204);
    let cookie = response.headers()[header::SET_COOKIE].to_str().unwrap();
    assert!(
        cookie.starts_with("rejoin=;") && cookie.contains("Max-Age=0"),
        "{cookie}"
    );
    assert_eq!(
        alice
            .call(Method::GET, "/api/v1/session")
            .await
            .unwrap_err()
            .body["reason"],
        "logged_out"
    );
}
