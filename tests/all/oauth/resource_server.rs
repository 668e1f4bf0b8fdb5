//! A resource server that caches what it was told of tokens, and follows the ends of grants.

mod follower;

use std::{process::Command, time::Duration};

use follower::{Events, ResourceServer, SOON};
use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{
    App, Device, FLAGS, Process, REDIRECT, TestServer, assert_integrity, checked, copy_keys,
    register, until,
};

const NOW: i64 = 1_795_000_000;

/// A resource server that is connected, and its app.
async fn connected(server: &TestServer) -> ResourceServer {
    let resource_server = ResourceServer::new(
        server
            .app("api", &["--resource-server", "--redirect-uri", REDIRECT])
            .await,
        NOW,
    );
    resource_server.connect().await;
    resource_server
}

/// A token that was asked about once is known, until its end is told; from then on it is refused.
async fn is_refused_once_told(
    server: &ResourceServer,
    of: &Device,
    how: &str,
    reason: &str,
    end: impl AsyncFnOnce(),
) {
    let token = of.token.as_deref().unwrap();
    assert!(server.accepts(token).await, "{how}");
    let asked = server.asked();
    assert!(server.accepts(token).await, "{how}");
    assert_eq!(
        server.asked(),
        asked,
        "{how}: it is answered from the cache"
    );
    let told = server.told().len();
    end().await;
    let heard = until("the end to be told", async || server.told().len() > told);
    tokio::time::timeout(SOON, heard)
        .await
        .expect("it is told soon");
    assert_eq!(
        server.told()[told..]
            .iter()
            .map(|(_, why)| why.as_str())
            .collect::<Vec<_>>(),
        [reason],
        "{how}"
    );
    assert_eq!(server.asked(), asked, "{how}: nobody asked");
    assert!(!server.accepts(token).await, "{how}");
}

#[tokio::test]
async fn whatever_ends_a_grant_is_known_within_one_event() {
    let server = TestServer::start().await;
    let (alice, bob) = (
        server.create_session("alice").await,
        server.create_session("bob").await,
    );
    alice.snapshot().await;
    let app = server
        .app("reader", &["--bearer-alone", "--redirect-uri", REDIRECT])
        .await;
    let user = app.user(&alice, "chat:read").await;
    let removed = app.user(&alice, "chat:read identity").await;
    let gone = server.app("gone", &FLAGS).await;
    let of_gone = gone.user(&alice, "identity").await;
    let cache = connected(&server).await;

    let key = alice.create_key("chat:read").await;
    let path = format!("/api/v1/grants/{}", app.grant_of(&user).await);
    is_refused_once_told(
        &cache,
        &user,
        "revoked by its user",
        "revoked",
        async || {
            alice.delete(&path).await.unwrap();
        },
    )
    .await;
    let bot = key.token("").await;
    is_refused_once_told(&cache, &bot, "revoked by its app", "revoked", async || {
        assert_eq!(
            key.ask("/auth/revoke", &[("token", bot.token.as_ref().unwrap())])
                .await
                .0,
            200
        );
    })
    .await;
    let bot = key.token("").await;
    is_refused_once_told(&cache, &bot, "its key revoked", "revoked", async || {
        alice
            .delete(&format!("/api/v1/keys/{}", key.client_id))
            .await
            .unwrap();
    })
    .await;
    let client = removed.snapshot().await["client"]["id"].clone();
    is_refused_once_told(
        &cache,
        &removed,
        "its client removed",
        "removed",
        async || {
            alice
                .delete(&format!("/api/v1/clients/{client}"))
                .await
                .unwrap();
        },
    )
    .await;
    let bot = bob.create_key("chat:read").await.token("").await;
    is_refused_once_told(
        &cache,
        &bot,
        "its session ended",
        "session_ended",
        async || {
            bob.delete("/api/v1/session").await.unwrap();
        },
    )
    .await;
    is_refused_once_told(
        &cache,
        &of_gone,
        "its app's time over",
        "expired",
        async || {
            let database = rusqlite::Connection::open(server.database()).unwrap();
            database
                .execute(
                    "UPDATE app SET expires_at = 1 WHERE client_id = ?1",
                    [&gone.client_id],
                )
                .unwrap();
        },
    )
    .await;
    let bot = alice
        .create_key_with(json!({"name": "bot", "scope": "chat:read", "expires_in": 60}))
        .await
        .token("")
        .await;
    is_refused_once_told(&cache, &bot, "its key expired", "expired", async || {
        server.advance(Duration::from_secs(60))
    })
    .await;
    assert_integrity(&server.database());
}

