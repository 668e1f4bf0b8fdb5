//! The operator lists sessions and grants, ends them, and gets long lists whole.

use super::*;

#[tokio::test]
async fn a_session_is_shown_by_nick_or_id_with_its_devices_keys_and_grants() {
    let server = TestServer::start().await;
    let [alice, bob] = server.sessions_on("#rust", ["alice", "bob"]).await;
    let phone = server.phone_of(&alice, "alice").await;
    let key = alice.create_key("chat:read").await;
    key.token("").await;
    let session = alice.snapshot().await["session"]["id"].clone();
    server.advance(Duration::from_secs(30));
    bob.snapshot().await;
    let database = server.database();
    let (then, now) = ("2026-11-18T11:06:40.000Z", "2026-11-18T11:07:10.000Z");
    let overview = json!({
        "session": session, "nick": "alice", "password": true, "clients": 2, "keys": 1, "grants": 1, "channels": 1,
        "created_at": then, "seen_at": then,
    });
    let sessions = listed(&database, &["sessions"]).await;
    assert_eq!(
        (sessions.len(), &sessions[0], &sessions[1]["nick"]),
        (2, &overview, &json!("bob"))
    );
    phone.snapshot().await;
    let shown = listed(&database, &["session", "ALICE"]).await;
    assert_eq!(
        shown,
        listed(&database, &["session", &session.to_string()]).await
    );
    let [seen, first, second, keys, grant] = <[Value; 5]>::try_from(shown).unwrap();
    assert_eq!(
        (&seen["session"], &seen["seen_at"]),
        (&session, &json!(now)),
        "the server's memory has later values"
    );
    assert_eq!(
        (&first["client"], &first["seen_at"]),
        (&json!(1), &json!(then))
    );
    assert_eq!(
        (&second["client"], &second["seen_at"]),
        (&phone.snapshot().await["client"]["id"], &json!(now))
    );
    assert_eq!(
        (&keys["client_id"], &keys["name"]),
        (&json!(key.client_id), &json!("bot"))
    );
    let granted = json!({
        "grant": 1, "session": session, "nick": "alice", "client_id": key.client_id, "client": 4, "created_at": then,
        "scope": "chat:read", "res": null, "name": "bot",
    });
    assert_eq!(grant, granted);
    let text = rejoin(&database, &["session", "alice"]).await.unwrap();
    let heads = text
        .split("\n\n")
        .map(|table| table.split(' ').next().unwrap())
        .collect::<Vec<_>>();
    assert_eq!(heads, ["SESSION", "CLIENT", "CLIENT_ID", "GRANT"], "{text}");
    let text = rejoin(&database, &["session", "bob"]).await.unwrap();
    assert_eq!(
        text.split("\n\n").count(),
        2,
        "without keys and grants there is no table of them: {text}"
    );
}

#[tokio::test]
async fn ending_a_session_ends_every_client_at_once() {
    let server = TestServer::start().await;
    let [bob, alice] = server.sessions_on("#rust", ["bob", "alice"]).await;
    let phone = server.phone_of(&alice, "alice").await;
    let bot = alice.create_key("chat:read").await.token("").await;
    let mut readers = Vec::new();
    for (device, way) in [
        (&alice, DeliveryMode::Stream),
        (&phone, DeliveryMode::Socket),
        (&bot, DeliveryMode::Stream),
    ] {
        readers.push(Reader::open(device, way, None).await);
    }
    let session = alice.snapshot().await["session"]["id"].to_string();
    let database = server.database();
    let lines = audited(&database, 0).await.len();
    assert_eq!(
        rejoin(&database, &["session", &session, "--end"])
            .await
            .unwrap(),
        ""
    );
    for device in [&alice, &phone] {
        let refusal = device
            .call(Method::GET, "/api/v1/session")
            .await
            .unwrap_err();
        assert_eq!(
            (refusal.code.as_str(), &refusal.body["reason"]),
            ("client_ended", &json!("session_ended"))
        );
    }
    assert!(bot.token_is_invalid().await);
    for mut reader in readers {
        assert_eq!(
            reader.ended().await,
            QueueEnd::ClientEnded("session_ended".into())
        );
    }
    let quit = bob.drain().await.pop().unwrap();
    assert_eq!(
        (quit.command.as_str(), quit.source.as_str()),
        ("QUIT", "alice")
    );
    let told = audited(&database, lines).await;
    assert_eq!(told[0], format!("by_operator session={session} nick=alice"));
    let end = format!("session_ended session={session} nick=alice reason=session_ended");
    assert_eq!(told.last(), Some(&end));
    assert!(
        refused(&database, &["session", &session])
            .await
            .contains("no live session")
    );
    server.create_session("alice").await;
    bob.snapshot().await;
    assert_integrity(&database);
}

