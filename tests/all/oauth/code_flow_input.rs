//! Bad input on the way to a code. Until the app and the redirect URI are proven, errors are shown
//! to the user. Later errors go to the app. None of them leaves a trace.

use reqwest::{Method, header};

use crate::support::{CONSENT, FLAGS, REDIRECT, TestServer, with_param};

#[tokio::test]
async fn until_app_and_redirect_uri_are_right_the_browser_is_not_redirected() {
    let server = TestServer::start().await;
    let alice = server.create_session("alice").await;
    let app = server
        .app(
            "wiki",
            &[
                "--redirect-uri",
                REDIRECT,
                "--redirect-uri",
                "http://127.0.0.1/done",
            ],
        )
        .await;
    let (key, bare) = (
        alice.create_key("identity").await,
        server.app("bare", &[]).await,
    );
    let asking = app.authorization_request("identity");
    for (name, value, why) in [
        ("client_id", None, "client_id is missing"),
        (
            "client_id",
            Some("app_unknown"),
            "no app with this client_id",
        ),
        (
            "client_id",
            Some("app_\u{0}\r\n"),
            "no app with this client_id",
        ),
        (
            "client_id",
            Some(key.client_id.as_str()),
            "no app with this client_id",
        ),
        (
            "client_id",
            Some(bare.client_id.as_str()),
            "not registered for this app",
        ),
        ("redirect_uri", None, "redirect_uri is missing"),
        (
            "redirect_uri",
            Some("https://app.example/done/"),
            "not registered for this app",
        ),
        (
            "redirect_uri",
            Some("https://app.example:8443/done"),
            "not registered for this app",
        ),
        (
            "redirect_uri",
            Some("https://app.example/DONE"),
            "not registered for this app",
        ),
        (
            "redirect_uri",
            Some("https://APP.example/done"),
            "not registered for this app",
        ),
        (
            "redirect_uri",
            Some("https://app.example/done#x"),
            "not registered for this app",
        ),
        (
            "redirect_uri",
            Some("https://app.example/done?x"),
            "not registered for this app",
        ),
        (
            "redirect_uri",
            Some("https://app.example@evil.example/done"),
            "not registered for this app",
        ),
        (
            "redirect_uri",
            Some("http://app.example/done"),
            "not registered for this app",
        ),
        (
            "redirect_uri",
            Some("http://127.0.0.1:80@evil.example/done"),
            "not registered for this app",
        ),
        (
            "redirect_uri",
            Some("http://localhost/done"),
            "not registered for this app",
        ),
        (
            "redirect_uri",
            Some("javascript:alert(1)"),
            "not registered for this app",
        ),
    ] {
        let asking = with_param(&asking, name, value);
        for landing in [
            alice.open_authorization(&asking).await,
            alice.approve(&asking, &[]).await,
        ] {
            assert_eq!(
                (landing.status, landing.location.as_str()),
                (400, ""),
                "{name} {value:?}"
            );
            assert!(
                landing.page.contains(why),
                "{name} {value:?}: {}",
                landing.page
            );
        }
    }
    // On loopback an app may listen on any port.
    let loopback = with_param(&asking, "redirect_uri", Some("http://127.0.0.1:49152/done"));
    alice
        .approve(&loopback, &[])
        .await
        .redirect_params("http://127.0.0.1:49152/done");
    for twice in ["client_id", "redirect_uri"] {
        let asking = [asking.clone(), vec![(twice.to_owned(), "x".to_owned())]].concat();
        assert!(
            alice
                .open_authorization(&asking)
                .await
                .page
                .contains("more than once"),
            "{twice}"
        );
    }
    assert_eq!(server.rows("authorization_code"), 1);
}

#[tokio::test]
async fn every_other_error_is_reported_to_the_app() {
    let server = TestServer::start().await;
    let alice = server.create_session("alice").await;
    let app = server
        .app(
            "wiki",
            &["--redirect-uri", REDIRECT, "--scope", "identity chat:read"],
        )
        .await;
    let asking = app.authorization_request("identity");
    let lines = server.rows("audit");
    for (name, value, error) in [
        ("response_type", None, "invalid_request"),
        ("response_type", Some("token"), "unsupported_response_type"),
        (
            "response_type",
            Some("code id_token"),
            "unsupported_response_type",
        ),
        ("response_mode", Some("fragment"), "invalid_request"),
        ("scope", Some("identity admin"), "invalid_scope"),
        ("scope", Some(" "), "invalid_scope"),
        ("scope", Some("chat:write"), "invalid_scope"),
        ("code_challenge", None, "invalid_request"),
        ("code_challenge", Some("short"), "invalid_request"),
        (
            "code_challenge",
            Some("E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw+cM"),
            "invalid_request",
        ),
        ("code_challenge_method", None, "invalid_request"),
        ("code_challenge_method", Some("plain"), "invalid_request"),
        ("code_challenge_method", Some("s256"), "invalid_request"),
        ("prompt", Some("login"), "invalid_request"),
        ("prompt", Some("none consent"), "invalid_request"),
    ] {
        let asking = with_param(&asking, name, value);
        // With a session, without one, and with a form posted to the decision.
        for landing in [
            alice.open_authorization(&asking).await,
            server.device().open_authorization(&asking).await,
            alice.approve(&asking, &[]).await,
        ] {
            let told = landing.redirect_params(REDIRECT);
            assert_eq!(
                (told["error"].as_str(), told["state"].as_str()),
                (error, "s t&te/ü"),
                "{name} {value:?}"
            );
            assert_eq!(told["iss"], alice.base);
            assert!(!told.contains_key("code"));
        }
    }
    for twice in [
        "scope",
        "code_challenge",
        "response_type",
        "prompt",
        "state",
    ] {
        let asking = [
            asking.clone(),
            vec![(twice.to_owned(), "identity".to_owned()); 2],
        ]
        .concat();
        let told = alice
            .open_authorization(&asking)
            .await
            .redirect_params(REDIRECT);
        assert_eq!(told["error"], "invalid_request", "{twice}");
        assert_eq!(told.contains_key("state"), twice != "state", "{twice}");
    }
    let binary = "/auth/authorize?response_type=code&state=%ff";
    let binary = alice
        .open_page(&format!(
            "{binary}&client_id={}&redirect_uri={REDIRECT}",
            app.client_id
        ))
        .await;
    assert_eq!(binary.error(), "invalid_request");
    assert_eq!(
        (server.rows("authorization_code"), server.rows("audit")),
        (0, lines)
    );
    // A missing scope means all of the app's scopes. Unknown parameters and a missing state do not
    // matter.
    let plain = with_param(
        &with_param(&with_param(&asking, "scope", None), "nonce", Some("x")),
        "state",
        None,
    );
    let told = alice.approve(&plain, &[]).await.redirect_params(REDIRECT);
    assert!(!told.contains_key("state"));
    assert_eq!(
        app.redeem(&told["code"]).await.1["scope"],
        "chat:read identity"
    );
}

