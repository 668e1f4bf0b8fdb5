//! The file of the server's own keys. The first start creates it, every other start checks it, and
//! a subcommand rotates it. The keys are never in the database.

mod rotation;

use std::{
    fs,
    os::unix::fs::{MetadataExt, PermissionsExt},
    path::{Path, PathBuf},
};

use crate::{
    oauth::device_flow::{PendingDevice, allow, device_flow_app},
    support::{App, JsonAnswer, Process, TestServer, assert_integrity, register, rejoin},
};

fn keys_of(database: &Path) -> PathBuf {
    database.with_extension("db.keys")
}

/// A folder with a database whose server ran and stopped.
fn stopped() -> (tempfile::TempDir, PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    let database = dir.path().join("rejoin.db");
    Process::start(&database, &[]).terminate();
    (dir, database)
}

fn chmod(file: &Path, mode: u32) {
    fs::set_permissions(file, fs::Permissions::from_mode(mode)).unwrap();
}

#[tokio::test]
async fn the_first_start_creates_the_file_and_a_pending_code_survives_a_restart() {
    let mut server = TestServer::start().await;
    let file = keys_of(&server.database());
    assert_eq!(fs::metadata(&file).unwrap().mode() & 0o7777, 0o600);
    let made = fs::read(&file).unwrap();
    let alice = server.create_session("alice").await;
    let app = device_flow_app(&server, "terminal", true, "chat:read").await;
    let device = PendingDevice::start(&app).await;
    server.restart().await;
    assert_eq!(fs::read(&file).unwrap(), made);
    allow(&alice, &device.code).await;
    device.access().await.snapshot().await;
    assert_integrity(&server.database());
}

/// With wrong or missing keys a server would break the codes and retries that it has promised. So
/// it refuses to start and says what to do.
#[test]
fn a_wrong_key_file_is_refused_and_left_unchanged() {
    let (dir, database) = stopped();
    let (_other_dir, other) = stopped();
    let file = keys_of(&database);
    let (good, foreign) = (fs::read(&file).unwrap(), fs::read(keys_of(&other)).unwrap());
    let text = String::from_utf8(good.clone()).unwrap();
    let put = |bytes: &[u8], mode: u32| {
        fs::write(&file, bytes).unwrap();
        chmod(&file, mode);
    };
    let newer = text.replace("\"rejoin_keys\": 1", "\"rejoin_keys\": 7");
    for (what, bytes, mode, told) in [
        ("open to other users", &good[..], 0o644, "chmod 600"),
        (
            "open to the group",
            &good,
            0o640,
            "is open to other users (mode 0640)",
        ),
        (
            "another database's",
            &foreign,
            0o600,
            "does not belong to this database",
        ),
        ("cut off", &good[..good.len() / 2], 0o600, "damaged"),
        ("empty", b"", 0o600, "damaged"),
        ("no text", &[0xff; 64], 0o600, "damaged"),
        (
            "something else",
            b"{\"songs\": []}\n",
            0o600,
            "is not a key file",
        ),
        (
            "of tomorrow",
            newer.as_bytes(),
            0o600,
            "newer version of rejoin",
        ),
    ] {
        put(bytes, mode);
        let said = Process::refused(&database, &[]);
        assert!(
            said.contains(told) && said.contains("rejoin.db.keys"),
            "{what}: {said}"
        );
        assert_eq!(fs::read(&file).unwrap(), bytes, "{what}");
        let secret = text
            .split("\"secret\": \"")
            .nth(1)
            .unwrap()
            .split('"')
            .next()
            .unwrap();
        assert!(!said.contains(secret), "{what}: {said}");
    }
    fs::remove_file(&file).unwrap();
    let said = Process::refused(&database, &[]);
    assert!(
        said.contains("is missing")
            && said.contains("put it back")
            && said.contains("rejoin keys accept"),
        "{said}"
    );
    assert!(
        !file.exists(),
        "the server creates no other file in its place"
    );
    fs::create_dir(&file).unwrap();
    assert!(Process::refused(&database, &[]).contains("is not a regular file"));
    fs::remove_dir(&file).unwrap();
    // The correct file starts the server, also through a symbolic link: container systems provide
    // secrets as links.
    let kept = dir.path().join("kept");
    fs::write(&kept, &good).unwrap();
    chmod(&kept, 0o600);
    std::os::unix::fs::symlink(&kept, &file).unwrap();
    drop(Process::start(&database, &[]));
}

