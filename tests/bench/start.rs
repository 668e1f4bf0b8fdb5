//! Starting with a large database: the time until the server accepts connections, and its memory.

use std::time::Instant;

use super::{
    server::Server,
    table::{Goal, Rounds, Table},
};

const ROUNDS: usize = 3;

/// 100,000 sessions with two clients each. There are 1,000 channels, and each session is on 20.
/// There are 5 million events, each on one channel.
const FILL: &str = "
    PRAGMA synchronous = off;
    BEGIN;
    CREATE TEMP TABLE n (n INTEGER PRIMARY KEY);
    WITH RECURSIVE n(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < 5000000) INSERT INTO temp.n SELECT n FROM n;
    INSERT INTO target (id) SELECT n FROM n WHERE n <= 101000;
    INSERT INTO session (id, nick, folded_nick, created_at, network)
        SELECT n, 'p' || n, 'p' || n, 1795000000000, '127.0.0.1/32' FROM n WHERE n <= 100000;
    INSERT INTO client (session_id, name, secret_hash, start, begun, cursor, created_at, seen_at, expires_at, address)
        SELECT (n + 1) / 2, 'a browser', randomblob(32), 0, 1, 0, $now, $now, $now + 15552000000, '127.0.0.1'
        FROM n WHERE n <= 200000;
    INSERT INTO channel (id, name, folded_name, created_at, modes)
        SELECT 100000 + n, '#c' || n, '#c' || n, 1795000000000, 'nt' FROM n WHERE n <= 1000;
    INSERT INTO membership (session_id, channel_id, since)
        SELECT (n + 19) / 20, 100001 + (n * 7919) % 1000, 1 FROM n WHERE n <= 2000000 ON CONFLICT DO NOTHING;
    INSERT INTO event (time, source, command, params, targets)
        SELECT $now, 'p' || (n % 100000), 'PRIVMSG',
               '[\"#c\",\"somebody says something that is about as long as what people say\"]',
               '[' || (100001 + n % 1000) || ']' FROM n;
    INSERT INTO address (target_id, event_id)
        SELECT 100001 + n % 1000, n FROM n ORDER BY n % 1000, n;
    UPDATE log SET head = 5000000, time = $now;
    COMMIT;";

pub async fn measure(table: &mut Table) {
    let mut dir = Server::rejoin().stop();
    let database = rusqlite::Connection::open(dir.path().join("rejoin.db")).unwrap();
    let now: i64 = database
        .query_row("SELECT unixepoch() * 1000", [], |row| row.get(0))
        .unwrap();
    database
        .execute_batch(&FILL.replace("$now", &now.to_string()))
        .unwrap();
    drop(database);
    let (mut seconds, mut memory) = (Rounds::default(), Rounds::default());
    for _ in 0..ROUNDS {
        let started;
        (started, dir) = start(dir);
        seconds.add(started.0, 1.0);
        memory.add(started.1, started.2);
    }
    let measure = "start, 100,000 sessions, 200,000 clients, 5 million events";
    table.enter(measure, "a second", "s", &seconds, Goal::AtMost(2.0));
    table.enter(
        "memory held after that start",
        "the database's file",
        "MiB",
        &memory,
        Goal::AtMost(0.25),
    );
}

/// The seconds until the server listens, its memory in MiB, and its database in MiB.
fn start(dir: tempfile::TempDir) -> ((f64, f64, f64), tempfile::TempDir) {
    const MIB: f64 = 1024.0 * 1024.0;
    let size = std::fs::metadata(dir.path().join("rejoin.db"))
        .unwrap()
        .len() as f64
        / MIB;
    let started = Instant::now();
    let server = Server::rejoin_in(dir);
    let seconds = started.elapsed().as_secs_f64();
    let memory = server.memory() / MIB;
    ((seconds, memory, size), server.stop())
}
