//! Refresh tokens: each works once. A token that is presented again after its pair arrived ends its
//! grant.

use std::time::Duration;

use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{
    App, Device, FLAGS, JsonAnswer, REDIRECT, TestServer, assert_integrity, status_and_code, until,
};

const DAY: Duration = Duration::from_hours(24);
const WIDE: &str = "chat:read chat:write";

/// An app, the refresh token of alice's grant, and alice.
async fn given(server: &TestServer, scope: &str) -> (App, String, Device) {
    let alice = server.create_session("alice").await;
    alice.snapshot().await;
    let app = server
        .app("reader", &["--bearer-alone", "--redirect-uri", REDIRECT])
        .await;
    let refresh = app.refresh_token_for(&alice, scope).await;
    (app, refresh, alice)
}

/// The audited actions of an app since its grant began, in order.
fn audited(server: &TestServer, app: &App) -> Vec<String> {
    let database = rusqlite::Connection::open(server.database()).unwrap();
    let mut lines = database
        .prepare("SELECT action FROM audit WHERE app = ?1 AND action NOT IN ('app_added', 'consent_given') ORDER BY id")
        .unwrap();
    let actions = lines.query_map([&app.client_id], |row| row.get(0)).unwrap();
    actions.collect::<Result<_, _>>().unwrap()
}

fn refused(answer: (u16, Value)) -> (u16, String) {
    (
        answer.0,
        answer.1["error"].as_str().unwrap_or_default().to_owned(),
    )
}

fn invalid_grant() -> (u16, String) {
    (400, "invalid_grant".into())
}

#[tokio::test]
async fn a_refresh_token_gets_a_new_pair_and_the_client_stays_the_same() {
    let server = TestServer::start().await;
    let (app, first, alice) = given(&server, WIDE).await;
    let (status, body) = app.refresh(&first, "").await;
    assert_eq!(
        (status, &body["scope"], &body["expires_in"]),
        (200, &json!(WIDE), &json!(600))
    );
    let second = body["refresh_token"].as_str().unwrap();
    assert!(second.starts_with("rjr_") && second != first, "{body}");
    let before = app
        .program
        .with_token(body["access_token"].as_str().unwrap());
    let (after, _) = app.refreshed(second).await;
    let grant = app.grant_of(&before).await;
    assert_eq!(app.grant_of(&after).await, grant);
    assert_eq!(
        before.snapshot().await["client"]["id"],
        after.snapshot().await["client"]["id"]
    );
    assert_eq!(
        alice.clients().await.len(),
        2,
        "it is a device like any other"
    );
    assert_eq!(
        audited(&server, &app),
        ["grant_issued", "grant_refreshed", "grant_refreshed"]
    );
    assert_integrity(&server.database());
}

#[tokio::test]
async fn an_access_token_may_be_narrower_and_the_refresh_token_keeps_its_own_scope() {
    let server = TestServer::start().await;
    let (app, first, _) = given(&server, WIDE).await;
    let (status, body) = app.refresh(&first, "chat:read").await;
    assert_eq!((status, &body["scope"]), (200, &json!("chat:read")));
    let reader = app
        .program
        .with_token(body["access_token"].as_str().unwrap());
    assert_eq!(
        reader.try_send("JOIN #rust").await.unwrap_err().code,
        "insufficient_scope"
    );
    let second = body["refresh_token"].as_str().unwrap();
    let told = app.ask("/auth/introspect", &[("token", second)]).await.1;
    assert_eq!(
        (&told["active"], &told["scope"]),
        (&json!(true), &json!(WIDE))
    );
    app.refreshed(second).await.0.send("JOIN #rust").await;
}

