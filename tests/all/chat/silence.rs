//! SILENCE: a session does not receive events that match its masks, and the sender sees no
//! difference.

use serde_json::json;

use crate::support::{Device, JsonAnswer, Message, TestServer, commands, params, status_and_code};

async fn masks(of: &Device) -> Vec<String> {
    let answer = of.send("SILENCE").await;
    let replies = answer.replies().to_vec();
    assert_eq!(replies.last().unwrap()["command"], "272");
    let masks = replies.iter().filter(|reply| reply["command"] == "271");
    masks
        .map(|reply| (*params(reply).last().unwrap()).to_owned())
        .collect()
}

/// The texts of direct messages and the channels of invitations, in order.
fn received(queue: &[Message]) -> Vec<&str> {
    let wanted = queue
        .iter()
        .filter(|event| ["PRIVMSG", "NOTICE", "INVITE"].contains(&event.command.as_str()));
    wanted
        .map(|event| event.params.last().unwrap().as_str())
        .collect()
}

#[tokio::test]
async fn masks_are_added_listed_and_removed_and_every_device_is_told() {
    let server = TestServer::start().await;
    let alice = server.create_session("alice").await;
    let phone = server.phone_of(&alice, "alice").await;
    alice.drain().await;
    let answer = alice.send("SILENCE +Mallory").await;
    assert_eq!(
        (answer["replies"].clone(), answer.ids().len()),
        (json!([]), 1)
    );
    alice.send("SILENCE +*!s77@*").await;
    assert_eq!(
        alice.send("SILENCE +mallory!*@*").await["ids"],
        json!([]),
        "a mask that is set already is no event"
    );
    assert_eq!(
        alice.send("SILENCE").await["replies"][1]["params"],
        json!(["alice", "alice", "Mallory!*@*"])
    );
    assert_eq!(masks(&phone).await, ["*!s77@*", "Mallory!*@*"]);
    alice.send("SILENCE -MALLORY").await;
    assert_eq!(alice.send("SILENCE -mallory").await["ids"], json!([]));
    assert_eq!(masks(&alice).await, ["*!s77@*"]);
    let told = phone.queue().await;
    assert_eq!(commands(&told), ["SILENCE"; 3]);
    assert_eq!(
        told.iter()
            .map(|event| params(event)[0])
            .collect::<Vec<_>>(),
        ["+Mallory!*@*", "+*!s77@*", "-MALLORY!*@*"]
    );
    for bad in [
        "SILENCE mallory",
        "SILENCE +",
        "SILENCE +a,b",
        &format!("SILENCE +{}", "x".repeat(65)),
    ] {
        assert_eq!(
            status_and_code(alice.try_send(bad).await.unwrap_err()),
            (400, "malformed_request".into()),
            "{bad}"
        );
    }
}

#[tokio::test]
async fn a_session_has_at_most_64_masks() {
    let server = TestServer::start().await;
    let alice = server.create_session("alice").await;
    for n in 0..64 {
        alice.send(&format!("SILENCE +n{n}")).await;
    }
    let refused = alice.try_send("SILENCE +more").await.unwrap_err();
    assert_eq!(refused.numeric.as_deref(), Some("511"));
    assert_eq!(status_and_code(refused), (409, "silence_list_full".into()));
    assert_eq!(
        alice.send("SILENCE +N63").await["ids"],
        json!([]),
        "a mask that exists already does not count again"
    );
    alice.send("SILENCE -n0").await;
    alice.send("SILENCE +more").await;
    alice.delete("/api/v1/session").await.unwrap();
    assert_eq!(server.rows("silence"), 0);
}