#[tokio::test]
async fn session_manage_must_be_requested_by_name_and_cannot_be_confined() {
    let server = TestServer::start().await;
    let flags = [
        &FLAGS[..],
        &["--scope", "chat:read identity session:manage"],
    ]
    .concat();
    let (alice, app) = (
        server.create_session("alice").await,
        server.app("wiki", &flags).await,
    );
    let all = app.authorization_request("");
    let page = alice.open_authorization(&all).await.page;
    assert!(
        !page.contains("manage this session") && page.contains("Only these channels"),
        "{page}"
    );
    let managing = app.authorization_request("session:manage");
    let page = alice.open_authorization(&managing).await.page;
    assert!(
        page.contains("manage this session") && !page.contains("Only these channels"),
        "{page}"
    );
    let landing = alice
        .approve(&managing, &[("where", "chosen"), ("res", "#rust")])
        .await;
    assert_eq!((landing.status, landing.location.as_str()), (400, ""));
    for more in [
        &[("where", "chosen"), ("res", "rust")][..],
        &[("where", "here")],
        &[("where", "chosen"), ("where", "x")],
        &[("where", "chosen")],
        // A user who ticks channels does not mean all channels.
        &[("where", "everywhere"), ("res", "#rust")],
        &[("res", "#rust")],
    ] {
        assert_eq!(alice.approve(&all, more).await.status, 400, "{more:?}");
    }
    assert_eq!(
        alice.decide_consent(&all, &[]).await.status,
        400,
        "no decision"
    );
    assert_eq!(
        alice
            .decide_consent(&all, &[("decision", "allow"), ("decision", "deny")])
            .await
            .status,
        400
    );
    assert_eq!(server.rows("authorization_code"), 0);
}

#[tokio::test]
async fn another_site_cannot_make_a_browser_consent() {
    let server = TestServer::start().await;
    let (alice, app) = (
        server.create_session("alice").await,
        server.app("wiki", &["--redirect-uri", REDIRECT]).await,
    );
    let form = [
        app.authorization_request("identity"),
        vec![("decision".to_owned(), "allow".to_owned())],
    ]
    .concat();
    for (name, value) in [
        ("sec-fetch-site", "cross-site"),
        ("sec-fetch-site", "same-site"),
        ("origin", "https://app.example"),
        ("origin", "null"),
    ] {
        let request = alice
            .request(Method::POST, CONSENT)
            .header(name, value)
            .form(&form);
        assert_eq!(
            request.send().await.unwrap().status(),
            403,
            "{name}: {value}"
        );
    }
    // As a query, as JSON, and with a token instead of a cookie.
    let query = form_urlencoded::Serializer::new(String::new())
        .extend_pairs(&form)
        .finish();
    assert_eq!(
        alice
            .open_page(&format!("/auth/authorize?{query}"))
            .await
            .status,
        200,
        "the page, and no more"
    );
    assert_eq!(
        alice.open_page(&format!("{CONSENT}?{query}")).await.status,
        405
    );
    let json = alice
        .request(Method::POST, CONSENT)
        .header(header::CONTENT_TYPE, "application/json")
        .body("{}");
    assert_eq!(json.send().await.unwrap().status(), 400);
    let bot = alice
        .create_key("session:manage identity")
        .await
        .token("session:manage")
        .await;
    bot.open_authorization(&app.authorization_request("identity"))
        .await
        .redirect_params("/login");
    let both = bot
        .with_token(bot.token.as_ref().unwrap())
        .with_cookie(alice.cookie.as_ref().unwrap());
    assert_eq!(
        both.open_authorization(&app.authorization_request("identity"))
            .await
            .status,
        400
    );
    assert_eq!(server.rows("authorization_code"), 0);
}

#[tokio::test]
async fn codes_are_limited() {
    let server = TestServer::start().await;
    let (alice, app) = (
        server.create_session("alice").await,
        server.app("wiki", &["--redirect-uri", REDIRECT]).await,
    );
    app.sign_in(&alice, "identity").await;
    let silent = with_param(
        &app.authorization_request("identity"),
        "prompt",
        Some("none"),
    );
    for _ in 1..60 {
        alice.open_authorization(&silent).await.code();
    }
    assert_eq!(
        alice.open_authorization(&silent).await.error(),
        "temporarily_unavailable"
    );
    assert_eq!(
        server
            .create_session("bob")
            .await
            .open_authorization(&silent)
            .await
            .error(),
        "consent_required",
        "other sessions are not limited"
    );
}
