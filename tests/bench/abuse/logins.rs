//! Passwords: how a stranger's login, neighbours and many logins at once delay other logins.

use std::{
    cell::Cell,
    time::{Duration, Instant},
};

use futures_util::future::{join, join_all};

use super::{
    super::table::{Goal, Rounds, Table, median},
    all_work,
    site::Site,
    visitor::Visitor,
};

const PASSWORD: &str = "correct horse battery";
const ANOTHER: &str = "battery horse correct";
const SESSIONS: usize = 80;
const LOGINS: usize = 15;
/// How long the attack runs before anyone logs in. By then each of its networks has used up its
/// burst.
const ATTACKED: Duration = Duration::from_secs(5);
/// The longest time that a login is tried. A login that fails until then counts with this time.
const PATIENCE: Duration = Duration::from_secs(10);

pub async fn measure(table: &mut Table) {
    stranger(table).await;
    at_once(table).await;
    neighbour(table).await;
}

/// Sessions with a password. The nth one is created from the network `network(n)`.
async fn sessions(site: &Site, count: usize, network: impl Fn(usize) -> String) -> Vec<String> {
    let mut cookies = Vec::new();
    for n in 0..count {
        let mut visitor = Visitor::new(site.address(), &network(n));
        cookies.push(visitor.create(&format!("s{n}")).await);
        assert!(visitor.line(&format!("PASS :{PASSWORD}")).await.ok());
    }
    cookies
}

/// The median time until a login succeeds, in milliseconds.
async fn logins(site: &Site) -> f64 {
    let mut took = Vec::new();
    for _ in 0..LOGINS {
        let mut visitor = Visitor::new(site.address(), "198.51.100.1");
        let started = Instant::now();
        loop {
            let reply = visitor.log_in("victim", PASSWORD).await;
            if reply.ok() || started.elapsed() > PATIENCE {
                took.push(started.elapsed().as_secs_f64() * 1e3);
                visitor.take_cookie(&reply);
                visitor.send("POST", "/api/v1/logout", "", b"").await;
                break;
            }
        }
    }
    median(took)
}

async fn stranger(table: &mut Table) {
    let network = |n: usize| format!("203.0.113.{}", 1 + n % 4);
    let site = Site::unlimited();
    let cookies = sessions(&site, SESSIONS, network).await;
    let mut victim = Visitor::new(site.address(), "198.51.100.1");
    victim.create("victim").await;
    victim.line(&format!("PASS :{PASSWORD}")).await;
    let site = site.limited(&[]);
    let quiet = logins(&site).await;
    let over = &Cell::new(false);
    let attack = join_all(cookies.iter().enumerate().map(|(n, cookie)| {
        let mut visitor = Visitor::new(site.address(), &network(n)).with_cookie(cookie);
        async move {
            let (mut current, mut new) = (PASSWORD, ANOTHER);
            while !over.get() {
                let body = serde_json::json!({"command": "PASS", "params": [new, current]});
                match visitor.post("/api/v1/messages", &body).await.ok() {
                    true => std::mem::swap(&mut current, &mut new),
                    false => tokio::time::sleep(super::PAUSE).await,
                }
            }
        }
    }));
    let watch = async {
        tokio::time::sleep(ATTACKED).await;
        let attacked = logins(&site).await;
        over.set(true);
        attacked
    };
    let mut rounds = Rounds::default();
    rounds.add(join(watch, attack).await.0, quiet);
    let measure = "a stranger's login while 80 sessions change passwords";
    table.enter(
        measure,
        "without the attack",
        "ms",
        &rounds,
        Goal::AtMost(2.0),
    );
}

async fn at_once(table: &mut Table) {
    const COUNT: usize = 40;
    let network = "203.0.113.50";
    let site = Site::unlimited();
    sessions(&site, COUNT, |_| network.to_owned()).await;
    let site = site.limited(&[]);
    let address = site.address();
    let replies = join_all((0..COUNT).map(|n| async move {
        Visitor::new(address, network)
            .log_in(&format!("s{n}"), PASSWORD)
            .await
    }));
    let worked = replies.await.iter().filter(|reply| reply.ok()).count();
    all_work(
        table,
        "40 right logins at once from one network",
        worked,
        COUNT,
    );
}

/// The user's own device shares the address of a neighbour who guesses.
async fn neighbour(table: &mut Table) {
    let network = "203.0.113.60";
    let site = Site::open();
    let mut alice = Visitor::new(site.address(), network);
    alice.create("alice").await;
    let mut neighbour = Visitor::new(site.address(), network);
    for n in 0..25 {
        let nick = if n % 2 == 0 {
            "alice".to_owned()
        } else {
            format!("nobody{n}")
        };
        neighbour.log_in(&nick, "a wrong password").await;
    }
    let first = alice.line(&format!("PASS :{PASSWORD}")).await.ok();
    let body = serde_json::json!({"command": "PASS", "params": [ANOTHER, PASSWORD]});
    let change = alice.post("/api/v1/messages", &body).await.ok();
    let current = if change { ANOTHER } else { PASSWORD };
    let renewal = alice.log_in("alice", current).await.ok();
    let worked = [first, change, renewal]
        .into_iter()
        .filter(|ok| *ok)
        .count();
    all_work(
        table,
        "a device's PASS, change and renewal after a neighbour's 25 wrong logins",
        worked,
        3,
    );
}
