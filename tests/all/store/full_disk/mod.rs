//! A full disk. Reads, logins, revocations and everything that ends something still work. All other
//! commands are refused, and they work again when there is space.

use reqwest::Method;
use serde_json::{Value, json};

use self::setup::{
    FullDiskServer, RESERVE, assert_done, assert_everything_is_read, assert_full,
    assert_nothing_is_added, assert_refused, health, well,
};
use crate::{
    oauth::device_flow::{PendingDevice, allow, decide},
    support::{
        App, Device, FLAGS, JsonAnswer, REDIRECT, Socket, Stream, assert_integrity, checked,
        register, rejoin, status_and_code, until,
    },
};

mod restart;
mod setup;

const PASSWORD: &str = "correct horse battery";
const DISK: u64 = 48 << 20;

/// Everything that the devices can see, except the times and networks of their last use.
async fn seen(devices: &[&Device]) -> Vec<Value> {
    let mut seen = Vec::new();
    for device in devices {
        let snapshot = device.snapshot().await;
        seen.extend(
            ["session", "channels", "directs", "cursor"].map(|field| snapshot[field].clone()),
        );
        seen.extend([
            device.get("/api/v1/keys").await,
            device.get("/api/v1/grants").await,
        ]);
    }
    seen
}

async fn assert_is_no_login(visitor: &Device) {
    assert_eq!(
        status_and_code(
            visitor
                .login("alice", "a wrong password")
                .await
                .unwrap_err()
        ),
        (401, "login_failed".into())
    );
}

/// The reason why a device's cookie no longer works.
async fn end_of(device: &Device) -> Option<Value> {
    let problem = device.call(Method::GET, "/api/v1/session").await.err()?;
    assert_eq!(problem.code, "client_ended");
    Some(problem.body["reason"].clone())
}