/// Compares everything that a sender sees with a silencing recipient and with one that does not
/// silence.
#[tokio::test]
async fn a_silenced_sender_sees_no_difference() {
    let server = TestServer::start().await;
    let [alice, bob] = [
        server.create_session("alice").await,
        server.create_session("bobby").await,
    ];
    let mallory = server.create_session("mallory").await;
    alice.send("SILENCE +mallory").await;
    for guest in [&alice, &bob] {
        guest.send("AWAY :at lunch").await;
    }
    mallory.send("JOIN #club").await;
    mallory.drain().await;
    let mut seen = Vec::new();
    for (guest, nick) in [(&alice, "alice"), (&bob, "bobby")] {
        let mut answers = Vec::new();
        for line in [
            "PRIVMSG {} :hi",
            "NOTICE {} :psst",
            "INVITE {} #club",
            "INVITE {} #club",
        ] {
            let answer = mallory.send(&line.replace("{}", nick)).await;
            answers.push((answer["replies"].clone(), answer.ids().len()));
        }
        let queue = mallory.drain().await;
        let queue: Vec<_> = queue
            .iter()
            .map(|event| (event.command.clone(), event.params.clone()))
            .collect();
        let history = mallory.history(&format!("target={nick}")).await;
        let history = history
            .iter()
            .map(|event| event.params.clone())
            .collect::<Vec<_>>();
        let snapshot = mallory.snapshot().await;
        let direct = snapshot["directs"]
            .items()
            .iter()
            .find(|one| one["nick"] == nick)
            .cloned()
            .unwrap();
        let all = json!({"answers": answers, "queue": queue, "history": history, "read": direct["read"], "unread": direct["unread"]});
        seen.push(all.to_string().replace(nick, "NICK"));
        let got = guest.queue().await;
        let expected: &[&str] = if nick == "alice" {
            &[]
        } else {
            &["hi", "psst", "#club"]
        };
        assert_eq!(received(&got), expected, "{nick}");
    }
    assert_eq!(seen[0], seen[1]);
    assert!(seen[0].contains("301"), "{}", seen[0]);
}

#[tokio::test]
async fn silenced_events_are_never_received_in_any_way() {
    let mut server = TestServer::start().await;
    let alice = server.create_session("alice").await;
    let phone = server.phone_of(&alice, "alice").await;
    let [mallory, bob] = [
        server.create_session("mallory").await,
        server.create_session("bob").await,
    ];
    mallory.send("JOIN #club").await;
    mallory.send("MODE #club +i").await;
    alice.send("SILENCE +mallory").await;
    alice.drain().await;
    phone.drain().await;
    let mut stream = phone.stream("").await;
    mallory.send("PRIVMSG alice :one").await;
    mallory.send("NOTICE alice,bob :two").await;
    mallory.send("INVITE alice #club").await;
    bob.send("PRIVMSG alice :fine").await;
    assert_eq!(
        params(&stream.message().await.unwrap()),
        ["alice", "fine"],
        "no silenced event came before it"
    );
    assert_eq!(
        received(&bob.queue().await),
        ["two", "fine"],
        "another target of the same command receives it"
    );
    for removed in [false, true] {
        let snapshot = alice.snapshot().await;
        let directs: Vec<_> = snapshot["directs"]
            .items()
            .iter()
            .map(|one| one["nick"].clone())
            .collect();
        assert_eq!(directs, ["bob"], "{removed}");
        assert_eq!(
            alice.history("target=mallory").await,
            [] as [Message; 0],
            "{removed}"
        );
        assert_eq!(received(&alice.queue().await), ["fine"]);
        if !removed {
            assert_eq!(
                status_and_code(alice.try_send("JOIN #club").await.unwrap_err()),
                (403, "invite_only_channel".into())
            );
            server.restart().await;
            alice.send("SILENCE -mallory").await;
        }
    }
    mallory.send("PRIVMSG alice :three").await;
    mallory.send("INVITE alice #club").await;
    assert_eq!(
        received(&alice.queue().await),
        ["fine", "three", "#club"],
        "now the invitation is delivered"
    );
    let directs = alice.snapshot().await["directs"].clone();
    let direct = directs
        .items()
        .iter()
        .find(|direct| direct["nick"] == "mallory")
        .unwrap();
    assert_eq!(direct["unread"]["count"], 1);
    alice.send("JOIN #club").await;
}

#[tokio::test]
async fn a_silenced_invitation_hides_no_invitation_of_others() {
    let server = TestServer::start().await;
    let [mallory, bob] = server.sessions_on("#club", ["mallory", "bob"]).await;
    let alice = server.create_session("alice").await;
    alice.send("SILENCE +mallory").await;
    mallory.send("INVITE alice #club").await;
    bob.send("INVITE alice #club").await;
    assert_eq!(received(&alice.queue().await), ["#club"]);
    assert_eq!(mallory.send("INVITE alice #club").await["ids"], json!([]));
    alice.send("JOIN #club").await;
}

