//! `rejoin restore`: a copy takes the place of the database, and its sessions are told.

use std::path::{Path, PathBuf};

use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{
    App, Device, FLAGS, JsonAnswer, Process, assert_integrity, commands, params, register, rejoin,
    status_and_code,
};

mod atomic;
mod refused;
mod swapped;

const PASSWORD: &str = "correct horse battery";

fn folder() -> (tempfile::TempDir, PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    let database = dir.path().join("rejoin.db");
    (dir, database)
}

/// Restores a database. Returns the subcommand's report as JSON.
async fn restore(database: &Path, args: &[&str]) -> Value {
    let printed = rejoin(database, &[&["restore", "--json"], args].concat())
        .await
        .unwrap();
    serde_json::from_str(&printed).unwrap()
}

/// The same device, with another server.
fn moved(device: &Device, server: &Process) -> Device {
    let mut moved = server.device();
    (moved.cookie, moved.token) = (device.cookie.clone(), device.token.clone());
    moved
}

/// All that somebody's queue holds, as text.
async fn texts(device: &Device) -> String {
    json!(device.poll("after=0&timeout=0").await.messages).to_string()
}

async fn log_in(server: &Process, password: &str) -> Device {
    server.device().login("alice", password).await.unwrap()
}

/// The files beside the database whose names mark them as kept.
fn kept(dir: &Path) -> Vec<PathBuf> {
    let files = std::fs::read_dir(dir)
        .unwrap()
        .map(|entry| entry.unwrap().path());
    files
        .filter(|path| path.display().to_string().contains(".db.before-"))
        .collect()
}

#[tokio::test]
async fn a_restore_keeps_the_old_database_and_tells_every_session() {
    let (dir, database) = folder();
    let server = Process::start(&database, &[]);
    let alice = server.create_session("alice").await;
    alice.send("JOIN #rust").await;
    alice.send(&format!("PASS :{PASSWORD}")).await;
    let phone = log_in(&server, PASSWORD).await;
    let key = alice.create_key("chat:read").await;
    rejoin(&database, &["backup", "copy.db"]).await.unwrap();

    // This device is ended after the copy was made.
    let id = phone.snapshot().await["client"]["id"].clone();
    alice
        .delete(&format!("/api/v1/clients/{id}"))
        .await
        .unwrap();
    alice
        .delete(&format!("/api/v1/keys/{}", key.client_id))
        .await
        .unwrap();
    alice
        .try_send_json(json!({"command": "PASS", "params": ["another password", PASSWORD]}))
        .await
        .unwrap();
    let lost = alice.send("PRIVMSG #rust :lost").await["ids"][0]
        .as_i64()
        .unwrap();
    assert_eq!(
        phone
            .call(Method::GET, "/api/v1/session")
            .await
            .unwrap_err()
            .body["reason"],
        "removed"
    );
    server.terminate();

    let told = restore(&database, &["copy.db"]).await;
    assert_eq!(
        (&told["restored"], &told["ended"]),
        (&json!("copy.db"), &Value::Null)
    );
    assert_eq!(json!(kept(dir.path())), json!([told["kept"]]));
    let server = Process::start(&database, &[]);
    let [alice, phone] = [&alice, &phone].map(|device| moved(device, &server));
    assert_eq!(
        phone.snapshot().await["channels"][0]["name"],
        "#rust",
        "the device is back"
    );
    log_in(&server, PASSWORD).await;
    App {
        program: server.device(),
        ..key
    }
    .token("")
    .await
    .snapshot()
    .await;
    let notice = alice
        .queue()
        .await
        .into_iter()
        .find(|m| m.command == "NOTICE" && m.id > lost);
    let notice = notice.expect("the notice of the restore has an id above all lost ones");
    assert!(
        params(&notice)[1].contains("restored from a backup of 20"),
        "{notice}"
    );
    let audit = rejoin(&database, &["audit"]).await.unwrap();
    assert!(
        audit.lines().any(|line| line.ends_with(" restored")),
        "{audit}"
    );
    server.terminate();
    assert_integrity(&database);

    // The kept file is the whole old database.
    let old = PathBuf::from(told["kept"].as_str().unwrap());
    let keys = database.with_extension("db.keys");
    let server = Process::start(&old, &["--keys", keys.to_str().unwrap()]);
    log_in(&server, "another password").await;
    let alice = moved(&alice, &server);
    assert!(texts(&alice).await.contains("lost"));
}

