//! `kill -9` under load. Every answered command has its effect once and in order. A repeated
//! command has its effect once. A command without an answer had its effect either wholly or not at
//! all.
//!
//! Users write and read, log in and leave, while the program is killed and started again on the
//! same database and port. `CRASH_ROUNDS` sets the number of rounds.

use std::{
    collections::HashMap,
    path::Path,
    time::{Duration, Instant},
};

use tokio::{sync::watch, task::JoinSet};

use crate::support::{Message, Process, assert_integrity, params};

use connection::{Connection, News};
use ledger::{Happened, Ledger, Reading, To};
use user::User;
use visitor::{Done, Visitor, assert_left};

mod connection;
mod ledger;
mod user;
mod visitor;

const ROUNDS: usize = 6;
/// The most commands that are answered between two kills.
const ANSWERS: usize = 200;
const PASSWORD: &str = "correct horse battery";
/// The members that stay on each channel all the time. `dan` and the guests join #all and leave it.
const ON: [(&str, &[&str]); 2] = [("#all", &["ann", "ben", "cat"]), ("#two", &["ann", "ben"])];

/// A free port outside the range from which the system picks, so that no other program gets it
/// while the server is down.
fn address() -> String {
    let picked =
        std::iter::repeat_with(|| format!("127.0.0.1:{}", rand::random_range(20_000..30_000)));
    { picked }
        .find(|address| std::net::TcpListener::bind(address).is_ok())
        .unwrap()
}

