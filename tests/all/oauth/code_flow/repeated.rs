//! Codes and consents that are used or given again, and what ends a code.

use super::*;

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
async fn without_a_page_only_an_earlier_grant_is_answered() {
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
    assert_eq!(grants.items().len(), 1, "it joins the existing grant");
    // It does so only while that grant is live.
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
async fn a_second_consent_joins_the_grant_of_a_confidential_app_but_not_of_a_public_one() {
    let server = TestServer::start().await;
    let alice = server.create_session("alice").await;
    for (kind, app, grants) in [
        ("confidential", app(&server).await, 1),
        ("public", native(&server).await, 3),
    ] {
        app.sign_in(&alice, "chat:read").await;
        app.sign_in(&alice, "chat:read").await;
        assert_eq!(alice.grants().await.len(), grants, "{kind}");
    }
    app(&server)
        .await
        .sign_in(&alice, "chat:read chat:write")
        .await;
    assert_eq!(alice.grants().await.len(), 4);
    assert_integrity(&server.database());
}

#[tokio::test]
async fn the_identity_scope_tells_only_who_the_session_is_and_counts_as_no_device() {
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
async fn a_full_session_is_told_on_the_page_and_a_code_beyond_the_limit_is_refused() {
    let server = TestServer::with(&["--max-clients", "2"]).await;
    let (alice, app) = (server.create_session("alice").await, native(&server).await);
    let asking = app.authorization_request("chat:read");
    let code = alice.approve(&asking, &[]).await.code();
    // Another login took the last slot meanwhile.
    server.phone_of(&alice, "alice").await;
    let (status, body) = app.redeem(&code).await;
    assert_eq!((status, text(&body["error"])), (400, "invalid_grant"));
    let full = alice.approve(&asking, &[]).await;
    assert!(
        full.status == 409 && full.page.contains("already has 2 clients"),
        "{full:?}"
    );
    // A grant that only identifies the session takes no slot.
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
