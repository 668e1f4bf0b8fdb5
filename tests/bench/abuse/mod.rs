//! Attacks by strangers on a server with its default limits, and their effect on other sessions.
//! One run measures the others without an attack and then with it.
//!
//! Everything goes over loopback, to a separate server for each row. The server trusts a proxy on
//! loopback, so that an attack can come from any number of networks. Every attack is bounded in
//! requests and in time. An attacker that waits for answers sends at most twenty requests per
//! second and connection, because quick refusals must not become the load.

use std::{
    cell::Cell,
    time::{Duration, Instant},
};

use futures_util::future::{join, join_all};

use super::table::{Goal, Rounds, Table, p99};
use site::Site;
use visitor::Visitor;

mod apps;
mod guesses;
mod logins;
mod readers;
mod site;
mod storage;
mod streams;
mod visitor;

/// The shortest time between two requests of an attacker on one connection.
const PAUSE: Duration = Duration::from_millis(50);
/// How long the other sessions are watched, without the attack and then with it.
const WATCHED: Duration = Duration::from_secs(8);

pub const NAMES: [&str; 6] = [
    "abuse-storage",
    "abuse-readers",
    "abuse-logins",
    "abuse-apps",
    "abuse-guesses",
    "abuse-streams",
];

pub async fn measure(name: &str, table: &mut Table) {
    match name {
        "abuse-storage" => storage::measure(table).await,
        "abuse-readers" => readers::measure(table).await,
        "abuse-logins" => logins::measure(table).await,
        "abuse-apps" => apps::measure(table).await,
        "abuse-guesses" => guesses::measure(table).await,
        "abuse-streams" => streams::measure(table).await,
        _ => unreachable!("the names are those of the list"),
    }
}

/// Enters a figure beside its upper limit.
fn at_most(
    table: &mut Table,
    measure: &'static str,
    allowed: &'static str,
    unit: &'static str,
    figures: (f64, f64),
) {
    let mut rounds = Rounds::default();
    rounds.add(figures.0, figures.1);
    table.enter(measure, allowed, unit, &rounds, Goal::AtMost(1.0));
}

/// Enters how many of the attempts worked.
fn all_work(table: &mut Table, measure: &'static str, worked: usize, of: usize) {
    let mut rounds = Rounds::default();
    rounds.add(worked as f64, of as f64);
    table.enter(measure, "all of them", "", &rounds, Goal::AtLeast(1.0));
}

/// How long other sessions wait for their snapshot: the 99th percentile in milliseconds. Each comes
/// from a network of its own.
async fn others_wait(site: &Site, others: &[String]) -> f64 {
    let watch = others.iter().enumerate().map(|(n, cookie)| async move {
        let mut visitor =
            Visitor::new(site.address(), &format!("198.51.100.{}", n + 1)).with_cookie(cookie);
        let (started, mut took) = (Instant::now(), Vec::new());
        while started.elapsed() < WATCHED {
            took.push(visitor.get("/api/v1/session").await.took);
            tokio::time::sleep(PAUSE).await;
        }
        took
    });
    p99(join_all(watch).await.into_iter().flatten().collect())
}

/// How long other sessions wait during an attack. Each attacker repeats `act`.
async fn under_attack<A: AsyncFn(&mut Visitor)>(
    site: &Site,
    others: &[String],
    attackers: &mut [Visitor],
    act: A,
) -> f64 {
    let over = Cell::new(false);
    let (act, over) = (&act, &over);
    let attack = join_all(attackers.iter_mut().map(|visitor| async move {
        while !over.get() {
            let next = tokio::time::Instant::now() + PAUSE;
            act(visitor).await;
            tokio::time::sleep_until(next).await;
        }
    }));
    let watch = async {
        // The attack must be running before the others are watched.
        tokio::time::sleep(Duration::from_secs(1)).await;
        let waited = others_wait(site, others).await;
        over.set(true);
        waited
    };
    join(watch, attack).await.0
}

fn enter_wait(table: &mut Table, measure: &'static str, attacked: f64, quiet: f64) {
    let mut rounds = Rounds::default();
    rounds.add(attacked, quiet);
    table.enter(
        measure,
        "without the attack",
        "ms",
        &rounds,
        Goal::AtMost(2.0),
    );
}