/// Whatever comes first: the answer to what it asks, or the end of what it asks about.
#[tokio::test]
async fn what_ends_while_it_is_asked_about_is_not_kept() {
    let server = TestServer::start().await;
    let alice = server.create_session("alice").await;
    let cache = connected(&server).await;
    for round in 1..=20 {
        let key = alice.create_key("chat:read").await;
        let bot = key.token("").await;
        let (token, path) = (
            bot.token.as_deref().unwrap(),
            format!("/api/v1/keys/{}", key.client_id),
        );
        let (_, revoked) = tokio::join!(cache.accepts(token), alice.delete(&path));
        revoked.unwrap();
        until("the end to be told", async || cache.told().len() == round).await;
        assert!(!cache.accepts(token).await, "round {round}");
    }
    assert_eq!(cache.known(), Some(0));
}

/// No event tells of what has been known from the beginning.
#[tokio::test]
async fn what_is_cached_is_good_until_it_expires() {
    let server = TestServer::start().await;
    let bot = server
        .create_session("alice")
        .await
        .create_key("chat:read")
        .await
        .token("")
        .await;
    let mut cache = connected(&server).await;
    let token = bot.token.as_deref().unwrap();
    assert!(cache.accepts(token).await);
    server.advance(Duration::from_mins(10));
    cache.now += 600;
    assert!(!cache.accepts(token).await);
    assert_eq!(cache.told(), [], "the grant goes on");
}

/// With the program itself, which is killed: the cache is dropped, and what happened meanwhile is
/// told.
#[tokio::test]
async fn cut_off_it_asks_again_and_resumed_it_misses_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let database = folder.path().join("rejoin.db");
    let process = Process::start(&database, &[]);
    let (address, alice) = (
        process.address().to_string(),
        process.create_session("alice").await,
    );
    let api = App::of(
        &process.device(),
        &register(&database, "api", &["--resource-server"]).await,
    );
    let (key, other) = (
        alice.create_key("chat:read").await,
        alice.create_key("chat:read").await,
    );
    let (kept, lost) = (key.token("").await, other.token("").await);
    let cache = ResourceServer::new(api, 0);
    cache.connect().await;
    for token in [&kept, &lost] {
        assert!(cache.accepts(token.token.as_deref().unwrap()).await);
    }
    let before = key.token("chat:read").await;
    let revoke = async |app: &App, of: &Device| {
        app.ask("/auth/revoke", &[("token", of.token.as_ref().unwrap())])
            .await
            .0
    };
    process.kill();
    cache.cut_off().await;
    assert_eq!(cache.known(), None, "it trusts nothing that it knew");

    let process = Process::listening(&database, &address, &[]);
    assert_eq!(revoke(&other, &lost).await, 200, "while it is away");
    let asked = cache.asked();
    assert!(!cache.accepts(lost.token.as_deref().unwrap()).await);
    assert!(cache.accepts(kept.token.as_deref().unwrap()).await);
    assert_eq!(
        (cache.asked(), cache.known()),
        (asked + 2, None),
        "it asks, and keeps nothing"
    );
    cache.connect().await;
    assert_eq!(cache.told().len(), 1, "and then it is told");
    assert_eq!(revoke(&key, &before).await, 200);
    until("the other end", async || cache.told().len() == 2).await;
    assert!(!cache.accepts(kept.token.as_deref().unwrap()).await);
    drop(process);
    assert_integrity(&database);
}

#[tokio::test]
async fn two_hundred_grants_that_end_at_once_are_told_in_order_once_each() {
    let server = TestServer::with(&["--login-limit", "off"]).await;
    let alice = server.create_session("alice").await;
    let (app, api) = (
        server
            .app("reader", &["--public", "--redirect-uri", REDIRECT])
            .await,
        server
            .app("api", &["--resource-server", "--redirect-uri", REDIRECT])
            .await,
    );
    for _ in 0..205 {
        app.refresh_token_for(&alice, "identity").await;
    }
    let (mut live, mut resumed) = (
        Events::follow(&api, "").await,
        Events::follow(&api, "after=0").await,
    );
    for events in [&mut live, &mut resumed] {
        assert_eq!(events.next().await.0, "current");
    }
    alice.delete("/api/v1/session").await.unwrap();
    let mut late = Events::follow(&api, "after=3").await;
    for (events, first) in [(&mut live, 1), (&mut resumed, 1), (&mut late, 4)] {
        for id in first..=205 {
            let expected = json!({"grant_id": id, "reason": "session_ended"});
            assert_eq!(
                events.next().await,
                ("grant_ended".into(), Some(id), expected)
            );
        }
    }
    assert_eq!(late.next().await, ("current".into(), Some(205), json!({})));
    assert_integrity(&server.database());
}

