//! Deliveries: one sender that does not wait for answers, and many receivers.

use std::time::Instant;

use futures_util::future::{join, join_all};
use tokio::sync::watch;

use super::{
    irc,
    people::{head, people},
    server::Server,
    table::{Goal, Rounds, Table},
    wire::{Receiver, frame},
};

const MEASURE: &str = "socket deliveries, 1 sender, 1,000 clients";
const CLIENTS: usize = 1000;
/// The messages of one round. Each is delivered to all receivers.
const MESSAGES: usize = 1500;
/// The most messages that the sender is ahead of the first receiver.
const AHEAD: usize = 192;
const ROUNDS: usize = 9;
const CHANNEL: &str = "#bench";
const TEXT: &str = "somebody says something that is about as long as what people say";

/// A server, its receivers, and the sender's message.
pub struct Crowd {
    _server: Server,
    sender: Receiver,
    receivers: Vec<Receiver>,
    message: Vec<u8>,
    /// The messages that come back to the sender for each one that it sends: its own copy, and the
    /// answer.
    echoed: usize,
}

pub async fn measure(table: &mut Table) {
    let mut ours = rejoin().await;
    let mut bare = broadcast().await;
    let rounds = Rounds::taken(ROUNDS, async || ours.run().await, async || bare.run().await).await;
    table.enter(
        MEASURE,
        "bare broadcast, nothing stored",
        "/s",
        &rounds,
        Goal::AtLeast(0.65),
    );
    drop(bare);
    for (name, peer) in [
        ("ngircd, nothing stored", irc::ngircd()),
        ("inspircd, nothing stored", irc::inspircd()),
    ] {
        let server = match peer {
            Ok(server) => server,
            Err(why) => {
                table.skip(MEASURE, name, why);
                continue;
            }
        };
        let mut theirs = ircd(server).await;
        let rounds = Rounds::taken(
            ROUNDS,
            async || ours.run().await,
            async || theirs.run().await,
        )
        .await;
        table.enter(MEASURE, name, "/s", &rounds, Goal::AtLeast(0.5));
    }
}

async fn rejoin() -> Crowd {
    crowd_of(Server::rejoin()).await
}

/// The receivers on a Rejoin server, and a sender.
pub async fn crowd_of(server: Server) -> Crowd {
    let people = people(server.address, "p", CLIENTS + 1, Some(CHANNEL)).await;
    let path = format!(
        "/api/v1/socket?after={}",
        head(server.address, &people[0]).await
    );
    let mut sockets = Vec::new();
    for person in &people {
        sockets.push(Receiver::web_socket(server.address, &path, &person.cookie).await);
    }
    let message = frame(&format!(
        r#"{{"command":"PRIVMSG","params":["{CHANNEL}","{TEXT}"]}}"#
    ));
    let sender = sockets.pop().unwrap();
    Crowd {
        _server: server,
        sender,
        receivers: sockets,
        message,
        echoed: 2,
    }
    .settled()
    .await
}

async fn broadcast() -> Crowd {
    let server = Server::peer("broadcast", &[]);
    // The message is as long as an event of Rejoin.
    let text = format!(
        r#"{{"id":1000,"time":"2026-11-21T03:04:05.678Z","source":"p1000","command":"PRIVMSG","params":["{CHANNEL}","{TEXT}"]}}"#
    );
    let mut receivers = Vec::new();
    for _ in 0..=CLIENTS {
        receivers.push(Receiver::web_socket(server.address, "/", "").await);
    }
    let sender = receivers.pop().unwrap();
    Crowd {
        _server: server,
        sender,
        receivers,
        message: frame(&text),
        echoed: 1,
    }
    .settled()
    .await
}

async fn ircd(server: Server) -> Crowd {
    let mut receivers = irc::members(server.address, CHANNEL, CLIENTS + 1).await;
    let sender = receivers.pop().unwrap();
    let message = format!("PRIVMSG {CHANNEL} :{TEXT}\r\n").into_bytes();
    Crowd {
        _server: server,
        sender,
        receivers,
        message,
        echoed: 0,
    }
    .settled()
    .await
}

impl Crowd {
    /// Deliveries per second.
    pub async fn run(&mut self) -> f64 {
        let started = Instant::now();
        self.deliver(MESSAGES).await;
        (MESSAGES * self.receivers.len()) as f64 / started.elapsed().as_secs_f64()
    }

    /// Sends this many messages, and waits until every receiver has them all.
    async fn deliver(&mut self, messages: usize) {
        let (progress, mut seen) = watch::channel(0);
        let Self {
            sender,
            receivers,
            message,
            echoed,
            ..
        } = self;
        let (first, others) = receivers.split_first_mut().unwrap();
        let send = async {
            let mut sent = 0;
            while sent < messages {
                let seen = *seen.wait_for(|seen| sent < seen + AHEAD).await.unwrap();
                let batch = (seen + AHEAD - sent).min(messages - sent);
                sender.send(&message.repeat(batch)).await;
                sent += batch;
            }
            sender.receive_all(messages * *echoed).await;
        };
        let lead = async {
            let mut seen = 0;
            while seen < messages {
                seen += first.receive().await;
                progress.send_replace(seen);
            }
        };
        let follow = join_all(
            others
                .iter_mut()
                .map(|receiver| receiver.receive_all(messages)),
        );
        join(join(send, lead), follow).await;
    }

    /// Waits until every receiver has received a message.
    async fn settled(mut self) -> Self {
        self.deliver(1).await;
        self
    }
}
