//! The operator's administration of apps, sessions and grants, beside a running server and without
//! one.

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use reqwest::Method;
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::UnixStream,
};

use crate::support::{
    App, DeliveryMode, Process, QueueEnd, Reader, TestServer, assert_integrity, assert_not_on_disk,
    register, rejoin,
};

mod sessions;

/// A folder with a database that a server created before it stopped.
fn stopped() -> (tempfile::TempDir, PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    let database = dir.path().join("rejoin.db");
    Process::start(&database, &[]).terminate();
    (dir, database)
}

/// The items that a subcommand lists.
async fn listed(database: &Path, args: &[&str]) -> Vec<Value> {
    let lines = rejoin(database, &[args, &["--json"]].concat())
        .await
        .unwrap();
    lines
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

/// The reason of a subcommand's refusal, in one line.
async fn refused(database: &Path, args: &[&str]) -> String {
    rejoin(database, args)
        .await
        .unwrap_err()
        .lines()
        .next()
        .unwrap()
        .to_owned()
}

/// The lines of the audit log after the first `skip`, without ids and times.
async fn audited(database: &Path, skip: usize) -> Vec<String> {
    let lines = rejoin(database, &["audit"]).await.unwrap();
    lines
        .lines()
        .skip(skip)
        .map(|line| line.splitn(3, ' ').nth(2).unwrap().to_owned())
        .collect()
}

#[tokio::test]
async fn an_app_is_registered_listed_rotated_and_removed_with_and_without_a_server() {
    let (_dir, database) = stopped();
    let printed = rejoin(&database, &["app", "add", "--name", " deploy board "])
        .await
        .unwrap();
    let [id, secret] = printed.lines().collect::<Vec<_>>().try_into().unwrap();
    let (id, secret) = (
        id.strip_prefix("client_id=").unwrap(),
        secret.strip_prefix("client_secret=").unwrap(),
    );
    assert!(
        id.starts_with("app_") && secret.starts_with("rjk_"),
        "{printed}"
    );
    let flags = [
        "--public",
        "--device",
        "--scope",
        "identity chat:read",
        "--redirect-uri",
        "com.example.tv:/done",
    ];
    let public = register(
        &database,
        "tv",
        &[&flags[..], &["--redirect-uri", "http://127.0.0.1/"]].concat(),
    )
    .await;
    assert_eq!(public["client_secret"], Value::Null);
    let mut apps = listed(&database, &["app", "list"]).await;
    let made = apps[0]["created_at"].take();
    assert!(
        made.as_str().is_some_and(|time| time.ends_with('Z')),
        "{made}"
    );
    let default = "chat:read chat:write identity";
    let board = json!({
        "client_id": id, "type": [], "grants": 0, "created_at": null, "ended_at": null, "tried": 0, "scope": default,
        "name": "deploy board", "redirect_uris": [],
    });
    assert_eq!(apps[0], board);
    assert_eq!(apps[1]["type"], json!(["public", "device", "bearer-alone"]));
    assert_eq!(
        apps[1]["redirect_uris"],
        json!(["com.example.tv:/done", "http://127.0.0.1/"])
    );
    let table = rejoin(&database, &["app", "list"]).await.unwrap();
    let lines = table.lines().collect::<Vec<_>>();
    assert!(lines[0].starts_with("CLIENT_ID"), "{table}");
    assert!(
        lines[1].starts_with(id) && lines[1].ends_with("  deploy board  -"),
        "{table}"
    );
    assert!(
        lines[2].ends_with("  tv            com.example.tv:/done,http://127.0.0.1/"),
        "{table}"
    );
    let rotated = rejoin(&database, &["app", "rotate", id]).await.unwrap();
    assert!(
        rotated.starts_with(&format!("client_id={id}\nclient_secret=rjk_"))
            && !rotated.contains(secret)
    );
    assert_eq!(rejoin(&database, &["app", "remove", id]).await.unwrap(), "");
    assert!(
        listed(&database, &["app", "list"]).await[0]["ended_at"].is_string(),
        "for a while it is still shown"
    );
    let told = ["app_added", "app_added", "app_rotated", "app_removed"];
    let about = [id, public["client_id"].as_str().unwrap(), id, id];
    let expected = told
        .iter()
        .zip(about)
        .map(|(action, app)| format!("{action} app={app}"))
        .collect::<Vec<_>>();
    assert_eq!(audited(&database, 0).await, expected);
    assert_not_on_disk(&database, secret);
}

#[tokio::test]
async fn removing_an_app_ends_it_and_its_grants_at_once() {
    let server = TestServer::start().await;
    let (app, other) = (server.app("one", &[]).await, server.app("other", &[]).await);
    let (program, bystander) = (app.token("").await, other.token("").await);
    assert_eq!(app.introspect(&program).await["active"], true);
    let database = server.database();
    assert_eq!(listed(&database, &["app", "list"]).await[0]["grants"], 1);
    rejoin(&database, &["app", "remove", &app.client_id])
        .await
        .unwrap();
    let refusal = program
        .call(Method::GET, "/auth/userinfo")
        .await
        .unwrap_err();
    assert_eq!(refusal.code, "invalid_token", "the app is unknown");
    assert_eq!(app.try_token("").await.1["error"], "invalid_client");
    let apps = listed(&database, &["app", "list"]).await;
    assert_eq!(
        (&apps[0]["grants"], &apps[0]["tried"]),
        (&json!(0), &json!(1)),
        "the secret was tried after the removal"
    );
    assert_eq!(other.introspect(&bystander).await["active"], true);
    assert_integrity(&database);
}

#[tokio::test]
async fn a_rotated_secret_works_beside_the_old_one_until_the_overlap_is_over() {
    let server = TestServer::start().await;
    let app = server.app("one", &[]).await;
    let rotate = async |overlap: &str| {
        let printed = rejoin(
            &server.database(),
            &[
                "app",
                "rotate",
                &app.client_id,
                "--overlap",
                overlap,
                "--json",
            ],
        )
        .await;
        App::of(
            &server.device(),
            &serde_json::from_str(&printed.unwrap()).unwrap(),
        )
    };
    let second = rotate("1h").await;
    assert_eq!(
        (app.try_token("").await.0, second.try_token("").await.0),
        (200, 200)
    );
    server.advance(Duration::from_secs(3600));
    assert_eq!(
        (app.try_token("").await.0, second.try_token("").await.0),
        (401, 200)
    );
    let third = rotate("0s").await;
    assert_eq!(
        (second.try_token("").await.0, third.try_token("").await.0),
        (401, 200),
        "it had leaked"
    );
}

#[tokio::test]
async fn the_operator_removes_a_sessions_key_and_its_stream_ends() {
    let server = TestServer::start().await;
    let alice = server.create_session("alice").await;
    let key = alice.create_key("chat:read").await;
    let mut stream = Reader::open(&key.token("").await, DeliveryMode::Stream, None).await;
    let database = server.database();
    let lines = audited(&database, 0).await.len();
    assert!(
        refused(&database, &["app", "rotate", &key.client_id])
            .await
            .contains("this is an API key")
    );
    rejoin(&database, &["app", "remove", &key.client_id])
        .await
        .unwrap();
    assert_eq!(
        stream.ended().await,
        QueueEnd::ClientEnded("revoked".into())
    );
    assert!(alice.keys().await[0]["ended_at"].is_string());
    let app = &key.client_id;
    let expected = [
        format!("by_operator session=1 app={app}"),
        format!("grant_revoked session=1 reason=revoked app={app}"),
        "client_left session=1 client=2 reason=revoked".into(),
        format!("key_revoked session=1 reason=revoked app={app}"),
    ];
    assert_eq!(audited(&database, lines).await, expected);
    assert_integrity(&database);
}

#[tokio::test]
async fn invalid_apps_are_refused_with_a_reason_and_leave_no_trace() {
    let server = TestServer::start().await;
    let database = server.database();
    let (tv, gone) = (
        server.app("tv", &["--public"]).await.client_id,
        server.app("gone", &[]).await.client_id,
    );
    let (tv, gone) = (tv.as_str(), gone.as_str());
    rejoin(&database, &["app", "remove", gone]).await.unwrap();
    let before = audited(&database, 0).await;
    let long = "x".repeat(65);
    let many = (0..21)
        .flat_map(|n| ["--redirect-uri".into(), format!("https://app.example/{n}")])
        .collect::<Vec<_>>();
    let many = ["app", "add", "--name", "x"]
        .into_iter()
        .chain(many.iter().map(String::as_str))
        .collect::<Vec<_>>();
    let add = |flags: &[&'static str]| [&["app", "add", "--name", "x"], flags].concat();
    let uri = |uri: &'static str| add(&["--redirect-uri", uri]);
    for (args, why) in [
        (vec!["app", "add"], "required arguments were not provided"),
        (
            vec!["app", "add", "--name", "  "],
            "the name must not be empty",
        ),
        (
            vec!["app", "add", "--name", &long],
            "the name is longer than 64 characters",
        ),
        (
            vec!["app", "add", "--name", "a\u{1b}[2J"],
            "invisible characters",
        ),
        (add(&["--name", "y"]), "cannot be used multiple times"),
        (
            add(&["--public", "--public"]),
            "cannot be used multiple times",
        ),
        (
            add(&["--public", "--resource-server"]),
            "because it has no secret",
        ),
        (add(&["--scope", "chat:read admin"]), "unknown scope"),
        (add(&["--scope", ""]), "list of scopes is empty"),
        (
            uri("http://app.example/"),
            "\"http://app.example/\" uses plain http",
        ),
        (uri("https://app.example/#x"), "fragment"),
        (
            uri("javascript:alert(1)"),
            "must use https, http on loopback",
        ),
        (
            add(&[
                "--redirect-uri",
                "https://a.example/",
                "--redirect-uri",
                "https://a.example/",
            ]),
            "given twice",
        ),
        (many, "at most 20 redirect URIs"),
        (
            vec!["app", "rotate", "app_nobody"],
            "no live app with the client_id \"app_nobody\"",
        ),
        (vec!["app", "rotate", tv], "it has no secret"),
        (vec!["app", "rotate", gone], "no live app"),
        (
            vec!["app", "rotate", gone, "--overlap", "91d"],
            "at most 90 days",
        ),
        (vec!["app", "rotate", gone, "--overlap", "1w"], "--overlap"),
        (
            vec!["app", "rotate"],
            "required arguments were not provided",
        ),
        (vec!["app", "remove", gone], "no live app"),
        (vec!["app", "remove", ""], "no live app"),
        (vec!["app", "rename"], "unrecognized subcommand"),
    ] {
        let said = refused(&database, &args).await;
        assert!(said.contains(why), "{args:?}: {said}");
    }
    assert_eq!(audited(&database, 0).await, before);
    assert_eq!(listed(&database, &["app", "list"]).await.len(), 2);
}
