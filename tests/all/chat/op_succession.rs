//! Succession of ops: when the last op goes in any way, another member becomes op in the same
//! instant.

use std::time::Duration;

use rejoin::{
    model::{ChannelName, Nick},
    session::admin::Named,
};
use serde_json::json;

use crate::support::{Device, JsonAnswer, Message, TestServer, commands, params, status_and_code};

const PASSWORD: &str = "correct horse battery";

/// The ops of the only channel that the device's session has joined.
async fn ops(of: &Device) -> Vec<String> {
    let snapshot = of.snapshot().await;
    let members = snapshot["channels"][0]["members"].items().to_vec();
    let ops = members.iter().filter(|member| member["op"] == true);
    ops.map(|member| member["nick"].as_str().unwrap().to_owned())
        .collect()
}

/// The source, command and params of a message, as a line.
fn line(message: &Message) -> String {
    let Message {
        source,
        command,
        params,
        ..
    } = message;
    format!("{source} {command} {}", params.join(" "))
}

#[tokio::test]
async fn op_passes_on_in_every_way_the_last_op_can_go() {
    for (way, command) in [
        ("PART", "PART"),
        ("QUIT", "QUIT"),
        ("KICK", "KICK"),
        ("logout", "QUIT"),
        ("removal", "QUIT"),
        ("end", "QUIT"),
        ("expiry", "QUIT"),
        ("operator", "QUIT"),
    ] {
        let server = TestServer::with(&["--client-idle", "1h"]).await;
        let [alice, bob, carol] = server.sessions_on("#rust", ["alice", "bob", "carol"]).await;
        alice.send("MODE #rust +im").await;
        bob.drain().await;
        let mut stream = carol.stream("").await;
        match way {
            "PART" => drop(alice.send("PART #rust").await),
            "QUIT" => drop(alice.send("QUIT").await),
            "KICK" => drop(alice.send("KICK #rust alice").await),
            "logout" => drop(alice.post("/api/v1/logout", json!(null)).await.unwrap()),
            "end" => drop(alice.delete("/api/v1/session").await.unwrap()),
            "removal" => {
                let own = alice.get("/api/v1/clients").await[0]["id"].clone();
                drop(
                    alice
                        .delete(&format!("/api/v1/clients/{own}"))
                        .await
                        .unwrap(),
                );
            }
            "expiry" => {
                server.advance(Duration::from_mins(59));
                for staying in [&bob, &carol] {
                    staying.snapshot().await;
                }
                server.advance(Duration::from_mins(2));
                server.wait_for_clients(2).await;
            }
            _ => server
                .core()
                .remove_session(Named::parse("alice").unwrap(), server.now())
                .await
                .unwrap(),
        }
        let queue = bob.queue().await;
        let told: Vec<_> = queue.iter().map(line).collect();
        assert_eq!(told.len(), 2, "{way}: {told:?}");
        assert!(
            told[0].starts_with(&format!("alice {command} ")),
            "{way}: {told:?}"
        );
        assert_eq!(
            told[1], "rejoin.server MODE #rust +o bob",
            "{way}: bob joined first"
        );
        assert_eq!(ops(&carol).await, ["bob"], "{way}");
        loop {
            let pushed = stream.message().await.unwrap();
            if pushed.id == queue[1].id {
                break assert_eq!(line(&pushed), told[1], "{way}");
            }
        }
        bob.send("MODE #rust -im").await;
    }
}

#[tokio::test]
async fn the_voiced_come_first_and_the_banned_last() {
    let server = TestServer::start().await;
    let [alice, bob, carol, dave] = server
        .sessions_on("#rust", ["alice", "bob", "carol", "dave"])
        .await;
    alice.send("MODE #rust +v dave").await;
    alice.send("PART #rust").await;
    assert_eq!(
        ops(&bob).await,
        ["dave"],
        "a voiced member comes before one who joined earlier"
    );
    dave.send("MODE #rust +b bob").await;
    dave.send("PART #rust").await;
    assert_eq!(
        ops(&bob).await,
        ["carol"],
        "a banned member does not become op"
    );
    carol.send("MODE #rust +v bob").await;
    carol.send("PART #rust").await;
    assert_eq!(ops(&bob).await, ["bob"], "voice outweighs a ban");
}

#[tokio::test]
async fn a_channel_of_only_banned_members_waits_for_another() {
    let server = TestServer::start().await;
    let [alice, bob, _carol] = server.sessions_on("#rust", ["alice", "bob", "carol"]).await;
    alice.send("MODE #rust +bb *!s2@* *!s3@*").await;
    alice.send("PART #rust").await;
    assert!(ops(&bob).await.is_empty());
    bob.drain().await;
    let dave = server.create_session("dave").await;
    let names = dave.send("JOIN #rust").await["replies"][0].clone();
    assert_eq!(params(&names)[3], "bob carol @dave");
    assert_eq!(commands(&bob.queue().await), ["JOIN", "MODE"]);
    dave.send("MODE #rust -b *!s2@*").await;
}

