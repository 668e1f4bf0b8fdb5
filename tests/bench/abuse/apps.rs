//! Requests of apps that do not exist, and of one that does.

use std::{
    cell::Cell,
    time::{Duration, Instant},
};

use futures_util::future::join_all;

use super::{super::table::Table, all_work, at_most, site::Site, visitor::Visitor};

const NETWORK: &str = "203.0.113.70";
const CONNECTIONS: usize = 16;
const FIRST: Duration = Duration::from_secs(5);
const MEASURED: Duration = Duration::from_secs(10);
const DAY: f64 = 86400.0;

pub async fn measure(table: &mut Table) {
    made_up(table).await;
    right_secret(table).await;
}

/// Sends requests of apps that do not exist for this long. Returns how many answers were not 429.
async fn ask(site: &Site, time: Duration) -> usize {
    let (started, next) = (&Instant::now(), &Cell::new(0_u64));
    let address = site.address();
    let counts = (0..CONNECTIONS).map(|n| async move {
        let (mut visitor, mut count) = (Visitor::new(address, NETWORK), 0);
        while started.elapsed() < time {
            next.set(next.get() + 1);
            let app = format!("app_{}_{}", started.elapsed().as_nanos(), next.get());
            let reply = match n % 2 {
                0 => {
                    let form = format!(
                        "grant_type=client_credentials&client_id={app}&client_secret=rjk_x"
                    );
                    visitor.form("/auth/token", &form).await
                }
                _ => {
                    visitor
                        .form("/auth/device", &format!("client_id={app}"))
                        .await
                }
            };
            count += usize::from(reply.status != 429 && reply.status != 0);
        }
        count
    });
    join_all(counts).await.into_iter().sum()
}

async fn made_up(table: &mut Table) {
    let site = Site::unlimited();
    let mut victim = Visitor::new(site.address(), "198.51.100.1");
    victim.create("victim").await;
    victim.line("PASS :correct horse battery").await;
    let site = site.limited(&[]);
    // A guesser has used up its guesses. Many made-up apps must not make the server forget its
    // count.
    let mut guesser = Visitor::new(site.address(), "203.0.113.71");
    for _ in 0..25 {
        guesser.log_in("victim", "a wrong password").await;
    }
    ask(&site, FIRST).await;
    let (logged, audited) = (site.logged(), site.audited());
    let refused = ask(&site, MEASURED).await as f64;
    let share = |day: f64| day * MEASURED.as_secs_f64() / DAY;
    let a_minute = refused * 60.0 / MEASURED.as_secs_f64();
    at_most(
        table,
        "made-up client ids looked up a minute",
        "the most it may be",
        "",
        (a_minute, 60.0),
    );
    let log = (site.logged() - logged) / 1e6 / share(1.0);
    at_most(
        table,
        "log a day by made-up client ids",
        "the most it may be",
        "MB",
        (log, 100.0),
    );
    let lines = (site.audited() - audited) / share(1.0);
    at_most(
        table,
        "audit lines a day by made-up client ids",
        "the most it may be",
        "",
        (lines, 1000.0),
    );
    let mut again = 0;
    for _ in 0..20 {
        again += usize::from(guesser.log_in("victim", "a wrong password").await.status == 401);
    }
    let measure = "guesses at a password that were used up, after that";
    at_most(
        table,
        measure,
        "what has come back meanwhile",
        "",
        (again as f64, 2.0),
    );
}

async fn right_secret(table: &mut Table) {
    let site = Site::open();
    let (id, secret) = site.register_app();
    let form = |secret: &str| {
        format!("grant_type=client_credentials&client_id={id}&client_secret={secret}")
    };
    let mut neighbour = Visitor::new(site.address(), NETWORK);
    for n in 0..70 {
        neighbour
            .form("/auth/token", &form(&format!("rjk_wrong{n}")))
            .await;
    }
    let ok = Visitor::new(site.address(), NETWORK)
        .form("/auth/token", &form(&secret))
        .await
        .ok();
    all_work(
        table,
        "an app's right secret after a neighbour's 70 wrong ones",
        usize::from(ok),
        1,
    );
}
