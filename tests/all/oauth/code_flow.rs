//! Signing in for another app: the authorization code flow, from the page to the tokens.

use std::time::Duration;

use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{
    App, Device, FLAGS, JsonAnswer, REDIRECT, TestServer, VERIFIER, assert_integrity, with_param,
};

async fn app(server: &TestServer) -> App {
    server.app("wiki", &FLAGS).await
}

/// The public kind, whose users' tokens work by themselves.
async fn native(server: &TestServer) -> App {
    server
        .app("native", &["--public", "--redirect-uri", REDIRECT])
        .await
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap()
}

#[tokio::test]
async fn a_session_consents_and_the_app_is_a_device_of_it() {
    let server = TestServer::start().await;
    let (alice, app) = (server.create_session("alice").await, native(&server).await);
    alice.send("JOIN #rust").await;
    let asking = app.authorization_request("chat:read chat:write");

    // The page says who asks, for what, for whom, and where it leads; to open it is to approve
    // nothing.
    let page = alice.open_authorization(&asking).await;
    assert_eq!(page.status, 200);
    for shown in [
        "native",
        "alice",
        "read what is said",
        "speak, join",
        "#rust",
        REDIRECT,
    ] {
        assert!(page.page.contains(shown), "{shown}: {}", page.page);
    }
    assert!(
        page.policy.contains("frame-ancestors 'none'"),
        "{}",
        page.policy
    );
    assert_eq!(server.rows("authorization_code"), 0);

    let told = alice.approve(&asking, &[]).await.redirect_params(REDIRECT);
    assert_eq!(
        (told["state"].as_str(), told["iss"].as_str()),
        ("s t&te/ü", alice.base.as_str())
    );
    let pending = alice.get("/api/v1/grants").await;
    assert_eq!(
        (&pending[0]["pending"], &pending[0]["id"]),
        (&json!(true), &Value::Null),
        "nothing is granted yet"
    );
    let (status, tokens) = app.redeem(&told["code"]).await;
    assert_eq!(
        (status, text(&tokens["scope"]), &tokens["expires_in"]),
        (200, "chat:read chat:write", &json!(600))
    );

    let program = app.program.with_token(text(&tokens["access_token"]));
    assert_eq!(program.snapshot().await["session"]["nick"], "alice");
    program.send("PRIVMSG #rust :hello").await;
    let said = alice
        .queue()
        .await
        .into_iter()
        .find(|message| message["command"] == "PRIVMSG")
        .unwrap();
    assert_eq!(
        (text(&said["source"]), text(&said["app"])),
        ("alice", "native")
    );
    let grant = &alice.get("/api/v1/grants").await[0];
    assert_eq!(
        (text(&grant["app"]), &grant["key"]),
        ("native", &json!(false))
    );
    let clients = alice.get("/api/v1/clients").await;
    assert_eq!(
        (text(&clients[1]["name"]), &clients[1]["id"]),
        ("native", &grant["client"])
    );

    // It keeps the session alive like any other device, and goes with its grant.
    alice.send("QUIT").await;
    assert_eq!(program.snapshot().await["session"]["nick"], "alice");
    program.send("QUIT").await;
    assert!(program.token_is_invalid().await);
    assert!(server.device().try_create_session("alice").await.is_ok());
    assert_integrity(&server.database());
}

#[tokio::test]
async fn without_a_session_one_logs_in_first_and_comes_back() {
    let server = TestServer::start().await;
    let (alice, app) = (server.create_session("alice").await, app(&server).await);
    alice.send("PASS :correct horse battery").await;
    let landing = server
        .device()
        .open_authorization(&app.authorization_request("identity"))
        .await;
    let next = landing.redirect_params("/login")["next"].clone();
    assert!(next.starts_with("/auth/authorize?"), "{next}");
    let form = [
        ("nick", "alice"),
        ("password", "correct horse battery"),
        ("next", &next),
    ];
    let entered = server
        .device()
        .request(Method::POST, "/login")
        .form(&form)
        .send()
        .await
        .unwrap();
    assert_eq!(
        (
            entered.status().as_u16(),
            entered.headers()["location"].to_str().unwrap()
        ),
        (303, next.as_str())
    );
    let page = alice.open_page(&next).await;
    assert!(
        page.status == 200 && page.page.contains("s t&#38;te/ü"),
        "{}",
        page.page
    );
    // A session that ends while somebody looks at the page.
    let gone = server
        .device()
        .approve(&app.authorization_request("identity"), &[])
        .await;
    assert_eq!(gone.redirect_params("/login")["next"], next);
}

#[tokio::test]
async fn denial_is_told_and_recorded() {
    let server = TestServer::start().await;
    let (alice, app) = (server.create_session("alice").await, app(&server).await);
    let denied = alice
        .decide_consent(
            &app.authorization_request("identity"),
            &[("decision", "deny")],
        )
        .await
        .redirect_params(REDIRECT);
    assert_eq!(
        (denied["error"].as_str(), denied["iss"].as_str()),
        ("access_denied", alice.base.as_str())
    );
    app.sign_in(&alice, "identity").await;
    let audit = alice.get("/api/v1/audit").await;
    let actions = audit
        .items()
        .iter()
        .map(|line| text(&line["action"]))
        .collect::<Vec<_>>();
    let expected = [
        "session_created",
        "client_created",
        "consent_denied",
        "consent_given",
        "grant_issued",
    ];
    assert_eq!(actions, expected);
    assert!(
        audit.items()[2..]
            .iter()
            .all(|line| line["app"] == json!(app.client_id))
    );
}