#[tokio::test]
async fn a_mask_made_of_a_nick_follows_the_session() {
    let server = TestServer::start().await;
    let alice = server.create_session("alice").await;
    // The session exists before the mask in two cases, and is created after it in the third.
    for (there, mask) in [
        (true, "MALLORY"),
        (true, "mallory!*@rejoin.server"),
        (false, "mallory"),
    ] {
        let early = if there {
            Some(server.create_session("mallory").await)
        } else {
            None
        };
        alice.send(&format!("SILENCE +{mask}")).await;
        let mallory = match early {
            Some(mallory) => mallory,
            None => server.create_session("mallory").await,
        };
        mallory.send("PRIVMSG alice :as mallory").await;
        mallory.send("NICK innocent").await;
        mallory.send("PRIVMSG alice :renamed").await;
        let other = server.create_session("mallory").await;
        other.send("PRIVMSG alice :another of that nick").await;
        other.send("NICK bystander").await;
        other.send("PRIVMSG alice :not held").await;
        // A mask set while no session has its nick applies to the current nick.
        let expected = if there {
            &["not held"][..]
        } else {
            &["renamed", "not held"]
        };
        assert_eq!(
            received(&alice.drain().await),
            expected,
            "{mask}: the mask holds one session and the nick"
        );
        mallory.send("QUIT").await;
        let new = server.create_session("innocent").await;
        new.send("PRIVMSG alice :a new session").await;
        assert_eq!(received(&alice.drain().await), ["a new session"], "{mask}");
        for device in [other, new] {
            device.send("QUIT").await;
        }
        alice.send(&format!("SILENCE -{mask}")).await;
        alice.drain().await;
    }
    assert_eq!(server.rows("silence"), 0);
}

#[tokio::test]
async fn a_wildcard_matches_current_nicks_and_never_the_session_itself() {
    let server = TestServer::start().await;
    let [alice, bob] = [
        server.create_session("alice").await,
        server.create_session("bob").await,
    ];
    alice.send("SILENCE +b?b!*@*").await;
    bob.send("PRIVMSG alice :one").await;
    bob.send("NICK carol").await;
    bob.send("PRIVMSG alice :two").await;
    alice.send("SILENCE +*!*@*").await;
    bob.send("PRIVMSG alice :three").await;
    alice.send("PRIVMSG alice :note to self").await;
    assert_eq!(received(&alice.queue().await), ["two", "note to self"]);
}

#[tokio::test]
async fn messages_on_channels_and_to_oneself_are_not_silenced() {
    let server = TestServer::start().await;
    let [alice, mallory] = server.sessions_on("#rust", ["alice", "mallory"]).await;
    alice.send("SILENCE +mallory").await;
    alice.drain().await;
    mallory.send("PRIVMSG #rust :to all").await;
    alice.send("PRIVMSG mallory :still").await;
    assert_eq!(received(&alice.queue().await), ["to all", "still"]);
    assert_eq!(received(&mallory.drain().await), ["to all", "still"]);
}

#[tokio::test]
async fn grants_and_keys_of_a_silenced_session_are_silenced_and_a_key_silences_only_by_its_scope() {
    let server = TestServer::start().await;
    let [alice, mallory] = [
        server.create_session("alice").await,
        server.create_session("mallory").await,
    ];
    let bot = mallory
        .create_key_with(json!({"name": "bot", "scope": "chat:write"}))
        .await
        .token("")
        .await;
    alice.send("SILENCE +mallory").await;
    alice.drain().await;
    bot.send("PRIVMSG alice :from a bot").await;
    assert!(alice.queue().await.is_empty());
    for (scope, allowed) in [
        ("chat:read chat:write chat:moderate identity", false),
        ("session:manage", true),
    ] {
        let bot = alice
            .create_key_with(json!({"name": "bot", "scope": scope}))
            .await
            .token("")
            .await;
        for line in ["SILENCE", "SILENCE +eve", "SILENCE -eve"] {
            let answer = bot.try_send(line).await.map(drop).map_err(status_and_code);
            let refused = Err((403, "insufficient_scope".to_owned()));
            assert_eq!(
                answer,
                if allowed { Ok(()) } else { refused },
                "{scope} {line}"
            );
        }
    }
}
