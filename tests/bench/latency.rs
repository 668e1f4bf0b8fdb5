//! The time from a POST to its arrival at the sockets of a hundred members. One message is sent at
//! a time.

use std::time::Instant;

use futures_util::future::{join, join_all};

use super::{
    http::{Connection, request},
    people::{head, message, people},
    server::Server,
    table::{Goal, Rounds, Table, p99},
    wire::Receiver,
};

const MEMBERS: usize = 100;
/// The messages of one round.
const MESSAGES: usize = 300;
const ROUNDS: usize = 5;

struct Side {
    _server: Server,
    post: Vec<u8>,
    sender: Connection,
    receivers: Vec<Receiver>,
}

pub async fn measure(table: &mut Table) {
    let mut ours = rejoin().await;
    let mut bare = broadcast().await;
    let rounds = Rounds::taken(ROUNDS, async || ours.run().await, async || bare.run().await).await;
    table.enter(
        "p99 from POST to arrival, 100 members",
        "bare broadcast",
        "ms",
        &rounds,
        Goal::AtMost(1.5),
    );
}

async fn rejoin() -> Side {
    let server = Server::rejoin();
    let people = people(server.address, "p", MEMBERS, Some("#bench")).await;
    let path = format!(
        "/api/v1/socket?after={}",
        head(server.address, &people[0]).await
    );
    let receivers = people
        .iter()
        .map(|person| Receiver::web_socket(server.address, &path, &person.cookie));
    let receivers = join_all(receivers).await;
    let post = message(server.address, &people[0], "PRIVMSG", &["#bench", "hello"]);
    Side {
        sender: Connection::open(server.address).await,
        _server: server,
        post,
        receivers,
    }
}

async fn broadcast() -> Side {
    let server = Server::peer("broadcast", &[]);
    let receivers =
        join_all((0..MEMBERS).map(|_| Receiver::web_socket(server.address, "/", ""))).await;
    let event = r##"{"id":1000,"time":"2026-11-21T03:04:05.678Z","source":"p0","command":"PRIVMSG","params":["#bench","hello"]}"##;
    let post = request("POST", "/send", server.address, "", event);
    Side {
        sender: Connection::open(server.address).await,
        _server: server,
        post,
        receivers,
    }
}

impl Side {
    /// The 99th percentile over messages and members, in milliseconds.
    async fn run(&mut self) -> f64 {
        let mut took = Vec::new();
        for _ in 0..MESSAGES {
            let started = Instant::now();
            let sent = async {
                assert_eq!(self.sender.ask(&self.post).await.status, 200);
            };
            let arrived = self.receivers.iter_mut().map(|receiver| async {
                receiver.receive_all(1).await;
                started.elapsed().as_secs_f64() * 1e3
            });
            took.extend(join(sent, join_all(arrived)).await.1);
        }
        p99(took)
    }
}