#[tokio::test]
async fn a_code_works_once_for_its_app_its_address_and_its_verifier_and_not_for_long() {
    let server = TestServer::start().await;
    let (alice, app, other) = (
        server.create_session("alice").await,
        app(&server).await,
        app(&server).await,
    );
    let asking = app.authorization_request("identity");
    let code = alice.approve(&asking, &[]).await.code();
    let with = |name: &'static str, value: &'static str| {
        let (app, code) = (app.clone(), code.clone());
        async move {
            let params = [
                ("grant_type", "authorization_code"),
                ("code", &code),
                ("redirect_uri", REDIRECT),
                ("code_verifier", VERIFIER),
            ];
            let params = params.map(|(own, given)| (own, if own == name { value } else { given }));
            app.ask("/auth/token", &params).await
        }
    };
    let wrong_verifier = "x".repeat(43).leak();
    for (name, value, error) in [
        ("code", "rjc_unknown", "invalid_grant"),
        ("code", "", "invalid_request"),
        ("redirect_uri", "https://app.example/done/", "invalid_grant"),
        ("redirect_uri", "https://app.example/Done", "invalid_grant"),
        (
            "redirect_uri",
            "https://app.example:443/done",
            "invalid_grant",
        ),
        ("redirect_uri", "", "invalid_grant"),
        ("code_verifier", wrong_verifier, "invalid_grant"),
        ("code_verifier", "short", "invalid_grant"),
        ("code_verifier", "", "invalid_request"),
    ] {
        let (status, body) = with(name, value).await;
        assert_eq!(
            (status, text(&body["error"])),
            (400, error),
            "{name} {value}"
        );
    }
    let (status, body) = other.redeem(&code).await;
    assert_eq!(
        (status, text(&body["error"])),
        (400, "invalid_grant"),
        "another app's"
    );
    // None of that left a trace: it still works, once.
    assert_eq!(app.redeem(&code).await.0, 200);

    let late = alice.approve(&asking, &[]).await.code();
    server.advance(Duration::from_secs(61));
    assert_eq!(text(&app.redeem(&late).await.1["error"]), "invalid_grant");
    assert_integrity(&server.database());
}

#[tokio::test]
async fn a_replayed_code_revokes_what_the_first_use_issued() {
    let server = TestServer::start().await;
    let (alice, app) = (server.create_session("alice").await, native(&server).await);
    let code = alice
        .approve(&app.authorization_request("chat:read"), &[])
        .await
        .code();
    let (_, tokens) = app.redeem(&code).await;
    let program = app.program.with_token(text(&tokens["access_token"]));
    let (_, newer) = app.refresh(text(&tokens["refresh_token"]), "").await;
    assert_eq!(text(&app.redeem(&code).await.1["error"]), "invalid_grant");
    assert!(program.token_is_invalid().await);
    assert!(
        app.program
            .with_token(text(&newer["access_token"]))
            .token_is_invalid()
            .await
    );
    assert_eq!(
        text(&app.refresh(text(&newer["refresh_token"]), "").await.1["error"]),
        "invalid_grant"
    );
    let audit = alice.get("/api/v1/audit").await;
    let actions = audit
        .items()
        .iter()
        .map(|line| text(&line["action"]))
        .collect::<Vec<_>>();
    assert_eq!(
        actions[actions.len() - 3..],
        ["reuse_detected", "grant_revoked", "client_left"]
    );
    assert_eq!(
        alice.clients().await.len(),
        1,
        "the session and its others live on"
    );
    assert_integrity(&server.database());
}

#[tokio::test]
async fn two_uses_of_a_code_at_the_same_instant_leave_nothing_that_works() {
    let server = TestServer::start().await;
    let (alice, app) = (server.create_session("alice").await, app(&server).await);
    let code = alice
        .approve(&app.authorization_request("identity"), &[])
        .await
        .code();
    let (one, other) = tokio::join!(app.redeem(&code), app.redeem(&code));
    assert_eq!(one.0.min(other.0), 200);
    assert_eq!(one.0.max(other.0), 400);
    let tokens = if one.0 == 200 { one.1 } else { other.1 };
    assert_eq!(
        text(&app.refresh(text(&tokens["refresh_token"]), "").await.1["error"]),
        "invalid_grant"
    );
    assert_eq!(alice.get("/api/v1/grants").await, json!([]));
    assert_integrity(&server.database());
}

