//! An authenticated request: the snapshot of a session without channels, against peers that answer
//! with the same length. Beside it stand the snapshots of a session on many channels, once without
//! unread messages and once with the most that are counted.

use std::{
    process::Command,
    time::{Duration, Instant},
};

use super::{
    http::{Connection, request},
    load::rate,
    people::{command, people},
    server::{self, Server},
    table::{Goal, Rounds, Table},
};

const MEASURE: &str = "authenticated `GET /api/v1/session`";
const ROUNDS: usize = 5;
const TIME: Duration = Duration::from_secs(1);
/// The connections. Each has a client of its own.
const CLIENTS: usize = 32;
const CHANNELS: usize = 100;
/// The messages from others on each channel: the most that are counted as unread.
const UNREAD: usize = 100;

pub async fn measure(table: &mut Table) {
    let ours = Server::rejoin();
    let people = people(ours.address, "p", CLIENTS, None).await;
    let asked = people
        .iter()
        .map(|person| request("GET", "/api/v1/session", ours.address, &person.cookie, ""));
    let asked: Vec<_> = asked.collect();
    let length = Connection::open(ours.address)
        .await
        .ask(&asked[0])
        .await
        .body
        .len()
        .to_string();

    let bare = Server::peer("handler", &[&length]);
    let same = vec![request("GET", "/", bare.address, "", ""); CLIENTS];
    let (of_ours, of_theirs) = (
        async || efficiency(&ours, &asked).await,
        async || efficiency(&bare, &same).await,
    );
    let rounds = Rounds::taken(ROUNDS, of_ours, of_theirs).await;
    table.enter(
        MEASURE,
        "bare axum handler, same length",
        "per s of processor",
        &rounds,
        Goal::AtLeast(0.85),
    );

    let many = on_many_channels(&ours).await;
    let (of_many, of_none) = (
        async || efficiency(&ours, &many).await,
        async || efficiency(&ours, &asked).await,
    );
    let rounds = Rounds::taken(ROUNDS, of_many, of_none).await;
    let measure = "the same of a session on 100 channels";
    table.enter(
        measure,
        "of one on none",
        "per s of processor",
        &rounds,
        Goal::AtLeast(0.003),
    );

    others_speak(&ours).await;
    let (of_many, of_none) = (
        async || efficiency(&ours, &many).await,
        async || efficiency(&ours, &asked).await,
    );
    let rounds = Rounds::taken(ROUNDS, of_many, of_none).await;
    let measure = "the same with 100 unread messages of others on each";
    table.enter(
        measure,
        "of one on none",
        "per s of processor",
        &rounds,
        Goal::AtLeast(0.002),
    );

    against(
        table,
        &ours,
        &asked,
        "tower-sessions, SQLite",
        3.0,
        tower_sessions(&length),
    )
    .await;
    against(
        table,
        &ours,
        &asked,
        "express-session, in memory",
        10.0,
        express(&length),
    )
    .await;
}

/// The requests of sessions that are all on the same 100 channels. At 5 ms each, a processor
/// answers 200 per second.
async fn on_many_channels(server: &Server) -> Vec<Vec<u8>> {
    let people = people(server.address, "m", CLIENTS, None).await;
    let mut connection = Connection::open(server.address).await;
    for person in &people {
        for names in names() {
            command(&mut connection, server.address, person, "JOIN", &[&names]).await;
        }
    }
    people
        .iter()
        .map(|person| request("GET", "/api/v1/session", server.address, &person.cookie, ""))
        .collect()
}

/// One session sends messages to all channels, which are unread for the others.
async fn others_speak(server: &Server) {
    let speaker = &people(server.address, "speaker", 1, None).await[0];
    let mut connection = Connection::open(server.address).await;
    for names in names() {
        command(&mut connection, server.address, speaker, "JOIN", &[&names]).await;
        for _ in 0..UNREAD {
            let said = "somebody says something that is about as long as what people say";
            command(
                &mut connection,
                server.address,
                speaker,
                "PRIVMSG",
                &[&names, said],
            )
            .await;
        }
    }
}

/// The channels, in lists as long as a command accepts.
fn names() -> impl Iterator<Item = String> {
    let list = |first: usize| {
        (first..first + 20)
            .map(|n| format!("#c{n}"))
            .collect::<Vec<_>>()
            .join(",")
    };
    (0..CHANNELS).step_by(20).map(list)
}

/// The requests answered per second of processor time of the server. On a processor of its own,
/// that is what the server answers per second. On a busy machine the number stays true.
async fn efficiency(server: &Server, requests: &[Vec<u8>]) -> f64 {
    let (before, started) = (server.worked(), Instant::now());
    let rate = rate(server.address, requests, TIME).await;
    rate * started.elapsed().as_secs_f64() / (server.worked() - before)
}

async fn against(
    table: &mut Table,
    ours: &Server,
    asked: &[Vec<u8>],
    name: &'static str,
    goal: f64,
    peer: Result<Server, &'static str>,
) {
    let peer = match peer {
        Ok(peer) => peer,
        Err(why) => return table.skip(MEASURE, name, why),
    };
    let mut same = Vec::new();
    for _ in 0..CLIENTS {
        let mut connection = Connection::open(peer.address).await;
        let cookie = connection
            .ask(&request("GET", "/enter", peer.address, "", ""))
            .await
            .cookie();
        same.push(request("GET", "/session", peer.address, &cookie, ""));
    }
    let (of_ours, of_theirs) = (
        async || efficiency(ours, asked).await,
        async || efficiency(&peer, &same).await,
    );
    let rounds = Rounds::taken(ROUNDS, of_ours, of_theirs).await;
    table.enter(
        MEASURE,
        name,
        "per s of processor",
        &rounds,
        Goal::AtLeast(goal),
    );
}

/// tower-sessions, built on demand beside our own build.
fn tower_sessions(length: &str) -> Result<Server, &'static str> {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/bench/tower-sessions");
    let target = concat!(env!("CARGO_TARGET_TMPDIR"), "/../tower-sessions");
    let mut build = Command::new(env!("CARGO"));
    build
        .args([
            "build",
            "--release",
            "--locked",
            "--quiet",
            "--target-dir",
            target,
        ])
        .current_dir(folder);
    if !build.status().is_ok_and(|status| status.success()) {
        return Err("it could not be built");
    }
    let dir = server::folder();
    let mut command = server::pinned(format!("{target}/release/tower-sessions-peer"));
    command.arg(dir.path().join("sessions.db")).arg(length);
    Ok(Server::announced(command, dir))
}

/// Express from npm on Debian's node, installed on demand.
fn express(length: &str) -> Result<Server, &'static str> {
    let node = server::installed("node").ok_or("there is no node")?;
    let npm = server::installed("npm").ok_or("there is no npm")?;
    let source = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/bench/express.cjs");
    let folder = concat!(env!("CARGO_TARGET_TMPDIR"), "/express");
    std::fs::create_dir_all(folder).unwrap();
    let mut install = Command::new(npm);
    install.args([
        "install",
        "--silent",
        "--no-audit",
        "--no-fund",
        "--prefix",
        folder,
    ]);
    install
        .args(["express@5", "express-session@1"])
        .stdout(std::process::Stdio::null());
    if !install.status().is_ok_and(|status| status.success()) {
        return Err("Express could not be installed");
    }
    let mut command = server::pinned(node);
    command
        .arg(source)
        .arg(length)
        .env("NODE_PATH", format!("{folder}/node_modules"))
        .env("NODE_ENV", "production");
    Ok(Server::announced(command, server::folder()))
}
