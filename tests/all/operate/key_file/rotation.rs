//! Rotating the server's keys, beside a running server and without one.

use std::{fs, os::unix::fs::MetadataExt, time::Duration};

use super::{chmod, keys_of, stopped};
use crate::{
    oauth::device_flow::{PendingDevice, allow, device_flow_app},
    support::{Process, TestServer, assert_integrity, rejoin},
};

const DAY: Duration = Duration::from_hours(24);

#[tokio::test]
async fn a_rotation_beside_a_running_server_loses_no_pending_codes() {
    let mut server = TestServer::start().await;
    let (database, file) = (server.database(), keys_of(&server.database()));
    let alice = server.create_session("alice").await;
    let app = device_flow_app(&server, "terminal", true, "chat:read").await;
    let before = PendingDevice::start(&app).await;
    let old = fs::read(&file).unwrap();
    rejoin(&database, &["keys", "rotate"]).await.unwrap();
    let text = fs::read_to_string(&file).unwrap();
    assert_eq!(
        (
            text.matches("\"secret\"").count(),
            fs::metadata(&file).unwrap().mode() & 0o7777
        ),
        (2, 0o600)
    );
    let meanwhile = PendingDevice::start(&app).await;
    for device in [before, meanwhile] {
        allow(&alice, &device.code).await;
        device.access().await;
    }
    // From the next day on the server uses the new key, also after a restart.
    server.advance(DAY);
    let after = PendingDevice::start(&app).await;
    let keys_in_use = "(SELECT DISTINCT key FROM device_code)";
    assert_eq!(
        server.rows(keys_in_use),
        1,
        "the redeemed codes are deleted"
    );
    server.restart().await;
    allow(&alice, &after.code).await;
    after.access().await.snapshot().await;
    // After that day the database refuses the old file.
    server.stop().await;
    let new = fs::read(&file).unwrap();
    fs::write(&file, &old).unwrap();
    let said = Process::refused(&database, &[]);
    assert!(said.contains("from before a rotation"), "{said}");
    fs::write(&file, &new).unwrap();
    server.run().await;
    // No code depends on the first key any more, so a second rotation removes it.
    rejoin(&database, &["keys", "rotate", "--at-once"])
        .await
        .unwrap();
    let text = fs::read_to_string(&file).unwrap();
    assert_eq!(text.matches("\"secret\"").count(), 2, "{text}");
    let first = serde_json::from_slice::<serde_json::Value>(&old).unwrap()["keys"][0]["id"]
        .as_str()
        .unwrap()
        .to_owned();
    assert!(!text.contains(&first));
    let at_once = PendingDevice::start(&app).await;
    server.restart().await;
    allow(&alice, &at_once.code).await;
    at_once.access().await.snapshot().await;
    assert_integrity(&database);
}

/// In a cluster the nodes get the new file one by one, so for a day the old file starts a server,
/// too.
#[tokio::test]
async fn during_a_rotation_both_files_are_accepted() {
    let (_dir, database) = stopped();
    let file = keys_of(&database);
    let old = fs::read(&file).unwrap();
    rejoin(&database, &["keys", "rotate"]).await.unwrap();
    let new = fs::read(&file).unwrap();
    for bytes in [&old, &new, &old, &new] {
        fs::write(&file, bytes).unwrap();
        Process::start(&database, &[]).terminate();
    }
    rejoin(&database, &["keys", "rotate", "--at-once"])
        .await
        .unwrap();
    // `--at-once` is for keys that may have leaked, so both earlier files are refused.
    for bytes in [&new, &old] {
        fs::write(&file, bytes).unwrap();
        assert!(Process::refused(&database, &[]).contains("from before a rotation"));
    }
}

#[tokio::test]
async fn an_impossible_rotation_is_refused_and_changes_nothing() {
    let (dir, database) = stopped();
    let (_other_dir, other) = stopped();
    let file = keys_of(&database);
    let good = fs::read(&file).unwrap();
    let foreign = keys_of(&other);
    let foreign = foreign.to_str().unwrap();
    let rotate = async |args: &[&str]| {
        rejoin(&database, &[&["keys", "rotate"], args].concat())
            .await
            .unwrap_err()
    };
    assert!(
        rotate(&["--keys", foreign])
            .await
            .contains("does not belong to this database")
    );
    assert!(rotate(&["--keys", "nowhere"]).await.contains("is missing"));
    chmod(&file, 0o644);
    assert!(rotate(&[]).await.contains("chmod 600"));
    chmod(&file, 0o600);
    let process = Process::start(&database, &[]);
    let said = rotate(&["--keys", foreign]).await;
    assert!(
        said.contains("running server uses the key file") && said.contains("rejoin.db.keys"),
        "{said}"
    );
    drop(process);
    assert_eq!(fs::read(&file).unwrap(), good);
    // A folder in the place of the new file makes the write fail.
    fs::create_dir(dir.path().join("rejoin.db.keys.new")).unwrap();
    assert!(rotate(&[]).await.contains("cannot be written"));
    fs::remove_dir(dir.path().join("rejoin.db.keys.new")).unwrap();
    assert_eq!(fs::read(&file).unwrap(), good);
    drop(Process::start(&database, &[]));
}
