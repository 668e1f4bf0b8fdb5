//! Lost answers to a refresh, and several refreshes at once: the same pair is issued again until
//! one of its tokens has been presented.

use std::time::Duration;

use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{
    App, Device, FLAGS, JsonAnswer, Process, REDIRECT, TestServer, assert_integrity,
    assert_not_on_disk, params, register, rejoin,
};

mod late;

const ALONE: [&str; 3] = ["--bearer-alone", "--redirect-uri", REDIRECT];
const DAY: Duration = Duration::from_hours(24);

fn text(value: &Value) -> &str {
    value.as_str().unwrap()
}

/// The pair that a refresh token is exchanged for.
async fn pair(app: &App, token: &str) -> (String, String) {
    let (status, body) = app.refresh(token, "").await;
    assert_eq!(status, 200, "{body}");
    (
        text(&body["access_token"]).to_owned(),
        text(&body["refresh_token"]).to_owned(),
    )
}

async fn is_theft(app: &App, token: &str) -> bool {
    let (status, body) = app.refresh(token, "").await;
    assert!(status == 200 || body["error"] == "invalid_grant", "{body}");
    status != 200
}

#[tokio::test]
async fn a_lost_answer_is_given_again_even_after_a_restart() {
    let mut server = TestServer::start().await;
    let alice = server.create_session("alice").await;
    let app = server.app("reader", &ALONE).await;
    let first = app.refresh_token_for(&alice, "chat:read chat:write").await;
    let lost = pair(&app, &first).await;
    assert_eq!(pair(&app, &first).await, lost);
    server.restart().await;
    assert_eq!(pair(&app, &first).await, lost);
    assert!(lost.0.starts_with("rja_") && lost.1.starts_with("rjr_") && lost.0[4..] != lost.1[4..]);
    let reader = app.program.with_token(&lost.0);
    reader.send("JOIN #rust").await;
    // The session's last device is the app, and a lost answer must not end it.
    alice.send("QUIT").await;
    let (_, third) = app.refreshed(&lost.1).await;
    assert_eq!(
        app.refreshed(&third).await.0.snapshot().await["session"]["nick"],
        "alice"
    );
    assert_eq!(
        server.rows("audit WHERE action = 'grant_refreshed'"),
        3,
        "each exchange is recorded once"
    );
    assert_integrity(&server.database());
}

/// Uses the program itself, which is killed as soon as it sends the answer.
#[tokio::test]
async fn a_crash_between_the_exchange_and_its_answer_changes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let database = folder.path().join("rejoin.db");
    let mut process = Process::start(&database, &[]);
    let address = process.address().to_string();
    let alice = process.create_session("alice").await;
    let app = App::of(
        &process.device(),
        &register(&database, "reader", &ALONE).await,
    );
    let mut token = app.refresh_token_for(&alice, "chat:read").await;
    for _ in 0..3 {
        let lost = pair(&app, &token).await;
        process.kill();
        process = Process::listening(&database, &address, &[]);
        assert_eq!(pair(&app, &token).await, lost);
        app.program.with_token(&lost.0).snapshot().await;
        process.kill();
        process = Process::listening(&database, &address, &[]);
        // A crash does not lose the fact that the pair has arrived.
        token = lost.1;
    }
    drop(process);
    assert_integrity(&database);
}