#[tokio::test]
async fn grants_are_listed_by_app_and_by_session_and_revoked_one_by_one() {
    let server = TestServer::start().await;
    let (alice, bob) = (
        server.create_session("alice").await,
        server.create_session("bob").await,
    );
    let (one, other, bobs) = (
        alice.create_key("chat:read").await,
        alice.create_key("identity").await,
        bob.create_key("chat:read").await,
    );
    let app = server.app("board", &[]).await;
    let bot = one.token("").await;
    for app in [&other, &bobs, &app] {
        app.token("").await;
    }
    let database = server.database();
    let found = async |args: &[&str]| {
        let grants = listed(&database, &[&["grants"], args].concat()).await;
        grants
            .iter()
            .map(|grant| (grant["grant"].as_i64().unwrap(), grant["nick"].clone()))
            .collect::<Vec<_>>()
    };
    let own = [(1, json!("alice")), (2, json!("alice"))];
    assert_eq!(
        found(&[]).await,
        [&own[..], &[(3, json!("bob")), (4, Value::Null)]].concat()
    );
    assert_eq!(found(&["--session", "alice"]).await, own);
    assert_eq!(found(&["--app", &app.client_id]).await, [(4, Value::Null)]);
    assert_eq!(
        found(&["--app", &one.client_id, "--session", "Alice"]).await,
        own[..1]
    );
    assert_eq!(
        found(&["--app", &one.client_id, "--session", "bob"]).await,
        []
    );
    let lines = audited(&database, 0).await.len();
    let mut stream = Reader::open(&bot, DeliveryMode::Stream, None).await;
    for grant in ["1", "4"] {
        rejoin(&database, &["revoke", grant]).await.unwrap();
    }
    assert!(bot.token_is_invalid().await);
    assert_eq!(
        stream.ended().await,
        QueueEnd::ClientEnded("revoked".into())
    );
    assert_eq!(found(&[]).await, [own[1].clone(), (3, json!("bob"))]);
    one.token("").await.snapshot().await;
    let told = audited(&database, lines).await;
    assert_eq!(
        told[0],
        format!("by_operator session=1 app={}", one.client_id)
    );
    let after = [
        format!("by_operator app={0}", app.client_id),
        format!("grant_revoked reason=revoked app={0}", app.client_id),
    ];
    assert_eq!(told[3..5], after);
    assert_integrity(&database);
}

#[tokio::test]
async fn unknown_sessions_apps_and_grants_are_refused_by_name() {
    let server = TestServer::start().await;
    server.create_session("alice").await;
    let database = server.database();
    let before = audited(&database, 0).await;
    for (args, why) in [
        (vec!["session", "nobody"], "no live session \"nobody\""),
        (
            vec!["session", "nobody", "--end"],
            "no live session \"nobody\"",
        ),
        (vec!["session", "99", "--end"], "no live session \"99\""),
        (
            vec!["session", "not a nick"],
            "no live session \"not a nick\"",
        ),
        (vec!["session", "99999999999999999999"], "no live session"),
        (vec!["session"], "required arguments were not provided"),
        (vec!["sessions", "alice"], "unexpected argument"),
        (
            vec!["grants", "--app", "app_nobody"],
            "no live app with the client_id \"app_nobody\"",
        ),
        (
            vec!["grants", "--session", "nobody"],
            "no live session \"nobody\"",
        ),
        (vec!["revoke", "99"], "no live grant 99"),
        (vec!["revoke", "x"], "invalid value 'x'"),
    ] {
        let said = refused(&database, &args).await;
        assert!(said.contains(why), "{args:?}: {said}");
    }
    assert_eq!(audited(&database, 0).await, before);
    assert_eq!(
        rejoin(&database, &["grants"]).await.unwrap(),
        "",
        "an empty list is printed as nothing"
    );
}

