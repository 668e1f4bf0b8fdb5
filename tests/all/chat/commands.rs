//! Commands and their numerics, as in modern IRC.

use serde_json::{Value, json};

use crate::support::{Device, JsonAnswer, TestServer, commands, params};

mod invitations;

/// The replies of an answer as lines, without the caller's nick.
fn replies(answer: &Value) -> Vec<String> {
    let replies = answer.replies();
    replies
        .iter()
        .map(|reply| format!("{} {}", reply.command(), params(reply)[1..].join(" | ")))
        .collect()
}

async fn refused(device: &Device, line: &str) -> (String, Option<String>, u16) {
    let problem = device.try_send(line).await.expect_err(line);
    (problem.code, problem.numeric, problem.status)
}

fn refusal(code: &str, numeric: &str, status: u16) -> (String, Option<String>, u16) {
    (code.into(), Some(numeric.into()), status)
}

async fn people(server: &TestServer) -> [Device; 3] {
    [
        server.create_session("alice").await,
        server.create_session("bob").await,
        server.create_session("carol").await,
    ]
}

#[tokio::test]
async fn join_answers_with_topic_and_names_and_tells_the_channel() {
    let server = TestServer::start().await;
    let [alice, bob, _] = people(&server).await;
    let answer = alice.send("JOIN #Rust").await;
    assert_eq!(
        replies(&answer),
        ["353 = | #Rust | @alice", "366 #Rust | End of /NAMES list"]
    );
    alice.send("TOPIC #rust :all about rust").await;
    alice.send("MODE #rust +v alice").await;
    let answer = bob.send("JOIN #RUST").await;
    assert_eq!(
        answer["replies"][0]["params"],
        json!(["bob", "#Rust", "all about rust"])
    );
    assert_eq!(
        params(&answer["replies"][1])[..3],
        ["bob", "#Rust", "alice"]
    );
    assert_eq!(
        replies(&answer)[2..],
        [
            "353 = | #Rust | @alice bob",
            "366 #Rust | End of /NAMES list"
        ]
    );
    assert_eq!(
        bob.send("JOIN #rust").await["ids"],
        json!([]),
        "joining again changes nothing"
    );
    let queue = alice.queue().await;
    assert_eq!(commands(&queue), ["JOIN", "TOPIC", "MODE", "JOIN"]);
    assert_eq!(
        (queue[3].source.as_str(), params(&queue[3])),
        ("bob", vec!["#Rust"])
    );
}

#[tokio::test]
async fn each_target_of_a_command_has_its_own_result() {
    let server = TestServer::start().await;
    let [alice, bob, _] = people(&server).await;
    alice.send("JOIN #a,#b").await;
    bob.send("JOIN #a").await;
    let answer = alice.send("PRIVMSG #a,#none,bob,nobody,#b :hello").await;
    assert_eq!(answer.ids().len(), 3);
    assert_eq!(
        replies(&answer),
        [
            "403 #none | no such channel",
            "401 nobody | no user has the nick nobody"
        ]
    );
    let queue = bob.drain().await;
    let got: Vec<_> = queue
        .iter()
        .filter(|m| m.command == "PRIVMSG")
        .map(params)
        .collect();
    assert_eq!(
        got,
        [["#a", "hello"], ["bob", "hello"]],
        "one event per target, which names only that target"
    );
    assert_eq!(
        refused(&alice, "PRIVMSG #none,nobody :x").await,
        refusal("no_such_channel", "403", 404)
    );
    assert_eq!(
        alice.send("NOTICE #none,nobody :x").await,
        json!({"replies": [], "ids": []})
    );
    assert_eq!(
        alice.send("NOTICE").await,
        json!({"replies": [], "ids": []})
    );
}

#[tokio::test]
async fn direct_messages_reach_both_sessions_and_nobody_else() {
    let server = TestServer::start().await;
    let [alice, bob, carol] = people(&server).await;
    for person in [&alice, &bob, &carol] {
        person.send("JOIN #rust").await;
        person.drain().await;
    }
    carol.drain().await;
    alice.drain().await;
    bob.send("AWAY :at lunch").await;
    let answer = alice.send("PRIVMSG BOB :psst").await;
    assert_eq!(replies(&answer), ["301 bob | at lunch"]);
    assert_eq!(bob.send("AWAY").await["replies"][0]["command"], "305");
    for (who, device, expected) in [
        ("alice", &alice, vec!["AWAY", "PRIVMSG", "AWAY"]),
        ("carol", &carol, vec!["AWAY", "AWAY"]),
    ] {
        assert_eq!(commands(&device.queue().await), expected, "{who}");
    }
    bob.send("PRIVMSG bob :note to self").await;
    let queue = bob.queue().await;
    assert_eq!(
        queue
            .iter()
            .filter(|m| params(m).last() == Some(&"note to self"))
            .count(),
        1
    );
    let session = bob.snapshot().await["session"]["id"].clone();
    assert_eq!(
        alice.snapshot().await["directs"],
        json!([{"nick": "bob", "session": session, "read": 0, "unread": {"count": 0, "mention": false}}])
    );
}

