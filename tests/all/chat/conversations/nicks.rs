//! Which session a conversation belongs to when nicks change owners.

use super::*;

#[tokio::test]
async fn a_message_to_a_session_never_reaches_another_that_took_its_nick() {
    let server = TestServer::start().await;
    let [alice, bob] = server.sessions_on("#rust", ["alice", "bob"]).await;
    let first = session(&bob).await;
    assert_eq!(
        send_to(&alice, "PRIVMSG", ["bob", "hello"], first)
            .await
            .unwrap()
            .ids()
            .len(),
        1
    );
    let labelled =
        json!({"command": "PRIVMSG", "params": ["bob", "hi"], "to": first, "label": "x"});
    let answer = alice.try_send_json(labelled.clone()).await.unwrap();
    bob.send("NICK rob").await;
    let nobody = Err((404, "no_such_nick".to_owned()));
    assert_eq!(
        send_to(&alice, "PRIVMSG", ["bob", "hello"], first).await,
        nobody,
        "nobody has the nick"
    );
    let other = server.create_session("bob").await;
    other.snapshot().await;
    let reassigned = Err((409, "nick_reassigned".to_owned()));
    for _ in 0..2 {
        assert_eq!(
            send_to(&alice, "PRIVMSG", ["bob", "secret"], first).await,
            reassigned
        );
        assert_eq!(
            send_to(&alice, "NOTICE", ["bob", "secret"], first).await,
            Ok(json!({"ids": [], "replies": []}))
        );
    }
    assert!(other.queue().await.is_empty());
    assert_eq!(
        alice.try_send_json(labelled.clone()).await.unwrap(),
        answer,
        "a message that was sent stays sent"
    );
    let mut changed = labelled.clone();
    changed["to"] = json!(session(&other).await);
    assert_eq!(
        alice.try_send_json(changed).await.unwrap_err().code,
        "label_reused"
    );
    assert!(
        send_to(&alice, "PRIVMSG", ["rob", "hello"], first)
            .await
            .is_ok()
    );
    assert!(
        send_to(&alice, "NOTICE", ["bob", "hello"], session(&other).await)
            .await
            .is_ok()
    );
    assert_eq!(commands(&other.queue().await), ["NOTICE"]);
}

#[tokio::test]
async fn a_session_id_is_accepted_beside_exactly_one_nick() {
    let server = TestServer::start().await;
    let [alice, bob] = server.sessions_on("#rust", ["alice", "bob"]).await;
    let bob = session(&bob).await;
    for (command, param) in [
        ("PRIVMSG", ["#rust", "hi"]),
        ("PRIVMSG", ["alice,bob", "hi"]),
        ("NOTICE", ["#rust", "hi"]),
        ("NOTICE", ["bob,#rust", "hi"]),
        ("MARKREAD", ["#rust", "1"]),
        ("TOPIC", ["#rust", "hi"]),
        ("INVITE", ["bob", "#rust"]),
    ] {
        let refused = send_to(&alice, command, param, bob).await;
        assert_eq!(
            refused,
            Err((400, "malformed_request".to_owned())),
            "{command} {param:?}"
        );
    }
    for to in [json!("bob"), json!(1.5), json!([bob]), json!(true)] {
        let message = json!({"command": "PRIVMSG", "params": ["bob", "hi"], "to": to});
        assert_eq!(
            alice.try_send_json(message).await.unwrap_err().code,
            "malformed_request",
            "{to}"
        );
    }
    let key = json!({"name": "bot", "scope": "chat:read chat:write", "res": ["#rust"]});
    let bot = alice.create_key_with(key).await.token("").await;
    let confined = bot
        .call(Method::GET, &format!("/api/v1/history?session={bob}"))
        .await
        .unwrap_err();
    assert_eq!(
        (confined.status, confined.code.as_str()),
        (404, "no_such_nick")
    );
}

#[tokio::test]
async fn a_history_is_read_in_any_direction() {
    let server = TestServer::start().await;
    let [alice, bob] = server.sessions_on("#rust", ["alice", "bob"]).await;
    let mut ids = Vec::new();
    for n in 0..9 {
        ids.push(say(&bob, &format!("PRIVMSG #rust,alice :{n}")).await);
        alice.send(&format!("PRIVMSG bob :{n}'")).await;
    }
    let five = ids[5];
    for (of, part, expected) in [
        (
            "target=%23rust",
            format!("after={five}&limit=2"),
            vec!["6", "7"],
        ),
        (
            "target=%23rust",
            format!("before={five}&limit=2"),
            vec!["3", "4"],
        ),
        (
            "target=%23rust",
            format!("around={five}&limit=4"),
            vec!["4", "5", "6", "7"],
        ),
        (
            "target=%23rust",
            format!("around={five}&limit=3"),
            vec!["4", "5", "6"],
        ),
        (
            "target=%23rust",
            format!("around={five}&limit=1"),
            vec!["5"],
        ),
        (
            "target=%23rust",
            format!("around={}&limit=4", ids[8]),
            vec!["5", "6", "7", "8"],
        ),
        (
            "target=bob",
            format!("after={five}&limit=3"),
            vec!["5", "5'", "6"],
        ),
        (
            "target=bob",
            format!("around={}&limit=4", five + 1),
            vec!["4'", "5", "5'", "6"],
        ),
    ] {
        assert_eq!(
            texts(&alice, &format!("{of}&{part}")).await,
            expected,
            "{of} {part}"
        );
    }
    for query in [
        "",
        "target=bob&session=2",
        "target=bob&after=1&before=9",
        "target=bob&around=1&after=1",
        "session=x",
    ] {
        let refused = alice
            .call(Method::GET, &format!("/api/v1/history?{query}"))
            .await
            .unwrap_err();
        assert_eq!(
            (refused.status, refused.code.as_str()),
            (400, "malformed_request"),
            "{query}"
        );
    }
}
