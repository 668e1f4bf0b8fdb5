//! Notices about API keys and apps to the devices of a session, and access that remains after a
//! stolen device is removed.

use serde_json::{Value, json};

use crate::support::{Device, FLAGS, JsonAnswer, TestServer, params, status_and_code};

const PASSWORD: &str = "correct horse battery";

/// The notices to a device since the last call.
async fn told(device: &Device) -> Vec<String> {
    let notices = device.drain().await;
    let notices = notices.iter().filter(|message| message.command == "NOTICE");
    notices
        .inspect(|notice| assert_eq!(notice.source, "rejoin.server"))
        .map(|n| params(n)[1].to_owned())
        .collect()
}

#[tokio::test]
async fn every_new_key_and_app_is_reported_to_every_device() {
    let server = TestServer::start().await;
    let alice = server.create_session("alice").await;
    let phone = server.phone_of(&alice, "alice").await;
    for device in [&alice, &phone] {
        device.drain().await;
    }
    let key = phone
        .create_key_with(json!({"name": "deploy-bot", "scope": "chat:read"}))
        .await;
    let path = format!("/api/v1/keys/{}", key.client_id);
    phone
        .post(&format!("{path}/rotate"), json!({"overlap": 0}))
        .await
        .unwrap();
    let renamed = phone
        .request(reqwest::Method::PATCH, &path)
        .json(&json!({"name": " harmless "}))
        .send()
        .await
        .unwrap();
    assert_eq!(renamed.json::<Value>().await.unwrap()["name"], "harmless");
    let wiki = server.app("Wiki", &FLAGS).await;
    wiki.refresh_token_for(&phone, "identity").await;
    wiki.refresh_token_for(&phone, "chat:read").await;
    wiki.refresh_token_for(&phone, "identity").await;
    for device in [&alice, &phone] {
        let told = told(device).await;
        let told = told.iter().map(String::as_str).collect::<Vec<_>>();
        let [made, rotated, renamed, known, joined] = told[..] else {
            panic!("{told:?}")
        };
        assert!(
            made.contains("deploy-bot") && made.contains("chat:read"),
            "{made}"
        );
        assert!(
            rotated.contains("deploy-bot") && rotated.contains("secret"),
            "{rotated}"
        );
        assert!(
            renamed.contains("deploy-bot") && renamed.contains("harmless"),
            "{renamed}"
        );
        assert!(
            known.contains("Wiki") && joined.contains("Wiki"),
            "{known} {joined}"
        );
    }
}

#[tokio::test]
async fn a_renamed_key_has_its_new_name_everywhere() {
    let server = TestServer::start().await;
    let alice = server.create_session("alice").await;
    let key = alice.create_key("chat:read chat:write").await;
    let bot = key.token("").await;
    assert_eq!(bot.snapshot().await["client"]["name"], "bot");
    let path = format!("/api/v1/keys/{}", key.client_id);
    let rename = async |by: &Device, body: Value| {
        let answer = by
            .request(reqwest::Method::PATCH, &path)
            .json(&body)
            .send()
            .await
            .unwrap();
        crate::support::checked(answer).await
    };
    for unclean in ["", " ", "a\u{202e}b", "\u{3164}", "a\tb"] {
        let refusal = rename(&alice, json!({"name": unclean})).await.unwrap_err();
        assert_eq!(
            status_and_code(refusal),
            (400, "malformed_request".into()),
            "{unclean:?}"
        );
    }
    assert_eq!(
        status_and_code(rename(&alice, json!({})).await.unwrap_err()),
        (400, "malformed_request".into())
    );
    assert_eq!(
        status_and_code(rename(&bot, json!({"name": "x"})).await.unwrap_err()),
        (403, "insufficient_scope".into())
    );
    let bob = server.create_session("bob").await;
    assert_eq!(
        status_and_code(rename(&bob, json!({"name": "x"})).await.unwrap_err()),
        (404, "not_found".into())
    );
    let shown = rename(&alice, json!({"name": "cafe\u{301}"}))
        .await
        .unwrap();
    assert_eq!(
        (&shown["name"], &shown["client_id"]),
        (&json!("café"), &json!(key.client_id))
    );
    assert_eq!(alice.keys().await[0]["name"], "café");
    assert_eq!(bot.snapshot().await["client"]["name"], "café");
    bot.send("JOIN #rust").await;
    assert_eq!(
        alice.queue().await.last().unwrap().app.as_deref(),
        Some("café")
    );
    alice.delete(&path).await.unwrap();
    assert_eq!(
        status_and_code(rename(&alice, json!({"name": "x"})).await.unwrap_err()),
        (404, "not_found".into())
    );
}

/// Changing the password and removing all other clients both list the access that remains. One call
/// ends all keys.
#[tokio::test]
async fn access_that_a_thief_may_have_left_is_listed_and_can_be_ended() {
    let server = TestServer::start().await;
    let alice = server.create_session("alice").await;
    let note = |answer: Value| {
        let replies = answer.replies().to_vec();
        replies
            .iter()
            .map(|reply| params(reply)[..params(reply).len() - 1].join(" "))
            .collect::<Vec<_>>()
    };
    assert_eq!(
        note(alice.send(&format!("PASS :{PASSWORD}")).await),
        ["PASS PASSWORD_SET"]
    );
    let change = |new: &'static str, old: &'static str| {
        alice.try_send_json(json!({"command": "PASS", "params": [new, old]}))
    };
    assert_eq!(
        note(change("another password", PASSWORD).await.unwrap()),
        ["PASS PASSWORD_SET"],
        "no access remains"
    );
    let keys = [
        alice.create_key("chat:read").await,
        alice.create_key("chat:write").await,
    ];
    let wiki = server.app("Wiki", &FLAGS).await;
    wiki.refresh_token_for(&alice, "identity").await;
    let changed = change(PASSWORD, "another password").await.unwrap();
    assert_eq!(
        note(changed),
        ["PASS PASSWORD_SET", "PASS STILL_IN_PLACE 2 1"]
    );
    server.login("alice", PASSWORD).await;
    alice.drain().await;
    alice.delete("/api/v1/clients").await.unwrap();
    let left = told(&alice).await;
    assert!(
        left.len() == 1 && left[0].contains("2 API keys") && left[0].contains("1 app "),
        "{left:?}"
    );
    // If no client is removed, nothing is written, because these requests have no rate limit.
    for _ in 0..3 {
        alice.drain().await;
        alice.delete("/api/v1/clients").await.unwrap();
        assert_eq!(told(&alice).await, Vec::<String>::new());
    }
    let bot = keys[0].token("").await;
    assert_eq!(
        status_and_code(bot.delete("/api/v1/keys").await.unwrap_err()),
        (403, "insufficient_scope".into())
    );
    alice.delete("/api/v1/keys").await.unwrap();
    assert!(bot.token_is_invalid().await);
    for key in &keys {
        assert_eq!(key.try_token("").await.0, 401);
    }
    alice.delete("/api/v1/keys").await.unwrap();
    let grants = alice.get("/api/v1/grants").await;
    alice
        .delete(&format!("/api/v1/grants/{}", grants[0]["id"]))
        .await
        .unwrap();
    server.login("alice", PASSWORD).await;
    alice.drain().await;
    alice.delete("/api/v1/clients").await.unwrap();
    assert_eq!(
        told(&alice).await,
        Vec::<String>::new(),
        "no access remains"
    );
}