#[tokio::test]
async fn a_position_that_cannot_be_resumed_is_reset_and_said_so() {
    let mut server = TestServer::with(&["--retention", "10d"]).await;
    let alice = server.create_session("alice").await;
    alice.snapshot().await;
    let (key, api) = (
        alice.create_key("chat:read").await,
        server
            .app("api", &["--resource-server", "--redirect-uri", REDIRECT])
            .await,
    );
    let end = async || {
        let bot = key.token("").await;
        bot.send("QUIT").await;
    };
    let mut fresh = Events::follow(&api, "").await;
    assert_eq!(fresh.next().await, ("current".into(), Some(0), json!({})));
    for _ in 0..3 {
        end().await;
    }
    for query in ["after=4", "after=9223372036854775807"] {
        let mut events = Events::follow(&api, query).await;
        assert_eq!(
            events.next().await,
            ("reset".into(), Some(3), json!({})),
            "{query} was never issued"
        );
        assert_eq!(
            events.next().await,
            ("current".into(), Some(3), json!({})),
            "{query}"
        );
    }
    server.advance(Duration::from_hours(9 * 24));
    end().await;
    server.advance(Duration::from_hours(2 * 24));
    server.restart().await;
    until("old ends to go", async || server.rows("grant_end") == 1).await;
    for (after, expected) in [
        (0, "reset"),
        (2, "reset"),
        (3, "grant_ended"),
        (4, "current"),
    ] {
        let mut events = Events::follow(&api, &format!("after={after}")).await;
        let (event, id, _) = events.next().await;
        assert_eq!((event.as_str(), id), (expected, Some(4)), "after {after}");
    }
    // None is left, and the positions go on.
    server.advance(Duration::from_hours(11 * 24));
    server.restart().await;
    until("the last to go", async || server.rows("grant_end") == 0).await;
    let mut events = Events::follow(&api, "after=4").await;
    assert_eq!(events.next().await.0, "current");
    end().await;
    assert_eq!(events.next().await.1, Some(5));
}

/// A copy knows nothing of what came after it was made, and must not issue those positions again.
#[tokio::test]
async fn after_a_copy_is_restored_every_position_of_the_original_is_reset() {
    let folder = tempfile::tempdir().unwrap();
    let (original, copy) = (
        folder.path().join("rejoin.db"),
        folder.path().join("copy.db"),
    );
    let process = Process::start(&original, &[]);
    let api = App::of(
        &process.device(),
        &register(&original, "api", &["--resource-server"]).await,
    );
    let mut events = Events::follow(&api, "").await;
    assert_eq!(events.next().await.1, Some(0));
    let mut backup = Command::new(env!("CARGO_BIN_EXE_rejoin"));
    assert!(
        backup
            .args(["backup", "--database"])
            .args([&original, &copy])
            .status()
            .unwrap()
            .success()
    );
    drop(process);
    copy_keys(&original, &copy);
    let process = Process::start(&copy, &[]);
    let api = App {
        program: process.device(),
        ..api
    };
    let mut events = Events::follow(&api, "after=0").await;
    let (event, id, _) = events.next().await;
    assert_eq!((event.as_str(), id > Some(1 << 32)), ("reset", true));
    process
        .create_session("alice")
        .await
        .create_key("chat:read")
        .await
        .token("")
        .await
        .send("QUIT")
        .await;
    assert_eq!(events.next().await.0, "current");
    assert_eq!(events.next().await.1, id.map(|id| id + 1));
}

#[tokio::test]
async fn only_a_resource_server_may_follow_by_credentials_of_its_own() {
    let server = TestServer::start().await;
    let alice = server.create_session("alice").await;
    let (api, plain) = (
        server
            .app("api", &["--resource-server", "--redirect-uri", REDIRECT])
            .await,
        server.app("plain", &FLAGS).await,
    );
    let public = server.app("public", &["--public"]).await;
    let key = alice.create_key("chat:read").await;
    let user = api.user(&alice, "identity").await;
    let path = "/auth/grants/events";
    let basic = async |id: &str, secret: &str| {
        let request = server
            .device()
            .request(Method::GET, path)
            .basic_auth(id, Some(secret));
        let response = request.send().await.unwrap();
        if response.status() == 200 {
            (200, String::new())
        } else {
            brief(checked(response).await)
        }
    };
    let bearer = async |program: &Device| {
        let response = program.request(Method::GET, path).send().await.unwrap();
        if response.status() == 200 {
            (200, String::new())
        } else {
            brief(checked(response).await)
        }
    };
    assert_eq!(basic(&api.client_id, &api.secret).await.0, 200);
    assert_eq!(bearer(&api.token("").await).await.0, 200);
    let beside = api
        .token("")
        .await
        .with_cookie(alice.cookie.as_ref().unwrap());
    assert_eq!(bearer(&beside).await.0, 200, "a cookie does not matter");
    // An empty secret is none, so this is the public app, which is no resource server.
    assert_eq!(
        basic(&public.client_id, "").await,
        (403, "resource_server_needed".into())
    );
    for (id, secret) in [
        (&api.client_id, "x"),
        (&api.client_id, &plain.secret),
        (&public.client_id, "x"),
    ] {
        assert_eq!(
            basic(id, secret).await,
            (401, "invalid_client".into()),
            "{id} {secret}"
        );
    }
    for nobody in [&server.device(), &alice] {
        assert_eq!(bearer(nobody).await, (401, "invalid_client".into()));
    }
    assert_eq!(
        bearer(&server.device().with_token("rja_x")).await,
        (401, "invalid_token".into())
    );
    for app in [&plain, &key] {
        assert_eq!(
            basic(&app.client_id, &app.secret).await,
            (403, "resource_server_needed".into())
        );
        assert_eq!(
            bearer(&app.token("").await).await,
            (403, "resource_server_needed".into())
        );
    }
    assert_eq!(
        bearer(&user).await,
        (403, "resource_server_needed".into()),
        "its user's token proves nothing of it"
    );
    for query in ["after=x", "after=-1", "after="] {
        let request = server
            .device()
            .request(Method::GET, &format!("{path}?{query}"));
        let response = request
            .basic_auth(&api.client_id, Some(&api.secret))
            .send()
            .await
            .unwrap();
        assert_eq!(response.status(), 400, "{query}");
    }
}

