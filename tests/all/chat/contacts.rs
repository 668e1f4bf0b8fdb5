//! Who receives the NICK and QUIT of a session without sharing a channel with it: the sessions that
//! it has written to, and nobody else.

use std::time::Duration;

use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{
    DeliveryMode, Device, JsonAnswer, Message, Reader, TestServer, browser::at_both_widths,
    commands, until,
};

const DAY: Duration = Duration::from_hours(24);

/// The NICKs and QUITs of others in a queue, as `source command parameter`.
async fn heard(by: &Device) -> Vec<String> {
    let told = by.drain().await;
    let told = told
        .iter()
        .filter(|event| ["NICK", "QUIT"].contains(&event.command.as_str()));
    told.map(line).collect()
}

fn line(event: &Message) -> String {
    let Message {
        source,
        command,
        params,
        ..
    } = event;
    format!("{source} {command} {}", params.join(" "))
}

/// Four sessions that share no channel. Alice has written to bob, carol has written to alice, and
/// dave has no contact with them.
async fn people(server: &TestServer) -> [Device; 4] {
    let [alice, bob] = [
        server.create_session("alice").await,
        server.create_session("bob").await,
    ];
    let [carol, dave] = [
        server.create_session("carol").await,
        server.create_session("dave").await,
    ];
    for device in [&alice, &bob, &carol, &dave] {
        device.snapshot().await;
    }
    alice.send("NOTICE bob :hello").await;
    carol.send("PRIVMSG alice :hello").await;
    [alice, bob, carol, dave]
}

#[tokio::test]
async fn sessions_written_to_receive_it_and_sessions_that_only_wrote_do_not() {
    let mut server = TestServer::start().await;
    let [alice, bob, carol, dave] = people(&server).await;
    let mut readers = Vec::new();
    for way in [
        DeliveryMode::Poll,
        DeliveryMode::Stream,
        DeliveryMode::Socket,
    ] {
        readers.push((way, Reader::open(&bob, way, None).await));
    }
    alice.send("NICK alicia").await;
    alice.send("AWAY :at lunch").await;
    alice.send("QUIT :good bye").await;
    for (way, reader) in &mut readers {
        let mut seen = Vec::new();
        while seen.len() < 3 {
            seen.push(line(&reader.next().await.unwrap()));
        }
        assert_eq!(
            seen,
            [
                "alice NOTICE bob hello",
                "alice NICK alicia",
                "alicia QUIT good bye"
            ],
            "{way:?}"
        );
    }
    drop(readers);
    assert_eq!(heard(&carol).await, Vec::<String>::new());
    assert_eq!(heard(&dave).await, Vec::<String>::new());
    // The session has ended. Its events stay for the sessions that can read them.
    until("unreadable events to be deleted", async || {
        server.rows("sweep") == 0
    })
    .await;
    server.restart().await;
    let page = bob.poll("after=0&timeout=0").await;
    assert_eq!(commands(&page.messages), ["NOTICE", "NICK", "QUIT"]);
}

#[tokio::test]
async fn a_queue_shows_an_event_once_when_several_targets_match() {
    let server = TestServer::start().await;
    let [alice, bob, carol] = server.sessions_on("#rust", ["alice", "bob", "carol"]).await;
    for person in [&alice, &bob] {
        person.send("JOIN #den").await;
        person.send("PRIVMSG alice,bob,carol :hello").await;
        person.snapshot().await;
    }
    let phone = server.phone_of(&alice, "alice").await;
    let mut stream = bob.stream("").await;
    server.wait_for_connections(1).await;
    let renamed = alice.send("NICK al").await;
    assert_eq!(renamed.ids().len(), 1);
    alice.delete("/api/v1/session").await.unwrap();
    let mut pushed = Vec::new();
    while pushed
        .last()
        .is_none_or(|last: &String| !last.contains("QUIT"))
    {
        pushed.push(line(&stream.message().await.unwrap()));
    }
    pushed.retain(|line| line.contains("NICK") || line.contains("QUIT"));
    assert_eq!(pushed, ["alice NICK al", "al QUIT the session was ended"]);
    for other in [&bob, &carol] {
        assert_eq!(heard(other).await, pushed);
    }
    assert_eq!(
        phone
            .call(Method::GET, "/api/v1/session")
            .await
            .unwrap_err()
            .code,
        "client_ended"
    );
}

