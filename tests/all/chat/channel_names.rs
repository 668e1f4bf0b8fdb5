//! Names of channels: a name has no hidden characters, and no two live channels look alike.

use rusqlite::Connection;
use serde_json::json;

use crate::support::{JsonAnswer, TestServer, params, status_and_code};

/// Names that JOIN refuses.
const REFUSED: [&str; 12] = [
    "#cafe\u{301}",
    "#c\u{200b}",
    "#\u{a0}",
    "#\u{2003}",
    "#\u{3164}",
    "#a\u{3000}b",
    "#\u{202e}tsur",
    "#a\u{2066}b\u{2069}",
    "#a\u{ad}b",
    "#a\u{85}b",
    "#\u{301}a",
    "#\u{feff}",
];

#[tokio::test]
async fn a_name_with_hidden_characters_or_not_in_nfc_is_refused() {
    let server = TestServer::start().await;
    let [alice, _bob] = server.sessions_on("#c", ["alice", "bob"]).await;
    alice.send("JOIN #café").await;
    for name in REFUSED {
        let refused = alice
            .try_send_json(json!({"command": "JOIN", "params": [name]}))
            .await
            .unwrap_err();
        assert_eq!(refused.numeric.as_deref(), Some("476"), "{name:?}");
        assert_eq!(
            status_and_code(refused),
            (400, "bad_channel_name".into()),
            "{name:?}"
        );
        let nowhere = alice
            .try_send_json(json!({"command": "PART", "params": [name]}))
            .await
            .unwrap_err();
        assert_eq!(
            status_and_code(nowhere),
            (404, "no_such_channel".into()),
            "{name:?}"
        );
    }
    assert_eq!(server.rows("channel"), 2);
    let partly = alice.send("JOIN #fine,#c\u{200b}").await;
    assert_eq!(partly.replies().last().unwrap()["command"], "476");
}

#[tokio::test]
async fn a_name_that_looks_like_a_live_channel_is_refused() {
    let mut server = TestServer::start().await;
    let alice = server.create_session("alice").await;
    alice.send("JOIN #Rust,#café,#日本語,#list,#INFOÉ").await;
    // Cyrillic, full-width and mathematical letters, a Roman numeral and a radical, in either case.
    let alike = [
        "#ruѕt",
        "#RUЅT",
        "#ｒｕｓｔ",
        "#𝗋ust",
        "#сafé",
        "#CАFé",
        "#ⅼist",
        "#infоÉ",
        "#⽇本語",
    ];
    for restarted in [false, true] {
        for name in alike {
            let refused = alice
                .try_send(&format!("JOIN {name}"))
                .await
                .expect_err(name);
            assert_eq!(refused.numeric.as_deref(), Some("476"), "{name}");
            assert!(
                !refused.body.to_string().to_lowercase().contains("#rust"),
                "{name}: {}",
                refused.body
            );
            assert_eq!(
                status_and_code(refused),
                (409, "channel_name_confusable".into()),
                "{name}"
            );
        }
        if !restarted {
            server.restart().await;
        }
    }
    assert_eq!(server.rows("channel"), 5);
    // Any ASCII case finds the channel itself. Any other difference makes a new channel.
    for (name, shown) in [
        ("#RUST", "#Rust"),
        ("#CAFé", "#café"),
        ("#cafe", "#cafe"),
        ("#日本", "#日本"),
        ("#rüst", "#rüst"),
    ] {
        let joined = alice.send(&format!("JOIN {name}")).await;
        let names = joined
            .replies()
            .iter()
            .find(|reply| reply["command"] == "353")
            .unwrap()
            .clone();
        assert_eq!(params(&names)[2], shown);
    }
}

#[tokio::test]
async fn only_live_channels_count_and_ascii_names_are_compared_by_folding_alone() {
    let server = TestServer::start().await;
    let [alice, bob] = [
        server.create_session("alice").await,
        server.create_session("bob").await,
    ];
    alice.send("JOIN #ruѕt").await;
    bob.send("JOIN #rust").await;
    bob.send("JOIN #l1st,#list,#llst").await;
    bob.send("JOIN #modern,#rnodern").await;
    alice.send("JOIN #сafe").await;
    bob.send("JOIN #cafe").await;
    bob.send("PART #cafe").await;
    alice.send("PART #сafe").await;
    bob.send("JOIN #саfe").await;
    // One transaction joins both channels. It refuses the second although it has not committed the
    // first.
    let answer = alice.send("JOIN #ореn,#оpen").await;
    let replies = answer.replies().to_vec();
    let refused: Vec<_> = replies
        .iter()
        .filter(|reply| reply["command"] == "476")
        .map(|reply| params(reply)[1])
        .collect();
    assert_eq!(refused, ["#оpen"]);
}

/// Many devices create lookalikes at the same instant, in one transaction or in several. Only one
/// succeeds.
#[tokio::test]
async fn only_one_of_simultaneous_lookalikes_is_created() {
    let server = TestServer::start().await;
    let names = [
        "#соw",
        "#cоw",
        "#сow",
        "#ϲow",
        "#ｃow",
        "#coｗ",
        "#ｃｏｗ",
        "#𝖼ow",
    ];
    let mut people = Vec::new();
    for (n, name) in names.into_iter().enumerate() {
        people.push((server.create_session(&format!("n{n}")).await, name));
    }
    let tries = people
        .iter()
        .map(|(device, name)| device.try_send_json(json!({"command": "JOIN", "params": [name]})));
    let answers = futures_util::future::join_all(tries).await;
    assert_eq!(answers.iter().filter(|answer| answer.is_ok()).count(), 1);
    for refused in answers.into_iter().filter_map(Result::err) {
        assert_eq!(
            status_and_code(refused),
            (409, "channel_name_confusable".into())
        );
    }
}

#[tokio::test]
async fn existing_lookalike_channels_stay_as_they_are() {
    let mut server = TestServer::start().await;
    let [alice, _bob] = server.sessions_on("#old1", ["alice", "bob"]).await;
    alice.send("JOIN #old2").await;
    server.stop().await;
    let database = Connection::open(server.database()).unwrap();
    for (old, name) in [("#old1", "#cafe\u{301}"), ("#old2", "#a\u{200b}b")] {
        let rename = "UPDATE channel SET name = ?2, folded_name = ?2 WHERE name = ?1";
        assert_eq!(database.execute(rename, (old, name)).unwrap(), 1);
    }
    drop(database);
    server.run().await;
    let eve = server.create_session("eve").await;
    for name in ["#cafe\u{301}", "#a\u{200b}b"] {
        for params in [json!([name]), json!([name, "hello"]), json!([name, "bye"])] {
            let command = if params[1] == "hello" {
                "PRIVMSG"
            } else if params[1] == "bye" {
                "PART"
            } else {
                "JOIN"
            };
            eve.try_send_json(json!({"command": command, "params": params}))
                .await
                .unwrap();
        }
    }
    let refused = eve.try_send("JOIN #café").await.unwrap_err();
    assert_eq!(
        status_and_code(refused),
        (409, "channel_name_confusable".into()),
        "it looks like the existing channel"
    );
}