#[tokio::test]
async fn tabs_that_refresh_at_the_same_instant_get_the_same_pair_and_none_is_signed_out() {
    let server = TestServer::start().await;
    let alice = server.create_session("alice").await;
    let app = server
        .app("reader", &[&ALONE[..], &["--public"]].concat())
        .await;
    let mut token = app.refresh_token_for(&alice, "chat:read").await;
    alice.send("QUIT").await;
    for round in 0..10 {
        let tabs = (0..5).map(|_| pair(&app, &token));
        let pairs = futures_util::future::join_all(tabs).await;
        assert!(pairs.iter().all(|pair| *pair == pairs[0]), "round {round}");
        // All tabs go on with the same pair at once.
        let used = (0..5).map(|_| app.program.with_token(&pairs[0].0));
        let used = used.map(|tab| async move { tab.snapshot().await });
        assert_eq!(futures_util::future::join_all(used).await.len(), 5);
        token = pairs[0].1.clone();
    }
    assert_eq!(server.rows("audit WHERE action = 'reuse_detected'"), 0);
    assert_eq!(server.rows("audit WHERE action = 'grant_refreshed'"), 10);
    assert_eq!(
        server.rows("session WHERE ended_at IS NULL"),
        1,
        "the app is the last device, and lives on"
    );
    assert_integrity(&server.database());
}

/// Each way of presenting a token of the new pair proves that it has arrived. From then on the old
/// token counts as stolen.
#[tokio::test]
async fn once_a_token_of_the_new_pair_was_presented_the_old_one_counts_as_stolen() {
    let server = TestServer::start().await;
    let alice = server.create_session("alice").await;
    let api = server.app("api", &["--resource-server"]).await;
    let app = server.app("reader", &ALONE).await;
    for how in [
        "api",
        "userinfo",
        "expired",
        "beside",
        "resource server",
        "own introspection",
        "own refresh",
        "refresh",
        "refused",
    ] {
        let first = app.refresh_token_for(&alice, "chat:read identity").await;
        let (access, refresh) = pair(&app, &first).await;
        let program = app.program.with_token(&access);
        match how {
            "api" => drop(program.snapshot().await),
            "userinfo" => drop(program.get("/auth/userinfo").await),
            "expired" => {
                server.advance(Duration::from_mins(10));
                assert!(program.call(Method::GET, "/api/v1/session").await.is_err());
            }
            "beside" => drop(app.token("").await.acting_for(&program).snapshot().await),
            "resource server" => assert_eq!(api.introspect(&program).await["active"], true),
            "own introspection" => assert_eq!(app.introspect(&program).await["active"], true),
            "own refresh" => assert_eq!(
                app.introspect(&app.program.with_token(&refresh)).await["active"],
                true
            ),
            "refresh" => drop(pair(&app, &refresh).await),
            _ => assert_eq!(
                app.refresh(&refresh, "session:manage").await.1["error"],
                "invalid_scope"
            ),
        }
        assert!(is_theft(&app, &first).await, "{how}");
        assert!(
            app.refresh(&refresh, "").await.0 == 400 && program.token_is_invalid().await,
            "{how}"
        );
        assert_eq!(alice.get("/api/v1/grants").await, json!([]), "{how}");
    }
    assert_eq!(server.rows("audit WHERE action = 'reuse_detected'"), 9);
    assert_integrity(&server.database());
}

/// Requests of others, and refused requests, do not prove that the pair has arrived.
#[tokio::test]
async fn only_the_apps_own_valid_requests_count_as_presenting_the_pair() {
    let server = TestServer::start().await;
    let alice = server.create_session("alice").await;
    let (app, other) = (
        server.app("reader", &ALONE).await,
        server.app("other", &FLAGS).await,
    );
    let first = app.refresh_token_for(&alice, "chat:read").await;
    let lost = pair(&app, &first).await;
    for token in [&lost.0, &lost.1] {
        assert_eq!(
            other.introspect(&app.program.with_token(token)).await,
            json!({"active": false})
        );
        assert_eq!(other.ask("/auth/revoke", &[("token", token)]).await.0, 400);
    }
    assert_eq!(other.refresh(&lost.1, "").await.0, 400);
    assert_eq!(
        App {
            secret: "rjk_x".into(),
            ..app.clone()
        }
        .refresh(&lost.1, "")
        .await
        .0,
        401
    );
    assert_eq!(
        other.refresh(&first, "").await.0,
        400,
        "other apps cannot exchange it"
    );
    assert_eq!(pair(&app, &first).await, lost);
    app.program.with_token(&lost.0).snapshot().await;
}
