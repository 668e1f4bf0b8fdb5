//! Approvals: who may give one, how long it lasts, and what it covers.

use std::time::Duration;

use reqwest::Method;
use serde_json::{Value, json};

use crate::{
    oauth::device_flow::{PendingDevice, allow, decide, device_flow_app},
    support::{
        FLAGS, JsonAnswer, REDIRECT, Socket, TestServer, assert_integrity, params, status_and_code,
        with_param,
    },
};

const DAY: Duration = Duration::from_hours(24);
const PUBLIC: [&str; 3] = ["--public", "--redirect-uri", REDIRECT];

fn error(answer: &(u16, Value)) -> &str {
    answer.1["error"].as_str().unwrap()
}

/// A removed client may have been a thief's, and so may a copy of the caller's own cookie. Every
/// approval that is not redeemed yet is therefore void.
#[tokio::test]
async fn removing_all_others_voids_pending_approvals() {
    let server = TestServer::start().await;
    let alice = server.create_session("alice").await;
    let thief = server.phone_of(&alice, "alice").await;
    let app = server.app("wiki", &FLAGS).await;
    let terminal = device_flow_app(&server, "terminal", true, "chat:read").await;
    let (stolen, kept) = (
        PendingDevice::start(&terminal).await,
        PendingDevice::start(&terminal).await,
    );
    allow(&thief, &stolen.code).await;
    allow(&alice, &kept.code).await;
    let code = thief
        .approve(&app.authorization_request("chat:read"), &[])
        .await
        .code();
    let own = alice
        .approve(&app.authorization_request("identity"), &[])
        .await
        .code();
    alice.delete("/api/v1/clients").await.unwrap();
    assert_eq!(stolen.refusal().await, "invalid_grant");
    assert_eq!(error(&app.redeem(&code).await), "invalid_grant");
    assert_eq!(kept.refusal().await, "access_denied");
    assert_eq!(error(&app.redeem(&own).await), "invalid_grant");
    assert_eq!(alice.get("/api/v1/grants").await, json!([]));
    assert_integrity(&server.database());
}

/// On the user's machine, any program can use the id of an app that has no secret (RFC 8252 §8.6).
#[tokio::test]
async fn a_public_app_gets_no_silent_code_where_any_program_may_listen() {
    let server = TestServer::start().await;
    let alice = server.create_session("alice").await;
    let loopback = "http://127.0.0.1:5000/done";
    let local = server
        .app(
            "local",
            &["--public", "--redirect-uri", "http://127.0.0.1/done"],
        )
        .await;
    let asking = with_param(
        &local.authorization_request("identity"),
        "redirect_uri",
        Some(loopback),
    );
    let code = alice.approve(&asking, &[]).await.redirect_params(loopback)["code"].clone();
    let redeemed = [
        ("grant_type", "authorization_code"),
        ("code", &code),
        ("redirect_uri", loopback),
        ("code_verifier", crate::support::VERIFIER),
    ];
    assert_eq!(local.ask("/auth/token", &redeemed).await.0, 200);
    let silently = with_param(&asking, "prompt", Some("none"));
    assert_eq!(
        alice
            .open_authorization(&silently)
            .await
            .redirect_params(loopback)["error"],
        "consent_required"
    );
    // A redirect URI that belongs to the app alone identifies it.
    let site = server.app("site", &PUBLIC).await;
    site.sign_in(&alice, "identity").await;
    alice
        .open_authorization(&with_param(
            &site.authorization_request("identity"),
            "prompt",
            Some("none"),
        ))
        .await
        .code();
}

