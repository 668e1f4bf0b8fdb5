//! Streams of the ends of grants: positions, authorization, and the end of a stream.

use super::*;

#[tokio::test]
async fn a_position_that_cannot_be_resumed_gets_a_reset() {
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
    until("old ends to go", async || server.rows("revocation") == 1).await;
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
    // Maintenance removes all of them, and the positions continue.
    server.advance(Duration::from_hours(11 * 24));
    server.restart().await;
    until("the last to go", async || server.rows("revocation") == 0).await;
    let mut events = Events::follow(&api, "after=4").await;
    assert_eq!(events.next().await.0, "current");
    end().await;
    assert_eq!(events.next().await.1, Some(5));
}

/// A copy does not know what happened after it was made, and must not issue those positions again.
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
async fn only_a_resource_server_may_follow_with_its_own_credentials() {
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
    // An empty secret counts as none, so this is the public app, which is not a resource server.
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
        "a user's token does not prove the app"
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
async fn a_stream_ends_with_the_credential_that_opened_it() {
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
        assert_eq!(events.next().await.0, "grant_ended", "this stream goes on");
    }
    // The server checks a removed secret when it sends the next end.
    let database = rusqlite::Connection::open(server.database()).unwrap();
    let secret = "UPDATE app_secret SET valid_until = 1 WHERE app_id = (SELECT id FROM app WHERE client_id = ?1)";
    database.execute(secret, [&api.client_id]).unwrap();
    key.token("").await.send("QUIT").await;
    assert_eq!(by_credentials.next().await.0, "end");
    assert_eq!(by_others.next().await.0, "grant_ended");
    // The stream of an app without grants also ends when the app is removed.
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
async fn an_app_has_a_limit_on_streams_and_a_closed_one_makes_room() {
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
    assert_eq!(status(&other).await, 200, "other apps have their own limit");
    held.pop();
    until("the closed stream to make room", async || {
        status(&api).await == 200
    })
    .await;
}

#[tokio::test]
async fn a_stopping_server_ends_its_streams() {
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
