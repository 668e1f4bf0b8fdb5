//! Which secrets work as access tokens, for how long, and what the database keeps of them.

use super::*;

#[tokio::test]
async fn no_secret_works_as_another_kind() {
    let server = TestServer::start().await;
    let alice = server.create_session("alice").await;
    let key = alice.create_key("chat:read session:manage").await;
    let bot = key.token("").await;
    let (cookie, token) = (alice.cookie.clone().unwrap(), bot.token.clone().unwrap());
    let cookie = cookie.strip_prefix("rejoin=").unwrap();
    for secret in [
        cookie,
        &key.secret,
        &key.client_id,
        &token[4..],
        &format!("{token}x"),
        "rja_",
        "",
    ] {
        let refusal = server
            .device()
            .with_token(secret)
            .call(Method::GET, "/api/v1/session")
            .await
            .unwrap_err();
        assert_eq!(
            (refusal.status, refusal.code.as_str()),
            (401, "invalid_token"),
            "{secret}"
        );
    }
    for secret in [&token, &key.secret] {
        let device = server.device().with_cookie(&format!("rejoin={secret}"));
        assert_eq!(
            device
                .call(Method::GET, "/api/v1/session")
                .await
                .unwrap_err()
                .code,
            "unauthenticated"
        );
    }
    for secret in [cookie, &token] {
        let app = App {
            secret: secret.to_owned(),
            ..key.clone()
        };
        assert_eq!(app.try_token("").await.0, 401);
    }
    // A token in the query does not count as a credential (RFC 6750 §2.3 is not offered).
    let path = format!("/api/v1/session?access_token={token}");
    assert_eq!(
        server
            .device()
            .call(Method::GET, &path)
            .await
            .unwrap_err()
            .code,
        "unauthenticated"
    );
    let two = bot
        .request(Method::GET, "/api/v1/session")
        .header("authorization", format!("Bearer {token}"));
    assert_eq!(two.send().await.unwrap().status(), 400);
    let cased = server
        .device()
        .request(Method::GET, "/api/v1/session")
        .header("authorization", format!("bEARER {token}"));
    assert_eq!(cased.send().await.unwrap().status(), 200);
    let none = server
        .device()
        .request(Method::GET, "/api/v1/session")
        .send()
        .await
        .unwrap();
    assert_eq!(
        header_of(&none, header::WWW_AUTHENTICATE),
        "Bearer realm=\"rejoin\""
    );
}

#[tokio::test]
async fn a_token_does_not_create_a_device() {
    let server = TestServer::start().await;
    let alice = server.create_session("alice").await;
    let bot = alice
        .create_key("chat:read session:manage")
        .await
        .token("")
        .await;
    alice.send("PASS :correct horse battery").await;
    let id = bot.snapshot().await["client"]["id"].clone();
    // A login with the password creates a device, and the bot stays a bot.
    let phone = bot.login("alice", "correct horse battery").await.unwrap();
    let phone = server.device().with_cookie(phone.cookie.as_ref().unwrap());
    assert_ne!(phone.snapshot().await["client"]["id"], id);
    assert_eq!(bot.snapshot().await["client"]["id"], id);
    assert_eq!(alice.clients().await.len(), 2);
}

#[tokio::test]
async fn a_token_expires_by_the_clock_after_ten_minutes() {
    let mut server = TestServer::start().await;
    let key = server
        .create_session("alice")
        .await
        .create_key("chat:read")
        .await;
    let bot = key.token("").await;
    bot.snapshot().await;
    server.advance(Duration::from_secs(599));
    bot.snapshot().await;
    assert_eq!(key.introspect(&bot).await["active"], true);
    server.advance(Duration::from_secs(1));
    let refusal = bot.call(Method::GET, "/api/v1/session").await.unwrap_err();
    assert_eq!(
        (refusal.status, refusal.code.as_str()),
        (401, "invalid_token")
    );
    assert_eq!(key.introspect(&bot).await, json!({"active": false}));
    server.restart().await;
    assert_eq!(
        bot.call(Method::GET, "/api/v1/session")
            .await
            .unwrap_err()
            .code,
        "invalid_token"
    );
    key.token("").await.snapshot().await;
    server.advance(Duration::from_hours(25));
    server.restart().await;
    let database = rusqlite::Connection::open(server.database()).unwrap();
    until("expired tokens to go", async || {
        database
            .query_row("SELECT count(*) FROM token", [], |row| row.get::<_, i64>(0))
            .unwrap()
            == 0
    })
    .await;
}

#[tokio::test]
async fn guesses_at_an_app_are_limited_by_address_but_valid_apps_are_not_delayed() {
    let server = TestServer::with(&["--trusted-proxy", "127.0.0.1"]).await;
    let key = server
        .create_session("alice")
        .await
        .create_key("chat:read")
        .await;
    for _ in 0..70 {
        key.token("").await;
    }
    let guess = App {
        secret: "rjk_x".into(),
        ..key.clone()
    };
    for _ in 0..60 {
        assert_eq!(guess.try_token("").await.0, 401);
    }
    let response = guess
        .post("/auth/token", &[("grant_type", "client_credentials")])
        .await;
    assert_eq!(
        (
            response.status().as_u16(),
            &response.headers()["retry-after"]
        ),
        (429, &"10".parse().unwrap())
    );
    assert_eq!(
        response.json::<Value>().await.unwrap()["error"],
        "temporarily_unavailable"
    );
    let elsewhere = App {
        program: key.program.at_address("192.0.2.7"),
        ..key.clone()
    };
    elsewhere.token("").await;
    server.advance(Duration::from_secs(10));
    key.token("").await;
}

/// RFC 6749 §5.1 and §5.2: old caches know only Pragma, newer ones Cache-Control.
#[tokio::test]
async fn no_cache_keeps_answers_of_the_token_endpoint() {
    let server = TestServer::start().await;
    let key = server
        .create_session("alice")
        .await
        .create_key("chat:read")
        .await;
    let guess = App {
        secret: "rjk_x".into(),
        ..key.clone()
    };
    let known = [("grant_type", "client_credentials")];
    for (case, app, form, status) in [
        ("granted", &key, &known[..], 200),
        ("a form without its grant type", &key, &[], 400),
        ("a wrong secret", &guess, &known, 401),
    ] {
        let response = app.post("/auth/token", form).await;
        assert_eq!(response.status(), status, "{case}");
        assert_eq!(
            header_of(&response, header::CACHE_CONTROL),
            "no-store",
            "{case}"
        );
        assert_eq!(header_of(&response, header::PRAGMA), "no-cache", "{case}");
    }
}