#[tokio::test]
async fn consent_holds_for_180_days_from_the_last_time_it_was_given() {
    let server = TestServer::with(&["--client-idle", "1000d", "--client-lifetime", "1000d"]).await;
    let alice = server.create_session("alice").await;
    let app = server.app("wiki", &FLAGS).await;
    let silently = with_param(
        &app.authorization_request("identity"),
        "prompt",
        Some("none"),
    );
    let mut refresh = app.refresh_token_for(&alice, "identity").await;
    for _ in 0..6 {
        server.advance(DAY * 28);
        refresh = app.refreshed(&refresh).await.1;
    }
    // A silent code of day 168 lives no longer than the consent. A second consent lives as long as
    // the first did.
    let (_, short) = app
        .redeem(&alice.open_authorization(&silently).await.code())
        .await;
    let exp = async |token: &Value| {
        let (_, told) = app
            .ask("/auth/introspect", &[("token", token.as_str().unwrap())])
            .await;
        told["exp"].as_i64().unwrap()
    };
    assert_eq!(
        exp(&short["refresh_token"]).await,
        1_795_000_000 + 180 * 86400
    );
    let mut refresh = app.refresh_token_for(&alice, "identity").await;
    server.advance(DAY * 20);
    refresh = app.refreshed(&refresh).await.1;
    alice.open_authorization(&silently).await.code();
    for _ in 0..6 {
        server.advance(DAY * 26);
        refresh = app.refreshed(&refresh).await.1;
    }
    assert_eq!(
        exp(&json!(refresh)).await,
        1_795_000_000 + (168 + 180) * 86400
    );
    server.advance(DAY * 4 + Duration::from_secs(1));
    assert_eq!(
        alice.open_authorization(&silently).await.error(),
        "consent_required"
    );
    assert_integrity(&server.database());
}

#[tokio::test]
async fn a_session_approves_only_as_many_clients_as_it_has_room_for() {
    let server = TestServer::with(&["--max-clients", "3"]).await;
    let alice = server.create_session("alice").await;
    let (app, terminal) = (
        server.app("native", &PUBLIC).await,
        device_flow_app(&server, "tv", true, "chat:read").await,
    );
    let (first, second) = (
        PendingDevice::start(&terminal).await,
        PendingDevice::start(&terminal).await,
    );
    allow(&alice, &first.code).await;
    let code = alice
        .approve(&app.authorization_request("chat:read"), &[])
        .await
        .code();
    let (status, page) = decide(&alice, &second.code, "allow").await;
    assert!(
        status == 409 && page.contains("as many devices as it can have"),
        "{page}"
    );
    assert_eq!(
        alice
            .approve(&app.authorization_request("chat:read"), &[])
            .await
            .status,
        409
    );
    // The approved clients can still be redeemed.
    first.access().await.snapshot().await;
    assert_eq!(app.redeem(&code).await.0, 200);
    assert_integrity(&server.database());
}

/// A WebSocket goes on receiving after its token has expired, but accepts no more commands.
#[tokio::test]
async fn a_socket_takes_no_commands_once_its_token_has_expired() {
    let server = TestServer::start().await;
    let [alice, bob] = server.sessions_on("#rust", ["alice", "bob"]).await;
    let app = server.app("native", &PUBLIC).await;
    let program = app.user(&alice, "chat:read chat:write").await;
    let mut socket = Socket::open(&program, "").await;
    let say = |text: &str| json!({"command": "PRIVMSG", "params": ["#rust", text], "label": text});
    socket.send(say("in time")).await;
    assert!(socket.answer().await["ids"][0].is_i64());
    server.advance(Duration::from_mins(10));
    socket.send(say("too late")).await;
    let refusal = socket.answer().await;
    assert_eq!(
        (&refusal["label"], &refusal["code"]),
        (&json!("too late"), &json!("invalid_token"))
    );
    bob.send("PRIVMSG #rust :still heard").await;
    let heard = loop {
        let message = socket.message().await.unwrap();
        if message.source == "bob" && message.command == "PRIVMSG" {
            break message;
        }
    };
    assert_eq!(params(&heard)[1], "still heard");
}

#[tokio::test]
async fn an_old_secret_ends_when_the_clock_refuses_it() {
    let server = TestServer::start().await;
    let alice = server.create_session("alice").await;
    let key = alice.create_key("chat:read").await;
    server.set_clock(3600);
    let path = format!("/api/v1/keys/{}/rotate", key.client_id);
    alice.post(&path, json!({"overlap": 0})).await.unwrap();
    assert_eq!(
        key.try_token("").await.0,
        401,
        "at once, even though the wall clock was set"
    );
    let short = alice
        .create_key_with(json!({"name": "short", "scope": "chat:read", "expires_in": 60}))
        .await;
    short.token("").await;
    server.advance(Duration::from_secs(60));
    assert_eq!(short.try_token("").await.0, 401);
}