/// The writer searches for the next op, so the search is bounded to a few members and bans.
#[tokio::test]
async fn the_bounded_search_starts_with_the_longest_members() {
    for (guests, successor) in [(150, true), (300, false)] {
        let server = TestServer::start().await;
        let [alice, bob] = server.sessions_on("#rust", ["alice", "bob"]).await;
        let fill = format!(
            "CREATE TEMP TABLE n AS WITH RECURSIVE n(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < {guests})
                 SELECT n FROM n;
             INSERT INTO session (id, nick, folded_nick, created_at) SELECT 1000 + n, 'guest' || n, 'guest' || n, 0 FROM n;
             INSERT INTO membership (session_id, channel_id, since) SELECT 1000 + n, id, 0 FROM n, channel;
             INSERT INTO ban (channel_id, folded_mask, mask, set_by, set_at)
                 SELECT id, mask, mask, 'alice', 0
                 FROM channel, (SELECT iif(n = 1, 'guest*!*@*', 'nobody' || n || '!*@*') AS mask FROM n WHERE n <= 100);"
        );
        let database = rusqlite::Connection::open(server.database()).unwrap();
        database.pragma_update(None, "foreign_keys", "off").unwrap();
        database.execute_batch(&fill).unwrap();
        alice.send("PART #rust").await;
        assert_eq!(ops(&bob).await == ["bob"], successor, "{guests} guests");
        // A member outside the bounds becomes op at the next change of nick.
        bob.send("NICK robert").await;
        assert_eq!(ops(&bob).await, ["robert"]);
    }
}

#[tokio::test]
async fn a_member_becomes_op_when_no_ban_matches_its_new_nick() {
    let server = TestServer::start().await;
    let [alice, badger] = server.sessions_on("#rust", ["alice", "badger"]).await;
    alice.send("MODE #rust +b *bad*!*@*").await;
    alice.send("PART #rust").await;
    badger.drain().await;
    badger.send("NICK worse-bad").await;
    assert!(ops(&badger).await.is_empty());
    badger.send("NICK good").await;
    let told: Vec<_> = badger.queue().await.iter().map(line).collect();
    assert_eq!(
        told[1..],
        ["worse-bad NICK good", "rejoin.server MODE #rust +o good"]
    );
}

#[tokio::test]
async fn the_last_op_stays_op_until_there_is_another_member() {
    let server = TestServer::start().await;
    let [alice, bob] = server.sessions_on("#rust", ["alice", "bob"]).await;
    for line in ["MODE #rust -o alice", "MODE #rust -o+v-o ALICE bob alice"] {
        let refused = alice.try_send(line).await;
        match refused {
            Err(refused) => assert_eq!(
                status_and_code(refused),
                (403, "chanop_needed".into()),
                "{line}"
            ),
            Ok(partly) => assert_eq!(partly["replies"][0]["command"], "482", "{line}"),
        }
        assert_eq!(ops(&bob).await, ["alice"], "{line}");
    }
    bob.drain().await;
    alice.send("MODE #rust +o-o bob alice").await;
    assert_eq!(
        params(&bob.queue().await[0]),
        ["#rust", "+o-o", "bob", "alice"]
    );
    assert_eq!(ops(&bob).await, ["bob"]);
    bob.send("MODE #rust +o alice").await;
    let both = alice.send("MODE #rust -oo alice bob").await;
    assert_eq!(
        both["replies"][0]["command"], "482",
        "two ops together cannot leave the channel without an op"
    );
    assert_eq!(ops(&bob).await, ["bob"]);
}

#[tokio::test]
async fn kicking_oneself_and_the_successor_passes_op_twice() {
    let server = TestServer::start().await;
    let [alice, bob, carol] = server.sessions_on("#rust", ["alice", "bob", "carol"]).await;
    carol.drain().await;
    let answer = alice.send("KICK #rust alice,bob").await;
    assert_eq!(
        answer.ids().len(),
        2,
        "the succession itself is not in the answer"
    );
    let told: Vec<_> = carol.queue().await.iter().map(line).collect();
    let expected = [
        "alice KICK #rust alice alice",
        "rejoin.server MODE #rust +o bob",
        "alice KICK #rust bob alice",
        "rejoin.server MODE #rust +o carol",
    ];
    assert_eq!(told, expected);
    assert_eq!(
        commands(&alice.drain().await).last(),
        Some(&"KICK"),
        "a member who has gone is not told"
    );
    assert_eq!(commands(&bob.drain().await).last(), Some(&"KICK"));
}

