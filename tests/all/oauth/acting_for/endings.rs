//! What ends a pair of tokens, and requests that a pair never allows.

use super::*;

#[tokio::test]
async fn the_end_of_either_token_ends_the_pair() {
    let server = TestServer::start().await;
    let (alice, app, own, user) = acting(&server).await;
    let bob = server.create_session("bob").await;
    let of_bob = app.user(&bob, SCOPE).await;
    let (mut reader, mut other) = (own.acting_for(&user), own.acting_for(&of_bob));
    let mut streams = Vec::new();
    for way in [DeliveryMode::Stream, DeliveryMode::Socket] {
        streams.push(Reader::open(&other, way, None).await);
    }
    bob.delete("/api/v1/session").await.unwrap();
    let ended = other
        .call(Method::GET, "/api/v1/session")
        .await
        .unwrap_err();
    assert_eq!(status_and_code(ended), refusal(401, "invalid_identity"));
    for mut stream in streams {
        assert_eq!(
            stream.ended().await,
            QueueEnd::ClientEnded("session_ended".into())
        );
    }
    // The app's own token can be revoked and replaced. A stream that was opened with it lasts as
    // long as the user's grant.
    let mut stream = Reader::open(&reader, DeliveryMode::Stream, None).await;
    assert_eq!(
        app.ask("/auth/revoke", &[("token", own.token.as_ref().unwrap())])
            .await
            .0,
        200
    );
    assert_eq!(
        refused(&reader, "/api/v1/session").await,
        refusal(401, "invalid_token")
    );
    alice.send("PRIVMSG alice :note").await;
    assert_eq!(stream.next_of("PRIVMSG").await.source, "alice");
    reader = app.token("").await.acting_for(&user);
    reader.snapshot().await;
    // Ten minutes later the user's token is refused, and then the app's.
    server.advance(Duration::from_mins(9));
    other = app.token("").await.acting_for(&user);
    server.advance(Duration::from_mins(1));
    assert_eq!(
        refused(&other, "/api/v1/session").await,
        refusal(401, "invalid_identity")
    );
    assert_eq!(
        refused(&reader, "/api/v1/session").await,
        refusal(401, "invalid_token")
    );
    let database = rusqlite::Connection::open(server.database()).unwrap();
    database
        .execute(
            "UPDATE app SET expires_at = 1 WHERE client_id = ?1",
            [&app.client_id],
        )
        .unwrap();
    assert_eq!(
        stream.ended().await,
        QueueEnd::ClientEnded("expired".into()),
        "the end of an app ends all its grants"
    );
    assert_integrity(&server.database());
}

/// A refused request does not keep a client from expiring.
#[tokio::test]
async fn a_refused_token_is_no_use_of_its_client() {
    let server = TestServer::start().await;
    let (alice, app, own, user) = acting(&server).await;
    let seen = async || {
        let clients = alice.get("/api/v1/clients").await;
        clients
            .items()
            .iter()
            .find(|client| client["name"] == "reader")
            .unwrap()["seen_at"]
            .clone()
    };
    own.acting_for(&user).snapshot().await;
    let before: Value = seen().await;
    server.advance(Duration::from_mins(5));
    let other = server.app("other", &FLAGS).await.token("").await;
    for program in [&user, &other.acting_for(&user), &user.acting_for(&own)] {
        assert_eq!(refused(program, "/api/v1/session").await.0, 403);
    }
    assert!(app.introspect(&user).await["active"].as_bool().unwrap());
    assert_eq!(seen().await, before);
    own.acting_for(&user).get("/auth/userinfo").await;
    assert_ne!(seen().await, before);
}

/// A grant that only identifies its session has no client and takes no slot among the devices.
#[tokio::test]
async fn the_identity_scope_alone_reads_who_the_session_is_and_nothing_else() {
    let mut server = TestServer::start().await;
    let alice = server.create_session("alice").await;
    alice.send("JOIN #rust").await;
    let app = server.app("shop", &FLAGS).await;
    let user = app.user(&alice, "identity").await;
    let pair = app.token("").await.acting_for(&user);
    let session = alice.snapshot().await["session"]["id"].to_string();
    for program in [&user, &pair] {
        let told = program.get("/auth/userinfo").await;
        assert_eq!(
            (&told["sub"], &told["nick"]),
            (&json!(session), &json!("alice"))
        );
    }
    let beyond = pair.call(Method::GET, "/api/v1/session").await.unwrap_err();
    assert_eq!(status_and_code(beyond), refusal(403, "insufficient_scope"));
    assert_eq!(alice.clients().await.len(), 1);
    server.restart().await;
    user.get("/auth/userinfo").await;
    let grants = alice.get("/api/v1/grants").await;
    assert_eq!(
        (&grants[0]["client"], &grants[0]["key"]),
        (&Value::Null, &json!(false))
    );
    alice
        .delete(&format!("/api/v1/grants/{}", grants[0]["id"]))
        .await
        .unwrap();
    assert_eq!(
        refused(&user, "/auth/userinfo").await,
        refusal(401, "invalid_token")
    );
    assert_integrity(&server.database());
}
