//! The times of events never decrease as ids increase, whatever the clock does.

use std::time::Duration;

use crate::support::{Device, Message, TestServer};

const YEAR: i64 = 365 * 24 * 3600;

/// The times of a queue's events, in the order of their ids.
fn times(queue: &[Message]) -> Vec<String> {
    assert!(queue.is_sorted_by_key(|event| event.id));
    queue.iter().map(|event| event.time.clone()).collect()
}

async fn say(device: &Device, text: &str) {
    device.send(&format!("PRIVMSG #rust :{text}")).await;
}

#[tokio::test]
async fn times_never_decrease_when_the_clock_is_set_back_or_the_server_restarts() {
    let mut server = TestServer::start().await;
    let [alice, bob] = server.sessions_on("#rust", ["alice", "bob"]).await;
    say(&alice, "before").await;
    server.set_clock(-YEAR);
    say(&alice, "set back").await;
    bob.send("NICK robert").await;
    server.restart().await;
    say(&alice, "started again").await;
    server.advance(Duration::from_secs(60));
    say(&alice, "a minute later").await;
    let first = times(&alice.queue().await);
    assert!(first.is_sorted(), "{first:?}");
    assert_eq!(
        first[0],
        first[first.len() - 1],
        "the clock is still behind the first event"
    );
    // When the clock is ahead again, events have its time.
    server.set_clock(YEAR);
    say(&alice, "set right").await;
    let all = times(&alice.queue().await);
    assert!(all.is_sorted(), "{all:?}");
    assert_ne!(all[all.len() - 1], all[0]);
    let history = alice.history("target=%23rust").await;
    let told = times(&history);
    assert!(told.len() >= 5 && told.is_sorted(), "{told:?}");
}

/// The last event may have been removed when the next one happens.
#[tokio::test]
async fn times_never_decrease_when_the_log_is_empty() {
    let mut server = TestServer::start().await;
    let alice = server.create_session("alice").await;
    alice.send("JOIN #rust").await;
    let before = times(&alice.queue().await);
    server.stop().await;
    rusqlite::Connection::open(server.database())
        .unwrap()
        .execute_batch("DELETE FROM address; DELETE FROM event")
        .unwrap();
    server.set_clock(-YEAR);
    server.run().await;
    say(&alice, "later").await;
    let after = times(&alice.queue().await);
    assert_eq!(before.last(), after.last());
}
