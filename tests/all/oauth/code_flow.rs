//! Signing in to another app: the authorization code flow, from the page to the tokens.

use std::time::Duration;

use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{
    App, Device, FLAGS, JsonAnswer, REDIRECT, TestServer, VERIFIER, assert_integrity, with_param,
};

mod repeated;

async fn app(server: &TestServer) -> App {
    server.app("wiki", &FLAGS).await
}

/// A public app, whose users' tokens work alone.
async fn native(server: &TestServer) -> App {
    server
        .app("native", &["--public", "--redirect-uri", REDIRECT])
        .await
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap()
}

#[tokio::test]
async fn a_session_consents_and_the_app_becomes_a_device_of_it() {
    let server = TestServer::start().await;
    let (alice, app) = (server.create_session("alice").await, native(&server).await);
    alice.send("JOIN #rust").await;
    let asking = app.authorization_request("chat:read chat:write");

    // The page shows which app asks, for which scope, for which session, and where it redirects.
    // Opening the page approves nothing.
    let page = alice.open_authorization(&asking).await;
    assert_eq!(page.status, 200);
    for shown in [
        "native",
        "alice",
        "read messages",
        "send messages, join",
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
        .find(|message| message.command == "PRIVMSG")
        .unwrap();
    assert_eq!(
        (said.source.as_str(), said.app.as_deref()),
        ("alice", Some("native"))
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

    // It keeps the session alive like any other device, and ends with its grant.
    alice.send("QUIT").await;
    assert_eq!(program.snapshot().await["session"]["nick"], "alice");
    program.send("QUIT").await;
    assert!(program.token_is_invalid().await);
    assert!(server.device().try_create_session("alice").await.is_ok());
    assert_integrity(&server.database());
}

#[tokio::test]
async fn without_a_session_the_user_logs_in_and_comes_back() {
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
    // A session that ends while its user looks at the page.
    let gone = server
        .device()
        .approve(&app.authorization_request("identity"), &[])
        .await;
    assert_eq!(gone.redirect_params("/login")["next"], next);
}

#[tokio::test]
async fn denial_is_reported_to_the_app_and_recorded() {
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
async fn a_code_works_once_with_its_app_redirect_uri_and_verifier_and_expires_soon() {
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
    // These failures leave the code unchanged: it still works, once.
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
        "the session and its other clients live on"
    );
    assert_integrity(&server.database());
}
