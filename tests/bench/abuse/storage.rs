//! Filling the disk: how much one network can add, how much of it remains, and what works on a full
//! disk.

use std::{
    fs,
    path::Path,
    process::Command,
    time::{Duration, Instant},
};

use futures_util::future::join_all;
use serde_json::json;

use super::{
    super::{
        server,
        table::{Goal, Rounds, Table},
    },
    PAUSE, all_work, at_most,
    site::{Site, knows},
    visitor::Visitor,
};

const NETWORK: &str = "203.0.113.7";
const SESSIONS: usize = 60;
const KEYS: usize = 12;
const CHANNELS: usize = 20;
/// The limit of 200 MB a day, scaled down.
const LIMIT: f64 = 8.0;
const TIME: Duration = Duration::from_secs(20);
/// The time that maintenance has to remove events that nobody can read any more.
const UPKEEP: Duration = Duration::from_secs(75);

pub async fn measure(table: &mut Table) {
    growth(table).await;
    full_disk(table).await;
}

fn channels() -> String {
    (0..CHANNELS)
        .map(|n| format!("#c{n}"))
        .collect::<Vec<_>>()
        .join(",")
}

async fn growth(table: &mut Table) {
    let site = Site::unlimited();
    let mut cookies = Vec::new();
    for n in 0..SESSIONS {
        let mut visitor = Visitor::new(site.address(), NETWORK);
        cookies.push(visitor.create(&format!("s{n}")).await);
        visitor.line(&format!("JOIN {}", channels())).await;
    }
    let limit = format!("{LIMIT}MB");
    let flags = if knows("--storage-limit") {
        vec!["--storage-limit", &limit]
    } else {
        Vec::new()
    };
    let site = site.limited(&flags);
    let mut senders = Vec::new();
    for (n, cookie) in cookies.iter().enumerate() {
        let mut visitor = Visitor::new(site.address(), NETWORK).with_cookie(cookie);
        if n < KEYS {
            let key = visitor
                .post(
                    "/api/v1/keys",
                    &json!({"name": "bot", "scope": "chat:write"}),
                )
                .await
                .json();
            let text = |name: &str| key[name].as_str().unwrap_or_default().to_owned();
            let form = format!(
                "grant_type=client_credentials&client_id={}&client_secret={}",
                text("client_id"),
                text("client_secret")
            );
            let token = Visitor::new(site.address(), NETWORK)
                .form("/auth/token", &form)
                .await
                .json();
            let token = token["access_token"].as_str().unwrap_or_default();
            senders.push(Visitor::new(site.address(), NETWORK).with_token(token));
        }
        senders.push(visitor);
    }
    // Text of 4096 bytes, each of which JSON writes as six.
    let line = format!("PRIVMSG {} :{}", channels(), "\u{1}".repeat(4096));
    let attack = async |senders: &mut Vec<Visitor>, time: Duration| {
        let started = Instant::now();
        let (line, started) = (&line, &started);
        join_all(senders.iter_mut().map(|sender| async move {
            while started.elapsed() < time {
                if !sender.line(line).await.ok() {
                    tokio::time::sleep(PAUSE).await;
                }
            }
        }))
        .await;
    };
    let before = site.stored();
    attack(&mut senders, TIME).await;
    let (then, half) = (site.stored(), TIME / 4);
    attack(&mut senders, half).await;
    let after = site.stored();
    // If the database still grows, it is assumed to grow for the rest of the day.
    let left = 86400.0 - (TIME + half).as_secs_f64();
    let rate = (after - then) / half.as_secs_f64();
    let growing = after - then > 0.02 * LIMIT;
    let day = after - before + if growing { rate * left } else { 0.0 };
    let scale = 200.0 / LIMIT;
    let day = if flags.is_empty() { day } else { day * scale };
    at_most(
        table,
        "one network adds to the disk in a day",
        "--storage-limit",
        "MB",
        (day, 200.0),
    );

    for cookie in &cookies {
        Visitor::new(site.address(), NETWORK)
            .with_cookie(cookie)
            .delete("/api/v1/session")
            .await;
    }
    let started = Instant::now();
    let mut kept = site.stored() - before;
    while kept > 0.1 * (after - before) && started.elapsed() < UPKEEP {
        tokio::time::sleep(Duration::from_secs(1)).await;
        kept = site.stored() - before;
    }
    let mut rounds = Rounds::default();
    rounds.add(kept.max(0.0), after - before);
    let measure = "of that, on the disk when its sessions have ended";
    table.enter(measure, "what they added", "MB", &rounds, Goal::AtMost(0.1));
}

