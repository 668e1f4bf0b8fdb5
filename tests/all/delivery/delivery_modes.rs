//! One suite for all three delivery modes: a queue is the same in each of them.

use std::time::Duration;

use futures_util::future::join_all;
use serde_json::json;

use crate::support::{
    DeliveryMode, Message, QueueEnd, Reader, Socket, TestServer, commands, params,
};

fn text(message: &Message) -> &str {
    message.param(1)
}

fn id(message: &Message) -> i64 {
    message.id
}

/// Runs a part of the suite in each mode.
macro_rules! each_way {
    ($($name:ident)*) => {$(
        mod $name {
            use super::DeliveryMode;

            #[tokio::test]
            async fn by_poll() {
                super::run::$name(DeliveryMode::Poll).await;
            }

            #[tokio::test]
            async fn by_stream() {
                super::run::$name(DeliveryMode::Stream).await;
            }

            #[tokio::test]
            async fn by_socket() {
                super::run::$name(DeliveryMode::Socket).await;
            }
        }
    )*};
}

each_way! {
    the_backlog_comes_first_then_new_events_and_it_resumes_exactly
    a_reader_that_joins_a_busy_channel_receives_each_message_once
    a_slow_reader_misses_nothing_and_delays_no_other
    a_queue_has_every_event_of_its_session_in_order_and_once
    a_snapshots_cursor_continues_in_the_queue_without_gap_or_duplicate
    a_restart_loses_and_duplicates_nothing
    a_new_clients_queue_holds_nothing_from_before_it
    a_label_is_shown_to_its_sender_alone
    a_client_that_ends_is_told_why
    a_gap_is_reported_once_and_the_remaining_events_follow
}

mod run {
    use super::*;

    /// An event that is committed between attaching and reading the log is both in the page and
    /// pushed.
    pub async fn a_reader_that_joins_a_busy_channel_receives_each_message_once(way: DeliveryMode) {
        const SAID: usize = 400;
        let server = TestServer::start().await;
        let [alice, bob] = server.sessions_on("#rust", ["alice", "bob"]).await;
        let start = alice.drain().await.last().map(id);
        let mut speaking = Socket::open(&bob, "").await;
        let say = async {
            for n in 0..SAID {
                speaking
                    .send(json!({"command": "PRIVMSG", "params": ["#rust", n.to_string()]}))
                    .await;
                tokio::task::yield_now().await;
            }
        };
        let alice = &alice;
        let come = join_all((0..12).map(|turn| async move {
            for _ in 0..turn * 10 {
                tokio::task::yield_now().await;
            }
            let mut reader = Reader::open(alice, way, start).await;
            for n in 0..SAID {
                assert_eq!(text(&reader.next_of("PRIVMSG").await), n.to_string());
            }
        }));
        tokio::join!(say, come);
    }

    pub async fn the_backlog_comes_first_then_new_events_and_it_resumes_exactly(way: DeliveryMode) {
        let server = TestServer::start().await;
        let [alice, bob] = server.sessions_on("#rust", ["alice", "bob"]).await;
        let mut reader = Reader::open(&alice, way, Some(0)).await;
        for joined in ["alice", "bob"] {
            assert_eq!(reader.next().await.unwrap().source, joined);
        }
        bob.send("PRIVMSG #rust :one").await;
        let one = reader.next().await.unwrap();
        assert_eq!(text(&one), "one");
        drop(reader);
        bob.send("PRIVMSG #rust :two").await;
        let mut reader = Reader::open(&alice, way, Some(id(&one))).await;
        let two = reader.next().await.unwrap();
        assert_eq!(text(&two), "two");
        let acknowledged = alice.snapshot().await["acknowledged"].as_i64();
        assert_eq!(
            acknowledged,
            Some(id(&one)),
            "resuming acknowledges up to its position, and no further"
        );
        // Without a position, reading begins at the acknowledged cursor.
        let mut again = Reader::open(&alice, way, None).await;
        assert_eq!(again.next().await.unwrap(), two);
        bob.send("PRIVMSG #rust :three").await;
        for reader in [&mut reader, &mut again] {
            assert_eq!(
                text(&reader.next().await.unwrap()),
                "three",
                "each connection of a client receives everything"
            );
        }
    }