#[tokio::test]
async fn a_full_disk_allows_reads_and_ends_and_refuses_additions() {
    let mut site = FullDiskServer::new(DISK);
    let process = site.start();
    let visitor = process.device();
    let database = site.database();
    let [alice, bob, carol, dave, eve] = [
        process.create_session("alice").await,
        process.create_session("bob").await,
        process.create_session("carol").await,
        process.create_session("dave").await,
        process.create_session("eve").await,
    ];
    for somebody in [&alice, &bob, &carol, &dave, &eve] {
        somebody.send("JOIN #room").await;
    }
    bob.send("JOIN #own").await;
    bob.send("PRIVMSG alice :hello").await;
    for line in [
        &format!("PASS :{PASSWORD}"),
        "AWAY :lunch",
        "SILENCE +mallory",
        "MODE #room +o bob",
        "MODE #room +t",
    ] {
        alice.send(line).await;
    }
    let mut devices = Vec::new();
    for _ in 0..5 {
        devices.push(visitor.login("alice", PASSWORD).await.unwrap());
    }
    let [tablet, phone, old, older, new] = devices.try_into().unwrap();
    let id_of_tablet = tablet.snapshot().await["client"]["id"].clone();
    let password = json!({"name": "bot", "scope": "chat:read chat:write", "password": PASSWORD});
    let (bot, spare) = (
        alice.create_key_with(password.clone()).await,
        alice.create_key_with(password).await,
    );
    let program = bot.token("chat:read").await;
    program.snapshot().await;
    let app = async |name: &str, flags: &[&str]| {
        App::of(&visitor, &register(&database, name, flags).await)
    };
    let wiki = app("wiki", &FLAGS).await;
    let blog = app("blog", &["--redirect-uri", REDIRECT, "--bearer-alone"]).await;
    let terminal = app("terminal", &["--public", "--device"]).await;
    let files = app("files", &["--redirect-uri", REDIRECT, "--resource-server"]).await;
    let refresh = wiki.refresh_token_for(&alice, "chat:read").await;
    let user = blog.user(&alice, "identity").await;
    let denied = PendingDevice::start(&terminal).await;
    let mut stream = bob.stream("").await;
    process.wait_for_connections(1).await;
    assert_eq!((site.reserve(), site.told("disk")), (RESERVE, 0));

    site.fill(&eve, "#room").await;
    let problem = health(&process).await.unwrap_err();
    assert!(
        problem.body["detail"].as_str().unwrap().contains("full"),
        "{problem:?}"
    );
    assert_full(problem);
    process.device().wait_for_metric("rejoin_disk_full 1").await;
    assert_eq!(site.told("the disk is full"), 1);

    // Commands that add something are refused.
    let before = seen(&[&alice, &bob, &carol]).await;
    assert_nothing_is_added(&bob).await;
    assert_eq!(seen(&[&alice, &bob, &carol]).await, before);

    // Every read works, also for a device that has never read before.
    assert_everything_is_read(&alice).await;
    assert_eq!(new.snapshot().await["cursor"], before[3]);
    assert_everything_is_read(&new).await;
    program.snapshot().await;
    assert_eq!(files.introspect(&program).await["active"], true);
    assert_done(
        "who the token's user is",
        user.call(Method::GET, "/auth/userinfo").await,
    );
    assert_eq!(
        new.open_authorization(&wiki.authorization_request("identity"))
            .await
            .status,
        200
    );
    let mut socket = Socket::open(&bob, "").await;
    socket
        .send(json!({"command": "NAMES", "params": ["#room"], "label": "1"}))
        .await;
    assert_eq!(socket.answer().await["label"], "1");
    drop(socket);

    // The correct password logs in, a wrong one is refused as usual, and an app gets its tokens.
    assert_is_no_login(&visitor).await;
    let laptop = visitor.login("alice", PASSWORD).await.unwrap();
    assert_eq!(laptop.snapshot().await["session"]["nick"], "alice");
    let (status, renewed) = wiki.refresh(&refresh, "").await;
    assert_eq!(status, 200, "{renewed}");
    bot.token("chat:read").await;
    let password = json!({"command": "PASS", "params": ["another password", PASSWORD]});
    assert_done("a new password", alice.try_send_json(password).await);
    let mended = visitor.login("alice", "another password").await.unwrap();
    let approved = PendingDevice::start(&terminal).await;
    allow(&alice, &approved.code).await;

    // Every kind of end works.
    for (device, line) in [
        (&alice, "SILENCE -mallory"),
        (&alice, "AWAY"),
        (&alice, "KICK #room eve :enough"),
        (&alice, "MODE #room -o bob"),
        (&alice, "MODE #room -t"),
        (&carol, "PART #room :bye"),
        (&eve, "QUIT :bye"),
    ] {
        assert_done(line, device.try_send(line).await);
    }
    let labelled = json!({"command": "PART", "params": ["#own"], "label": "part"});
    let parted = bob.try_send_json(labelled.clone()).await.unwrap();
    assert_eq!(bob.try_send_json(labelled).await.unwrap(), parted);
    assert_done("a logout", phone.call(Method::POST, "/api/v1/logout").await);
    assert_done(
        "a removal",
        alice
            .delete(&format!("/api/v1/clients/{id_of_tablet}"))
            .await,
    );
    assert_done("QUIT", old.try_send("QUIT").await);
    assert_done(
        "the end of a key",
        alice
            .delete(&format!("/api/v1/keys/{}", spare.client_id))
            .await,
    );
    assert_eq!(decide(&alice, &denied.code, "deny").await.0, 200);
    assert_done(
        "the end of an approval",
        alice
            .delete(&format!("/api/v1/approvals/{}", terminal.client_id))
            .await,
    );
    let (status, _) = wiki
        .ask(
            "/auth/revoke",
            &[("token", renewed["refresh_token"].as_str().unwrap())],
        )
        .await;
    assert_eq!(status, 200);
    let grants = alice.get("/api/v1/grants").await;
    let grant = grants
        .items()
        .iter()
        .find(|grant| grant["client_id"] == blog.client_id.as_str())
        .unwrap();
    assert_done(
        "the end of a grant",
        alice
            .delete(&format!("/api/v1/grants/{}", grant["id"]))
            .await,
    );
    assert_done("the end of all keys", alice.delete("/api/v1/keys").await);
    assert_done(
        "the removal of all others",
        alice.delete("/api/v1/clients").await,
    );
    assert_done(
        "the end of a session",
        carol.delete("/api/v1/session").await,
    );
    rejoin(&database, &["session", "dave", "--end"])
        .await
        .unwrap();
    rejoin(&database, &["app", "remove", &blog.client_id])
        .await
        .unwrap();
    let told = async |stream: &mut Stream| stream.message().await.unwrap();
    while told(&mut stream).await.command != "PART" {}

    // The ends survive a crash.
    let ended = [
        (&tablet, "removed"),
        (&phone, "logged_out"),
        (&old, "quit"),
        (&older, "removed"),
        (&new, "removed"),
        (&laptop, "removed"),
        (&mended, "removed"),
        (&carol, "session_ended"),
        (&dave, "session_ended"),
        (&eve, "quit"),
    ];
    for (device, reason) in ended {
        assert_eq!(end_of(device).await, Some(json!(reason)));
    }
    let before = seen(&[&alice, &bob]).await;
    process.kill();
    let process = site.start();
    let again = |device: &Device| {
        process
            .device()
            .with_cookie(device.cookie.as_deref().unwrap())
    };
    let (alice, bob) = (again(&alice), again(&bob));
    for (device, reason) in ended {
        assert_eq!(end_of(&again(device)).await, Some(json!(reason)));
    }
    assert_eq!(seen(&[&alice, &bob]).await, before);
    for program in [program, user] {
        assert!(
            process
                .device()
                .with_token(program.token.as_deref().unwrap())
                .token_is_invalid()
                .await
        );
    }
    assert_integrity(&database);
    assert_is_no_login(&process.device()).await;
    assert_full(health(&process).await.unwrap_err());
    assert_refused("a message", bob.try_send("PRIVMSG #room :hello").await);
    assert_everything_is_read(&alice).await;

    // Everything works again when there is space.
    site.disk.free();
    well(&process).await;
    process.device().wait_for_metric("rejoin_disk_full 0").await;
    assert_eq!(
        (site.reserve(), site.told("the disk has room again")),
        (RESERVE, 1)
    );
    for line in [
        "PRIVMSG #room :hello",
        "JOIN #new",
        "NICK robert",
        "TOPIC #new :news",
        "AWAY :lunch",
    ] {
        bob.send(line).await;
    }
    process.create_session("zoe").await;
    let audit = rejoin(&database, &["audit", "--json", "--limit", "1000"])
        .await
        .unwrap();
    assert!(process.terminate().success());
    // The audit log had no space for the refusals. Their line is written at the end.
    let after = rejoin(&database, &["audit", "--json", "--limit", "1000"])
        .await
        .unwrap();
    assert_eq!(
        (
            audit.matches("login_failed").count(),
            after.matches("login_failed").count()
        ),
        (0, 1)
    );
    site.assert_one_file();
    assert_integrity(&database);
}