#[tokio::test]
async fn long_lists_are_complete_with_and_without_a_server() {
    let (_dir, database) = stopped();
    let fill = "CREATE TEMP TABLE n AS WITH RECURSIVE n(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < 600) SELECT n FROM n;
        INSERT INTO target (id) SELECT n FROM n;
        INSERT INTO session (id, nick, folded_nick, created_at) SELECT n, 'n' || n, 'n' || n, 0 FROM n;
        INSERT INTO client (session_id, name, secret_hash, start, cursor, created_at, seen_at, expires_at)
            SELECT n, 'x', randomblob(32), 0, 0, 0, 4e12, 4e12 FROM n;
        INSERT INTO app (client_id, name, scope, created_at) SELECT 'app_' || n, 'x', 'identity', 0 FROM n;
        INSERT INTO app_grant (app_id, scope, created_at) SELECT n, 'identity', 0 FROM n;";
    rusqlite::Connection::open(&database)
        .unwrap()
        .execute_batch(&format!("BEGIN; {fill} COMMIT;"))
        .unwrap();
    let whole = async || {
        for (args, id) in [
            (&["sessions"][..], "session"),
            (&["grants"], "grant"),
            (&["app", "list"], "client_id"),
        ] {
            let rows = listed(&database, args).await;
            let ids = rows
                .iter()
                .map(|row| row[id].to_string())
                .collect::<std::collections::HashSet<_>>();
            assert_eq!((rows.len(), ids.len()), (600, 600), "{args:?}");
        }
    };
    whole().await;
    let server = Process::start(&database, &[]);
    whole().await;
    server.terminate();
}

#[tokio::test]
async fn simultaneous_operators_do_not_conflict() {
    let server = TestServer::start().await;
    let database = server.database();
    let added = futures_util::future::join_all((0..4).map(|_| server.app("board", &[]))).await;
    let ids = added
        .iter()
        .map(|app| app.client_id.as_str())
        .collect::<std::collections::HashSet<_>>();
    assert_eq!(
        (ids.len(), listed(&database, &["app", "list"]).await.len()),
        (4, 4)
    );
    let remove = async || rejoin(&database, &["app", "remove", &added[0].client_id]).await;
    let removed = futures_util::future::join_all([remove(), remove(), remove()]).await;
    let refusals = removed
        .iter()
        .filter_map(|result| result.as_ref().err())
        .collect::<Vec<_>>();
    assert!(
        refusals.len() == 2 && refusals.iter().all(|why| why.contains("no live app")),
        "{removed:?}"
    );
    let told = audited(&database, 4).await;
    assert_eq!(
        told,
        [format!("app_removed app={}", added[0].client_id)],
        "only one of them removed it"
    );
}

#[tokio::test]
async fn a_new_secret_is_not_in_the_servers_log() {
    let dir = tempfile::tempdir().unwrap();
    let (database, log) = (dir.path().join("rejoin.db"), dir.path().join("log"));
    let server = Process::logging(&database, &log);
    let app = register(&database, "board", &[]).await;
    let id = app["client_id"].as_str().unwrap();
    let rotated = rejoin(&database, &["app", "rotate", id]).await.unwrap();
    server.terminate();
    let told = std::fs::read_to_string(&log).unwrap();
    assert!(told.contains("app added") && told.contains("app rotated") && told.contains(id));
    assert_not_on_disk(&database, app["client_secret"].as_str().unwrap());
    assert_not_on_disk(
        &database,
        rotated.trim().split_once("client_secret=").unwrap().1,
    );
}

#[tokio::test]
async fn the_control_socket_refuses_unknown_requests() {
    let server = TestServer::start().await;
    for question in [
        "\n",
        "nonsense\n",
        "{\"operation\":\"Sessions\"}\n",
        &format!("{}\n", "x".repeat(70_000)),
    ] {
        let mut stream = UnixStream::connect(server.database().with_extension("db.sock"))
            .await
            .unwrap();
        stream.write_all(question.as_bytes()).await.unwrap();
        let mut said = String::new();
        let read = stream.read_to_string(&mut said).await;
        let why = "{\"Failed\":\"the running server does not understand this subcommand";
        assert!(
            said.starts_with(why) || question.len() > 65536 && read.is_err(),
            "{said}"
        );
    }
    assert_eq!(rejoin(&server.database(), &["sessions"]).await.unwrap(), "");
}
