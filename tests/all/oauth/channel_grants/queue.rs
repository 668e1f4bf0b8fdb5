//! The queue of a confined client: its session's queue without the channels outside the grant.

use std::{collections::BTreeSet, time::Duration};

use proptest::{collection::vec, prelude::*, sample::select};
use rusqlite::Connection;

use super::{SCOPE, confined, world};
use crate::support::{
    DeliveryMode, Message, QueueEnd, Reader, TEST_TIMEOUT, TestServer, commands, params, until,
};

const WAYS: [DeliveryMode; 3] = [
    DeliveryMode::Poll,
    DeliveryMode::Stream,
    DeliveryMode::Socket,
];

/// Random commands of all sessions, about channels inside the grant, outside it, and both.
const LINES: [&str; 20] = [
    "JOIN #in",
    "JOIN #in",
    "JOIN #out",
    "JOIN #in,#out",
    "PART #in",
    "PART #out",
    "PRIVMSG #in :x",
    "PRIVMSG #out :x",
    "PRIVMSG #in,#out :x",
    "PRIVMSG alice :x",
    "NICK {}2",
    "NICK {}",
    "AWAY :x",
    "AWAY",
    "TOPIC #in :x",
    "MODE #in -n",
    "KICK #in alice",
    "KICK #out alice",
    "INVITE alice #in",
    "MARKREAD #in 1",
];

proptest! {
    #![proptest_config(ProptestConfig { cases: 4, failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn a_confined_queue_is_the_sessions_queue_without_other_channels(steps in vec((0..5_usize, select(&LINES[..])), 60)) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(run(&steps));
    }
}

async fn run(steps: &[(usize, &str)]) {
    let mut server = TestServer::start().await;
    let [alice, bob, carol] = [
        server.create_session("alice").await,
        server.create_session("bob").await,
        server.create_session("carol").await,
    ];
    let (sibling, (_, bot)) = (
        alice.create_key(SCOPE).await.token("").await,
        confined(&alice).await,
    );
    let start = bot.snapshot().await;
    let mut readers = Vec::new();
    for way in WAYS {
        readers.push((way, Reader::open(&bot, way, None).await));
    }
    let people = [
        ("alice", &alice),
        ("alice", &sibling),
        ("bob", &bob),
        ("carol", &carol),
        ("alice", &bot),
    ];
    for (who, line) in steps {
        let (name, device) = people[*who];
        // Some of them are refused.
        let _ = device.try_send(&line.replace("{}", name)).await;
    }
    alice.send("JOIN #in").await;
    alice.send("PRIVMSG #in :end").await;
    let inside = inside(&server, start["session"]["id"].as_i64().unwrap());
    let mut expected = alice.drain().await;
    expected.retain(|message| {
        message.id > start["cursor"].as_i64().unwrap() && inside.contains(&message.id)
    });
    for (way, reader) in &mut readers {
        for message in &expected {
            assert_eq!(next(reader).await.as_ref(), Ok(message), "{way:?}");
        }
    }
    // Otherwise the server would wait for the other side of the WebSocket to close.
    drop(readers);
    server.restart().await;
    let page = bot
        .poll(&format!("timeout=0&limit=500&after={}", start["cursor"]))
        .await;
    assert_eq!(page.messages, expected);
}

/// The next event. A missing event fails the test instead of hanging it.
async fn next(reader: &mut Reader) -> Result<Message, QueueEnd> {
    tokio::time::timeout(TEST_TIMEOUT, reader.next())
        .await
        .expect("nothing came")
}

/// The events that went to `#in` while a session was on it, read from the database.
fn inside(server: &TestServer, session: i64) -> BTreeSet<i64> {
    let database = Connection::open(server.database()).unwrap();
    let events = "SELECT event_id FROM address JOIN channel ON channel.id = target_id
                  JOIN membership ON channel_id = target_id AND event_id BETWEEN since AND ifnull(until, event_id)
                  WHERE folded_name = '#in' AND session_id = ?1";
    let mut events = database.prepare(events).unwrap();
    events
        .query_map([session], |row| row.get(0))
        .unwrap()
        .collect::<Result<_, _>>()
        .unwrap()
}

#[tokio::test]
async fn a_revoked_key_ends_its_streams() {
    for way in WAYS {
        let server = TestServer::start().await;
        let [alice, bob, carol] = world(&server).await;
        let (key, bot) = confined(&alice).await;
        bot.snapshot().await;
        let mut reader = Reader::open(&bot, way, None).await;
        bob.send("PRIVMSG #in :one").await;
        assert_eq!(params(&next(&mut reader).await.unwrap()), ["#in", "one"]);
        let (over, ()) = tokio::join!(next(&mut reader), async {
            server.wait_for_connections(1).await;
            carol.send("PRIVMSG alice,#secrets :psst").await;
            alice
                .delete(&format!("/api/v1/keys/{}", key.client_id))
                .await
                .unwrap();
        });
        assert_eq!(
            over,
            Err(QueueEnd::ClientEnded("revoked".into())),
            "{way:?}"
        );
        assert!(bot.token_is_invalid().await);
    }
}

#[tokio::test]
async fn a_gap_covers_only_events_inside_the_grant_even_after_the_stay_is_over() {
    let mut server = TestServer::with(&["--retention", "10d", "--client-idle", "100d"]).await;
    let [bob, alice, carol] = server.sessions_on("#in", ["bob", "alice", "carol"]).await;
    let (key, bot) = confined(&alice).await;
    bot.snapshot().await;
    let kicked = bob.send("KICK #in alice").await["ids"][0].to_string();
    carol.send("PRIVMSG alice :psst").await;
    server.advance(Duration::from_hours(24 * 11));
    for left in [3, 2] {
        server.restart().await;
        until("old events to go", async || server.rows("event") == 0).await;
        until("past stays to go", async || {
            server.rows("membership") == left
        })
        .await;
        let bot = key.token("").await;
        let (whole, shown) = (alice.queue().await, bot.queue().await);
        assert_eq!(commands(&whole), ["WARN"]);
        let gap: Vec<_> = shown.iter().map(|warning| params(warning)[3]).collect();
        // The gap is kept until the bot has acknowledged it.
        assert_eq!(
            gap,
            if left == 3 {
                vec![kicked.as_str()]
            } else {
                vec![]
            }
        );
        bot.drain().await;
    }
}