#[tokio::test]
async fn with_end_credentials_only_a_password_still_works() {
    let (_dir, database) = folder();
    let server = Process::start(&database, &[]);
    let (alice, bob) = (
        server.create_session("alice").await,
        server.create_session("bob").await,
    );
    alice.send("JOIN #rust").await;
    alice.send(&format!("PASS :{PASSWORD}")).await;
    let phone = log_in(&server, PASSWORD).await;
    let session = phone.snapshot().await["session"]["id"].clone();
    let key = alice.create_key("chat:read").await;
    let bot = key.token("").await;
    let app = register(&database, "wiki", &FLAGS).await;
    let app = App::of(&server.device(), &app);
    let own = app.token("").await;
    let tokens = app.sign_in(&alice, "identity chat:read").await;
    let (access, refresh) = (
        tokens["access_token"].as_str().unwrap(),
        tokens["refresh_token"].as_str().unwrap(),
    );
    let user = server.device().with_token(access);
    rejoin(&database, &["backup", "copy.db"]).await.unwrap();
    server.terminate();

    let told = restore(&database, &["copy.db", "--end-credentials"]).await;
    let ended = json!({"devices": 4, "keys": 1, "grants": 3, "sessions": 1, "sessions_waiting": 1});
    assert_eq!(
        told["ended"], ended,
        "alice's laptop, phone and app, and bob's device"
    );
    let server = Process::start(&database, &[]);
    for device in [&alice, &phone, &bob] {
        let refusal = moved(device, &server)
            .call(Method::GET, "/api/v1/session")
            .await
            .unwrap_err();
        assert_eq!(
            (refusal.code.as_str(), &refusal.body["reason"]),
            ("client_ended", &json!("revoked"))
        );
    }
    for program in [&bot, &own, &user] {
        let refusal = moved(program, &server)
            .call(Method::GET, "/auth/userinfo")
            .await
            .unwrap_err();
        assert_eq!(status_and_code(refusal), (401, "invalid_token".into()));
    }
    let [key, app] = [key, app].map(|app| App {
        program: server.device(),
        ..app
    });
    assert_eq!(key.try_token("").await.1["error"], "invalid_client");
    assert_eq!(app.refresh(refresh, "").await.1["error"], "invalid_grant");
    app.token("").await;

    // The session is unchanged, and its user logs in again.
    server
        .device()
        .try_create_session("alice")
        .await
        .unwrap_err();
    let alice = log_in(&server, PASSWORD).await;
    let snapshot = alice.snapshot().await;
    assert_eq!(
        (&snapshot["session"]["id"], &snapshot["channels"][0]["name"]),
        (&session, &json!("#rust"))
    );
    assert_eq!(snapshot["channels"][0]["members"][0]["op"], true);
    let clients = alice.get("/api/v1/clients").await;
    let names = clients
        .items()
        .iter()
        .map(|client| client["name"].as_str().unwrap())
        .collect::<Vec<_>>();
    assert_eq!((names.len(), names[0]), (2, "Restored from a backup"));
    alice
        .delete(&format!("/api/v1/clients/{}", clients[0]["id"]))
        .await
        .unwrap();
    assert_integrity(&database);

    // A session without a password is ended, because no user could log in to it.
    server.create_session("bob").await;
    let audit = rejoin(&database, &["audit"]).await.unwrap();
    assert!(
        audit.contains(" restored reason=credentials_ended"),
        "{audit}"
    );
    assert_eq!(commands(&alice.queue().await), [] as [&str; 0]);
}

