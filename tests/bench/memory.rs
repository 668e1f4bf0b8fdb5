//! The memory of an idle WebSocket.

use super::{
    people::{head, people},
    server::Server,
    table::{Goal, Rounds, Table},
    wire::Receiver,
};

const CLIENTS: usize = 10_000;

pub async fn measure(table: &mut Table) {
    let ours = {
        let server = Server::rejoin();
        let people = people(server.address, "p", CLIENTS, None).await;
        let path = format!(
            "/api/v1/socket?after={}",
            head(server.address, &people[0]).await
        );
        // Restarted, because the other server is fresh. Otherwise the sockets would reuse memory
        // that creating the sessions had freed.
        let server = Server::rejoin_in(server.stop());
        let before = server.memory();
        let mut sockets = Vec::new();
        for person in &people {
            sockets.push(Receiver::web_socket(server.address, &path, &person.cookie).await);
        }
        (server.memory() - before) / CLIENTS as f64
    };
    let theirs = {
        let server = Server::peer("idle", &[]);
        let before = server.memory();
        let mut sockets = Vec::new();
        for _ in 0..CLIENTS {
            sockets.push(Receiver::web_socket(server.address, "/", "").await);
        }
        (server.memory() - before) / CLIENTS as f64
    };
    let mut rounds = Rounds::default();
    rounds.add(ours / 1024.0, theirs / 1024.0);
    let against = "bare axum WebSocket, its own buffers";
    table.enter(
        "memory per idle socket of 10,000",
        against,
        "KiB",
        &rounds,
        Goal::AtMost(0.1),
    );
}