#[tokio::test]
async fn part_and_kick() {
    let server = TestServer::start().await;
    let [alice, bob, carol] = people(&server).await;
    for person in [&alice, &bob, &carol] {
        person.send("JOIN #rust").await;
    }
    assert_eq!(
        refused(&bob, "KICK #rust carol").await,
        refusal("chanop_needed", "482", 403)
    );
    assert_eq!(
        refused(&alice, "KICK #rust nobody").await,
        refusal("no_such_nick", "401", 404)
    );
    assert_eq!(
        refused(&bob, "PART #none").await,
        refusal("no_such_channel", "403", 404)
    );
    alice.send("KICK #rust Carol :be nice").await;
    assert_eq!(
        refused(&alice, "KICK #rust carol").await,
        refusal("user_not_in_channel", "441", 404)
    );
    assert_eq!(
        refused(&carol, "PART #rust").await,
        refusal("not_on_channel", "442", 403)
    );
    assert_eq!(
        refused(&carol, "PRIVMSG #rust :hey").await,
        refusal("cannot_send_to_channel", "404", 403)
    );
    alice.send("PRIVMSG #rust :she is gone").await;
    bob.send("PART #rust :bye").await;
    let queue = carol.drain().await;
    assert_eq!(
        commands(&queue),
        ["JOIN", "KICK"],
        "from her JOIN to her KICK, both included"
    );
    assert_eq!(params(&queue[1]), ["#rust", "carol", "be nice"]);
    assert_eq!(
        commands(&bob.drain().await),
        ["JOIN", "JOIN", "KICK", "PRIVMSG", "PART"]
    );
    alice.send("PART #rust").await;
    assert_eq!(
        refused(&alice, "TOPIC #rust").await,
        refusal("no_such_channel", "403", 404)
    );
    assert_eq!(
        bob.send("JOIN #rust").await["replies"][0]["params"][3],
        "@bob",
        "a new channel has a new op"
    );
}

#[tokio::test]
async fn nick_is_one_event_for_any_number_of_shared_channels() {
    let server = TestServer::start().await;
    let [alice, bob, _] = people(&server).await;
    for person in [&alice, &bob] {
        person.send("JOIN #a,#b,#c").await;
        person.drain().await;
    }
    alice.drain().await;
    let answer = alice.send("NICK malice").await;
    assert_eq!(answer.ids().len(), 1);
    for device in [&alice, &bob] {
        let queue = device.queue().await;
        let [nick] = &queue[..] else {
            panic!("{queue:?}")
        };
        assert_eq!(
            (nick.source.as_str(), params(nick)),
            ("alice", vec!["malice"])
        );
    }
    server.create_session("alice").await;
}

#[tokio::test]
async fn a_topic_is_shown_set_and_cleared() {
    let server = TestServer::start().await;
    let [alice, bob, carol] = people(&server).await;
    alice.send("JOIN #rust").await;
    bob.send("JOIN #rust").await;
    assert_eq!(
        replies(&bob.send("TOPIC #rust").await),
        ["331 #rust | No topic is set"]
    );
    assert_eq!(
        refused(&bob, "TOPIC #rust :mine").await,
        refusal("chanop_needed", "482", 403)
    );
    alice.send("MODE #rust -t").await;
    bob.send("TOPIC #rust :ours").await;
    assert_eq!(
        replies(&alice.send("TOPIC #rust").await)[0],
        "332 #rust | ours"
    );
    assert_eq!(
        refused(&carol, "TOPIC #rust :x").await,
        refusal("not_on_channel", "442", 403)
    );
    alice.send("TOPIC #rust :").await;
    assert_eq!(alice.snapshot().await["channels"][0]["topic"], Value::Null);
}

#[tokio::test]
async fn who_names_list_and_whois() {
    let server = TestServer::start().await;
    let [alice, bob, _] = people(&server).await;
    alice.send("JOIN #rust,#ops").await;
    bob.send("JOIN #rust").await;
    alice.send("TOPIC #rust :all about rust").await;
    bob.send("AWAY :out").await;
    assert_eq!(
        replies(&bob.send("NAMES #rust,#none").await),
        [
            "353 = | #rust | @alice bob",
            "366 #rust | End of /NAMES list",
            "366 #none | End of /NAMES list"
        ]
    );
    assert_eq!(
        replies(&bob.send("LIST").await),
        [
            "321 Channel | Users  Name",
            "322 #ops | 1 | ",
            "322 #rust | 2 | all about rust",
            "323 End of /LIST"
        ]
    );
    let who = replies(&alice.send("WHO #rust").await);
    assert_eq!(who.len(), 3);
    assert!(
        who[0].starts_with("352 #rust | s1 | rejoin.server | rejoin.server | alice | H@ | 0 alice"),
        "{who:?}"
    );
    assert!(who[1].contains("| bob | G | 0 bob"), "{who:?}");
    assert_eq!(replies(&alice.send("WHO b*").await).len(), 2);
    assert_eq!(
        replies(&alice.send("WHOIS bob").await),
        [
            "311 bob | s2 | rejoin.server | * | bob",
            "312 bob | rejoin.server | Rejoin",
            "319 bob | #rust",
            "301 bob | out",
            "318 bob | End of /WHOIS list"
        ]
    );
    assert_eq!(
        refused(&alice, "WHOIS nobody").await,
        refusal("no_such_nick", "401", 404)
    );
    let pong = alice.send("PING :are you there").await;
    assert_eq!(
        (
            pong["replies"][0]["command"].as_str(),
            params(&pong["replies"][0])
        ),
        (Some("PONG"), vec!["rejoin.server", "are you there"])
    );
    let channels = server.device().get("/api/v1/channels").await;
    assert_eq!(
        channels["channels"][0],
        json!({"name": "#rust", "topic": "all about rust", "members": 2})
    );
}
