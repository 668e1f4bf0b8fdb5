//! A resource server that caches introspection answers and follows the ends of grants.

mod follower;
mod streams;

use std::{process::Command, time::Duration};

use follower::{Events, ResourceServer, SOON};
use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{
    App, Device, FLAGS, Process, REDIRECT, TestServer, assert_integrity, checked, copy_keys,
    register, until,
};

const NOW: i64 = 1_795_000_000;

/// A connected resource server and its app.
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

/// Checks that a known token is accepted from the cache until its end is reported, and refused from
/// then on.
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
    let heard = until("the end to be reported", async || {
        server.told().len() > told
    });
    tokio::time::timeout(SOON, heard)
        .await
        .expect("it is reported soon");
    assert_eq!(
        server.told()[told..]
            .iter()
            .map(|(_, why)| why.as_str())
            .collect::<Vec<_>>(),
        [reason],
        "{how}"
    );
    assert_eq!(server.asked(), asked, "{how}: no introspection");
    assert!(!server.accepts(token).await, "{how}");
}

#[tokio::test]
async fn every_end_of_a_grant_is_known_within_one_event() {
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

/// Either the introspection answer or the report of the end may arrive first.
#[tokio::test]
async fn a_token_that_ends_during_its_introspection_is_not_cached() {
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
        until("the end to be reported", async || {
            cache.told().len() == round
        })
        .await;
        assert!(!cache.accepts(token).await, "round {round}");
    }
    assert_eq!(cache.known(), Some(0));
}

/// No event reports the expiry, which introspection gave.
#[tokio::test]
async fn a_cached_token_is_accepted_until_it_expires() {
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

/// Uses the program itself, which is killed. The cache is dropped, and the ends meanwhile are
/// reported after reconnecting.
#[tokio::test]
async fn after_a_cut_it_introspects_again_and_after_resuming_it_misses_nothing() {
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
    assert_eq!(cache.known(), None, "it trusts nothing from before");

    let process = Process::listening(&database, &address, &[]);
    assert_eq!(revoke(&other, &lost).await, 200, "while it is away");
    let asked = cache.asked();
    assert!(!cache.accepts(lost.token.as_deref().unwrap()).await);
    assert!(cache.accepts(kept.token.as_deref().unwrap()).await);
    assert_eq!(
        (cache.asked(), cache.known()),
        (asked + 2, None),
        "it introspects again, and caches nothing"
    );
    cache.connect().await;
    assert_eq!(cache.told().len(), 1, "and then the end is reported");
    assert_eq!(revoke(&key, &before).await, 200);
    until("the other end", async || cache.told().len() == 2).await;
    assert!(!cache.accepts(kept.token.as_deref().unwrap()).await);
    drop(process);
    assert_integrity(&database);
}

#[tokio::test]
async fn two_hundred_grants_that_end_at_once_are_reported_in_order_once_each() {
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
    for (case, events, first) in [
        ("from the beginning", &mut live, 1),
        ("resumed", &mut resumed, 1),
        ("after the third", &mut late, 4),
    ] {
        for id in first..=205 {
            let expected = json!({"grant_id": id, "reason": "session_ended"});
            assert_eq!(
                events.next().await,
                ("grant_ended".into(), Some(id), expected),
                "{case}"
            );
        }
    }
    assert_eq!(late.next().await, ("current".into(), Some(205), json!({})));
    assert_integrity(&server.database());
}
