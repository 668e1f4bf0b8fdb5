//! A server that starts on a full disk, and the ends that free space.

use super::*;

#[tokio::test]
async fn a_server_stops_and_starts_on_a_full_disk() {
    let mut site = FullDiskServer::new(DISK);
    let process = site.start();
    let alice = process.create_session("alice").await;
    alice.send("JOIN #room").await;
    alice.send(&format!("PASS :{PASSWORD}")).await;
    alice.snapshot().await;
    site.fill(&alice, "#room").await;
    let before = seen(&[&alice]).await;
    assert!(process.terminate().success());
    site.assert_one_file();
    // The test also fills the space that the write-ahead log freed when the server stopped.
    site.disk.fill();

    let process = site.start();
    assert_eq!(
        site.told("requests that add data are refused"),
        1,
        "one line says so"
    );
    let alice = process
        .device()
        .with_cookie(alice.cookie.as_deref().unwrap());
    assert_eq!(seen(&[&alice]).await, before);
    let phone = process.device().login("alice", PASSWORD).await.unwrap();
    phone.snapshot().await;
    assert_refused("a message", alice.try_send("PRIVMSG #room :hello").await);
    assert_done("a logout", phone.call(Method::POST, "/api/v1/logout").await);
    // The maintenance works, too.
    assert!(process.terminate().success());
    site.assert_one_file();
    assert_integrity(&site.database());
    assert_eq!(site.told("failed and will be tried again"), 0);

    site.disk.free();
    let process = site.start();
    assert_eq!((site.reserve(), site.told("disk")), (RESERVE, 0));
    let alice = process
        .device()
        .with_cookie(alice.cookie.as_deref().unwrap());
    alice.send("PRIVMSG #room :hello").await;
}

/// Only the chat itself has filled this disk, so only the chat can free space.
#[tokio::test]
async fn ended_sessions_free_space_for_others() {
    let mut site = FullDiskServer::new(96 << 20);
    let process = site.start();
    let (alice, mallory) = (
        process.create_session("alice").await,
        process.create_session("mallory").await,
    );
    alice.send("JOIN #room").await;
    let channels = (0..20)
        .map(|n| format!("#c{n}"))
        .collect::<Vec<_>>()
        .join(",");
    mallory.send(&format!("JOIN {channels}")).await;
    for _ in 0..300 {
        mallory
            .send(&format!("PRIVMSG {channels} :{}", "x".repeat(4000)))
            .await;
    }
    site.fill(&mallory, &channels).await;
    assert_refused("a message", alice.try_send("PRIVMSG #room :hello").await);
    rejoin(&site.database(), &["session", "mallory", "--end"])
        .await
        .unwrap();
    until("space for a message", async || {
        alice.try_send("PRIVMSG #room :hello").await.is_ok()
    })
    .await;
    well(&process).await;
    process.device().wait_for_metric("rejoin_disk_full 0").await;
    assert!(site.reserve() < RESERVE, "the disk is as full as before");
    assert_integrity(&site.database());
}

#[tokio::test]
async fn a_new_database_without_space_for_its_reserve_is_logged() {
    let mut site = FullDiskServer::new(RESERVE);
    let process = site.start();
    assert_eq!(site.told("the disk has no room for the reserve"), 1);
    assert_full(health(&process).await.unwrap_err());
    checked(
        process
            .device()
            .request(Method::GET, "/api/v1/server")
            .send()
            .await
            .unwrap(),
    )
    .await
    .unwrap();
    assert_refused(
        "a session",
        process
            .device()
            .try_create_session("alice")
            .await
            .map(|_| Value::Null),
    );
}
