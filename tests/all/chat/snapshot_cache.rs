//! The server caches a session's snapshot, and the cached snapshot is always current.

use serde_json::{Value, json};

use crate::support::TestServer;

#[tokio::test]
async fn every_change_of_a_session_is_in_its_next_snapshot() {
    let server = TestServer::start().await;
    let [alice, bob] = [
        server.create_session("alice").await,
        server.create_session("bob").await,
    ];
    let session = |field: &'static str| move |snapshot: &Value| snapshot["session"][field].clone();
    alice.snapshot().await;
    assert_eq!(session("nick")(&alice.snapshot().await), "alice");
    alice.send("NICK alix").await;
    assert_eq!(session("nick")(&alice.snapshot().await), "alix");
    alice.send("AWAY :lunch").await;
    assert_eq!(session("away")(&alice.snapshot().await), "lunch");
    alice.send("PASS :correct horse battery").await;
    assert_eq!(session("has_password")(&alice.snapshot().await), true);

    // Changes made by a sibling device and by other sessions are seen, too.
    let phone = server.login("alix", "correct horse battery").await;
    phone.snapshot().await;
    phone.send("AWAY").await;
    assert_eq!(session("away")(&alice.snapshot().await), Value::Null);
    bob.send("JOIN #rust").await;
    bob.send("INVITE alix #rust").await;
    alice.send("JOIN #rust").await;
    assert_eq!(alice.snapshot().await["channels"][0]["name"], "#rust");
    bob.send("KICK #rust alix").await;
    assert_eq!(alice.snapshot().await["channels"], json!([]));
    assert_eq!(alice.snapshot().await["directs"], json!([]));
    bob.send("PRIVMSG alix :hello").await;
    assert_eq!(alice.snapshot().await["directs"][0]["nick"], "bob");
    // Alice shares no channel with bob, so his new nick is no event for her. Her snapshot shows it.
    bob.send("NICK rob").await;
    assert_eq!(alice.snapshot().await["directs"][0]["nick"], "rob");
}

#[tokio::test]
async fn joining_and_parting_are_in_the_next_snapshot() {
    let server = TestServer::start().await;
    let carol = server.create_session("carol").await;
    for _ in 0..3 {
        carol.snapshot().await;
        carol.send("JOIN #own").await;
        assert_eq!(carol.snapshot().await["channels"][0]["name"], "#own");
        carol.send("PART #own").await;
        assert_eq!(carol.snapshot().await["channels"], json!([]));
    }
}

#[tokio::test]
async fn a_cached_snapshot_follows_the_log() {
    let server = TestServer::start().await;
    let [alice, bob] = [
        server.create_session("alice").await,
        server.create_session("bob").await,
    ];
    alice.snapshot().await;
    let before = alice.snapshot().await;
    bob.send("JOIN #rust").await;
    let after = bob.send("PRIVMSG #rust :hello").await["ids"][0].clone();
    let mut snapshot = alice.snapshot().await;
    assert_eq!(snapshot["cursor"], after, "others' events move the cursor");
    alice.send(&format!("ACK {after}")).await;
    assert_eq!(alice.snapshot().await["acknowledged"], after);
    // Only the cursor has changed.
    snapshot["cursor"] = before["cursor"].clone();
    snapshot["client"]["seen_at"] = before["client"]["seen_at"].clone();
    assert_eq!(snapshot, before);
}
