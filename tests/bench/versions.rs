//! This build of Rejoin beside another one, such as the build before a change. The environment
//! variable `REJOIN_BEFORE` names the other program:
//!
//!     REJOIN_BEFORE=../before/target/release/rejoin cargo bench -- versions

use std::{
    path::PathBuf,
    time::{Duration, Instant},
};

use super::{
    deliveries::crowd_of,
    http::{Connection, request},
    load::rate,
    people::{Person, command, head, message, people},
    server::{Server, folder},
    table::{Goal, Rounds, Table},
};

const AGAINST: &str = "the other build";
const ROUNDS: usize = 7;
const TIME: Duration = Duration::from_secs(1);
const SENDERS: usize = 64;
const READERS: usize = 16;
/// The number of a session's channels besides itself, and the measures of reading its queue.
const QUEUES: [(usize, [&str; 3]); 3] = [
    (
        1,
        [
            "poll without news, 1 channel",
            "page of 200 events, 1 channel",
            "GET session, 1 channel",
        ],
    ),
    (
        10,
        [
            "poll without news, 10 channels",
            "page of 200 events, 10 channels",
            "GET session, 10 channels",
        ],
    ),
    (
        100,
        [
            "poll without news, 100 channels",
            "page of 200 events, 100 channels",
            "GET session, 100 channels",
        ],
    ),
];
/// The messages that wait in each of those queues.
const BACKLOG: usize = 1000;
const TEXT: &str = "somebody says something that is about as long as what people say";

/// The requests of a measure, which are sent again and again, and how their answers are counted.
struct Load {
    measure: &'static str,
    count: Count,
    requests: Vec<Vec<u8>>,
}

#[derive(Clone, Copy)]
enum Count {
    /// Per second: for measures that wait for the disk.
    Second,
    /// Per second of the server's processor time.
    Work,
}

pub async fn measure(table: &mut Table) {
    let Some(other) = std::env::var_os("REJOIN_BEFORE").map(PathBuf::from) else {
        return table.skip("this build", AGAINST, "REJOIN_BEFORE names no program");
    };
    let (ours, theirs) = (Server::rejoin(), Server::build_of_rejoin(&other, folder()));
    let loads = loads(&ours).await.into_iter().zip(loads(&theirs).await);
    for (our_load, their_load) in loads {
        let rounds = Rounds::taken(
            ROUNDS,
            async || our_load.run(&ours).await,
            async || their_load.run(&theirs).await,
        )
        .await;
        enter(table, our_load.measure, our_load.count, &rounds);
    }
    drop((ours, theirs));
    let mut ours = crowd_of(Server::rejoin()).await;
    let mut theirs = crowd_of(Server::build_of_rejoin(&other, folder())).await;
    let rounds = Rounds::taken(
        ROUNDS,
        async || ours.run().await,
        async || theirs.run().await,
    )
    .await;
    enter(
        table,
        "socket deliveries, 1 sender, 1,000 clients",
        Count::Second,
        &rounds,
    );
}

fn enter(table: &mut Table, measure: &'static str, count: Count, rounds: &Rounds) {
    let unit = match count {
        Count::Second => "/s",
        Count::Work => "per s of processor",
    };
    table.enter(measure, AGAINST, unit, rounds, Goal::AtLeast(0.97));
}

impl Load {
    /// The answers per second of the time that `count` names.
    async fn run(&self, server: &Server) -> f64 {
        let (worked, started) = (server.worked(), Instant::now());
        let rate = rate(server.address, &self.requests, TIME).await;
        match self.count {
            Count::Second => rate,
            Count::Work => rate * started.elapsed().as_secs_f64() / (server.worked() - worked),
        }
    }
}

/// All loads of one server, with the sessions and channels that they need.
async fn loads(server: &Server) -> Vec<Load> {
    let address = server.address;
    let load = |measure, count, requests| Load {
        measure,
        count,
        requests,
    };
    let get = |people: &[Person], path: &str| -> Vec<Vec<u8>> {
        let request = |person: &Person| request("GET", path, address, &person.cookie, "");
        people.iter().map(request).collect()
    };
    let post = |people: &[Person], verb: &str, params: &[&str]| -> Vec<Vec<u8>> {
        let post = |person: &Person| message(address, person, verb, params);
        people.iter().map(post).collect()
    };

    let senders = people(address, "s", SENDERS, Some("#said")).await;
    people(address, "away", 1000, Some("#large")).await;
    let to_large = people(address, "l", SENDERS, Some("#large")).await;
    let alone = people(address, "p", READERS, None).await;
    let mut loads = vec![
        load(
            "PRIVMSG, 64 senders",
            Count::Second,
            post(&senders, "PRIVMSG", &["#said", TEXT]),
        ),
        load(
            "PRIVMSG, 64 senders",
            Count::Work,
            post(&senders, "PRIVMSG", &["#said", TEXT]),
        ),
        load(
            "PRIVMSG, 1 sender",
            Count::Second,
            post(&senders[..1], "PRIVMSG", &["#said", TEXT]),
        ),
        load(
            "PRIVMSG to 1,000 members",
            Count::Work,
            post(&to_large, "PRIVMSG", &["#large", TEXT]),
        ),
        load(
            "AWAY set",
            Count::Work,
            post(&senders, "AWAY", &["back soon"]),
        ),
        load(
            "GET session, no channel",
            Count::Work,
            get(&alone, "/api/v1/session"),
        ),
        load(
            "WHO of 1,000 members",
            Count::Work,
            post(&to_large[..READERS], "WHO", &["#large"]),
        ),
        load(
            "NAMES of 1,000 members",
            Count::Work,
            post(&to_large[..READERS], "NAMES", &["#large"]),
        ),
        load(
            "GET session, channel of 1,000",
            Count::Work,
            get(&to_large[..READERS], "/api/v1/session"),
        ),
    ];
    for (channels, [nothing, page, snapshot]) in QUEUES {
        let readers = readers(server, channels).await;
        let head = head(address, &readers[0]).await;
        let after = |id: i64| format!("/api/v1/messages?after={id}&limit=200&timeout=0");
        let start = head - BACKLOG as i64;
        loads.push(load(nothing, Count::Work, get(&readers, &after(head))));
        loads.push(load(page, Count::Work, get(&readers, &after(start))));
        loads.push(load(
            snapshot,
            Count::Work,
            get(&readers, "/api/v1/session"),
        ));
    }
    loads
}

/// Sessions on this many channels, with messages that wait in their queues.
async fn readers(server: &Server, channels: usize) -> Vec<Person> {
    let address = server.address;
    let prefix = format!("r{channels}x");
    let readers = people(address, &prefix, READERS, None).await;
    let speaker = &people(address, &format!("t{channels}x"), 1, None).await[0];
    let mut connection = Connection::open(address).await;
    let names: Vec<String> = (0..channels).map(|n| format!("#{prefix}{n}")).collect();
    let lists: Vec<String> = names.chunks(20).map(|names| names.join(",")).collect();
    for person in readers.iter().chain([speaker]) {
        for list in &lists {
            command(&mut connection, address, person, "JOIN", &[list]).await;
        }
    }
    for n in 0..BACKLOG {
        let name = names[n % channels].as_str();
        command(&mut connection, address, speaker, "PRIVMSG", &[name, TEXT]).await;
    }
    readers
}