#[tokio::test]
async fn a_channel_without_an_op_gets_one_at_the_start() {
    let mut server = TestServer::start().await;
    let [alice, bob] = server.sessions_on("#rust", ["alice", "bob"]).await;
    alice.send("MODE #rust +im").await;
    bob.drain().await;
    server.stop().await;
    let database = rusqlite::Connection::open(server.database()).unwrap();
    database
        .execute("UPDATE membership SET op = 0", [])
        .unwrap();
    drop(database);
    server.run().await;
    assert_eq!(ops(&bob).await, ["alice"]);
    assert_eq!(
        line(&bob.queue().await[0]),
        "rejoin.server MODE #rust +o alice"
    );
    assert_eq!(
        server.rows("event WHERE command = 'MODE'"),
        2,
        "the next start changes nothing"
    );
}

#[tokio::test]
async fn the_operator_gives_op_and_ends_a_channel() {
    let server = TestServer::start().await;
    let [alice, bob] = server.sessions_on("#rust", ["alice", "bob"]).await;
    let eve = server.create_session("eve").await;
    let chat = server.chat();
    let (rust, none) = (
        ChannelName::parse("#RUST").unwrap(),
        ChannelName::parse("#none").unwrap(),
    );
    let nick = |nick: &str| Nick::parse(nick).unwrap();
    bob.drain().await;
    for (case, channel, who, code) in [
        ("no channel", &none, "bob", "no_such_channel"),
        ("no session", &rust, "nobody", "no_such_nick"),
        ("no member", &rust, "eve", "user_not_in_channel"),
    ] {
        let refused = chat
            .give_op(channel.clone(), nick(who), server.now())
            .await
            .unwrap_err();
        assert_eq!(refused.code.name(), code, "{case}");
    }
    chat.give_op(rust.clone(), nick("Bob"), server.now())
        .await
        .unwrap();
    chat.give_op(rust.clone(), nick("bob"), server.now())
        .await
        .unwrap();
    assert_eq!(
        bob.queue().await.iter().map(line).collect::<Vec<_>>(),
        ["rejoin.server MODE #rust +o bob"]
    );
    bob.send("KICK #rust alice").await;
    alice.send("JOIN #rust").await;
    for device in [&alice, &bob] {
        device.drain().await;
    }
    assert_eq!(
        chat.end_channel(rust.clone(), server.now()).await.unwrap(),
        2
    );
    let why = "the server's operator ended this channel";
    let told = |who: &str| format!("rejoin.server KICK #rust {who} {why}");
    assert_eq!(
        alice.queue().await.iter().map(line).collect::<Vec<_>>(),
        [told("alice")]
    );
    assert_eq!(
        bob.queue().await.iter().map(line).collect::<Vec<_>>(),
        [told("alice"), told("bob")]
    );
    assert_eq!(bob.snapshot().await["channels"], json!([]));
    assert_eq!(
        chat.end_channel(rust, server.now())
            .await
            .unwrap_err()
            .code
            .name(),
        "no_such_channel"
    );
    assert_eq!(
        eve.send("JOIN #rust").await["replies"][0]["params"][3],
        "@eve"
    );
    let lines = chat.core.audit(None, 100).await.unwrap();
    let about = lines
        .iter()
        .filter(|line| line.channel.as_deref() == Some("#rust"));
    let about: Vec<_> = about
        .map(|line| (line.action.as_str(), line.nick.as_deref()))
        .collect();
    assert_eq!(about, [("op_given", Some("bob")), ("channel_ended", None)]);
}

#[tokio::test]
async fn a_large_channel_ends_for_all_its_members() {
    let server = TestServer::with(&["--login-limit", "off"]).await;
    let mut members = Vec::new();
    for n in 0..300 {
        let member = server.create_session(&format!("n{n}")).await;
        member.send("JOIN #rust").await;
        members.push(member);
    }
    let rust = ChannelName::parse("#rust").unwrap();
    assert_eq!(
        server.chat().end_channel(rust, server.now()).await.unwrap(),
        300
    );
    assert_eq!(
        members[0].snapshot().await["channels"],
        json!([]),
        "the op leaves last"
    );
    assert_eq!(server.rows("membership WHERE until IS NULL"), 0);
    assert_eq!(
        server.rows("event WHERE command = 'MODE'"),
        0,
        "op does not pass on while the channel ends"
    );
}

#[tokio::test]
async fn a_second_device_keeps_the_session_and_so_the_op() {
    let server = TestServer::start().await;
    let [alice, bob] = server.sessions_on("#rust", ["alice", "bob"]).await;
    alice.send(&format!("PASS :{PASSWORD}")).await;
    let _phone = server.login("alice", PASSWORD).await;
    alice.send("QUIT").await;
    assert_eq!(ops(&bob).await, ["alice"]);
}
