//! Messages accepted over HTTP. Each is on disk before its answer. Many senders are measured
//! against one, and large channels against small ones.

use std::{net::SocketAddr, time::Duration};

use super::{
    http::Connection,
    load::rate,
    people::{Person, command, message, people},
    server::Server,
    table::{Goal, Rounds, Table},
};

const ROUNDS: usize = 5;
const TIME: Duration = Duration::from_secs(1);
const SENDERS: usize = 64;
const LARGE: usize = 1000;
const SMALL: usize = 10;
const TEXT: &str = "somebody says something that is about as long as what people say";

pub async fn senders(table: &mut Table) {
    let server = Server::rejoin();
    let senders = people(server.address, "p", SENDERS, Some("#bench")).await;
    let all = posts(server.address, &senders, "#bench");
    let of = async |posts| rate(server.address, posts, TIME).await;
    let rounds = Rounds::taken(
        ROUNDS,
        async || of(&all).await,
        async || of(&all[..1]).await,
    )
    .await;
    table.enter(
        "PRIVMSG accepted over HTTP, 64 senders",
        "1 sender",
        "/s",
        &rounds,
        Goal::AtLeast(8.0),
    );
}

pub async fn members(table: &mut Table) {
    let server = Server::rejoin();
    // The senders are members of both channels, and all other members are offline. A message waits
    // for them, whether they are ten or a thousand.
    let senders = people(server.address, "s", SMALL, None).await;
    people(server.address, "m", LARGE - SMALL, Some("#large")).await;
    for sender in &senders {
        command(
            &mut Connection::open(server.address).await,
            server.address,
            sender,
            "JOIN",
            &["#large,#small"],
        )
        .await;
    }
    let (large, small) = (
        posts(server.address, &senders, "#large"),
        posts(server.address, &senders, "#small"),
    );
    let (mut rates, mut bytes) = (Rounds::default(), Rounds::default());
    for _ in 0..ROUNDS {
        let (large, small) = (
            written(&server, &large).await,
            written(&server, &small).await,
        );
        rates.add(large.0, small.0);
        bytes.add(large.1, small.1);
    }
    table.enter(
        "PRIVMSG accepted, channel of 1,000 members who are away",
        "of 10 members",
        "/s",
        &rates,
        Goal::AtLeast(0.8),
    );
    table.enter(
        "written to disk per message, 1,000 members",
        "10 members",
        "bytes",
        &bytes,
        Goal::AtMost(1.2),
    );
}

/// Messages accepted per second, and the bytes written to disk for each.
async fn written(server: &Server, posts: &[Vec<u8>]) -> (f64, f64) {
    let before = server.written();
    let rate = rate(server.address, posts, TIME).await;
    (
        rate,
        (server.written() - before) / (rate * TIME.as_secs_f64()),
    )
}

fn posts(address: SocketAddr, senders: &[Person], channel: &str) -> Vec<Vec<u8>> {
    senders
        .iter()
        .map(|sender| message(address, sender, "PRIVMSG", &[channel, TEXT]))
        .collect()
}
