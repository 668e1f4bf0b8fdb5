//! The unread counts in the snapshot.

use serde_json::json;

use crate::support::{Device, JsonAnswer, TestServer};

const NONE: (u64, bool) = (0, false);

/// The unread count that a device sees for a channel or a conversation, and whether an unread
/// message mentions its nick.
async fn unread(device: &Device, of: &str) -> (u64, bool) {
    let snapshot = device.snapshot().await;
    let mut found = snapshot["channels"]
        .items()
        .iter()
        .chain(snapshot["directs"].items());
    let found = found.find(|entry| entry["name"] == of || entry["nick"] == of);
    let unread = &found.unwrap_or_else(|| panic!("no {of} in {snapshot}"))["unread"];
    (
        unread["count"].as_u64().unwrap(),
        unread["mention"].as_bool().unwrap(),
    )
}

/// Sends a message and returns the id of its event.
async fn say(device: &Device, line: &str) -> i64 {
    device.send(line).await["ids"][0].as_i64().unwrap()
}

#[tokio::test]
async fn messages_of_others_raise_it_and_the_read_marker_lowers_it() {
    let mut server = TestServer::start().await;
    let [alice, bob] = server.sessions_on("#rust", ["alice", "bob"]).await;
    let phone = server.phone_of(&alice, "alice").await;
    assert_eq!(unread(&alice, "#rust").await, NONE, "a JOIN is not unread");
    let first = say(&bob, "PRIVMSG #rust :hello").await;
    let second = say(&bob, "NOTICE #rust :there").await;
    let direct = say(&bob, "PRIVMSG alice :psst").await;
    for line in ["AWAY :lunch", "NICK rob", "PART #rust", "JOIN #rust"] {
        bob.send(line).await;
    }
    for restarted in [false, true] {
        for device in [&alice, &phone] {
            assert_eq!(unread(device, "#rust").await, (2, false));
            assert_eq!(unread(device, "rob").await, (1, false));
        }
        assert_eq!(
            (unread(&bob, "#rust").await, unread(&bob, "alice").await),
            (NONE, NONE)
        );
        if !restarted {
            server.restart().await;
        }
    }
    for (mark, left) in [
        (first - 1, (2, false)),
        (first, (1, false)),
        (second, NONE),
        (first, NONE),
    ] {
        phone.send(&format!("MARKREAD #rust {mark}")).await;
        assert_eq!(unread(&alice, "#rust").await, left, "read up to {mark}");
    }
    alice.send(&format!("MARKREAD rob {direct}")).await;
    assert_eq!(unread(&phone, "rob").await, NONE);
    bob.send("PRIVMSG #rust,alice :again").await;
    assert_eq!(
        (unread(&phone, "#rust").await, unread(&phone, "rob").await),
        ((1, false), (1, false))
    );
}

#[tokio::test]
async fn own_messages_do_not_count_whatever_the_client_and_nick() {
    let server = TestServer::start().await;
    let [alice, bob] = server.sessions_on("#rust", ["alice", "bob"]).await;
    let phone = server.phone_of(&alice, "alice").await;
    let bot = alice
        .create_key("chat:read chat:write")
        .await
        .token("")
        .await;
    for device in [&alice, &phone, &bot] {
        device.send("PRIVMSG #rust,bob,alice :alice was here").await;
    }
    phone.send("QUIT").await;
    alice.send("NICK alix").await;
    for device in [&alice, &bot] {
        for of in ["#rust", "bob", "alix"] {
            assert_eq!(unread(device, of).await, NONE, "{of}");
        }
    }
    assert_eq!(
        (unread(&bob, "#rust").await, unread(&bob, "alix").await),
        ((3, false), (3, false))
    );
    // A session that takes alice's former nick is another session. A bot of another session is not
    // her own either.
    bob.send("NICK alice").await;
    bob.create_key("chat:write")
        .await
        .token("")
        .await
        .send("PRIVMSG #rust,alix :from a bot")
        .await;
    bob.send("PRIVMSG #rust,alix :from its owner").await;
    assert_eq!(
        (unread(&alice, "#rust").await, unread(&alice, "alice").await),
        ((2, false), (2, false))
    );
}

#[tokio::test]
async fn it_counts_back_from_the_newest_up_to_a_hundred() {
    let server = TestServer::start().await;
    let [alice, bob] = server.sessions_on("#rust", ["alice", "bob"]).await;
    bob.send("PRIVMSG #rust,alice :alice?").await;
    for n in 2..=101 {
        if n == 100 {
            assert_eq!(
                (unread(&alice, "#rust").await, unread(&alice, "bob").await),
                ((99, true), (99, true))
            );
        }
        bob.send("PRIVMSG #rust,alice :hello").await;
    }
    assert_eq!(
        (unread(&alice, "#rust").await, unread(&alice, "bob").await),
        ((100, false), (100, false))
    );
}

