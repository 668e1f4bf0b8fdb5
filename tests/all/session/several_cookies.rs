//! A request with several cookies of the server's own name. Over plain http a page on another port
//! or under another path can plant such cookies.

use reqwest::Method;

use crate::support::{Device, TestServer, status_and_code};

const PASSWORD: &str = "correct horse battery";

/// A device whose requests carry these cookies in this order.
fn with(server: &TestServer, cookies: &[&str]) -> Device {
    server.device().with_cookie(&cookies.join("; "))
}

#[tokio::test]
async fn the_cookie_of_a_live_device_counts_in_any_position() {
    let server = TestServer::start().await;
    let alice = server.create_session("alice").await;
    let own = alice.cookie.clone().unwrap();
    let gone = server.create_session("gone").await;
    gone.send("QUIT").await;
    let gone = gone.cookie.unwrap();
    let unknown = format!("rejoin={}", "A".repeat(43));
    let many = (0..200)
        .map(|n| format!("rejoin={n:043}"))
        .collect::<Vec<_>>();
    let many = many.iter().map(String::as_str).collect::<Vec<_>>();
    let long = [&many[..], &[own.as_str()]].concat();
    for planted in [
        &[&own, "rejoin=x"][..],
        &["rejoin=x", &own],
        &["rejoin=", &own, "rejoin=x"],
        &[&unknown, &gone, "rejoin=x", "rejoin=y", "rejoin=z", &own],
        &[&own, &own],
        &long,
    ] {
        let browser = with(&server, planted);
        assert_eq!(
            browser.snapshot().await["session"]["nick"],
            "alice",
            "{planted:?}"
        );
        browser.send("AWAY :still here").await;
        assert_eq!(
            status_and_code(browser.try_create_session("bob").await.unwrap_err()),
            (409, "already_in_session".into()),
            "{planted:?}"
        );
        assert_eq!(
            browser.open_page("/device").await.status,
            200,
            "{planted:?}"
        );
    }
    // A cookie together with a token counts as two credentials, as it does with a single cookie.
    let token = alice
        .create_key("chat:read")
        .await
        .token("")
        .await
        .token
        .unwrap();
    let both = server
        .device()
        .with_token(&token)
        .with_cookie(&format!("rejoin=x; {own}"));
    assert_eq!(
        both.call(Method::GET, "/api/v1/session")
            .await
            .unwrap_err()
            .code,
        "malformed_request"
    );
    // A logout ends the live device.
    assert_eq!(
        with(&server, &["rejoin=x", &own])
            .request(Method::POST, "/logout")
            .send()
            .await
            .unwrap()
            .status(),
        204
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

#[tokio::test]
async fn several_dead_cookies_count_as_none() {
    let server = TestServer::start().await;
    let alice = server.create_session("alice").await;
    alice.send(&format!("PASS :{PASSWORD}")).await;
    let phone = server.login("alice", PASSWORD).await;
    phone.send("QUIT").await;
    let ended = phone.cookie.unwrap();
    for dead in [
        &["rejoin=x", "rejoin=y"][..],
        &["rejoin=x", &ended],
        &[&ended, "rejoin=x"],
    ] {
        let browser = with(&server, dead);
        let refused = browser
            .call(Method::GET, "/api/v1/session")
            .await
            .unwrap_err();
        let expected = if dead.contains(&ended.as_str()) {
            "client_ended"
        } else {
            "unauthenticated"
        };
        assert_eq!(
            (refused.status, refused.code.as_str()),
            (401, expected),
            "{dead:?}"
        );
        browser
            .login("alice", PASSWORD)
            .await
            .unwrap()
            .snapshot()
            .await;
        assert_eq!(
            browser
                .request(Method::POST, "/logout")
                .send()
                .await
                .unwrap()
                .status(),
            204,
            "{dead:?}"
        );
    }
    with(&server, &["rejoin=x", "rejoin=y"])
        .try_create_session("bob")
        .await
        .unwrap();
}

/// With two live cookies, the server cannot tell which one the browser's user owns: an attacker may
/// have a session here, too.
#[tokio::test]
async fn two_live_cookies_are_refused() {
    let server = TestServer::start().await;
    let [alice, mallory] = [
        server.create_session("alice").await,
        server.create_session("mallory").await,
    ];
    let cookies = [
        alice.cookie.as_deref().unwrap(),
        mallory.cookie.as_deref().unwrap(),
    ];
    for order in [[cookies[0], cookies[1]], [cookies[1], cookies[0]]] {
        let refused = with(&server, &order)
            .call(Method::GET, "/api/v1/session")
            .await
            .unwrap_err();
        assert_eq!(
            (refused.status, refused.code.as_str()),
            (400, "malformed_request")
        );
    }
    mallory.send("QUIT").await;
    assert_eq!(
        with(&server, &cookies).snapshot().await["session"]["nick"],
        "alice"
    );
    // A logout clears all of these cookies in the browser, so it ends all of their clients.
    let [other, alice] = [server.create_session("other").await, alice];
    let cookies = [
        alice.cookie.as_deref().unwrap(),
        other.cookie.as_deref().unwrap(),
    ];
    assert_eq!(
        with(&server, &cookies)
            .request(Method::POST, "/logout")
            .send()
            .await
            .unwrap()
            .status(),
        204
    );
    for ended in [alice, other] {
        assert_eq!(
            ended
                .call(Method::GET, "/api/v1/session")
                .await
                .unwrap_err()
                .body["reason"],
            "logged_out"
        );
    }
}

/// Over https a browser sends one cookie alone, because the name has the prefix `__Host-`. A
/// request with two was made by something else.
#[tokio::test]
async fn over_https_two_cookies_are_refused() {
    let server = TestServer::with(&["--public-url", "https://chat.example"]).await;
    let alice = server
        .device()
        .with_host("chat.example")
        .try_create_session("alice")
        .await
        .unwrap();
    let own = alice.cookie.clone().unwrap();
    for twice in [format!("{own}; __Host-rejoin=x"), format!("{own}; {own}")] {
        let refused = alice
            .with_cookie(&twice)
            .call(Method::GET, "/api/v1/session")
            .await
            .unwrap_err();
        assert_eq!(
            (refused.status, refused.code.as_str()),
            (400, "malformed_request")
        );
    }
    assert_eq!(
        alice
            .with_cookie(&format!("rejoin=x; {own}"))
            .snapshot()
            .await["session"]["nick"],
        "alice"
    );
}