#[tokio::test]
async fn valid_secrets_work_side_by_side() {
    let server = TestServer::start().await;
    let alice = server.create_session("alice").await;
    let first = alice.create_key("chat:read").await;
    let path = format!("/api/v1/keys/{}/rotate", first.client_id);
    for _ in 1..10 {
        alice.post(&path, json!({"overlap": 86400})).await.unwrap();
    }
    let refusal = alice
        .post(&path, json!({"overlap": 86400}))
        .await
        .unwrap_err();
    assert_eq!(status_and_code(refusal), (409, "too_many_keys".into()));
    first.token("").await;
    // A leaked secret can still be ended.
    alice.post(&path, json!({"overlap": 0})).await.unwrap();
    assert_eq!(first.try_token("").await.0, 401);
    let key = &alice.keys().await[0];
    let secrets = key["secrets"].items();
    assert_eq!(secrets.len(), 10);
    // The number of attempts shows which one was forgotten: the oldest is gone, and the next was
    // not tried.
    assert_eq!(
        (&secrets[0]["tried"], &key["tried"]),
        (&json!(0), &json!(0))
    );
}

/// The last message of a session goes to all its channels, so only a session that may speak on them
/// can send one.
#[tokio::test]
async fn a_session_that_may_not_speak_leaves_without_a_message() {
    for (case, scope, place, words, app) in [
        (
            "restricted to a channel",
            "chat:read chat:write",
            vec![("where", "chosen"), ("res", "#in")],
            "quit",
            Value::Null,
        ),
        (
            "without the scope to write",
            "chat:read",
            vec![],
            "quit",
            Value::Null,
        ),
        (
            "with the scope to write",
            "chat:read chat:write",
            vec![],
            "buy this",
            json!("native"),
        ),
    ] {
        let server = TestServer::start().await;
        let [alice, bob] = server.sessions_on("#out", ["alice", "bob"]).await;
        alice.send("JOIN #in").await;
        let native = server.app("native", &PUBLIC).await;
        let code = alice
            .approve(&native.authorization_request(scope), &place)
            .await
            .code();
        let tokens = native.redeem(&code).await.1;
        let program = native
            .program
            .with_token(tokens["access_token"].as_str().unwrap());
        alice.send("QUIT :not the last").await;
        program.send("QUIT :buy this").await;
        let heard = bob.queue().await;
        let quit = heard.iter().find(|event| event.command == "QUIT").unwrap();
        assert_eq!((params(quit)[0], json!(quit.app)), (words, app), "{case}");
    }
}

#[tokio::test]
async fn the_token_of_a_client_that_is_due_to_expire_is_not_active() {
    let server = TestServer::with(&["--client-idle", "5m"]).await;
    let alice = server.create_session("alice").await;
    let (app, api) = (
        server.app("native", &PUBLIC).await,
        server.app("api", &["--resource-server"]).await,
    );
    let program = app.user(&alice, "chat:read").await;
    assert_eq!(api.introspect(&program).await["active"], true);
    server.advance(Duration::from_mins(5));
    // This holds whether or not the server has removed the client yet.
    assert_eq!(api.introspect(&program).await, json!({"active": false}));
    assert!(program.call(Method::GET, "/api/v1/session").await.is_err());
}

#[tokio::test]
async fn a_confined_snapshot_reveals_nothing_about_the_whole_session() {
    let server = TestServer::start().await;
    let alice = server.create_session("alice").await;
    alice.send("JOIN #in").await;
    alice.send("PASS :correct horse battery").await;
    alice.send("AWAY :at the dentist's").await;
    let confined = alice
        .create_key_with(json!({"name": "bot", "scope": "chat:read", "res": ["#in"]}))
        .await;
    let told = confined.token("").await.snapshot().await["session"].clone();
    assert_eq!(
        (&told["nick"], &told["has_password"], &told["away"]),
        (&json!("alice"), &json!(false), &Value::Null)
    );
    let whole = alice
        .create_key("chat:read")
        .await
        .token("")
        .await
        .snapshot()
        .await["session"]
        .clone();
    assert_eq!(
        (&whole["has_password"], &whole["away"]),
        (&json!(true), &json!("at the dentist's"))
    );
}
