//! Load: many connections that each wait for an answer before the next request, or a steady stream
//! of requests whatever the answers.

use std::{
    cell::RefCell,
    net::SocketAddr,
    rc::Rc,
    time::{Duration, Instant},
};

use futures_util::future::join_all;

use super::http::Connection;

/// The requests answered per second. Each of `requests` has one connection, and is sent again and
/// again for `time`.
pub async fn rate(address: SocketAddr, requests: &[Vec<u8>], time: Duration) -> f64 {
    let mut connections = join_all(requests.iter().map(|_| Connection::open(address))).await;
    // A first request each, so that one-time work is not measured.
    join_all(
        connections
            .iter_mut()
            .zip(requests)
            .map(|(connection, request)| async {
                assert_eq!(connection.ask(request).await.status, 200);
            }),
    )
    .await;
    let started = Instant::now();
    let counts = connections
        .iter_mut()
        .zip(requests)
        .map(|(connection, request)| async move {
            let mut count = 0_u64;
            while started.elapsed() < time {
                assert_eq!(connection.ask(request).await.status, 200);
                count += 1;
            }
            count
        });
    let count: u64 = join_all(counts).await.into_iter().sum();
    count as f64 / started.elapsed().as_secs_f64()
}

/// Sends `rate` requests per second for `time`. Returns the time of each answer, in milliseconds
/// from when its request was due.
pub async fn steady(address: SocketAddr, request: &[u8], rate: u32, time: Duration) -> Vec<f64> {
    let idle = Rc::new(RefCell::new(Vec::new()));
    let took = Rc::new(RefCell::new(Vec::new()));
    let tasks = tokio::task::LocalSet::new();
    let started = tokio::time::Instant::now();
    tasks
        .run_until(async {
            for n in 0..(time.as_secs_f64() * f64::from(rate)) as u32 {
                let due = started + Duration::from_secs(1) * n / rate;
                // A timer would be later than most answers.
                while tokio::time::Instant::now() < due {
                    tokio::task::yield_now().await;
                }
                let (idle, took, request) = (idle.clone(), took.clone(), request.to_vec());
                tokio::task::spawn_local(async move {
                    let free = idle.borrow_mut().pop();
                    let mut connection = match free {
                        Some(connection) => connection,
                        None => Connection::open(address).await,
                    };
                    assert_eq!(connection.ask(&request).await.status, 200);
                    took.borrow_mut().push(due.elapsed().as_secs_f64() * 1e3);
                    idle.borrow_mut().push(connection);
                });
            }
        })
        .await;
    tasks.await;
    took.take()
}
