//! The panel of apps and keys, in real Chromium.

use serde_json::json;

use crate::support::{App, FLAGS, browser::at_both_widths};

#[tokio::test(flavor = "multi_thread")]
async fn a_key_is_created_shown_once_rotated_and_revoked() {
    at_both_widths(async |server, page| {
        page.create_session(&server.url(""), "alice").await;
        page.say("/join #rust").await;
        page.says("#title", "#rust").await;
        let [bob] = server.sessions_on("#rust", ["bob"]).await;

        page.press("[data-panel=apps]").await;
        page.says("#apps", "No keys yet.").await;
        page.says("#apps", "No apps.").await;
        page.click("#apps summary").await;
        // The key is confined to chosen channels, so the panel asks for at least one.
        page.click("#apps [value=chosen]").await;
        page.types("#apps form input", "deploy-bot\n").await;
        page.says("#apps form .error", "Choose at least one channel, or all channels.").await;
        page.click("#apps [value='#rust']").await;
        page.click("#apps form > button").await;
        page.says("#apps .devices li", "May read messages; send messages, join and leave channels; only in #rust").await;
        let shown = "return [...document.querySelectorAll('#apps .row input')].map((field) => field.value)";
        let first = page.run(shown, vec![]).await;
        let key = |shown: &serde_json::Value| {
            App::of(&server.device(), &json!({"client_id": shown[0], "client_secret": shown[1]}))
        };
        page.click("#apps .row:last-child button").await;
        page.says("#apps .row:last-child button", "Copied").await;
        let bot = key(&first).token("chat:write").await;
        bot.send("PRIVMSG #rust :built").await;
        page.shows_message("alice: built").await;
        assert_eq!(page.text("#messages .by small").await, "via deploy-bot");

        // Closing the panel removes the secret from the page.
        page.click("#apps .last button").await;
        page.counts("#apps", 0).await;
        let kept =
            "return document.documentElement.outerHTML + JSON.stringify([{ ...sessionStorage }, { \
             ...localStorage }])";
        assert!(!page.run(kept, vec![]).await.as_str().unwrap().contains(first[1].as_str().unwrap()));
        page.press("[data-panel=apps]").await;
        page.says("#apps .devices li", "last used").await;
        assert_eq!(page.run(shown, vec![]).await, json!([]));

        page.click("#apps [aria-label='Rotate deploy-bot']").await;
        page.click("#ask .primary").await;
        page.counts("#apps .row", 2).await;
        let second = page.run(shown, vec![]).await;
        assert_ne!(first, second);
        for secret in [&first, &second] {
            assert_eq!(key(secret).try_token("chat:read").await.0, 200);
        }
        page.click("#apps [aria-label='Revoke deploy-bot']").await;
        page.click("#ask .primary").await;
        page.says("#apps .devices li", "not tried since").await;
        assert_eq!(key(&second).try_token("chat:read").await.0, 401);
        drop(bob);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_approved_app_is_listed_with_its_scopes_and_revoked() {
    at_both_widths(async |server, page| {
        page.create_session(&server.url(""), "alice").await;
        page.say("/join #rust").await;
        page.says("#title", "#rust").await;
        let alice = page.device(&server).await;
        let app = server
            .app("The wiki", &[&FLAGS[..], &["--bearer-alone"]].concat())
            .await;
        let wiki = app.user(&alice, "chat:read chat:write").await;
        wiki.send("PRIVMSG #rust :a page was changed").await;
        page.shows_message("alice: a page was changed").await;
        assert_eq!(page.text("#messages .by small").await, "via The wiki");

        page.press("[data-panel=apps]").await;
        page.says(
            "#apps .devices li",
            "May read messages; send messages, join and leave channels",
        )
        .await;
        page.click("#apps [aria-label='Revoke The wiki']").await;
        page.click("#ask .primary").await;
        page.says("#apps", "No apps.").await;
        assert!(wiki.token_is_invalid().await);
        assert_eq!(alice.get("/api/v1/grants").await, json!([]));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unused_approval_is_listed_and_revoked() {
    at_both_widths(async |server, page| {
        page.create_session(&server.url(""), "alice").await;
        page.shows("#composer").await;
        let alice = page.device(&server).await;
        let app = server.app("The wiki", &FLAGS).await;
        let code = alice
            .approve(&app.authorization_request("identity"), &[])
            .await
            .code();
        page.press("[data-panel=apps]").await;
        page.says("#apps section", "The wiki").await;
        page.says("#apps section", "May know who you are").await;
        page.click("#apps [aria-label='Withdraw The wiki']").await;
        page.click("#ask .primary").await;
        page.until(
            "return document.querySelector('#apps section').hidden",
            vec![],
        )
        .await;
        assert_eq!(app.redeem(&code).await.1["error"], "invalid_grant");
    })
    .await;
}
