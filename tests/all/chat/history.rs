//! The mode +H: which messages a member may read beyond those it witnessed itself, and which
//! messages nobody may read.

use std::time::Duration;

use serde_json::json;

use crate::support::{Device, JsonAnswer, TestServer, assert_integrity, params, until};

/// The texts that a device reads in the channel's history, or the refusal.
async fn read(device: &Device, query: &str) -> Result<Vec<String>, String> {
    let history = device.try_history(&format!("target=%23rust{query}")).await;
    let history = history.map_err(|problem| problem.code)?;
    let said = history.iter().filter(|event| event.command == "PRIVMSG");
    Ok(said.map(|event| event.param(1).to_owned()).collect())
}

async fn texts(device: &Device) -> Vec<String> {
    read(device, "").await.unwrap()
}

/// Waits until unreadable messages are removed. Returns the number of messages left.
async fn kept(server: &TestServer) -> i64 {
    until("unreadable events to be deleted", async || {
        server.rows("sweep") == 0
    })
    .await;
    server.rows("event WHERE command = 'PRIVMSG'")
}

/// Sends each text to the channel, and sets a mode before each.
async fn say(op: &Device, said: &[(&str, &str)]) {
    for (mode, text) in said {
        if !mode.is_empty() {
            op.send(&format!("MODE #rust {mode}")).await;
        }
        op.send(&format!("PRIVMSG #rust :{text}")).await;
    }
}

const STORY: [(&str, &str); 6] = [
    ("", "one"),
    ("+H", "two"),
    ("", "three"),
    ("-H", "four"),
    ("+H", "five"),
    ("-H", "six"),
];

#[tokio::test]
async fn members_read_what_was_said_under_it_and_what_they_witnessed() {
    let mut server = TestServer::start().await;
    let [alice] = server.sessions_on("#rust", ["alice"]).await;
    say(&alice, &STORY).await;
    let [bob] = server.sessions_on("#rust", ["bob"]).await;
    alice.send("PRIVMSG #rust :seven").await;
    for restarted in [false, true] {
        assert_eq!(
            texts(&alice).await,
            ["one", "two", "three", "four", "five", "six", "seven"]
        );
        assert_eq!(texts(&bob).await, ["two", "three", "five", "seven"]);
        if !restarted {
            server.restart().await;
        }
    }
    // Both directions are read page by page.
    let history = bob.history("target=%23rust").await;
    let ids: Vec<_> = history.iter().map(|event| event.id).collect();
    let (mut forth, mut back) = (vec![], vec![]);
    for n in 0..ids.len() {
        let after = if n == 0 { 0 } else { ids[n - 1] };
        let before = ids
            .get(ids.len() - n)
            .map_or(String::new(), |before| format!("&before={before}"));
        for (query, to) in [(format!("&after={after}"), &mut forth), (before, &mut back)] {
            let page = bob.history(&format!("target=%23rust&limit=1{query}")).await;
            to.push(page[0].id);
        }
    }
    back.reverse();
    assert_eq!((&forth, &back), (&ids, &ids));
    assert_integrity(&server.database());
}

#[tokio::test]
async fn it_changes_neither_queues_nor_unread_counts() {
    let server = TestServer::start().await;
    let [alice] = server.sessions_on("#rust", ["alice"]).await;
    say(&alice, &[("+H", "bob, come in"), ("", "bob?")]).await;
    let bob = server.create_session("bob").await;
    bob.snapshot().await;
    bob.send("JOIN #rust").await;
    assert_eq!(texts(&bob).await, ["bob, come in", "bob?"]);
    let channel = bob.snapshot().await["channels"][0].clone();
    assert_eq!(
        (&channel["unread"], &channel["modes"]),
        (&json!({"count": 0, "mention": false}), &json!("+ntH"))
    );
    assert_eq!(bob.queue().await.len(), 1, "his JOIN alone");
    assert_eq!(bob.poll("after=0&timeout=0").await.messages.len(), 1);
    alice.send("PRIVMSG #rust :bob!").await;
    assert_eq!(
        bob.snapshot().await["channels"][0]["unread"],
        json!({"count": 1, "mention": true})
    );
}

#[tokio::test]
async fn a_session_that_is_no_member_reads_no_more_than_without_it() {
    for modes in ["", "s", "i", "k sesame"] {
        let server = TestServer::start().await;
        let [alice, kicked, banned, left] = server
            .sessions_on("#rust", ["alice", "kicked", "banned", "left"])
            .await;
        say(&alice, &[("+H", "to all")]).await;
        alice.send("MODE #rust +b banned").await;
        for line in ["KICK #rust kicked", "KICK #rust banned"] {
            alice.send(line).await;
        }
        left.send("PART #rust").await;
        if !modes.is_empty() {
            alice.send(&format!("MODE #rust +{modes}")).await;
        }
        say(&alice, &[("", "without them")]).await;
        for gone in [&kicked, &banned, &left] {
            assert_eq!(texts(gone).await, ["to all"], "{modes}");
        }
        let stranger = server.create_session("stranger").await;
        assert_eq!(
            read(&stranger, "").await,
            Err("not_on_channel".into()),
            "{modes}"
        );
        let key = json!({"name": "bot", "scope": "chat:read", "res": ["#other"]});
        let outside = alice.create_key_with(key).await.token("").await;
        assert_eq!(
            read(&outside, "").await,
            Err("no_such_channel".into()),
            "{modes}"
        );
        assert_eq!(
            banned.try_send("JOIN #rust sesame").await.unwrap_err().code,
            "banned_from_channel"
        );
        alice.send("INVITE left #rust").await;
        left.send("JOIN #rust sesame").await;
        assert_eq!(texts(&left).await, ["to all", "without them"], "{modes}");
    }
}

