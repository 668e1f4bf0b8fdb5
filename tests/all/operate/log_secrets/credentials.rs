//! Keys and apps, used and misused in every way, whose secrets the log must not show.

use super::*;

/// Uses keys and their tokens, correct and wrong ones, in forms and in headers.
pub(super) async fn keys(server: &Process, alice: &Device) -> (Device, Secrets) {
    let key = alice.create_key("chat:read identity").await;
    let bot = key.token("").await;
    bot.snapshot().await;
    bot.stream("").await;
    let token = bot.token.clone().unwrap();
    key.introspect(&bot).await;
    let rotated = alice
        .post(
            &format!("/api/v1/keys/{}/rotate", key.client_id),
            json!({"overlap": 60}),
        )
        .await
        .unwrap();
    App {
        secret: "key-mistaken".into(),
        ..key.clone()
    }
    .try_token("")
    .await;
    App {
        client_id: key.secret.clone(),
        ..key.clone()
    }
    .try_token("")
    .await;
    key.ask(&format!("/auth/token?client_secret={}", key.secret), &[])
        .await;
    key.ask(
        "/auth/token",
        &[("grant_type", "key-grant-type"), ("scope", "key-scope")],
    )
    .await;
    for (id, secret) in [
        (key.client_id.as_str(), key.secret.as_str()),
        (&key.client_id, "key-basic-wrong"),
        ("key-basic-id", "x"),
    ] {
        let request = server
            .device()
            .request(Method::POST, "/auth/token")
            .basic_auth(id, Some(secret));
        request
            .form(&[("grant_type", "client_credentials")])
            .send()
            .await
            .unwrap();
    }
    for request in [
        server
            .device()
            .request(Method::POST, "/auth/userinfo")
            .form(&[("access_token", &token)]),
        server
            .device()
            .request(Method::GET, &format!("/auth/userinfo?access_token={token}")),
        server
            .device()
            .request(Method::GET, "/api/v1/session")
            .header(header::AUTHORIZATION, format!("Bearer \"{token}\"")),
        server
            .device()
            .request(Method::GET, "/api/v1/session")
            .header("rejoin-identity", &token),
        server
            .device()
            .request(Method::DELETE, &format!("/api/v1/keys/{}", key.secret)),
        server
            .device()
            .request(Method::POST, "/auth/revoke")
            .form(&[("token", &token), ("client_id", &"key-unknown".into())]),
    ] {
        request.send().await.unwrap();
    }
    let basic = base64::Engine::encode(
        &base64::engine::general_purpose::STANDARD,
        format!("{}:{}", key.client_id, key.secret),
    );
    let marks = [
        "key-mistaken",
        "key-grant",
        "key-scope",
        "key-basic",
        "key-unknown",
    ]
    .map(str::to_owned);
    (
        bot,
        [
            vec![
                token,
                key.secret.clone(),
                text(&rotated, "client_secret"),
                basic,
            ],
            marks.to_vec(),
        ]
        .concat(),
    )
}

/// Signs a user in for an app and approves a device, and registers apps over the control socket.
pub(super) async fn apps(server: &Process, database: &std::path::Path, alice: &Device) -> Secrets {
    let flags = ["--redirect-uri", REDIRECT, "--device", "--resource-server"];
    let app = App::of(&server.device(), &register(database, "wiki", &flags).await);
    let rotated = rejoin(database, &["app", "rotate", "--json", &app.client_id])
        .await
        .unwrap();
    let rotated = text(&serde_json::from_str(&rotated).unwrap(), "client_secret");
    let code = alice
        .approve(&app.authorization_request("identity chat:read"), &[])
        .await
        .code();
    let (_, wrong) = app
        .ask(
            "/auth/token",
            &[
                ("grant_type", "authorization_code"),
                ("code", &code),
                ("code_verifier", &"v".repeat(43)),
            ],
        )
        .await;
    assert_eq!(wrong["error"], "invalid_grant");
    let (status, tokens) = app.redeem(&code).await;
    assert_eq!(status, 200, "{tokens}");
    let (access, refresh) = (
        text(&tokens, "access_token"),
        text(&tokens, "refresh_token"),
    );
    let (_, fresh) = app.refresh(&refresh, "").await;
    let own = app.token("").await;
    own.acting_for(&server.device().with_token(&text(&fresh, "access_token")))
        .snapshot()
        .await;
    app.ask("/auth/introspect", &[("token", &access)]).await;
    app.ask("/auth/revoke", &[("token", &text(&fresh, "refresh_token"))])
        .await;
    let (_, shown) = app.ask("/auth/device", &[]).await;
    let (device_code, user_code) = (text(&shown, "device_code"), text(&shown, "user_code"));
    for path in ["/device", CONSENT] {
        let form = [
            ("user_code", user_code.as_str()),
            ("decision", "allow"),
            ("code", "app-mistaken"),
        ];
        alice
            .request(Method::POST, path)
            .form(&form)
            .send()
            .await
            .unwrap();
    }
    alice
        .open_page(&format!("/device?user_code={user_code}"))
        .await;
    let grant_type = "urn:ietf:params:oauth:grant-type:device_code";
    let (_, joined) = app
        .ask(
            "/auth/token",
            &[("grant_type", grant_type), ("device_code", &device_code)],
        )
        .await;
    let state = "s t&te/ü".to_owned();
    let mut secrets = vec![
        code,
        access,
        refresh,
        text(&fresh, "access_token"),
        text(&fresh, "refresh_token"),
        VERIFIER.to_owned(),
    ];
    secrets.extend([
        device_code,
        user_code,
        text(&joined, "access_token"),
        text(&joined, "refresh_token"),
        state,
    ]);
    secrets.extend([
        app.secret.clone(),
        rotated,
        own.token.unwrap(),
        "app-mistaken".into(),
    ]);
    secrets
}
