//! The first minute of a new user, and what brings the user back, in real Chromium.

use serde_json::json;

use crate::support::{JsonAnswer, browser::at_both_widths, until};

/// The notifications that the page's service worker has shown.
const SHOWN: &str = "const done = arguments[0]; navigator.serviceWorker.getRegistration('/assets/')
    .then((worker) => worker.getNotifications()).then((all) => done(all.map(({ title, body }) => `${title}: ${body}`)))";

#[tokio::test(flavor = "multi_thread")]
async fn a_nick_is_checked_while_typed_and_a_taken_one_offers_the_login() {
    at_both_widths(async |server, page| {
        let _bob = server.sessions_on("#rust", ["bob"]).await;
        page.goto(&server.url("")).await;
        page.types("#nick", "2fast").await;
        page.says("#nick-error", "does not begin with a digit")
            .await;
        page.run("document.querySelector('#nick').value = ''", vec![])
            .await;
        page.types("#nick", "bob").await;
        page.until(
            "return document.querySelector('#nick-error').textContent === ''",
            vec![],
        )
        .await;
        page.types("#nick", "\n").await;
        page.says("#nick-error", "bob is taken.").await;
        page.click("#suggestion").await;
        page.click("#start").await;
        page.says("#own-nick", "bob_").await;
        page.says("#browse-panel li", "#rust").await;
        page.says("#browse-panel li", "1 member").await;

        // The hint is unobtrusive, and stays away once it is dismissed.
        page.says(
            "#password-hint",
            "Set a password to use this chat from your phone, too.",
        )
        .await;
        page.click("#password-hint .close").await;
        page.reload().await;
        page.says("#browse-panel li", "#rust").await;
        assert_eq!(
            page.run(
                "return document.querySelector('#password-hint').hidden",
                vec![]
            )
            .await,
            true
        );

        // A user without a session who comes from an app is led back to it.
        page.run("return fetch('/logout', { method: 'POST' })", vec![])
            .await;
        page.goto(&server.url("/login?next=/device%3Fuser_code%3DA%26b"))
            .await;
        page.click(".aside a").await;
        page.types("#nick", "eve\n").await;
        page.until(
            "return location.pathname + location.search === '/device?user_code=A&b'",
            vec![],
        )
        .await;
        page.run("return fetch('/logout', { method: 'POST' })", vec![])
            .await;
        page.goto(&server.url("/?next=//elsewhere.example/evil"))
            .await;
        page.types("#nick", "eve\n").await;
        page.says("#own-nick", "eve").await;

        for (path, field) in [("/login", "nick"), ("/login?nick=bob", "password")] {
            page.goto(&server.url(path)).await;
            page.until(
                "return document.activeElement.id === arguments[0]",
                vec![field.into()],
            )
            .await;
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn after_the_login_everything_appears_at_once_and_the_keyboard_reaches_it() {
    at_both_widths(async |server, page| {
        let [alice, bob] = server.sessions_on("#rust", ["alice", "bob"]).await;
        for line in ["TOPIC #rust :of the day", "JOIN #soup", "PASS :correct horse battery"] {
            alice.send(line).await;
        }
        for line in ["JOIN #soup", "PRIVMSG #soup :at noon", "PRIVMSG #soup :alice, come"] {
            bob.send(line).await;
        }
        page.goto(&server.url("/login?nick=alice")).await;
        page.types("#password", "correct horse battery\n").await;
        page.says("#topic", "of the day").await;
        let unread = "return document.querySelector('#channels .mentioned')?.textContent === '#soup2 unread, for you'";
        page.until(unread, vec![]).await;
        page.counts("#members li", 2).await;

        let next_channel = "\u{e00a}\u{e015}\u{e000}";
        page.types("#composer", next_channel).await;
        page.says("#title", "#soup").await;
        page.says("#messages .new", "New since you left").await;
        page.shows_message("bob: alice, come").await;

        // When another device removes this one, the page says so.
        alice.delete("/api/v1/clients").await.unwrap();
        page.says("#logged-out", "another device removed this one").await;
        assert_eq!(page.run("return document.querySelector('#nick').value", vec![]).await, "alice");
    })
    .await;
}

/// The QR code as a camera sees it, in shades of grey.
const PHOTOGRAPH: &str = "const picture = document.querySelector('#devices .code');
    const canvas = new OffscreenCanvas(200, 200).getContext('2d');
    canvas.drawImage(picture, 0, 0, 200, 200);
    return [...canvas.getImageData(0, 0, 200, 200).data].filter((_, i) => i % 4 === 1)";

#[tokio::test(flavor = "multi_thread")]
async fn a_code_leads_a_phone_to_the_login_page() {
    at_both_widths(async |server, page| {
        page.create_session(&server.url(""), "alice[]").await;
        page.press("[data-panel=devices]").await;
        page.says("#devices", "this session has none yet").await;
        page.says("#devices .devices li", "this device").await;
        page.click("#devices .add button").await;
        page.types("#new-password", "correct horse battery\n").await;
        let address = server.url("/login?nick=alice%5B%5D");
        page.says("#devices .add", &address).await;
        page.until(
            "return document.querySelector('#devices .code').naturalWidth > 0",
            vec![],
        )
        .await;
        let grey: Vec<u8> = serde_json::from_value(page.run(PHOTOGRAPH, vec![]).await).unwrap();
        let mut photograph =
            rqrr::PreparedImage::prepare_from_greyscale(200, 200, |x, y| grey[y * 200 + x]);
        let codes = photograph.detect_grids();
        assert_eq!(codes[0].decode().unwrap().1, address);

        // The open list of devices grows when the phone logs in, and the page shows a notice.
        server.login("alice[]", "correct horse battery").await;
        page.counts("#devices .devices li", 2).await;
        page.click("#devices .last button").await;
        page.press("#browse").await;
        page.says("#browse-panel", "A device logged in").await;
        page.press("[data-panel=devices]").await;
        page.click("#devices .others").await;
        page.says("#ask", "Remove all others?").await;
        page.click("#ask .primary").await;
        page.counts("#devices .devices li", 1).await;

        // After a logout the page shows the reason, and the same tab can start anew.
        page.click("#devices .log-out").await;
        page.says("#ask", "Log out your last device?").await;
        page.click("#ask .primary").await;
        page.says("#logged-out", "you logged out here").await;
        page.click("#start").await;
        page.says("#own-nick", "alice[]").await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn notifications_start_with_a_click_and_show_messages_meant_for_the_user() {
    at_both_widths(async |server, page| {
        page.create_session(&server.url(""), "alice").await;
        page.say("/join #rust").await;
        page.says("#title", "#rust").await;
        let [bob] = server.sessions_on("#rust", ["bob"]).await;
        bob.send("PRIVMSG #rust :alice, before").await;
        page.shows_message("bob: alice, before").await;
        assert_eq!(
            page.run("return navigator.serviceWorker.controller", vec![])
                .await,
            json!(null)
        );

        page.devtools(
            "Browser.grantPermissions",
            json!({"permissions": ["notifications"]}),
        )
        .await;
        page.press("#notify").await;
        page.until(
            "return document.querySelector('#notify').ariaPressed === 'true'",
            vec![],
        )
        .await;
        bob.send("PRIVMSG #rust :alice, whom I see").await;
        page.shows_message("bob: alice, whom I see").await;
        page.run("document.hasFocus = () => false", vec![]).await;
        for line in [
            "PRIVMSG #rust :hello all",
            "PRIVMSG #rust :hello Alice",
            "PRIVMSG alice :only you",
        ] {
            bob.send(line).await;
        }
        page.says("#directs", "bob").await;
        until("both to be shown", async || {
            page.run_async(SHOWN, vec![]).await.items().len() == 2
        })
        .await;
        let shown = json!(["bob in #rust: hello Alice", "bob: only you"]);
        assert_eq!(page.run_async(SHOWN, vec![]).await, shown);
        page.press("#notify").await;
        page.until(
            "return document.querySelector('#notify').ariaPressed === 'false'",
            vec![],
        )
        .await;
        assert_eq!(page.run("return localStorage.length", vec![]).await, 0);
    })
    .await;
}