/// A refusal changes nothing: the token still works, and no device is notified.
#[tokio::test]
async fn a_wider_scope_and_another_apps_token_are_refused_without_a_trace() {
    let server = TestServer::start().await;
    let (app, token, _) = given(&server, "chat:read").await;
    let other = server.app("other", &FLAGS).await;
    let public = server
        .app("public", &["--public", "--redirect-uri", REDIRECT])
        .await;
    let before = server.rows("audit");
    for scope in [WIDE, "session:manage", "chat:read identity", "unknown"] {
        assert_eq!(
            refused(app.refresh(&token, scope).await),
            (400, "invalid_scope".into()),
            "{scope}"
        );
    }
    for stranger in [&other, &public] {
        assert_eq!(refused(stranger.refresh(&token, "").await), invalid_grant());
    }
    for wrong in [
        App {
            secret: "rjk_x".into(),
            ..app.clone()
        },
        App {
            secret: String::new(),
            ..app.clone()
        },
    ] {
        assert_eq!(
            refused(wrong.refresh(&token, "").await),
            (401, "invalid_client".into())
        );
    }
    assert_eq!((server.rows("audit"), server.rows("token")), (before, 2));
    app.refreshed(&token).await.0.snapshot().await;
    // Another app that presents a used token does not cause a theft notice.
    assert_eq!(refused(other.refresh(&token, "").await), invalid_grant());
    assert_eq!(audited(&server, &app), ["grant_issued", "grant_refreshed"]);
    assert_integrity(&server.database());
}

#[tokio::test]
async fn a_reused_refresh_token_ends_its_grant_and_all_its_tokens() {
    let server = TestServer::start().await;
    let (app, first, alice) = given(&server, WIDE).await;
    let (one, second) = app.refreshed(&first).await;
    let (two, third) = app.refreshed(&second).await;
    two.snapshot().await;
    assert_eq!(
        refused(app.refresh(&first, "unknown").await),
        (400, "invalid_scope".into()),
        "the token was not read"
    );
    two.snapshot().await;
    assert_eq!(refused(app.refresh(&first, "").await), invalid_grant());
    for dead in [&one, &two] {
        assert!(dead.token_is_invalid().await);
        assert_eq!(app.introspect(dead).await, json!({"active": false}));
    }
    for dead in [&third, &second, &first] {
        assert_eq!(refused(app.refresh(dead, "").await), invalid_grant());
    }
    assert_eq!(alice.clients().await.len(), 1);
    assert_eq!(alice.get("/api/v1/grants").await, json!([]));
    let happened = [
        "grant_issued",
        "grant_refreshed",
        "grant_refreshed",
        "reuse_detected",
        "grant_revoked",
    ];
    assert_eq!(audited(&server, &app), happened);
    let audit = alice.get("/api/v1/audit").await;
    let theft = audit
        .items()
        .iter()
        .find(|line| line["action"] == "reuse_detected")
        .unwrap();
    assert_eq!(
        (&theft["app"], theft["client"].is_i64()),
        (&json!(app.client_id), true),
        "the session sees it"
    );
    assert_integrity(&server.database());
}

