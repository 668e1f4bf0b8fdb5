//! What a confined caller sees of current channels and sessions.

use serde_json::{Value, json};

use super::{confined, world};
use crate::support::{JsonAnswer, TestServer, params};

/// Queries that also reach outside the grant, and their answers.
const SHOWN: [(&str, &[&str]); 7] = [
    (
        "NAMES",
        &[
            "353 alice = #in @alice bob",
            "366 alice #in End of /NAMES list",
        ],
    ),
    (
        "@label=x LIST",
        &[
            "321 alice Channel Users  Name",
            "322 alice #in 2 ",
            "323 alice End of /LIST",
        ],
    ),
    (
        "WHO *",
        &[
            "352 alice * s1 rejoin.server rejoin.server alice H 0 alice",
            "352 alice * s2 rejoin.server rejoin.server bob G 0 bob",
            "315 alice * End of WHO list",
        ],
    ),
    (
        "WHO alice",
        &[
            "352 alice * s1 rejoin.server rejoin.server alice H 0 alice",
            "315 alice alice End of WHO list",
        ],
    ),
    (
        "WHO #in",
        &[
            "352 alice #in s1 rejoin.server rejoin.server alice H@ 0 alice",
            "352 alice #in s2 rejoin.server rejoin.server bob G 0 bob",
            "315 alice #in End of WHO list",
        ],
    ),
    (
        "WHOIS bob",
        &[
            "311 alice bob s2 rejoin.server * bob",
            "312 alice bob rejoin.server Rejoin",
            "319 alice bob #in",
            "301 alice bob out to lunch",
            "318 alice bob End of /WHOIS list",
        ],
    ),
    (
        "WHOIS alice",
        &[
            "311 alice alice s1 rejoin.server * alice",
            "312 alice alice rejoin.server Rejoin",
            "319 alice alice @#in",
            "318 alice alice End of /WHOIS list",
        ],
    ),
];

/// Replies as lines.
fn replies(answer: &Value) -> Vec<String> {
    let line = |reply: &Value| format!("{} {}", reply.command(), params(reply).join(" "));
    answer.replies().iter().map(line).collect()
}

#[tokio::test]
async fn only_names_inside_the_grant_are_shown() {
    let mut server = TestServer::start().await;
    let [alice, _bob, carol] = world(&server).await;
    let (_, bot) = confined(&alice).await;
    alice.send("INVITE carol #in").await;
    carol.send("INVITE alice #far").await;
    for restarted in [false, true] {
        let (whole, shown) = (alice.snapshot().await, bot.snapshot().await);
        assert_eq!(shown["channels"], json!([whole["channels"][0]]));
        assert_eq!(
            (&shown["directs"], &shown["session"]),
            (&json!([]), &whole["session"])
        );
        assert_eq!(whole["directs"].items().len(), 2);
        let told = bot.get("/auth/userinfo").await;
        assert_eq!(
            told["channels"],
            json!([{"name": "#in", "op": true, "voice": false}])
        );
        for (line, shown) in SHOWN {
            // A confined caller cannot read the answer to another client's label.
            alice.send(line).await;
            assert_eq!(replies(&bot.send(line).await), shown, "{line}");
        }
        assert!(
            bot.queue().await.is_empty(),
            "invitations belong to the whole session"
        );
        if !restarted {
            server.restart().await;
        }
    }
    alice.send("PART #in").await;
    assert_eq!(bot.snapshot().await["channels"], json!([]));
    for nick in ["alice", "bob"] {
        bot.send(&format!("WHOIS {nick}")).await;
    }
    let people = bot.send("WHO *").await.replies().len() - 1;
    assert_eq!(
        people, 2,
        "itself, and members of a channel inside, even without the bot"
    );
    alice.send("JOIN #in").await;
    assert_eq!(
        bot.snapshot().await["channels"][0]["members"].items().len(),
        2
    );
}
