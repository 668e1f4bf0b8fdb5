//! Channel modes: what each forbids, and how a change is told.

use serde_json::json;

use crate::support::{JsonAnswer, TestServer, params};

#[tokio::test]
async fn a_change_is_one_event_with_only_the_effective_changes() {
    let server = TestServer::start().await;
    let (alice, bob) = (
        server.create_session("alice").await,
        server.create_session("bob").await,
    );
    alice.send("JOIN #rust").await;
    bob.send("JOIN #rust").await;
    bob.drain().await;
    alice.send("MODE #rust +tmov-n+l Bob bob 10").await;
    let queue = bob.queue().await;
    assert_eq!(params(&queue[0]), ["#rust", "+mov-n+l", "bob", "bob", "10"]);
    assert_eq!(bob.snapshot().await["channels"][0]["modes"], "+lmt 10");
    assert_eq!(
        alice.send("MODE #rust +m").await["ids"],
        json!([]),
        "a mode that is set already is no event"
    );
    let shown = bob.send("MODE #rust").await;
    assert_eq!(params(&shown["replies"][0]), ["bob", "#rust", "+lmt", "10"]);
    assert_eq!(
        (
            &shown["replies"][0]["command"],
            &shown["replies"][1]["command"]
        ),
        (&json!("324"), &json!("329"))
    );
}

#[tokio::test]
async fn only_operators_change_modes_and_mistakes_change_nothing() {
    let server = TestServer::start().await;
    let (alice, bob) = (
        server.create_session("alice").await,
        server.create_session("bob").await,
    );
    alice.send("JOIN #rust").await;
    for (who, line, code) in [
        (&bob, "MODE #rust +m", "not_on_channel"),
        (&alice, "MODE #none +m", "no_such_channel"),
        (&alice, "MODE #rust +mz", "unknown_mode"),
        (&alice, "MODE #rust +mo", "need_more_params"),
        (&alice, "MODE #rust +o nobody", "no_such_nick"),
        (&alice, "MODE #rust +o bob", "user_not_in_channel"),
        (&alice, "MODE #rust +l 0", "invalid_mode_param"),
        (&alice, "MODE #rust +k a,b", "invalid_key"),
        (&alice, "MODE bob +i", "users_dont_match"),
        (&alice, "MODE alice +i", "unknown_user_mode"),
    ] {
        assert_eq!(
            who.try_send(line).await.expect_err(line).code,
            code,
            "{line}"
        );
    }
    bob.send("JOIN #rust").await;
    assert_eq!(
        bob.try_send("MODE #rust -n").await.unwrap_err().code,
        "chanop_needed"
    );
    assert_eq!(alice.snapshot().await["channels"][0]["modes"], "+nt");
    let partly = alice.send("MODE #rust +m-o nobody").await;
    assert_eq!(
        (&partly["replies"][0]["command"], partly.ids().len()),
        (&json!("401"), 1)
    );
}

#[tokio::test]
async fn key_limit_and_bans_refuse_joins() {
    let server = TestServer::start().await;
    let (alice, bob) = (
        server.create_session("alice").await,
        server.create_session("bob").await,
    );
    alice.send("JOIN #rust").await;
    let refused = |line: &'static str| async { bob.try_send(line).await.expect_err(line).code };
    alice.send("MODE #rust +k sesame").await;
    assert_eq!(refused("JOIN #rust").await, "bad_channel_key");
    assert_eq!(refused("JOIN #rust Sesame").await, "bad_channel_key");
    alice.send("MODE #rust +l 1").await;
    assert_eq!(refused("JOIN #rust sesame").await, "channel_is_full");
    alice.send("MODE #rust -l+b bob").await;
    assert_eq!(refused("JOIN #rust sesame").await, "banned_from_channel");
    let listed = alice.send("MODE #rust b").await;
    assert_eq!(
        params(&listed["replies"][0])[..4],
        ["alice", "#rust", "bob!*@*", "alice"]
    );
    assert_eq!(listed["replies"][1]["command"], "368");
    alice.send("MODE #rust -b bob!*@*").await;
    bob.send("JOIN #rust sesame").await;
    assert_eq!(
        params(&server.create_session("eve").await.send("MODE #rust").await["replies"][0]),
        ["eve", "#rust", "+knt"]
    );
}

#[tokio::test]
async fn a_ban_by_session_outlasts_the_nick() {
    let server = TestServer::start().await;
    let (alice, bob) = (
        server.create_session("alice").await,
        server.create_session("bob").await,
    );
    alice.send("JOIN #rust").await;
    alice.send("MODE #rust +b *!s2@*").await;
    bob.send("NICK robert").await;
    assert_eq!(
        bob.try_send("JOIN #rust").await.unwrap_err().code,
        "banned_from_channel"
    );
}