#[tokio::test]
async fn rotation_does_not_extend_the_absolute_lifetime_and_thirty_idle_days_end_the_grant() {
    let server = TestServer::with(&["--client-idle", "1000d", "--client-lifetime", "1000d"]).await;
    let (app, mut token, alice) = given(&server, "chat:read").await;
    for day in [29, 58, 87, 116, 145, 174] {
        server.advance(DAY * 29);
        let (reader, next) = app.refreshed(&token).await;
        assert_eq!(
            reader.snapshot().await["session"]["nick"],
            "alice",
            "day {day}"
        );
        token = next;
    }
    let told = app.ask("/auth/introspect", &[("token", &token)]).await.1;
    assert_eq!(
        told["exp"],
        1_795_000_000 + 180 * 86400,
        "no later than at first"
    );
    server.advance(DAY * 6 - Duration::from_mins(5));
    let (reader, last) = app.refreshed(&token).await;
    let told = app.introspect(&reader).await;
    assert_eq!(
        told["exp"],
        1_795_000_000 + 180 * 86400,
        "an access token does not work longer"
    );
    server.advance(Duration::from_mins(5));
    assert_eq!(refused(app.refresh(&last, "").await), invalid_grant());
    assert_eq!(
        status_and_code(
            reader
                .call(Method::GET, "/api/v1/session")
                .await
                .unwrap_err()
        ),
        (401, "invalid_token".into())
    );
    // The grant ends, and its client with it.
    until("the grant to end", async || {
        alice.get("/api/v1/grants").await == json!([])
    })
    .await;
    assert_eq!(alice.clients().await.len(), 1);

    let idle = app.refresh_token_for(&alice, "chat:read").await;
    server.advance(DAY * 30 - Duration::from_secs(1));
    let (_, idle) = app.refreshed(&idle).await;
    server.advance(DAY * 30);
    assert_eq!(refused(app.refresh(&idle, "").await), invalid_grant());
    until("the idle grant to end", async || {
        alice.get("/api/v1/grants").await == json!([])
    })
    .await;
    assert_eq!(alice.clients().await.len(), 1);
    assert_eq!(audited(&server, &app).last().unwrap(), "grant_revoked");
    assert_integrity(&server.database());
}

#[tokio::test]
async fn a_public_app_refreshes_with_its_client_id_alone() {
    let server = TestServer::start().await;
    let alice = server.create_session("alice").await;
    let app = server
        .app("phone", &["--public", "--redirect-uri", REDIRECT])
        .await;
    let first = app.refresh_token_for(&alice, "chat:read").await;
    let (reader, second) = app.refreshed(&first).await;
    reader.snapshot().await;
    assert_eq!(refused(app.refresh(&first, "").await), invalid_grant());
    assert!(reader.token_is_invalid().await);
    assert_eq!(refused(app.refresh(&second, "").await), invalid_grant());
    assert_integrity(&server.database());
}

#[tokio::test]
async fn invalid_refresh_tokens_are_refused_without_a_trace() {
    let server = TestServer::start().await;
    let (app, refresh, alice) = given(&server, "chat:read").await;
    let key = alice.create_key("chat:read").await;
    let bot = key.token("").await;
    let (reader, refresh) = app.refreshed(&refresh).await;
    let before = server.rows("audit");
    let access = reader.token.clone().unwrap();
    let cookie = alice.cookie.clone().unwrap().replace("rejoin=", "");
    for wrong in [
        &access,
        &app.secret,
        &cookie,
        &refresh[4..],
        &format!("{refresh}x"),
        "rjr_",
        "x",
    ] {
        assert_eq!(
            refused(app.refresh(wrong, "").await),
            invalid_grant(),
            "{wrong}"
        );
    }
    assert_eq!(
        refused(key.refresh(bot.token.as_deref().unwrap(), "").await),
        invalid_grant()
    );
    assert_eq!(refused(key.refresh(&refresh, "").await), invalid_grant());
    assert_eq!(
        refused(app.refresh("", "").await),
        (400, "invalid_request".into())
    );
    assert_eq!(
        refused(
            app.ask("/auth/token", &[("grant_type", "refresh_token")])
                .await
        )
        .1,
        "invalid_request"
    );
    let twice = [
        ("grant_type", "refresh_token"),
        ("refresh_token", refresh.as_str()),
        ("refresh_token", &refresh),
    ];
    assert_eq!(
        refused(app.ask("/auth/token", &twice).await),
        (400, "invalid_request".into())
    );
    // A refresh token does not work as an access token.
    let caller = app.program.with_token(&refresh);
    for path in ["/api/v1/session", "/auth/userinfo"] {
        assert_eq!(
            status_and_code(caller.call(Method::GET, path).await.unwrap_err()),
            (401, "invalid_token".into())
        );
    }
    assert_eq!(server.rows("audit"), before);
    reader.snapshot().await;
    app.refreshed(&refresh).await;
    assert_integrity(&server.database());
}
