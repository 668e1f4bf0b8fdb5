//! The sessions of a Rejoin server, created over many connections at once.

use std::net::SocketAddr;

use futures_util::future::join_all;

use super::http::{Connection, request};

/// The connections that create them.
const CONNECTIONS: usize = 64;

pub struct Person {
    pub cookie: String,
}

/// Creates sessions, and begins the queue of each. They join `channel` if there is one.
pub async fn people(
    address: SocketAddr,
    prefix: &str,
    count: usize,
    channel: Option<&str>,
) -> Vec<Person> {
    let batches = (0..CONNECTIONS).map(|first| async move {
        let mut connection = Connection::open(address).await;
        let mut made = Vec::new();
        for n in (first..count).step_by(CONNECTIONS) {
            made.push(person(&mut connection, address, format!("{prefix}{n}")).await);
            if let Some(channel) = channel {
                command(
                    &mut connection,
                    address,
                    made.last().unwrap(),
                    "JOIN",
                    &[channel],
                )
                .await;
            }
        }
        made
    });
    join_all(batches).await.into_iter().flatten().collect()
}

async fn person(connection: &mut Connection, address: SocketAddr, nick: String) -> Person {
    let body = serde_json::json!({ "nick": nick }).to_string();
    let answer = connection
        .ask(&request("POST", "/api/v1/session", address, "", &body))
        .await;
    assert_eq!(
        answer.status,
        201,
        "{}",
        String::from_utf8_lossy(answer.body)
    );
    let cookie = answer.cookie();
    let snapshot = connection
        .ask(&request("GET", "/api/v1/session", address, &cookie, ""))
        .await;
    assert_eq!(snapshot.status, 200);
    Person { cookie }
}

/// The log's position.
pub async fn head(address: SocketAddr, person: &Person) -> i64 {
    let mut connection = Connection::open(address).await;
    let answer = connection
        .ask(&request(
            "GET",
            "/api/v1/session",
            address,
            &person.cookie,
            "",
        ))
        .await;
    let snapshot: serde_json::Value = serde_json::from_slice(answer.body).unwrap();
    snapshot["cursor"].as_i64().unwrap()
}

/// Carries out a command.
pub async fn command(
    connection: &mut Connection,
    address: SocketAddr,
    person: &Person,
    command: &str,
    params: &[&str],
) {
    let answer = connection
        .ask(&message(address, person, command, params))
        .await;
    assert_eq!(
        answer.status,
        200,
        "{}",
        String::from_utf8_lossy(answer.body)
    );
}

/// The request that carries out a command.
pub fn message(address: SocketAddr, person: &Person, command: &str, params: &[&str]) -> Vec<u8> {
    let body = serde_json::json!({ "command": command, "params": params }).to_string();
    request("POST", "/api/v1/messages", address, &person.cookie, &body)
}
