//! Expensive readers: slow readers of a long list, and many readers of a long snapshot.

use std::time::{Duration, Instant};

use futures_util::future::join_all;
use tokio::{io::AsyncWriteExt, net::TcpSocket};

use super::{
    super::table::{Table, median},
    at_most, enter_wait, others_wait,
    site::Site,
    under_attack,
    visitor::Visitor,
};

const NETWORK: &str = "203.0.113.9";
const OTHERS: usize = 10;
const SESSIONS: usize = 40;
const CHANNELS: usize = 100;
const SLOW: usize = 100;
const CONNECTIONS: usize = 64;
/// Messages, each to twenty channels.
const MESSAGES: usize = 5000;

pub async fn measure(table: &mut Table) {
    channel_list(table).await;
    snapshot(table).await;
}

/// Sessions to watch, each with a network of its own.
async fn others(site: &Site) -> Vec<String> {
    let mut cookies = Vec::new();
    for n in 0..OTHERS {
        let mut visitor = Visitor::new(site.address(), &format!("198.51.100.{}", n + 1));
        cookies.push(visitor.create(&format!("other{n}")).await);
        visitor.line("JOIN #others").await;
    }
    cookies
}

/// Reads a list of 4,000 channels whose topics are as long as JSON can make them.
async fn channel_list(table: &mut Table) {
    let site = Site::unlimited();
    let others = others(&site).await;
    let topic = "\u{1}".repeat(1000);
    let (address, topic) = (site.address(), &topic);
    join_all((0..SESSIONS).map(|n| async move {
        let mut visitor = Visitor::new(address, &format!("203.0.113.{}", n + 20));
        visitor.create(&format!("s{n}")).await;
        for m in 0..CHANNELS {
            visitor.line(&format!("JOIN #c{n}-{m}")).await;
            visitor.line(&format!("TOPIC #c{n}-{m} :{topic}")).await;
        }
    }))
    .await;
    let site = site.limited(&[]);
    let mut visitor = Visitor::new(site.address(), NETWORK);
    visitor.get("/api/v1/channels").await;
    let quiet = others_wait(&site, &others).await;
    let before = site.memory();
    let mut held = Vec::new();
    for n in 0..SLOW {
        let path = if n % 2 == 0 {
            "/api/v1/channels"
        } else {
            "/api/v1/channels?limit=500"
        };
        let socket = TcpSocket::new_v4().unwrap();
        socket.set_recv_buffer_size(4096).unwrap();
        let mut stream = socket.connect(site.address()).await.unwrap();
        stream
            .write_all(visitor.head("GET", path, "", 0).as_bytes())
            .await
            .unwrap();
        held.push(stream);
    }
    // Each has received the first bytes of its answer, so it is a slow reader from now on.
    for stream in &held {
        stream.readable().await.unwrap();
    }
    let grown = async {
        let (started, mut most) = (Instant::now(), 0.0_f64);
        while started.elapsed() < Duration::from_secs(8) {
            most = most.max(site.memory() - before);
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        most
    };
    let (grown, attacked) = futures_util::future::join(grown, others_wait(&site, &others)).await;
    drop(held);
    let measure = "memory for 100 slow readers of 4,000 channels";
    at_most(table, measure, "the most it may be", "MB", (grown, 50.0));
    enter_wait(table, "p99 of others' GET meanwhile", attacked, quiet);
}

/// Reads a session on 100 channels, with 1,000 messages of its own on each.
async fn snapshot(table: &mut Table) {
    let site = Site::unlimited();
    let others = others(&site).await;
    let address = site.address();
    let cookie = Visitor::new(address, NETWORK).create("alice").await;
    let target = |first: usize| {
        (first..first + 20)
            .map(|n| format!("#c{n}"))
            .collect::<Vec<_>>()
            .join(",")
    };
    let mut alice = Visitor::new(address, NETWORK).with_cookie(&cookie);
    for first in (0..CHANNELS).step_by(20) {
        alice.line(&format!("JOIN {}", target(first))).await;
    }
    let carol = {
        let mut carol = Visitor::new(address, "203.0.113.10");
        let cookie = carol.create("carol").await;
        carol.line("JOIN #c0").await;
        cookie
    };
    let (cookie, target) = (&cookie, &target);
    join_all((0..16).map(|first| async move {
        let mut visitor = Visitor::new(address, NETWORK).with_cookie(cookie);
        for n in (first..MESSAGES).step_by(16) {
            assert!(
                visitor
                    .line(&format!("PRIVMSG {} :something", target(n % 5 * 20)))
                    .await
                    .ok()
            );
        }
    }))
    .await;
    let site = site.limited(&[]);
    let mut alice = Visitor::new(site.address(), NETWORK).with_cookie(cookie);
    let mut carol = Visitor::new(site.address(), "203.0.113.10").with_cookie(&carol);
    let mut took = Vec::new();
    for _ in 0..15 {
        // A new message each time, so that no snapshot can be cached.
        carol.line("PRIVMSG #c0 :hello").await;
        took.push(alice.get("/api/v1/session").await.took);
    }
    let measure = "a snapshot of 100 channels, 1,000 own messages each";
    at_most(
        table,
        measure,
        "the most it may take",
        "ms",
        (median(took), 5.0),
    );
    let quiet = others_wait(&site, &others).await;
    let attacker = || Visitor::new(site.address(), NETWORK).with_cookie(cookie);
    let mut attackers = (0..CONNECTIONS).map(|_| attacker()).collect::<Vec<_>>();
    let attacked = under_attack(&site, &others, &mut attackers, async |visitor| {
        drop(visitor.get("/api/v1/session").await)
    })
    .await;
    enter_wait(
        table,
        "p99 of others' GET while 64 connections ask for it",
        attacked,
        quiet,
    );
}
