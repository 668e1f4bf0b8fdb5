//! The public list of channels, and what LIST, WHO and NAMES answer when there is more than one
//! answer can hold.

use serde_json::{Value, json};

use crate::support::{Device, JsonAnswer, TestServer, params};

/// Reads a page of the list. Returns the names on it and the link to the next page.
async fn page(device: &Device, query: &str) -> (Vec<String>, Value) {
    let page = device.get(&format!("/api/v1/channels?{query}")).await;
    let names = page["channels"]
        .items()
        .iter()
        .map(|channel| channel["name"].as_str().unwrap().to_owned());
    (names.collect(), page["next"].clone())
}

fn encoded(text: &str) -> String {
    text.bytes().map(|byte| format!("%{byte:02X}")).collect()
}

/// Puts rows into the database while the server runs, because requests would take too long.
fn fill(server: &TestServer, sql: &str) {
    let database = rusqlite::Connection::open(server.database()).unwrap();
    database.pragma_update(None, "foreign_keys", "off").unwrap();
    database.execute_batch(sql).unwrap();
}

/// Adds `count` channels, `#x1` and so on, each with one member.
fn fill_channels(server: &TestServer, count: usize, topic: &str) {
    fill(
        server,
        &format!(
            "WITH RECURSIVE n (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < {count})
                 INSERT INTO channel (id, name, folded_name, created_at, modes, topic, topic_set_by, topic_set_at)
                 SELECT 10000 + n, '#x' || n, '#x' || n, 0, 'nt', '{topic}', 'x', 0 FROM n;
             INSERT INTO membership (session_id, channel_id, since) SELECT 9999, id, 1 FROM channel WHERE id > 10000;"
        ),
    );
}

/// The commands of an answer's replies. A run of the same command counts once.
fn kinds(answer: &Value) -> Vec<&str> {
    let mut kinds: Vec<_> = answer
        .replies()
        .iter()
        .map(|reply| reply.command())
        .collect();
    kinds.dedup();
    kinds
}

fn last(answer: &Value) -> Vec<&str> {
    params(answer.replies().last().unwrap())
}

#[tokio::test]
async fn the_largest_come_first_unless_a_name_is_given() {
    let server = TestServer::start().await;
    let [alice, bob, carol] = server
        .sessions_on("#Middle", ["alice", "bob", "carol"])
        .await;
    alice.send("JOIN #alone,#hidden,#club").await;
    bob.send("JOIN #big,#hidden").await;
    carol.send("JOIN #big,#hidden,#club").await;
    for line in [
        "JOIN #big",
        "PART #Middle",
        "MODE #hidden +s",
        "MODE #club +i",
    ] {
        alice.send(line).await;
    }
    bob.send("TOPIC #big :all of us").await;
    let visitor = server.device();
    assert_eq!(
        visitor.get("/api/v1/channels").await,
        json!({"channels": [
            {"name": "#big", "members": 3, "topic": "all of us"},
            {"name": "#Middle", "members": 2},
            {"name": "#alone", "members": 1},
            {"name": "#club"},
        ], "next": null})
    );
    let all = (
        vec![
            "#alone".to_owned(),
            "#big".into(),
            "#club".into(),
            "#Middle".into(),
        ],
        Value::Null,
    );
    for after in ["", "#", "#a"] {
        assert_eq!(
            page(&visitor, &format!("after={}", encoded(after))).await,
            all,
            "{after:?}"
        );
    }
    assert_eq!(
        page(&visitor, "after=%23BIG&limit=1").await,
        (vec!["#club".into()], json!("#club"))
    );
    assert_eq!(page(&visitor, "match=I").await.0, ["#big", "#Middle"]);
    assert_eq!(
        page(&visitor, "after=%23b&match=I").await.0,
        ["#big", "#Middle"]
    );
    assert_eq!(page(&visitor, "match=hidden").await, (vec![], Value::Null));
    // Both orders are read page by page.
    for (start, expected) in [
        ("limit=1", ["#big", "#Middle", "#alone", "#club"]),
        ("limit=1&after=", ["#alone", "#big", "#club", "#Middle"]),
    ] {
        let (mut seen, mut query) = (Vec::new(), start.to_owned());
        loop {
            let (names, next) = page(&visitor, &query).await;
            seen.extend(names);
            let Some(next) = next.as_str() else { break };
            query = format!("limit=1&after={}", encoded(next));
        }
        assert_eq!(seen, expected, "{start}");
    }
    for query in [
        "limit=0",
        "limit=501",
        "limit=x",
        &format!("match={}", "x".repeat(65)),
        &format!("after={}", "x".repeat(200)),
    ] {
        let refused = visitor
            .call(reqwest::Method::GET, &format!("/api/v1/channels?{query}"))
            .await
            .unwrap_err();
        assert_eq!(
            (refused.status, refused.code.as_str()),
            (400, "malformed_request"),
            "{query}"
        );
    }
}

