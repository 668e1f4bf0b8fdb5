//! Apps that act for users: each request has the app's own token in Authorization and the user's
//! token in Rejoin-Identity.

use std::time::Duration;

use reqwest::{Method, header};
use serde_json::{Value, json};

use crate::support::{
    App, DeliveryMode, Device, FLAGS, JsonAnswer, QueueEnd, REDIRECT, Reader, Socket, TestServer,
    assert_integrity, checked, status_and_code,
};

mod endings;

const SCOPE: &str = "chat:read chat:write identity";

/// Alice, an app, the app's program with its own token, and the program with alice's token beside
/// it.
async fn acting(server: &TestServer) -> (Device, App, Device, Device) {
    let alice = server.create_session("alice").await;
    alice.snapshot().await;
    let app = server.app("reader", &FLAGS).await;
    let user = app.user(&alice, SCOPE).await;
    let own = app.token("").await;
    (alice, app, own, user)
}

async fn refused(program: &Device, path: &str) -> (u16, String) {
    status_and_code(program.call(Method::GET, path).await.unwrap_err())
}

fn refusal(status: u16, code: &str) -> (u16, String) {
    (status, code.into())
}

#[tokio::test]
async fn an_app_acts_as_its_user_by_every_delivery_mode() {
    let server = TestServer::start().await;
    let (alice, app, own, user) = acting(&server).await;
    let bob = server.create_session("bob").await;
    let reader = own.acting_for(&user);
    let snapshot = reader.snapshot().await;
    assert_eq!(
        (&snapshot["session"]["nick"], &snapshot["client"]["name"]),
        (&json!("alice"), &json!("reader"))
    );
    let (mut stream, mut socket) = (
        Reader::open(&reader, DeliveryMode::Stream, None).await,
        Reader::open(&reader, DeliveryMode::Socket, None).await,
    );
    bob.send("PRIVMSG alice :hello").await;
    for way in [&mut stream, &mut socket] {
        assert_eq!(way.next_of("PRIVMSG").await.source, "bob");
    }
    reader.send("PRIVMSG bob :hello to you").await;
    let mut speaker = Socket::open(&reader, "").await;
    speaker
        .send(json!({"command": "PRIVMSG", "params": ["bob", "and again"]}))
        .await;
    assert!(speaker.answer().await["ids"][0].is_i64());
    for heard in &bob.queue().await[1..] {
        assert_eq!(
            (heard.source.as_str(), heard.app.as_deref()),
            ("alice", Some("reader"))
        );
    }
    assert_eq!(reader.drain().await.len(), 3);
    let identity = reader.get("/auth/userinfo").await;
    assert_eq!(
        (&identity["sub"], &identity["nick"]),
        (
            &snapshot["session"]["id"].to_string().into(),
            &json!("alice")
        )
    );
    assert_eq!(
        user.get("/auth/userinfo").await,
        identity,
        "userinfo needs only the user's token"
    );
    // The scope of the user's token decides, not that of the app's own.
    assert_eq!(
        refused(&reader, "/api/v1/keys").await,
        refusal(403, "insufficient_scope")
    );
    assert_eq!(alice.clients().await.len(), 2);
    assert_eq!(app.introspect(&user).await["username"], "alice");
    assert_integrity(&server.database());
}

#[tokio::test]
async fn a_users_token_works_alone_only_for_apps_registered_that_way() {
    let mut server = TestServer::start().await;
    let (alice, _, own, user) = acting(&server).await;
    let (public, trusted) = (
        server
            .app("public", &["--public", "--redirect-uri", REDIRECT])
            .await,
        server
            .app("trusted", &["--bearer-alone", "--redirect-uri", REDIRECT])
            .await,
    );
    let of_public = public.user(&alice, SCOPE).await;
    let of_trusted = trusted.user(&alice, SCOPE).await;
    for round in ["issued", "loaded at the start"] {
        for path in [
            "/api/v1/session",
            "/api/v1/messages?timeout=0",
            "/api/v1/events",
            "/api/v1/keys",
        ] {
            assert_eq!(
                refused(&user, path).await,
                refusal(403, "app_token_needed"),
                "{path} {round}"
            );
        }
        assert_eq!(
            user.try_send("PING x").await.unwrap_err().code,
            "app_token_needed"
        );
        assert_eq!(Socket::try_open(&user, "", &[]).await.err(), Some(403));
        for alone in [&of_public, &of_trusted] {
            assert_eq!(
                alone.snapshot().await["session"]["nick"],
                "alice",
                "{round}"
            );
            alone.get("/auth/userinfo").await;
        }
        own.acting_for(&user).snapshot().await;
        trusted
            .token("")
            .await
            .acting_for(&of_trusted)
            .snapshot()
            .await;
        server.restart().await;
    }
    alice
        .create_key("chat:read")
        .await
        .token("")
        .await
        .snapshot()
        .await;
    assert_eq!(
        refused(&own, "/api/v1/session").await,
        refusal(403, "insufficient_scope"),
        "an app's own token has no session"
    );
    assert_eq!(
        refused(&own, "/auth/userinfo").await,
        refusal(403, "insufficient_scope")
    );
}