    pub async fn a_slow_reader_misses_nothing_and_delays_no_other(way: DeliveryMode) {
        let server = TestServer::start().await;
        let [alice, bob] = server.sessions_on("#rust", ["alice", "bob"]).await;
        let mut slow = Reader::open(&alice, way, None).await;
        let mut quick = Reader::open(&bob, way, None).await;
        // Far more than a connection's buffer and the sockets hold.
        let filler = "x".repeat(4000);
        for n in 0..700 {
            bob.send(&format!("PRIVMSG #rust :{n} {filler}")).await;
            quick.next_of("PRIVMSG").await;
        }
        for n in 0..700 {
            let message = slow.next_of("PRIVMSG").await;
            assert_eq!(text(&message).split(' ').next().unwrap().parse(), Ok(n));
        }
    }

    pub async fn a_queue_has_every_event_of_its_session_in_order_and_once(way: DeliveryMode) {
        let mut server = TestServer::start().await;
        let (alice, bob) = (
            server.create_session("alice").await,
            server.create_session("bob").await,
        );
        let mut live = Reader::open(&alice, way, Some(0)).await;
        for person in [&alice, &bob] {
            person.send("JOIN #a,#b").await;
        }
        bob.send("PRIVMSG #a,#b,alice :x").await;
        bob.send("NICK robert").await;
        alice.send("PART #a").await;
        bob.send("PRIVMSG #a :unheard").await;
        alice.send("JOIN #a").await;
        bob.send("QUIT").await;
        let expected = alice.queue().await;
        // Bob was op on #a since alice left it, so his QUIT makes her op.
        let shown = "JOIN JOIN JOIN JOIN PRIVMSG PRIVMSG PRIVMSG NICK PART JOIN QUIT MODE";
        assert_eq!(commands(&expected), shown.split(' ').collect::<Vec<_>>());
        assert!(expected.is_sorted_by(|one, next| id(one) < id(next)));
        for message in &expected {
            assert_eq!(live.next().await.unwrap(), *message);
        }
        drop(live);
        server.restart().await;
        let mut reader = Reader::open(&alice, way, Some(0)).await;
        for message in &expected {
            assert_eq!(reader.next().await.unwrap(), *message);
        }
    }

    pub async fn a_snapshots_cursor_continues_in_the_queue_without_gap_or_duplicate(
        way: DeliveryMode,
    ) {
        let server = TestServer::start().await;
        let [alice, bob] = server.sessions_on("#rust", ["alice", "bob"]).await;
        let mut reader = Reader::open(&alice, way, None).await;
        // Reading begins the queue, before the snapshot could.
        assert_eq!(reader.next().await.unwrap().source, "alice");
        bob.send("PRIVMSG #rust :early").await;
        alice.send("MODE #rust +v bob").await;
        let snapshot = alice.snapshot().await;
        let bob_there = json!({"nick": "bob", "op": false, "voice": true, "away": false});
        assert_eq!(snapshot["channels"][0]["members"][1], bob_there);
        bob.send("AWAY :later").await;
        let (mut shown, cursor) = (Vec::new(), snapshot["cursor"].as_i64().unwrap());
        let later = loop {
            let message = reader.next().await.unwrap();
            if id(&message) > cursor {
                break message;
            }
            shown.push(message);
        };
        assert_eq!(commands(&shown), ["JOIN", "PRIVMSG", "MODE"]);
        assert_eq!(
            later.command, "AWAY",
            "events after the cursor are not in the snapshot"
        );
    }

    pub async fn a_restart_loses_and_duplicates_nothing(way: DeliveryMode) {
        let mut server = TestServer::start().await;
        let [alice, bob] = server.sessions_on("#rust", ["alice", "bob"]).await;
        alice.drain().await;
        let mut reader = Reader::open(&alice, way, None).await;
        bob.send("PRIVMSG #rust :one").await;
        let one = reader.next().await.unwrap();
        assert_eq!(text(&one), "one");
        server.advance(Duration::from_hours(1));
        let (over, ()) = tokio::join!(reader.next(), async {
            server.wait_for_connections(1).await;
            server.restart().await;
        });
        assert_eq!(
            over,
            Err(QueueEnd::Disconnected),
            "a stopping server closes the connection"
        );
        bob.send("PRIVMSG #rust :two").await;
        let mut reader = Reader::open(&alice, way, Some(id(&one))).await;
        assert_eq!(text(&reader.next().await.unwrap()), "two");
    }

