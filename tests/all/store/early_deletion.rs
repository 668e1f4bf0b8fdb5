//! Events that no session can read any more are deleted before their retention ends, and the file
//! reuses their space. A session that can still read them loses nothing and gets no gap.

use rusqlite::Connection;

use crate::support::{Device, Message, TestServer, assert_integrity, commands, until};

/// Waits until unreadable events are deleted.
async fn swept(server: &TestServer) {
    until("unreadable events to be deleted", async || {
        server.rows("sweep") == 0
    })
    .await;
}

fn texts(messages: &[Message]) -> Vec<&str> {
    messages
        .iter()
        .map(|message| message.text().unwrap_or(""))
        .collect()
}

async fn quit(people: &[&Device]) {
    for person in people {
        person.send("QUIT").await;
    }
}

#[tokio::test]
async fn messages_among_ended_sessions_are_deleted() {
    let server = TestServer::start().await;
    let [alice, bob, carol] = server.sessions_on("#rust", ["alice", "bob", "carol"]).await;
    alice.send("PRIVMSG #rust,bob :hello").await;
    bob.send("PRIVMSG alice :hello").await;
    alice.send("NOTICE alice :to myself").await;
    bob.send("AWAY :gone").await;
    carol.send("PART #rust").await;
    quit(&[&alice]).await;
    swept(&server).await;
    let own = "event WHERE command = 'JOIN' AND source = 'alice' OR command = 'NOTICE'";
    assert_eq!(
        server.rows(own),
        0,
        "no other session was on the channel for these two"
    );
    assert_eq!(
        server.rows("event WHERE command = 'PRIVMSG'"),
        3,
        "bob can read all of these"
    );
    quit(&[&bob]).await;
    swept(&server).await;
    assert_eq!(
        commands(&carol.queue().await),
        ["JOIN", "PRIVMSG", "AWAY", "PART"]
    );
    assert_eq!(server.rows("event"), 4, "carol could read no others");
    quit(&[&carol]).await;
    swept(&server).await;
    assert_eq!(server.rows("event"), 0);
    assert_eq!(server.rows("address") + server.rows("membership"), 0);
    assert_integrity(&server.database());
}

#[tokio::test]
async fn sessions_that_can_still_read_lose_nothing_and_see_no_gap() {
    let server = TestServer::start().await;
    let [alice, bob] = server.sessions_on("#rust", ["alice", "bob"]).await;
    alice.send("PRIVMSG #rust :before carol came").await;
    let carol = server.create_session("carol").await;
    carol.snapshot().await;
    carol.send("JOIN #rust").await;
    alice.send("PRIVMSG #rust,carol :hello carol").await;
    carol.send("PRIVMSG alice :hello alice").await;
    let read = alice.send("PRIVMSG #rust :read").await["ids"][0]
        .as_i64()
        .unwrap();
    carol.send(&format!("MARKREAD #rust {read}")).await;
    bob.send("PRIVMSG #rust :unread").await;
    // Carol was a member before this, so she may still read the messages of that time.
    let dave = server.create_session("dave").await;
    dave.send("JOIN #rust").await;
    dave.send("PART #rust").await;
    bob.send("PRIVMSG #rust :without dave").await;
    let start = carol.snapshot().await["acknowledged"].as_i64().unwrap();
    let seen = async || {
        let queue = carol
            .poll(&format!("after={start}&timeout=0"))
            .await
            .messages;
        let history = carol.history("target=%23rust").await;
        let snapshot = carol.snapshot().await["channels"][0].clone();
        let daves = dave.poll("after=0&timeout=0").await.messages;
        (
            queue,
            history,
            snapshot["unread"].clone(),
            snapshot["read"].clone(),
            daves,
        )
    };
    let before = seen().await;
    assert!(texts(&before.1).contains(&"hello carol") && before.2["count"] == 2);
    let early = "event WHERE instr(params, 'before carol came')";
    assert_eq!(server.rows(early), 1);

    quit(&[&alice, &bob]).await;
    swept(&server).await;
    assert_eq!(server.rows(early), 0);
    let after = seen().await;
    assert!(after.0.starts_with(&before.0), "{after:#?}");
    assert!(after.1.starts_with(&before.1), "{after:#?}");
    assert_eq!((after.2, after.3, after.4), (before.2, before.3, before.4));
    assert!(!commands(&after.0).contains(&"WARN"));
    assert_integrity(&server.database());
}

#[tokio::test]
async fn free_space_is_reused_and_the_file_stops_growing() {
    let server = TestServer::start().await;
    let text = "x".to_owned() + &"\u{1}".repeat(4095);
    let pages = || {
        let database = Connection::open(server.database()).unwrap();
        database
            .pragma_query_value(None, "page_count", |row| row.get::<_, i64>(0))
            .unwrap()
    };
    let mut after = Vec::new();
    for round in 0..3 {
        let [alice, bob] = server
            .sessions_on("#rust", [&format!("alice{round}"), &format!("bob{round}")])
            .await;
        for _ in 0..50 {
            alice
                .send(&format!("PRIVMSG #rust,bob{round} :{text}"))
                .await;
        }
        quit(&[&alice, &bob]).await;
        swept(&server).await;
        assert_eq!(server.rows("event"), 0);
        after.push(pages());
    }
    assert!(after[0] > 100, "{after:?}");
    assert!(after[2] <= after[0] + 4, "{after:?}");
}