#[tokio::test]
async fn each_wrong_pair_of_tokens_is_refused_with_its_reason() {
    let server = TestServer::start().await;
    let (alice, app, own, user) = acting(&server).await;
    let (other, public) = (
        server.app("other", &FLAGS).await,
        server
            .app("public", &["--public", "--redirect-uri", REDIRECT])
            .await,
    );
    let stranger = other.user(&alice, SCOPE).await;
    let of_public = public.user(&alice, SCOPE).await;
    let refresh = app.refresh_token_for(&alice, SCOPE).await;
    let others_own = other.token("").await;
    let bot = alice.create_key("chat:read").await.token("").await;
    let none = server.device();
    let narrow = app.refresh(&refresh, "identity").await.1;
    let narrow = none.with_token(narrow["access_token"].as_str().unwrap());
    let cookie = alice.cookie.clone().unwrap();
    for (what, program, expected) in [
        (
            "no Authorization",
            none.acting_for(&user),
            refusal(401, "unauthenticated"),
        ),
        (
            "a cookie instead",
            alice.acting_for(&user),
            refusal(400, "malformed_request"),
        ),
        (
            "a cookie, too",
            own.acting_for(&user).with_cookie(&cookie),
            refusal(400, "malformed_request"),
        ),
        (
            "an app's own token",
            own.acting_for(&own),
            refusal(403, "identity_mismatch"),
        ),
        (
            "another app's own",
            others_own.acting_for(&user),
            refusal(403, "identity_mismatch"),
        ),
        (
            "another app's user",
            own.acting_for(&stranger),
            refusal(403, "identity_mismatch"),
        ),
        (
            "the two exchanged",
            user.acting_for(&own),
            refusal(403, "identity_mismatch"),
        ),
        (
            "the user twice",
            user.acting_for(&user),
            refusal(403, "identity_mismatch"),
        ),
        (
            "a public app's user twice",
            of_public.acting_for(&of_public),
            refusal(403, "identity_mismatch"),
        ),
        (
            "a public app's user",
            own.acting_for(&of_public),
            refusal(403, "identity_mismatch"),
        ),
        (
            "a bot",
            own.acting_for(&bot),
            refusal(403, "identity_mismatch"),
        ),
        (
            "a bot for a user",
            bot.acting_for(&user),
            refusal(403, "identity_mismatch"),
        ),
        (
            "a bot for itself",
            bot.acting_for(&bot),
            refusal(403, "identity_mismatch"),
        ),
        (
            "a refresh token",
            own.acting_for(&none.with_token(&refresh)),
            refusal(401, "invalid_identity"),
        ),
        (
            "a cookie's secret",
            own.acting_for(&none.with_token(&cookie[7..])),
            refusal(401, "invalid_identity"),
        ),
        (
            "nothing",
            own.acting_for(&none.with_token("")),
            refusal(401, "invalid_identity"),
        ),
        (
            "anything",
            own.acting_for(&none.with_token("rja_x")),
            refusal(401, "invalid_identity"),
        ),
        (
            "an unknown app",
            none.with_token("rja_x").acting_for(&user),
            refusal(401, "invalid_token"),
        ),
        (
            "too little scope",
            own.acting_for(&narrow),
            refusal(403, "insufficient_scope"),
        ),
    ] {
        assert_eq!(
            refused(&program, "/api/v1/session").await,
            expected,
            "{what}"
        );
        if expected.0 == 401 {
            let answer = program
                .request(Method::GET, "/api/v1/session")
                .send()
                .await
                .unwrap();
            let challenge = answer.headers()[header::WWW_AUTHENTICATE]
                .to_str()
                .unwrap()
                .to_owned();
            assert_eq!(
                challenge.contains("invalid_token"),
                expected.1 != "unauthenticated",
                "{what}"
            );
        }
    }
    let twice = own
        .acting_for(&user)
        .request(Method::GET, "/api/v1/session");
    let twice = checked(
        twice
            .header("rejoin-identity", user.token.as_ref().unwrap())
            .send()
            .await
            .unwrap(),
    )
    .await;
    assert_eq!(
        status_and_code(twice.unwrap_err()),
        refusal(400, "malformed_request")
    );
    // userinfo has the same rules, except that it accepts a user's token alone and ignores a
    // cookie.
    for (case, program, expected) in [
        ("no app", none.acting_for(&user), "unauthenticated"),
        (
            "a user of another app",
            own.acting_for(&stranger),
            "identity_mismatch",
        ),
        (
            "a made-up user",
            own.acting_for(&none.with_token("rja_x")),
            "invalid_identity",
        ),
    ] {
        assert_eq!(
            refused(&program, "/auth/userinfo").await.1,
            expected,
            "{case}"
        );
    }
    own.acting_for(&user)
        .with_cookie(&cookie)
        .get("/auth/userinfo")
        .await;
    own.acting_for(&user).snapshot().await;
    assert_integrity(&server.database());
}