    pub async fn a_new_clients_queue_holds_nothing_from_before_it(way: DeliveryMode) {
        let server = TestServer::start().await;
        let alice = server.create_session("alice").await;
        alice.send("JOIN #rust").await;
        alice.send("PRIVMSG #rust :old").await;
        alice.send("PASS :correct horse battery").await;
        let phone = server.login("alice", "correct horse battery").await;
        alice.send("PRIVMSG #rust :between").await;
        let snapshot = phone.snapshot().await;
        assert_eq!(snapshot["cursor"], snapshot["acknowledged"]);
        let mut reader = Reader::open(&phone, way, Some(0)).await;
        alice.send("PRIVMSG #rust :new").await;
        assert_eq!(text(&reader.next().await.unwrap()), "new");
    }

    pub async fn a_label_is_shown_to_its_sender_alone(way: DeliveryMode) {
        let server = TestServer::start().await;
        let [alice, bob] = server.sessions_on("#rust", ["alice", "bob"]).await;
        let phone = server.phone_of(&alice, "alice").await;
        let mut readers = Vec::new();
        for device in [&alice, &phone, &bob] {
            readers.push(Reader::open(device, way, None).await);
        }
        phone.send("@label=c1 PRIVMSG #rust :hi").await;
        let labels = [("alice", None), ("her phone", Some("c1")), ("bob", None)];
        for (reader, (who, label)) in readers.iter_mut().zip(labels) {
            let message = reader.next_of("PRIVMSG").await;
            assert_eq!(message.label.as_deref(), label, "{who}");
        }
    }

    pub async fn a_client_that_ends_is_told_why(way: DeliveryMode) {
        for reason in ["removed", "session_ended", "expired", "quit", "logged_out"] {
            let server = TestServer::with(&["--client-lifetime", "20d"]).await;
            let alice = server.create_session("alice").await;
            server.advance(Duration::from_hours(1));
            let phone = server.phone_of(&alice, "alice").await;
            alice.drain().await;
            let mut reader = Reader::open(&alice, way, None).await;
            let (over, ()) = tokio::join!(reader.next(), async {
                server.wait_for_connections(1).await;
                match reason {
                    "removed" => drop(phone.delete("/api/v1/clients").await.unwrap()),
                    "session_ended" => drop(phone.delete("/api/v1/session").await.unwrap()),
                    "expired" => server.advance(Duration::from_hours(20 * 24 - 1)),
                    "quit" => drop(alice.send("QUIT").await),
                    _ => drop(
                        alice
                            .call(reqwest::Method::POST, "/api/v1/logout")
                            .await
                            .unwrap(),
                    ),
                }
            });
            let over = match over {
                // The end of the session is an event, too.
                Ok(message) if reason == "session_ended" => {
                    assert_eq!(message.command, "QUIT");
                    reader.next().await
                }
                over => over,
            };
            assert_eq!(
                over,
                Err(QueueEnd::ClientEnded(reason.to_owned())),
                "{reason}"
            );
        }
    }

    pub async fn a_gap_is_reported_once_and_the_remaining_events_follow(way: DeliveryMode) {
        let mut server = TestServer::with(&["--retention", "10d", "--client-idle", "100d"]).await;
        let [alice, bob] = server.sessions_on("#rust", ["alice", "bob"]).await;
        let old = bob.send("PRIVMSG #rust :old").await["ids"][0].to_string();
        server.advance(Duration::from_hours(24 * 8));
        bob.send("PRIVMSG #rust :kept").await;
        server.advance(Duration::from_hours(24 * 3));
        server.restart().await;
        let rows = || {
            let database = rusqlite::Connection::open(server.database()).unwrap();
            database
                .query_row("SELECT count(*) FROM event", [], |row| row.get::<_, i64>(0))
                .unwrap()
        };
        crate::support::until("old events to go", async || rows() == 1).await;
        let mut reader = Reader::open(&alice, way, None).await;
        let warning = reader.next().await.unwrap();
        assert_eq!(
            (warning.command.as_str(), &params(&warning)[..4]),
            ("WARN", &["*", "QUEUE_GAP", "1", &old][..])
        );
        assert_eq!(text(&reader.next().await.unwrap()), "kept");
        bob.send("PRIVMSG #rust :new").await;
        assert_eq!(text(&reader.next().await.unwrap()), "new");
    }
}