/// Builds the library that, preloaded into the server, makes its folder a disk of limited size.
fn small_disk(folder: &Path) -> Option<std::path::PathBuf> {
    let library = folder.join("small_disk.so");
    let source = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/tests/all/support/small_disk.c"
    );
    let made = Command::new("cc")
        .args(["-shared", "-fPIC", "-O2", "-o"])
        .arg(&library)
        .arg(source)
        .status();
    made.is_ok_and(|status| status.success()).then_some(library)
}

const DISK: u64 = 24 * 1024 * 1024;

async fn full_disk(table: &mut Table) {
    const MEASURE: &str = "what reads, ends or revokes works on a full disk";
    let (tools, dir) = (server::folder(), server::folder());
    let Some(library) = small_disk(tools.path()) else {
        return table.skip(MEASURE, "all of them", "there is no C compiler");
    };
    let folder = dir.path().to_owned();
    let site = Site::start(
        dir,
        &["--flood-limit", "off", "--login-limit", "off"],
        |command| {
            command
                .env("LD_PRELOAD", &library)
                .env("DISK_FOLDER", &folder)
                .env("DISK_BYTES", DISK.to_string());
        },
    );
    let address = site.address();
    let visitor = || Visitor::new(address, NETWORK);
    let (mut alice, mut bob, mut carol) = (visitor(), visitor(), visitor());
    alice.create("alice").await;
    bob.create("bob").await;
    carol.create("carol").await;
    for somebody in [&mut alice, &mut bob, &mut carol] {
        somebody.line("JOIN #room").await;
    }
    alice.line("PASS :correct horse battery").await;
    let mut devices = Vec::new();
    for _ in 0..3 {
        let mut device = visitor();
        let reply = device.log_in("alice", "correct horse battery").await;
        device.take_cookie(&reply);
        devices.push((
            reply.json()["client"]["id"].as_i64().unwrap_or_default(),
            device,
        ));
    }
    let body = json!({"name": "bot", "scope": "chat:read", "password": "correct horse battery"});
    let key = alice.post("/api/v1/keys", &body).await.json();
    let key = key["client_id"].as_str().unwrap_or_default().to_owned();
    // A file fills most of the disk, and messages fill the rest.
    let used: u64 = fs::read_dir(&folder)
        .unwrap()
        .map(|entry| entry.unwrap().metadata().unwrap().len())
        .sum();
    fs::write(
        folder.join("something else"),
        vec![0; usize::try_from(DISK.saturating_sub(used)).unwrap()],
    )
    .unwrap();
    let line = format!("PRIVMSG #room :{}", "x".repeat(4000));
    let mut refused = 0;
    for _ in 0..4000 {
        refused += usize::from(alice.line(&line).await.status == 503);
        if refused == 3 {
            break;
        }
    }
    if refused < 3 {
        return table.skip(MEASURE, "all of them", "the disk did not become full");
    }
    let mut worked = Vec::new();
    for path in [
        "/api/v1/session",
        "/api/v1/messages?timeout=0",
        "/api/v1/history?target=%23room",
        "/api/v1/clients",
        "/api/v1/keys",
        "/api/v1/audit",
        "/api/v1/channels",
    ] {
        worked.push((path, alice.get(path).await.ok()));
    }
    worked.push((
        "removal of a device",
        alice
            .delete(&format!("/api/v1/clients/{}", devices[0].0))
            .await
            .ok(),
    ));
    worked.push((
        "logout",
        devices[1]
            .1
            .send("POST", "/api/v1/logout", "", b"")
            .await
            .ok(),
    ));
    worked.push((
        "revocation of a key",
        alice.delete(&format!("/api/v1/keys/{key}")).await.ok(),
    ));
    worked.push((
        "removal of all others",
        alice.delete("/api/v1/clients").await.ok(),
    ));
    worked.push(("PART", bob.line("PART #room").await.ok()));
    worked.push(("QUIT", bob.line("QUIT").await.ok()));
    worked.push((
        "end of a session",
        carol.delete("/api/v1/session").await.ok(),
    ));
    for (what, _) in worked.iter().filter(|(_, ok)| !ok) {
        eprintln!("    on a full disk this fails: {what}");
    }
    all_work(
        table,
        MEASURE,
        worked.iter().filter(|(_, ok)| *ok).count(),
        worked.len(),
    );
}
