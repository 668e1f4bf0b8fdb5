//! Invitations, and commands as JSON.

use super::*;

#[tokio::test]
async fn an_invitation_reaches_the_guest_and_works_once() {
    let server = TestServer::start().await;
    let [alice, bob, carol] = people(&server).await;
    alice.send("JOIN #club").await;
    alice.send("MODE #club +i").await;
    assert_eq!(
        refused(&bob, "JOIN #club").await,
        refusal("invite_only_channel", "473", 403)
    );
    assert_eq!(
        refused(&bob, "INVITE carol #club").await,
        refusal("not_on_channel", "442", 403)
    );
    assert_eq!(
        replies(&alice.send("INVITE bob #club").await),
        ["341 bob | #club"]
    );
    let queue = bob.queue().await;
    assert_eq!(
        (commands(&queue), params(&queue[0])),
        (vec!["INVITE"], vec!["bob", "#club"])
    );
    bob.send("JOIN #club").await;
    assert_eq!(
        refused(&alice, "INVITE bob #club").await,
        refusal("user_on_channel", "443", 409)
    );
    assert_eq!(
        refused(&bob, "INVITE carol #club").await,
        refusal("chanop_needed", "482", 403)
    );
    bob.send("PART #club").await;
    assert_eq!(
        refused(&bob, "JOIN #club").await,
        refusal("invite_only_channel", "473", 403)
    );
    assert!(carol.queue().await.is_empty());
}

#[tokio::test]
async fn inviting_again_while_an_invitation_is_pending_is_no_event() {
    let server = TestServer::start().await;
    let [alice, bob, _] = people(&server).await;
    alice.send("JOIN #club").await;
    alice.drain().await;
    for fresh in [1, 0, 0] {
        let answer = alice.send("INVITE bob #CLUB").await;
        assert_eq!(
            replies(&answer),
            ["341 bob | #club"],
            "the answer is the same"
        );
        assert_eq!(answer.ids().len(), fresh);
    }
    assert_eq!((bob.queue().await.len(), alice.queue().await.len()), (1, 1));
    bob.send("JOIN #club").await;
    bob.send("PART #club").await;
    assert_eq!(
        alice.send("INVITE bob #club").await.ids().len(),
        1,
        "the guest used the first invitation"
    );
}

#[tokio::test]
async fn json_and_lines_are_the_same_commands() {
    let server = TestServer::start().await;
    let alice = server.create_session("alice").await;
    alice
        .try_send_json(json!({"command": "join", "params": ["#rust"]}))
        .await
        .unwrap();
    alice
        .try_send_json(json!({"command": "PRIVMSG", "params": ["#rust", ":) spaces  kept "]}))
        .await
        .unwrap();
    alice.send(":mallory PRIVMSG #rust ::) spaces  kept ").await;
    let queue = alice.queue().await;
    assert_eq!(params(&queue[1]), params(&queue[2]));
    assert_eq!(
        queue[2].source, "alice",
        "a command cannot state its sender"
    );
}
