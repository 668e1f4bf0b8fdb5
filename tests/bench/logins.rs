//! A storm of logins, and its effect on other sessions.

use std::{cell::Cell, net::SocketAddr, time::Duration};

use futures_util::future::{join, join_all};

use super::{
    http::{Connection, request},
    load::steady,
    people::{command, people},
    server::Server,
    table::{Goal, Rounds, Table, p99},
};

const ROUNDS: usize = 5;
const TIME: Duration = Duration::from_secs(3);
/// The requests per second of sessions that are already logged in.
const RATE: u32 = 2000;
/// The logins that run at the same time.
const LOGINS: usize = 32;

pub async fn measure(table: &mut Table) {
    let server = Server::rejoin();
    let people = people(server.address, "p", 1, None).await;
    let mut connection = Connection::open(server.address).await;
    command(
        &mut connection,
        server.address,
        &people[0],
        "PASS",
        &["correct horse battery"],
    )
    .await;
    let asked = request(
        "GET",
        "/api/v1/session",
        server.address,
        &people[0].cookie,
        "",
    );
    let mut rounds = Rounds::default();
    for _ in 0..ROUNDS {
        let calm = steady(server.address, &asked, RATE, TIME).await;
        let over = Cell::new(false);
        let storm = join_all((0..LOGINS).map(|_| log_in(server.address, &over)));
        let load = async {
            let took = steady(server.address, &asked, RATE, TIME).await;
            over.set(true);
            took
        };
        let (stormy, logins) = join(load, storm).await;
        assert!(logins.iter().sum::<usize>() > 0, "there was no storm");
        rounds.add(p99(stormy), p99(calm));
    }
    let measure = "p99 of a GET at 2,000/s in a storm of logins";
    table.enter(
        measure,
        "without the storm",
        "ms",
        &rounds,
        Goal::AtMost(2.0),
    );
}

/// Logs in with a wrong password again and again. It costs as much hashing as a right one, and
/// fills no session. Returns the number of logins.
async fn log_in(address: SocketAddr, over: &Cell<bool>) -> usize {
    let login = request(
        "POST",
        "/login",
        address,
        "",
        r#"{"nick":"p0","password":"a wrong password"}"#,
    );
    let mut connection = Connection::open(address).await;
    let mut count = 0;
    while !over.get() {
        assert_eq!(connection.ask(&login).await.status, 401);
        count += 1;
    }
    count
}