#[tokio::test]
async fn only_operators_set_it_and_it_works_like_other_modes() {
    let server = TestServer::start().await;
    let [alice, bob] = server.sessions_on("#rust", ["alice", "bob"]).await;
    assert_eq!(
        bob.try_send("MODE #rust +H").await.unwrap_err().code,
        "chanop_needed"
    );
    bob.drain().await;
    alice.send("MODE #rust +Hm-t").await;
    assert_eq!(
        alice.send("MODE #rust +H").await["ids"],
        json!([]),
        "it is so already"
    );
    assert_eq!(params(&bob.queue().await[0]), ["#rust", "+Hm-t"]);
    assert_eq!(
        params(&bob.send("MODE #rust").await["replies"][0]),
        ["bob", "#rust", "+mnH"]
    );
    // Clearing and setting it in one command neither ends a span nor begins one.
    let both = alice.send("MODE #rust -H+H").await;
    assert_eq!(both.ids().len(), 1);
    assert_eq!(server.rows("channel_history WHERE until IS NULL"), 1);
    assert_eq!(server.rows("channel_history"), 1);
}

#[tokio::test]
async fn a_new_channel_has_it_if_the_operator_says_so() {
    for (case, args, modes) in [
        ("by default", &[][..], "+nt"),
        ("off", &["--channel-history", "off"], "+nt"),
        ("on", &["--channel-history", "on"], "+ntH"),
    ] {
        let server = TestServer::with(args).await;
        let [alice] = server.sessions_on("#rust", ["alice"]).await;
        assert_eq!(
            alice.snapshot().await["channels"][0]["modes"],
            modes,
            "{case}"
        );
        assert_eq!(
            server.device().get("/api/v1/server").await["channel_history"],
            modes == "+ntH",
            "{case}"
        );
        alice.send("PRIVMSG #rust :first").await;
        let [bob] = server.sessions_on("#rust", ["bob"]).await;
        let expected: &[&str] = if modes == "+ntH" { &["first"] } else { &[] };
        assert_eq!(texts(&bob).await, expected, "{case}");
        if modes == "+ntH" {
            say(&alice, &[("-H", "second")]).await;
            let [carol] = server.sessions_on("#rust", ["carol"]).await;
            assert_eq!(texts(&carol).await, ["first"]);
        }
    }
}

/// Later members may read what was said under +H. It stays when every session that heard it has
/// ended, and is removed with the channel.
#[tokio::test]
async fn what_was_said_under_it_stays_until_the_channel_ends() {
    let server = TestServer::start().await;
    let [alice] = server.sessions_on("#rust", ["alice"]).await;
    say(&alice, &STORY).await;
    let [bob] = server.sessions_on("#rust", ["bob"]).await;
    alice.send("QUIT").await;
    assert_eq!(kept(&server).await, 3);
    assert_eq!(texts(&bob).await, ["two", "three", "five"]);
    let [carol] = server.sessions_on("#rust", ["carol"]).await;
    bob.send("PRIVMSG #rust :six").await;
    bob.send("QUIT").await;
    assert_eq!(kept(&server).await, 4);
    assert_eq!(texts(&carol).await, ["two", "three", "five", "six"]);
    // When the channel ends and a new one takes its name, the new one has no history.
    carol.send("PART #rust").await;
    assert_eq!(
        kept(&server).await,
        1,
        "carol still reads what she witnessed"
    );
    assert_eq!(server.rows("channel_history"), 0);
    let [dave] = server.sessions_on("#rust", ["dave"]).await;
    assert_eq!(texts(&dave).await, Vec::<String>::new());
    assert_integrity(&server.database());
}

#[tokio::test]
async fn retention_removes_the_messages_and_the_spans_of_the_mode() {
    let mut server = TestServer::with(&["--retention", "10d", "--client-idle", "100d"]).await;
    let [alice] = server.sessions_on("#rust", ["alice"]).await;
    say(&alice, &STORY[..4]).await;
    server.advance(Duration::from_hours(11 * 24));
    say(&alice, &STORY[4..]).await;
    server.restart().await;
    until("old spans to be deleted", async || {
        server.rows("channel_history") == 1
    })
    .await;
    let [bob] = server.sessions_on("#rust", ["bob"]).await;
    assert_eq!(texts(&bob).await, ["five"]);
}

/// Setting and clearing +H costs only a command, so the number of remembered spans is bounded.
#[tokio::test]
async fn the_last_1000_spans_are_remembered() {
    let server = TestServer::start().await;
    let [alice, bob] = server.sessions_on("#rust", ["alice", "bob"]).await;
    say(
        &alice,
        &[
            ("+H", "forgotten"),
            ("-H", "between"),
            ("+H", "kept"),
            ("-H", "after"),
        ],
    )
    .await;
    let database = rusqlite::Connection::open(server.database()).unwrap();
    let fill = "WITH RECURSIVE n (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < 998)
        INSERT INTO channel_history (channel_id, since, until)
            SELECT (SELECT id FROM channel), 1000 + n, 1000 + n FROM n";
    database.execute_batch(fill).unwrap();
    database.execute("UPDATE log SET head = 5000", []).unwrap();
    alice.send("QUIT").await;
    let [carol] = server.sessions_on("#rust", ["carol"]).await;
    assert_eq!(texts(&carol).await, ["forgotten", "kept"]);
    bob.send("MODE #rust +H").await;
    assert_eq!(server.rows("channel_history"), 1000);
    assert_eq!(texts(&carol).await, ["kept"]);
    let messages = json!(bob.history("target=%23rust").await);
    assert!(messages.to_string().contains("forgotten"), "he was there");
}