#[tokio::test]
async fn messages_before_the_session_joined_do_not_count() {
    let server = TestServer::start().await;
    let [bob, carol] = server.sessions_on("#rust", ["bob", "carol"]).await;
    let alice = server.create_session("alice").await;
    bob.send("PRIVMSG #rust :alice is not here yet").await;
    alice.send("JOIN #rust").await;
    assert_eq!(unread(&alice, "#rust").await, NONE);
    for (leaver, leaving, so_far) in [(&alice, "PART #rust", 3), (&bob, "KICK #rust alice", 5)] {
        bob.send("PRIVMSG #rust :alice is here").await;
        assert_eq!(unread(&alice, "#rust").await, (1, true));
        leaver.send(leaving).await;
        bob.send("PRIVMSG #rust :alice is gone").await;
        alice.send("JOIN #rust").await;
        assert_eq!(unread(&alice, "#rust").await, NONE, "after {leaving}");
        assert_eq!(
            unread(&carol, "#rust").await,
            (so_far, false),
            "the session that stayed counts it"
        );
    }
    // A channel that ended adds nothing to the next one of its name.
    bob.send("PRIVMSG #rust :alice is here").await;
    for person in [&alice, &bob, &carol] {
        person.send("PART #rust").await;
    }
    for person in [&bob, &alice, &carol] {
        person.send("JOIN #rust").await;
    }
    assert_eq!(
        (unread(&alice, "#rust").await, unread(&carol, "#rust").await),
        (NONE, NONE)
    );
    bob.send("PRIVMSG #rust :anew").await;
    assert_eq!(
        (unread(&alice, "#rust").await, unread(&carol, "#rust").await),
        ((1, false), (1, false))
    );
}

#[tokio::test]
async fn a_conversation_belongs_to_a_session_not_to_a_nick() {
    let server = TestServer::start().await;
    let [alice, bob, carol] = server.sessions_on("#rust", ["alice", "bob", "carol"]).await;
    bob.send("PRIVMSG alice :from the first bob").await;
    carol.send("PRIVMSG bob :not for alice").await;
    carol.send("NOTICE alice :from carol").await;
    carol.send("NOTICE alice :again").await;
    assert_eq!(
        (unread(&alice, "bob").await, unread(&alice, "carol").await),
        ((1, false), (2, false))
    );
    bob.send("QUIT").await;
    server
        .create_session("bob")
        .await
        .send("PRIVMSG alice :from another bob")
        .await;
    assert_eq!(unread(&alice, "bob").await, (1, false));
    // A message from outside the channel counts like a member's.
    alice.send("MODE #rust -n").await;
    server
        .create_session("dave")
        .await
        .send("PRIVMSG #rust :from outside")
        .await;
    assert_eq!(unread(&alice, "#rust").await, (1, false));
}

#[tokio::test]
async fn a_mention_is_the_current_nick_as_a_word_of_an_unread_message() {
    let server = TestServer::start().await;
    let [alice, bob] = server.sessions_on("#rust", ["alice", "bob"]).await;
    for (text, mention) in [
        ("malice, alice2 and -alice", false),
        ("well, ALICE: hi", true),
        ("alix, are you alice_?", false),
        ("@alice!", true),
        ("#rust", false),
        ("\u{1}ACTION waves at Alice\u{1}", true),
    ] {
        // The rule is the same for a channel and for a direct conversation.
        for (to, of) in [("#rust", "#rust"), ("alice", "bob")] {
            bob.send(&format!("PRIVMSG {to} :before")).await;
            let said = say(&bob, &format!("PRIVMSG {to} :{text}")).await;
            assert_eq!(unread(&alice, of).await, (2, mention), "{of} {text}");
            let next = say(&bob, &format!("NOTICE {to} :after")).await;
            assert_eq!(unread(&alice, of).await, (3, mention), "{of} {text}");
            alice.send(&format!("MARKREAD {of} {said}")).await;
            assert_eq!(
                unread(&alice, of).await,
                (1, false),
                "the mention has been read: {of} {text}"
            );
            alice.send(&format!("MARKREAD {of} {next}")).await;
        }
    }
    bob.send("PRIVMSG #rust :alix?").await;
    alice.send("PRIVMSG #rust :alice, alix").await;
    assert_eq!(unread(&alice, "#rust").await, (1, false));
    alice.send("NICK alix").await;
    assert_eq!(
        unread(&alice, "#rust").await,
        (1, true),
        "only the current nick counts"
    );
}

#[tokio::test]
async fn a_confined_program_learns_only_the_counts_of_its_channels() {
    let server = TestServer::start().await;
    let [alice, bob] = server.sessions_on("#in", ["alice", "bob"]).await;
    for person in [&alice, &bob] {
        person.send("JOIN #out").await;
    }
    let key = json!({"name": "bot", "scope": "chat:read chat:write", "res": ["#in"]});
    let bot = alice.create_key_with(key).await.token("").await;
    bob.send("PRIVMSG #in,#out,alice :alice?").await;
    bot.send("PRIVMSG #in :she is out").await;
    let (shown, whole) = (bot.snapshot().await, alice.snapshot().await);
    assert_eq!(shown["channels"], json!([whole["channels"][0]]));
    assert_eq!(
        shown["channels"][0]["unread"],
        json!({"count": 1, "mention": true})
    );
    assert_eq!(shown["directs"], json!([]));
    bot.send(&format!("MARKREAD #in {}", shown["cursor"])).await;
    assert_eq!(
        (unread(&bot, "#in").await, unread(&alice, "#in").await),
        (NONE, NONE)
    );
    assert_eq!(
        (unread(&alice, "#out").await, unread(&alice, "bob").await),
        ((1, true), (1, true))
    );
}