/// The last message to each reader comes from a nick that has sent nothing before.
fn is_last(message: &Message) -> bool {
    message.source == "zoe"
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn kill_9_under_load_never_loses_repeats_or_reorders_events() {
    let rounds = std::env::var("CRASH_ROUNDS")
        .ok()
        .and_then(|rounds| rounds.parse().ok())
        .unwrap_or(ROUNDS);
    let limit = Duration::from_secs(40 + 5 * rounds as u64);
    tokio::time::timeout(limit, run(rounds))
        .await
        .expect("a participant waits for an answer that does not come");
}

async fn run(rounds: usize) {
    let (dir, started) = (tempfile::tempdir().unwrap(), Instant::now());
    let (database, address) = (dir.path().join("rejoin.db"), address());
    let mut process = Process::listening(&database, &address, &[]);
    let (news, answered) = (watch::Sender::new(News::default()), watch::Sender::new(0));
    let line = Connection {
        news: news.subscribe(),
        answered: answered.clone(),
    };

    let mut first = HashMap::new();
    for nick in ["ann", "ben", "cat", "dan"] {
        let device = process.create_session(nick).await;
        device.send(&format!("PASS :{PASSWORD}")).await;
        first.insert(nick, device);
    }
    for (channel, nicks) in ON {
        for nick in nicks {
            first[nick].send(&format!("JOIN {channel}")).await;
        }
    }
    let mut readers = JoinSet::new();
    for (nick, streams) in [
        ("ann", true),
        ("ann", false),
        ("ben", true),
        ("cat", false),
        ("dan", true),
        ("dan", false),
    ] {
        let device = process.device().login(nick, PASSWORD).await.unwrap();
        let mut reader = User::new(device, line.clone()).await;
        readers.spawn(async move {
            if streams {
                reader.follow(is_last).await
            } else {
                reader.poll(is_last).await
            }
        });
    }
    let mut last = User::new(process.create_session("zoe").await, line.clone()).await;
    let mut writers = JoinSet::new();
    for (nick, what) in [
        (
            "ann",
            &[
                ("PRIVMSG", "#all"),
                ("PRIVMSG", "#two"),
                ("PRIVMSG", "#all,cat"),
            ][..],
        ),
        (
            "ben",
            &[
                ("NOTICE", "#two,#all"),
                ("PRIVMSG", "dan"),
                ("PRIVMSG", "#all"),
            ],
        ),
        (
            "cat",
            &[
                ("PRIVMSG", "#all"),
                ("PRIVMSG", "cat"),
                ("NOTICE", "dan,ann"),
            ],
        ),
        (
            "dan",
            &[
                ("JOIN", "#all"),
                ("PRIVMSG", "#all"),
                ("PART", "#all"),
                ("PRIVMSG", "ben"),
            ],
        ),
    ] {
        let writer = User::new(first.remove(nick).unwrap(), line.clone()).await;
        writers.spawn(writer.write(what));
    }
    let mut guests = JoinSet::new();
    for nick in ["gus", "hal", "ida"] {
        guests.spawn(Visitor::new(nick, process.device(), line.clone()).visit());
    }

    let mut answers = answered.subscribe();
    for _ in 0..rounds {
        // With zero answers the kill comes right after the start.
        let enough = *answers.borrow() + rand::random_range(0..ANSWERS);
        tokio::select! {
            answered = answers.wait_for(|answered| *answered >= enough) => drop(answered.unwrap()),
            // No participant finishes before the end, so one that returns here has failed.
            failed = writers.join_next() => panic!("{:?}", failed.and_then(Result::err)),
            failed = readers.join_next() => panic!("{:?}", failed.and_then(Result::err)),
            failed = guests.join_next() => panic!("{:?}", failed.and_then(Result::err)),
        }
        process = restarted(process, &database, &address);
        news.send_modify(|news| news.starts += 1);
    }
    news.send_modify(|news| news.over = true);

    let (mut happened, mut readings, mut guests) =
        (Vec::new(), Vec::new(), guests.join_all().await);
    let mut quiet = Vec::new();
    for (writer, own) in writers.join_all().await {
        happened.extend(own);
        quiet.push(writer);
    }
    for nick in ["ann", "ben", "cat", "dan"] {
        happened.extend(
            last.send("PRIVMSG", &[nick, "the end"], &format!("last for {nick}"))
                .await
                .1,
        );
    }
    readings.extend(readers.join_all().await);
    // The participants that only wrote read their queues now, and see their labels there.
    for mut writer in quiet {
        readings.push(writer.poll(is_last).await);
    }
    for guest in &mut guests {
        happened.append(&mut guest.happened);
        readings.append(&mut guest.readings);
    }
    happened.extend(quits(
        &guests,
        readings
            .iter()
            .find(|reading| reading.nick == "ann")
            .unwrap(),
    ));
    let ledger = Ledger::new(happened, &ON);
    readings.iter().for_each(|reading| ledger.check(reading));

    look_back(&restarted(process, &database, &address), &guests, line).await;

    let sum = |count: fn(&Done) -> usize| guests.iter().map(count).sum::<usize>();
    let (logins, left) = (sum(|guest| guest.logins), sum(|guest| guest.left.len()));
    let (ended, unanswered) = (
        sum(|guest| guest.quits.len()),
        sum(|guest| guest.unanswered),
    );
    println!(
        "{} kills in {:?}: {} events; guests: {logins} logins, {left} leavings, {ended} sessions ended; {unanswered} done unanswered",
        rounds + 1,
        started.elapsed(),
        ledger.len(),
    );
}

/// Devices that left stay ended. Only the known sessions remain, with their eleven devices and the
/// lost ones.
async fn look_back(process: &Process, guests: &[Done], mut line: Connection) {
    let lost: Vec<_> = guests.iter().flat_map(|guest| &guest.lost).collect();
    process
        .device()
        .wait_for_metric(&format!("rejoin_sessions {}", 5 + lost.len()))
        .await;
    process
        .device()
        .wait_for_metric(&format!("rejoin_clients {}", 11 + lost.len()))
        .await;
    for (device, reason) in guests.iter().flat_map(|guest| &guest.left) {
        assert_left(&mut line, device, reason).await;
    }
    for nick in lost {
        assert_eq!(
            process
                .device()
                .try_create_session(nick)
                .await
                .unwrap_err()
                .code,
            "nickname_in_use"
        );
    }
}

fn restarted(process: Process, database: &Path, address: &str) -> Process {
    process.kill();
    let process = Process::listening(database, address, &[]);
    // This check comes after the start. Opening the database earlier would do the recovery that the
    // server must do by itself after a kill.
    assert_integrity(database);
    process
}

/// The QUITs of guests as a witness received them. Asserts that there is exactly one for each
/// session that ended.
fn quits(guests: &[Done], witness: &Reading) -> Vec<Happened> {
    let (mut due, mut seen) = (
        HashMap::<&str, Vec<&str>>::new(),
        HashMap::<&str, Vec<&str>>::new(),
    );
    for (nick, reason) in guests.iter().flat_map(|guest| &guest.quits) {
        due.entry(nick).or_default().push(reason);
    }
    let mut quits = Vec::new();
    for message in witness.of("QUIT") {
        seen.entry(message.source.as_str())
            .or_default()
            .push(params(message)[0]);
        let id = message.id;
        quits.push(Happened {
            id,
            message: message.clone(),
            origin: None,
            to: To::Channel("#all".into()),
        });
    }
    assert_eq!(seen, due);
    quits
}