#[tokio::test]
async fn without_a_page_only_what_was_granted_before_is_answered() {
    let server = TestServer::start().await;
    let (alice, app, other) = (
        server.create_session("alice").await,
        app(&server).await,
        app(&server).await,
    );
    let silent = |app: &App, scope: &str| {
        with_param(&app.authorization_request(scope), "prompt", Some("none"))
    };
    assert_eq!(
        server
            .device()
            .open_authorization(&silent(&app, "identity"))
            .await
            .error(),
        "login_required"
    );
    assert_eq!(
        alice
            .open_authorization(&silent(&app, "identity"))
            .await
            .error(),
        "consent_required"
    );
    app.sign_in(&alice, "identity chat:read").await;
    assert_eq!(
        alice
            .open_authorization(&silent(&other, "identity"))
            .await
            .error(),
        "consent_required"
    );
    assert_eq!(
        alice
            .open_authorization(&silent(&app, "identity chat:write"))
            .await
            .error(),
        "consent_required"
    );
    let (status, tokens) = app
        .redeem(
            &alice
                .open_authorization(&silent(&app, "identity"))
                .await
                .code(),
        )
        .await;
    assert_eq!((status, text(&tokens["scope"])), (200, "identity"));
    let grants = alice.get("/api/v1/grants").await;
    assert_eq!(grants.items().len(), 1, "it joins the grant there is");
    // It does so only while that stands.
    let code = alice
        .open_authorization(&silent(&app, "identity"))
        .await
        .code();
    alice
        .delete(&format!("/api/v1/grants/{}", grants[0]["id"]))
        .await
        .unwrap();
    assert_eq!(text(&app.redeem(&code).await.1["error"]), "invalid_grant");
    assert_eq!(
        alice
            .open_authorization(&silent(&app, "identity"))
            .await
            .error(),
        "consent_required"
    );
    assert_integrity(&server.database());
}

#[tokio::test]
async fn the_same_consent_again_joins_the_grant_of_a_confidential_app_and_not_of_a_public_one() {
    let server = TestServer::start().await;
    let alice = server.create_session("alice").await;
    for (app, grants) in [(app(&server).await, 1), (native(&server).await, 3)] {
        app.sign_in(&alice, "chat:read").await;
        app.sign_in(&alice, "chat:read").await;
        assert_eq!(alice.grants().await.len(), grants);
    }
    app(&server)
        .await
        .sign_in(&alice, "chat:read chat:write")
        .await;
    assert_eq!(alice.grants().await.len(), 4);
    assert_integrity(&server.database());
}

#[tokio::test]
async fn who_is_all_that_identity_tells_and_it_takes_no_device() {
    let server = TestServer::start().await;
    let (alice, app) = (server.create_session("alice").await, native(&server).await);
    let tokens = app.sign_in(&alice, "identity").await;
    let program = app.program.with_token(text(&tokens["access_token"]));
    assert_eq!(program.get("/auth/userinfo").await["nick"], "alice");
    assert_eq!(
        program
            .call(Method::GET, "/api/v1/session")
            .await
            .unwrap_err()
            .code,
        "insufficient_scope"
    );
    assert_eq!(alice.clients().await.len(), 1);
    alice.send("QUIT").await;
    assert_eq!(
        program
            .call(Method::GET, "/auth/userinfo")
            .await
            .unwrap_err()
            .code,
        "invalid_token"
    );
    assert_integrity(&server.database());
}

#[tokio::test]
async fn a_full_session_is_told_on_the_page_and_a_code_too_many_is_refused() {
    let server = TestServer::with(&["--max-clients", "2"]).await;
    let (alice, app) = (server.create_session("alice").await, native(&server).await);
    let asking = app.authorization_request("chat:read");
    let code = alice.approve(&asking, &[]).await.code();
    // Somebody else was quicker.
    server.phone_of(&alice, "alice").await;
    let (status, body) = app.redeem(&code).await;
    assert_eq!((status, text(&body["error"])), (400, "invalid_grant"));
    let full = alice.approve(&asking, &[]).await;
    assert!(
        full.status == 409 && full.page.contains("2 clients already"),
        "{full:?}"
    );
    // To say only who one is takes no place.
    assert_eq!(
        app.redeem(
            &alice
                .approve(&app.authorization_request("identity"), &[])
                .await
                .code()
        )
        .await
        .0,
        200
    );
    assert_integrity(&server.database());
}

#[tokio::test]
async fn a_code_ends_with_its_session_and_with_its_app() {
    let server = TestServer::start().await;
    let (alice, bob, app) = (
        server.create_session("alice").await,
        server.create_session("bob").await,
        app(&server).await,
    );
    let code = alice
        .approve(&app.authorization_request("identity"), &[])
        .await
        .code();
    alice.send("QUIT").await;
    assert_eq!(text(&app.redeem(&code).await.1["error"]), "invalid_grant");
    bob.approve(&app.authorization_request("identity"), &[])
        .await
        .code();
    crate::support::rejoin(&server.database(), &["app", "remove", &app.client_id])
        .await
        .unwrap();
    assert_eq!(server.rows("authorization_code"), 0);
    let gone: Device = bob;
    assert!(
        gone.open_authorization(&app.authorization_request("identity"))
            .await
            .page
            .contains("no app with this client_id")
    );
    assert_integrity(&server.database());
}
