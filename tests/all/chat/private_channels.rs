//! Outsiders learn neither the topic nor the members of channels that are +s, +i or +k.

use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{Device, JsonAnswer, TestServer, params, until};

const TOPIC: &str = "what nobody knows";

/// The text of an answer or of a refusal.
async fn told(device: &Device, line: &str) -> String {
    match device.try_send(line).await {
        Ok(answer) => answer["replies"].to_string(),
        Err(refused) => format!("{} {}", refused.code, refused.body),
    }
}

async fn listed(device: &Device) -> Vec<Value> {
    device.get("/api/v1/channels").await["channels"]
        .items()
        .to_vec()
}

async fn set(modes: &str, nicks: [&str; 2]) -> (TestServer, Device, Device) {
    let server = TestServer::start().await;
    let [alice, _bob] = server.sessions_on("#club", nicks).await;
    alice.send(&format!("TOPIC #club :{TOPIC}")).await;
    if !modes.is_empty() {
        alice.send(&format!("MODE #club {modes}")).await;
    }
    let eve = server.create_session("eve").await;
    (server, alice, eve)
}

#[tokio::test]
async fn outsiders_are_told_neither_topic_nor_members() {
    for modes in ["+s", "+i", "+k sesame", "+isk sesame"] {
        let (_server, alice, eve) = set(modes, ["alice", "bobbie"]).await;
        let secret = modes.contains('s') && !modes.starts_with("+k");
        for line in [
            "TOPIC #club",
            "TOPIC #club :mine",
            "NAMES #club",
            "WHO #club",
            "LIST",
            "LIST #club",
            "MODE #club",
            "MODE #club b",
            "MODE #club +o bobbie",
            "KICK #club bobbie",
            "INVITE bobbie #club",
            "MARKREAD #club",
            "PRIVMSG #club :hi",
            "PART #club",
        ] {
            let told = told(&eve, line).await;
            assert!(
                !told.contains(TOPIC) && !told.contains("alice"),
                "{modes} {line}: {told}"
            );
            assert!(
                !told.contains("bobbie") || line.contains("bobbie"),
                "{modes} {line}: {told}"
            );
            assert!(
                !(secret && line.starts_with("LIST") && told.contains("#club")),
                "{modes} {line}: {told}"
            );
        }
        for nick in ["alice", "bobbie"] {
            let told = told(&eve, &format!("WHOIS {nick}")).await;
            assert!(!told.contains("#club"), "{modes}: {told}");
        }
        assert_eq!(
            eve.try_send("TOPIC #club").await.unwrap_err().code,
            "not_on_channel"
        );
        let history = eve
            .call(Method::GET, "/api/v1/history?target=%23club")
            .await
            .unwrap_err();
        assert_eq!(history.code, "not_on_channel");
        let expected = if secret {
            vec![]
        } else {
            vec![json!({"name": "#club"})]
        };
        assert_eq!(listed(&eve).await, expected, "{modes}");
        let list = eve.send("LIST").await;
        let entries: Vec<_> = list
            .replies()
            .iter()
            .filter(|reply| reply["command"] == "322")
            .collect();
        match entries[..] {
            [] => assert!(secret, "{modes}"),
            [one] => assert_eq!(
                (secret, params(one)),
                (false, vec!["eve", "#club", "0", ""]),
                "{modes}"
            ),
            _ => panic!("{entries:?}"),
        }
        // Members see all of the channel, and so does a session that joins.
        assert!(told(&alice, "LIST").await.contains(TOPIC), "{modes}");
        assert!(
            told(&alice, "WHOIS bobbie").await.contains("#club"),
            "{modes}"
        );
        assert!(
            told(&alice, "WHO #club").await.contains("bobbie"),
            "{modes}"
        );
        let names = alice.send("NAMES #club").await;
        assert_eq!(
            params(&names["replies"][0])[1..],
            [if secret { "@" } else { "=" }, "#club", "@alice bobbie"]
        );
        alice.send("INVITE eve #club").await;
        let joined = eve.send("JOIN #club sesame").await["replies"].to_string();
        assert!(
            joined.contains(TOPIC) && joined.contains("bobbie"),
            "{modes}: {joined}"
        );
        assert!(
            told(&eve, "WHOIS alice").await.contains("@#club"),
            "{modes}"
        );
        eve.send("PART #club").await;
        assert!(
            !told(&eve, "NAMES #club").await.contains("bobbie"),
            "{modes}"
        );
    }
}

#[tokio::test]
async fn an_open_channel_shows_itself_to_everybody() {
    let (_server, alice, eve) = set("", ["alice", "bobbie"]).await;
    for line in ["TOPIC #club", "LIST"] {
        assert!(told(&eve, line).await.contains(TOPIC), "{line}");
    }
    for line in ["NAMES #club", "WHO #club"] {
        assert!(told(&eve, line).await.contains("bobbie"), "{line}");
    }
    assert!(told(&eve, "WHOIS alice").await.contains("@#club"));
    assert_eq!(
        listed(&eve).await,
        [json!({"name": "#club", "topic": TOPIC, "members": 2})]
    );
    // The current modes decide what is shown. On a busy machine the list may be a second old.
    for (mode, shown) in [("+s", 0), ("-s", 1)] {
        alice.send(&format!("MODE #club {mode}")).await;
        until(&format!("the list after {mode}"), async || {
            listed(&eve).await.len() == shown
        })
        .await;
    }
}

/// A refused JOIN tells only the first reason.
#[tokio::test]
async fn a_refused_join_does_not_tell_how_full_a_private_channel_is() {
    for (modes, key, code) in [
        ("+il 2", "", "invite_only_channel"),
        ("+kl sesame 2", "wrong", "bad_channel_key"),
    ] {
        let (server, alice, eve) = set(modes, ["alice", "bobbie"]).await;
        assert_eq!(
            eve.try_send(&format!("JOIN #club {key}"))
                .await
                .unwrap_err()
                .code,
            code,
            "{modes}"
        );
        alice.send("MODE #club -l").await;
        assert_eq!(
            eve.try_send(&format!("JOIN #club {key}"))
                .await
                .unwrap_err()
                .code,
            code,
            "{modes}"
        );
        // The full channel refused the guest, so the invitation is unused and still valid.
        alice.send("INVITE eve #club").await;
        alice.send("MODE #club +l 2").await;
        assert_eq!(
            eve.try_send("JOIN #club sesame").await.unwrap_err().code,
            "channel_is_full",
            "{modes}"
        );
        alice.send("MODE #club -l").await;
        eve.send("JOIN #club sesame").await;
        drop(server);
    }
}