/// The QUIT is sent whichever way the session ends.
#[tokio::test]
async fn every_kind_of_end_is_sent_to_the_sessions_written_to() {
    for how in ["quit", "log out", "removed", "session", "idle", "key"] {
        let server = TestServer::with(&["--client-idle", "10d"]).await;
        let [alice, bob, carol, _] = people(&server).await;
        let phone = server.phone_of(&alice, "alice").await;
        let reason = match how {
            "quit" => alice.send("QUIT").await,
            "log out" => alice.call(Method::POST, "/api/v1/logout").await.unwrap(),
            "removed" => phone.delete("/api/v1/clients").await.unwrap(),
            "session" => alice.delete("/api/v1/session").await.unwrap(),
            "key" => {
                let key = json!({"name": "bot", "scope": "session:manage", "password": "correct horse battery"});
                alice
                    .create_key_with(key)
                    .await
                    .token("")
                    .await
                    .delete("/api/v1/session")
                    .await
                    .unwrap()
            }
            _ => {
                server.advance(DAY * 9);
                for awake in [&bob, &carol] {
                    awake.send("PING x").await;
                }
                server.advance(DAY * 2);
                Value::Null
            }
        };
        assert!(!reason.to_string().contains("bob"), "{reason}");
        if ["quit", "log out"].contains(&how) {
            assert_eq!(
                heard(&bob).await,
                Vec::<String>::new(),
                "{how}: the phone is still there"
            );
            phone.call(Method::POST, "/api/v1/logout").await.unwrap();
        }
        if how == "removed" {
            assert_eq!(
                heard(&bob).await,
                Vec::<String>::new(),
                "{how}: the phone is still there"
            );
            phone.send("QUIT").await;
        }
        until(how, async || carol.try_send("WHOIS alice").await.is_err()).await;
        let told = heard(&bob).await;
        assert!(
            told.len() == 1 && told[0].starts_with("alice QUIT "),
            "{how}: {told:?}"
        );
        assert_eq!(heard(&carol).await, Vec::<String>::new(), "{how}");
    }
}

#[tokio::test]
async fn sessions_it_silences_receive_nothing() {
    let server = TestServer::start().await;
    let [alice, bob, ..] = people(&server).await;
    alice.send("SILENCE +bob").await;
    bob.send("NICK rob").await;
    alice.send("NICK al").await;
    assert_eq!(
        heard(&bob).await,
        ["bob NICK rob"],
        "the mask follows the session through a change of nick"
    );
    alice.send("SILENCE -bob").await;
    alice.send("NICK alice").await;
    assert_eq!(heard(&bob).await, ["al NICK alice"]);
    assert_eq!(
        heard(&alice).await,
        ["alice NICK al", "al NICK alice"],
        "rob never wrote to her"
    );
}

/// A message that retention has removed no longer counts, even if the other session goes on
/// writing.
#[tokio::test]
async fn a_contact_counts_while_the_message_is_kept() {
    let mut server = TestServer::with(&["--retention", "10d"]).await;
    let [alice, bob, carol, _] = people(&server).await;
    server.advance(DAY * 6);
    alice.send("PRIVMSG carol :hello").await;
    bob.send("PRIVMSG alice :hello?").await;
    alice.send("NICK al").await;
    assert_eq!(
        (heard(&bob).await, heard(&carol).await),
        (vec!["alice NICK al".into()], vec!["alice NICK al".into()])
    );
    server.advance(DAY * 6);
    // At its start the server removes old messages.
    server.restart().await;
    until("the old message to be deleted", async || {
        server.rows("event WHERE command = 'NOTICE'") == 0
    })
    .await;
    bob.send("PRIVMSG al :hello??").await;
    alice.send("NICK alice").await;
    assert_eq!(heard(&bob).await, Vec::<String>::new());
    assert_eq!(heard(&carol).await, ["al NICK alice"]);
}