/// Masks that name bob's nick and so follow his session, and masks that do not.
const MADE_OF_BOB: [&str; 4] = ["bob", "BOB!*@*", "bob!s2@*", "bob!*@rejoin.server"];
const NOT_MADE_OF_BOB: [&str; 4] = ["b?b", "bo*!*@*", "bob!s77@*", "bob!*@elsewhere"];

#[tokio::test]
async fn a_ban_made_of_a_nick_follows_the_session() {
    for (mask, held) in MADE_OF_BOB
        .map(|mask| (mask, true))
        .into_iter()
        .chain(NOT_MADE_OF_BOB.map(|mask| (mask, false)))
    {
        let server = TestServer::start().await;
        let (alice, bob) = (
            server.create_session("alice").await,
            server.create_session("bob").await,
        );
        alice.send("JOIN #rust").await;
        alice.send(&format!("MODE #rust +b {mask}")).await;
        bob.send("NICK robert").await;
        let joined = bob
            .try_send("JOIN #rust")
            .await
            .map(drop)
            .map_err(|refused| refused.code);
        assert_eq!(
            joined,
            if held {
                Err("banned_from_channel".to_owned())
            } else {
                Ok(())
            },
            "{mask}"
        );
        bob.send("QUIT").await;
        let new = server.create_session("robert").await;
        new.send("JOIN #rust").await;
        alice.send(&format!("MODE #rust -b {mask}")).await;
        assert_eq!(server.rows("ban"), 0, "{mask}");
    }
}

/// When no session has the nick, the ban has no session to follow. It must not follow a session
/// that had the nick earlier.
#[tokio::test]
async fn a_ban_of_an_unused_nick_applies_to_the_current_nick() {
    let server = TestServer::start().await;
    let alice = server.create_session("alice").await;
    alice.send("JOIN #rust").await;
    alice.send("MODE #rust +b mallory").await;
    let mallory = server.create_session("mallory").await;
    assert_eq!(
        mallory.try_send("JOIN #rust").await.unwrap_err().code,
        "banned_from_channel"
    );
    mallory.send("NICK innocent").await;
    mallory.send("JOIN #rust").await;
    assert_eq!(server.rows("ban WHERE bound_session IS NOT NULL"), 0);
}

#[tokio::test]
async fn a_banned_member_cannot_speak_or_set_the_topic_under_any_nick() {
    let server = TestServer::start().await;
    let [alice, bob] = server.sessions_on("#rust", ["alice", "bob"]).await;
    alice.send("MODE #rust +b-t bob").await;
    bob.send("NICK robert").await;
    for line in ["PRIVMSG #rust :x", "TOPIC #rust :x"] {
        assert_eq!(
            bob.try_send(line).await.unwrap_err().code,
            "cannot_send_to_channel",
            "{line}"
        );
    }
    alice.send("MODE #rust +v robert").await;
    for line in ["PRIVMSG #rust :x", "TOPIC #rust :x"] {
        bob.send(line).await;
    }
}

#[tokio::test]
async fn moderation_silences_those_without_voice() {
    let server = TestServer::start().await;
    let (alice, bob) = (
        server.create_session("alice").await,
        server.create_session("bob").await,
    );
    alice.send("JOIN #rust").await;
    bob.send("JOIN #rust").await;
    alice.send("MODE #rust +m").await;
    assert_eq!(
        bob.try_send("PRIVMSG #rust :x").await.unwrap_err().code,
        "cannot_send_to_channel"
    );
    alice.send("MODE #rust +v bob").await;
    bob.send("PRIVMSG #rust :x").await;
    alice.send("MODE #rust -v+b bob bob").await;
    alice.send("MODE #rust -m").await;
    assert_eq!(
        bob.try_send("PRIVMSG #rust :x").await.unwrap_err().code,
        "cannot_send_to_channel",
        "a ban silences too"
    );
}

#[tokio::test]
async fn without_n_outsiders_may_speak_and_see_their_own_messages() {
    let server = TestServer::start().await;
    let (alice, bob) = (
        server.create_session("alice").await,
        server.create_session("bob").await,
    );
    alice.send("JOIN #rust").await;
    alice.send("MODE #rust -n").await;
    alice.drain().await;
    bob.send("PRIVMSG #rust :hello in there").await;
    assert_eq!((alice.queue().await.len(), bob.queue().await.len()), (1, 1));
}