/// An approval in the copy may have been revoked since. It is void however the copy is put in
/// place.
#[tokio::test]
async fn approvals_in_a_copy_are_void() {
    for by_restore in [true, false] {
        let (dir, database) = folder();
        let server = Process::start(&database, &[]);
        let alice = server.create_session("alice").await;
        let app = register(&database, "wiki", &[&FLAGS[..], &["--device"]].concat()).await;
        let app = App::of(&server.device(), &app);
        let redeemed = app.sign_in(&alice, "identity").await;
        let code = alice
            .approve(&app.authorization_request("chat:read"), &[])
            .await
            .code();
        let (_, device) = app.ask("/auth/device", &[]).await;
        let typed = [
            ("user_code", device["user_code"].as_str().unwrap()),
            ("decision", "allow"),
        ];
        assert_eq!(
            alice
                .request(Method::POST, "/device")
                .form(&typed)
                .send()
                .await
                .unwrap()
                .status(),
            200
        );
        assert_eq!(alice.grants().await.len(), 3);
        rejoin(&database, &["backup", "copy.db"]).await.unwrap();
        alice
            .delete(&format!("/api/v1/approvals/{}", app.client_id))
            .await
            .unwrap();
        server.terminate();

        let copy = dir.path().join("copy.db");
        // The code must not expire while this test runs, however long that takes.
        let later = "UPDATE authorization_code SET expires_at = expires_at + 86400000 WHERE used_at IS NULL;
                     UPDATE device_code SET expires_at = expires_at + 86400000";
        rusqlite::Connection::open(&copy)
            .unwrap()
            .execute_batch(later)
            .unwrap();
        match by_restore {
            true => drop(restore(&database, &["copy.db"]).await),
            false => std::fs::rename(&copy, &database).unwrap(),
        }
        let server = Process::start(&database, &[]);
        let (app, alice) = (
            App {
                program: server.device(),
                ..app
            },
            moved(&alice, &server),
        );
        let pending = alice.get("/api/v1/grants").await;
        assert_eq!(pending.items().len(), 1, "{by_restore}: {pending}");
        assert_eq!(
            app.redeem(&code).await.1["error"],
            "invalid_grant",
            "{by_restore}"
        );
        let poll = [
            ("grant_type", "urn:ietf:params:oauth:grant-type:device_code"),
            ("device_code", device["device_code"].as_str().unwrap()),
        ];
        assert_eq!(
            app.ask("/auth/token", &poll).await.1["error"],
            "access_denied",
            "{by_restore}"
        );
        assert_eq!(
            app.refresh(redeemed["refresh_token"].as_str().unwrap(), "")
                .await
                .0,
            200,
            "{by_restore}"
        );
        assert_integrity(&database);
    }
}

/// A raw copy of the files works like a copy by `backup`, if the server was stopped or if the
/// write-ahead log was copied too.
#[tokio::test]
async fn a_crashed_servers_files_are_restored_and_ids_continue_above_the_lost_ones() {
    let (dir, database) = folder();
    let server = Process::start(&database, &[]);
    let alice = server.create_session("alice").await;
    alice.send("JOIN #rust").await;
    let last = alice.send("PRIVMSG #rust :in the log alone").await["ids"][0]
        .as_i64()
        .unwrap();
    server.kill();
    let elsewhere = dir.path().join("elsewhere");
    std::fs::create_dir(&elsewhere).unwrap();
    for file in ["rejoin.db", "rejoin.db-wal"] {
        std::fs::rename(dir.path().join(file), elsewhere.join(file)).unwrap();
    }
    let told = restore(&database, &["elsewhere/rejoin.db"]).await;
    assert_eq!(told["kept"], Value::Null, "there was no database to keep");
    let server = Process::start(&database, &[]);
    let alice = moved(&alice, &server);
    assert!(texts(&alice).await.contains("in the log alone"));
    let next = alice.send("PRIVMSG #rust :after").await["ids"][0]
        .as_i64()
        .unwrap();
    assert!(
        next > last + (1 << 30),
        "an id that may have been issued since is not issued again: {last}, {next}"
    );
    assert!(
        elsewhere.join("rejoin.db-wal").exists(),
        "the copy stays as it is"
    );
}

/// A copy by an older version is upgraded, and it still counts as a copy.
#[tokio::test]
async fn an_older_copy_continues_above_the_ids_issued_since() {
    for by_restore in [false, true] {
        let (dir, database) = folder();
        let copy = dir.path().join("copy.db");
        let old = rusqlite::Connection::open(&copy).unwrap();
        old.execute_batch(include_str!("../../schema_v1.sql"))
            .unwrap();
        old.execute_batch("PRAGMA application_id = 0x726a6f63; PRAGMA user_version = 1")
            .unwrap();
        drop(old);
        match by_restore {
            true => drop(restore(&database, &["copy.db"]).await),
            false => std::fs::rename(&copy, &database).unwrap(),
        }
        let server = Process::start(&database, &[]);
        let alice = server.create_session("alice").await.snapshot().await;
        assert!(alice["session"]["id"].as_i64() > Some(1 << 32), "{alice}");
    }
}