/// The queue of a confined grant has only the events of its channel, even if its session has
/// written to others.
#[tokio::test]
async fn a_confined_grant_receives_no_events_of_contacts() {
    let server = TestServer::start().await;
    let [alice, bob, ..] = people(&server).await;
    bob.send("JOIN #in").await;
    let key = json!({"name": "bot", "scope": "chat:read", "res": ["#in"]});
    let (confined, free) = (
        bob.create_key_with(key).await.token("").await,
        bob.create_key("chat:read").await.token("").await,
    );
    for bot in [&confined, &free] {
        bot.snapshot().await;
    }
    let mut stream = confined.stream("").await;
    alice.send("NICK al").await;
    bob.send("PRIVMSG #in :after").await;
    assert_eq!(
        line(&stream.message().await.unwrap()),
        "bob PRIVMSG #in after"
    );
    assert_eq!(commands(&confined.queue().await), ["PRIVMSG"]);
    assert_eq!(commands(&free.queue().await), ["NICK", "PRIVMSG"]);
}

/// The event reaches the latest thousand contacts, also after a restart of the server.
#[tokio::test]
async fn the_latest_1000_contacts_receive_it() {
    let server = TestServer::start().await;
    let [alice, bob, carol, dave] = people(&server).await;
    let database = rusqlite::Connection::open(server.database()).unwrap();
    let fill = "PRAGMA foreign_keys = off;
        WITH RECURSIVE n (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < 1198)
            INSERT INTO session (id, nick, folded_nick, created_at) SELECT 5000 + n, 's' || n, 's' || n, 0 FROM n;
        INSERT INTO conversation (session_id, other_id, wrote, unread, last, read, written)
            SELECT (SELECT id FROM session WHERE nick = 'alice'), id, 1, 1, 10000 + id, 0, 10000 + id FROM session WHERE id > 5000";
    database.execute_batch(fill).unwrap();
    let told = async |nick: &str| {
        let id = alice.send(&format!("NICK {nick}")).await["ids"][0].clone();
        let of = |condition: &str| {
            server.rows(&format!(
                "address WHERE event_id = {id} AND target_id {condition}"
            ))
        };
        (of("> 5000"), of("= 5001"), heard(&bob).await.len())
    };
    // Alice wrote to more than a thousand sessions after she wrote to bob. The latest thousand
    // receive her NICK. The earliest of the others and bob do not.
    assert_eq!(told("al").await, (1000, 0, 0));
    database
        .execute("UPDATE log SET head = 100000", [])
        .unwrap();
    alice.send("PRIVMSG bob :hello").await;
    assert_eq!(told("alice").await, (999, 0, 1));
    // Unread messages do not push out the sessions that she has written to just now.
    for nick in ["carol", "dave"] {
        alice.send(&format!("PRIVMSG {nick} :hello")).await;
    }
    assert_eq!(told("al").await, (997, 0, 1));
    assert_eq!(
        (heard(&carol).await.len(), heard(&dave).await.len()),
        (1, 1)
    );
    assert_eq!(
        server.rows("conversation WHERE wrote"),
        1201,
        "the contacts that are told, the conversations that are shown, and carol's"
    );
}

/// The page follows the nick of a session with which it has only a direct conversation.
#[tokio::test(flavor = "multi_thread")]
async fn the_page_follows_the_nick_in_a_direct_conversation() {
    at_both_widths(async |server, page| {
        page.create_session(&server.url(""), "alice").await;
        page.shows("#composer, #browse-panel").await;
        let bob = server.create_session("bob").await;
        bob.send("PRIVMSG alice :hello").await;
        page.press("#directs .target").await;
        page.shows_message("bob: hello").await;
        bob.send("NICK robert").await;
        page.says("#title", "robert").await;
        page.counts("#directs li", 1).await;
        page.say("hello robert").await;
        page.shows_message("alice: hello robert").await;
        bob.send("QUIT").await;
        page.says("#title", "robert (left)").await;
        server
            .create_session("robert")
            .await
            .send("PRIVMSG alice :I am another")
            .await;
        page.counts("#directs li", 2).await;
        assert!(
            !page
                .messages()
                .await
                .contains(&"robert: I am another".to_owned())
        );
    })
    .await;
}