fn brief(answer: Result<Value, crate::support::Problem>) -> (u16, String) {
    crate::support::status_and_code(answer.unwrap_err())
}

#[tokio::test]
async fn a_stream_ends_with_what_it_was_opened_by() {
    let server = TestServer::start().await;
    let alice = server.create_session("alice").await;
    let key = alice.create_key("chat:read").await;
    let (api, other) = (
        server
            .app("api", &["--resource-server", "--redirect-uri", REDIRECT])
            .await,
        server.app("other", &["--resource-server"]).await,
    );
    let program = api.token("").await;
    let mut by_token = Events::follow_with(&program, "").await;
    let mut by_credentials = Events::follow(&api, "").await;
    let mut by_others = Events::follow(&other, "").await;
    for events in [&mut by_token, &mut by_credentials, &mut by_others] {
        assert_eq!(events.next().await.0, "current");
    }
    assert_eq!(
        api.ask(
            "/auth/revoke",
            &[("token", program.token.as_ref().unwrap())]
        )
        .await
        .0,
        200
    );
    assert_eq!(
        by_token.next().await,
        ("end".into(), None, json!({"reason": "revoked"}))
    );
    assert!(by_token.is_over().await);
    for events in [&mut by_credentials, &mut by_others] {
        assert_eq!(events.next().await.0, "grant_ended", "this one goes on");
    }
    // A secret that was taken away is looked at with the next end.
    let database = rusqlite::Connection::open(server.database()).unwrap();
    let secret = "UPDATE app_secret SET valid_until = 1 WHERE app_id = (SELECT id FROM app WHERE client_id = ?1)";
    database.execute(secret, [&api.client_id]).unwrap();
    key.token("").await.send("QUIT").await;
    assert_eq!(by_credentials.next().await.0, "end");
    assert_eq!(by_others.next().await.0, "grant_ended");
    // One without a single grant ends when it is removed, all the same.
    database
        .execute(
            "UPDATE app SET expires_at = 1 WHERE client_id = ?1",
            [&other.client_id],
        )
        .unwrap();
    assert_eq!(by_others.next().await.0, "end");
    assert!(by_others.is_over().await);
}

#[tokio::test]
async fn an_app_has_so_many_streams_and_gets_a_place_back() {
    let server = TestServer::start().await;
    let (api, other) = (
        server
            .app("api", &["--resource-server", "--redirect-uri", REDIRECT])
            .await,
        server.app("other", &["--resource-server"]).await,
    );
    let mut held = Vec::new();
    for _ in 0..32 {
        held.push(Events::follow(&api, "").await);
    }
    let status = async |app: &App| {
        follower::request(app, "")
            .send()
            .await
            .unwrap()
            .status()
            .as_u16()
    };
    assert_eq!(status(&api).await, 429);
    assert_eq!(status(&other).await, 200, "others have places of their own");
    held.pop();
    until("a place to be free", async || status(&api).await == 200).await;
}

#[tokio::test]
async fn a_server_that_stops_lets_its_followers_go() {
    let mut server = TestServer::start().await;
    let mut events = Events::follow(
        &server
            .app("api", &["--resource-server", "--redirect-uri", REDIRECT])
            .await,
        "",
    )
    .await;
    assert_eq!(events.next().await.0, "current");
    let (_, over) = tokio::join!(server.stop(), events.is_over());
    assert!(over);
}