#[tokio::test]
async fn the_file_may_be_in_another_place_and_created_beforehand() {
    let dir = tempfile::tempdir().unwrap();
    let (database, file) = (
        dir.path().join("rejoin.db"),
        dir.path().join("etc").join("our.keys"),
    );
    let name = file.to_str().unwrap();
    let said = rejoin(&database, &["keys", "create", "--keys", name])
        .await
        .unwrap_err();
    assert!(
        said.contains("our.keys") && said.contains("No such file"),
        "{said}"
    );
    fs::create_dir(file.parent().unwrap()).unwrap();
    assert_eq!(
        rejoin(&database, &["keys", "create", "--keys", name])
            .await
            .unwrap(),
        ""
    );
    assert_eq!(fs::metadata(&file).unwrap().mode() & 0o7777, 0o600);
    let made = fs::read(&file).unwrap();
    let said = rejoin(&database, &["keys", "create", "--keys", name])
        .await
        .unwrap_err();
    assert!(
        said.contains("already exists") && !database.exists(),
        "{said}"
    );
    drop(Process::start(&database, &["--keys", name]));
    assert!(!keys_of(&database).exists() && fs::read(&file).unwrap() == made);
    assert!(
        Process::refused(&database, &[]).contains("is missing"),
        "the file is found only by the given name"
    );
    // Subcommands that issue no codes need no keys.
    for args in [
        &["audit"][..],
        &["sessions"],
        &["backup", "copy.db"],
        &["app", "add", "--name", "wiki"],
    ] {
        rejoin(&database, args).await.unwrap();
    }
    assert_eq!(
        fs::read_dir(dir.path().join("etc")).unwrap().count(),
        1,
        "no temporary file is left beside it"
    );
}

#[tokio::test]
async fn lost_keys_are_replaced_by_hand_and_sessions_stay_live() {
    let (_dir, database) = stopped();
    let file = keys_of(&database);
    let process = Process::start(&database, &[]);
    let alice = process.create_session("alice").await;
    let app = App::of(
        &process.device(),
        &register(&database, "tv", &["--public", "--device"]).await,
    );
    let device = PendingDevice::start(&app).await;
    let base = process.address().to_string();
    process.terminate();
    fs::remove_file(&file).unwrap();
    assert!(
        rejoin(&database, &["keys", "accept"])
            .await
            .unwrap_err()
            .contains("is missing")
    );
    rejoin(&database, &["keys", "create"]).await.unwrap();
    assert!(Process::refused(&database, &[]).contains("does not belong to this database"));
    rejoin(&database, &["keys", "accept"]).await.unwrap();
    let process = Process::listening(&database, &base, &[]);
    alice.snapshot().await;
    assert_eq!(
        device.refusal().await,
        "expired_token",
        "the new keys cannot find the old code"
    );
    let device = PendingDevice::start(&app).await;
    allow(&alice, &device.code).await;
    device.access().await.snapshot().await;
    assert_eq!(
        rejoin(&database, &["keys", "accept"]).await.unwrap(),
        "",
        "the file is accepted already"
    );
    drop(process);
}

/// A stolen database or backup must not reveal the keys.
#[tokio::test]
async fn the_keys_are_in_no_other_file() {
    let server = TestServer::start().await;
    let alice = server.create_session("alice").await;
    let app = device_flow_app(&server, "terminal", true, "chat:read").await;
    allow(&alice, &PendingDevice::start(&app).await.code).await;
    rejoin(&server.database(), &["keys", "rotate", "--at-once"])
        .await
        .unwrap();
    PendingDevice::start(&app).await;
    rejoin(&server.database(), &["backup", "copy.db"])
        .await
        .unwrap();
    let file = keys_of(&server.database());
    let keys: serde_json::Value = serde_json::from_slice(&fs::read(&file).unwrap()).unwrap();
    let mut secrets = Vec::new();
    for key in keys["keys"].items() {
        use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
        let text = key["secret"].as_str().unwrap();
        secrets.extend([
            URL_SAFE_NO_PAD.decode(text).unwrap(),
            text.as_bytes().to_vec(),
        ]);
    }
    assert_eq!(secrets.len(), 4);
    let others = fs::read_dir(file.parent().unwrap())
        .unwrap()
        .map(|entry| entry.unwrap().path());
    let others = others
        .filter(|other| other.is_file() && *other != file)
        .collect::<Vec<_>>();
    assert!(
        others.iter().any(|other| other.ends_with("copy.db")) && others.len() >= 3,
        "{others:?}"
    );
    for other in others {
        let bytes = fs::read(&other).unwrap();
        let found = secrets
            .iter()
            .any(|secret| bytes.windows(secret.len()).any(|window| window == secret));
        assert!(!found, "{}", other.display());
    }
}

/// A copy of the database from before several rotations starts with the current keys.
#[tokio::test]
async fn an_older_copy_of_the_database_starts_with_a_newer_key_file_of_its_own() {
    let (dir, database) = stopped();
    let file = keys_of(&database);
    rejoin(&database, &["backup", "copy.db"]).await.unwrap();
    let first = fs::read(&file).unwrap();
    for _ in 0..3 {
        rejoin(&database, &["keys", "rotate", "--at-once"])
            .await
            .unwrap();
    }
    let copy = dir.path().join("copy.db");
    let newest = file.to_str().unwrap();
    Process::start(&copy, &["--keys", newest]).terminate();
    Process::start(&database, &[]).terminate();
    // After that start the copy refuses the old file, too.
    let old = dir.path().join("old.keys");
    fs::write(&old, &first).unwrap();
    chmod(&old, 0o600);
    for database in [&copy, &database] {
        let said = Process::refused(database, &["--keys", old.to_str().unwrap()]);
        assert!(said.contains("from before a rotation"), "{said}");
    }
}