#[tokio::test]
async fn a_page_has_a_hundred_channels_and_the_list_ten_thousand() {
    let server = TestServer::start().await;
    server.sessions_on("#large", ["alice", "bob"]).await;
    fill_channels(&server, 10_001, "");
    let visitor = server.device();
    let first = visitor.get("/api/v1/channels").await;
    assert_eq!(first["channels"].items().len(), 100);
    assert_eq!(
        (&first["channels"][0]["name"], &first["truncated"]),
        (&json!("#large"), &json!(true))
    );
    let (mut seen, mut next) = (Vec::new(), String::new());
    while let (names, Value::String(after)) =
        page(&visitor, &format!("limit=500&after={}", encoded(&next))).await
    {
        assert_eq!(names.len(), 500);
        seen.extend(names);
        next = after;
    }
    assert!(
        seen.len() == 9_500 && seen.is_sorted(),
        "the last page has no next"
    );
}

#[tokio::test]
async fn an_incomplete_answer_says_so() {
    let server = TestServer::start().await;
    let [alice, _bob] = server.sessions_on("#Large", ["alice", "bob"]).await;
    assert_eq!(kinds(&alice.send("LIST").await), ["321", "322", "323"]);
    fill_channels(&server, 600, "");
    let list = alice.send("LIST").await;
    assert_eq!(kinds(&list), ["321", "322", "323", "416"]);
    assert_eq!(last(&list)[..3], ["alice", "LIST", "*"]);
    let replies = list.replies();
    assert_eq!(replies.len(), 503);
    assert!(
        params(&replies[1])[1] == "#Large",
        "the caller's own channels are included"
    );
    // With long topics the answer is full after fewer channels.
    fill(
        &server,
        &format!(
            "UPDATE channel SET topic = '{}' WHERE id > 10000",
            "t".repeat(1000)
        ),
    );
    let list = alice.send("LIST").await;
    assert_eq!(kinds(&list), ["321", "322", "323", "416"]);
    assert!(
        list.to_string().len() < 200_000,
        "{}",
        list.to_string().len()
    );
    assert_eq!(
        kinds(&alice.send("LIST #x1,#x2").await),
        ["321", "322", "323"]
    );

    assert_eq!(kinds(&alice.send("WHO *").await), ["352", "315"]);
    fill(
        &server,
        "WITH RECURSIVE n (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < 12000)
             INSERT INTO session (id, nick, folded_nick, created_at) SELECT 20000 + n, 's' || n, 's' || n, 0 FROM n;
         INSERT INTO membership (session_id, channel_id, since)
             SELECT session.id, channel.id, 5 FROM session, channel WHERE session.id > 20000 AND name = '#Large';",
    );
    for mask in ["*", "s*", "*2*", "s1*", "#Large"] {
        let who = alice.send(&format!("WHO {mask}")).await;
        assert_eq!(kinds(&who), ["352", "315", "416"], "{mask}");
        assert_eq!(last(&who)[1..3], ["WHO", mask]);
    }
    assert_eq!(kinds(&alice.send("WHO ali*").await), ["352", "315"]);
    assert_eq!(kinds(&alice.send("WHO s100?").await), ["352", "315"]);
    // The server refuses to search too many sessions.
    assert_eq!(kinds(&alice.send("WHO *nobody*").await), ["315", "416"]);

    let names = alice.send("NAMES #Large").await;
    assert_eq!(kinds(&names), ["353", "366"], "short names fit");
    fill(
        &server,
        "UPDATE session SET nick = substr('a-nick-of-thirty-two-characters' || nick, 1, 32) WHERE id > 20000",
    );
    for (line, expected) in [
        ("NAMES #Large", vec!["353", "366", "416"]),
        ("NAMES", vec!["353", "366", "416"]),
        ("JOIN #Large", vec!["353", "366", "416"]),
    ] {
        let answer = alice.send(line).await;
        assert_eq!(kinds(&answer), expected, "{line}");
        assert!(
            answer.to_string().len() < 200_000,
            "{line}: {}",
            answer.to_string().len()
        );
    }
    let both = alice.send("JOIN #Large,#x1,#x2").await;
    assert_eq!(
        both.ids().len(),
        2,
        "the channels are joined even though the answer is cut"
    );
    assert!(
        both.to_string().len() < 200_000,
        "{}",
        both.to_string().len()
    );
}
