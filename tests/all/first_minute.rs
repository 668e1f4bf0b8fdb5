//! The first minute, and what brings one back: in real Chromium.

use serde_json::json;

use crate::support::browser::at_both_widths;

/// Stands in for the browser's own, of which nobody sees anything without a screen.
const NOTIFICATION: &str = "window.told = [];
    window.Notification = class {
        static permission = 'default';
        static async requestPermission() { return (this.permission = 'granted'); }
        constructor(title, { body }) { told.push(`${title}: ${body}`); }
    };
    document.hasFocus = () => false";

#[tokio::test(flavor = "multi_thread")]
async fn a_nick_is_checked_as_it_is_typed_and_a_taken_one_has_a_way_on() {
    at_both_widths(async |server, page| {
        let _bob = server.pick_on("#rust", ["bob"]).await;
        page.goto(&server.url("")).await;
        page.types("#nick", "2fast").await;
        page.says("#nick-error", "begins with no digit").await;
        page.run("document.querySelector('#nick').value = ''", vec![]).await;
        page.types("#nick", "bob").await;
        page.until("return document.querySelector('#nick-error').textContent === ''", vec![]).await;
        page.types("#nick", "\n").await;
        page.says("#nick-error", "bob is taken.").await;
        page.click("#suggestion").await;
        page.click("#start").await;
        page.says("#own-nick", "bob_").await;
        page.says("#browse-panel li", "#rust").await;
        page.says("#browse-panel li", "1 member").await;

        // The hint is quiet, and once put away it stays so.
        page.says("#password-hint", "Set a password to use this chat from your phone, too.").await;
        page.click("#password-hint .close").await;
        page.reload().await;
        page.says("#browse-panel li", "#rust").await;
        assert_eq!(page.run("return document.querySelector('#password-hint').hidden", vec![]).await, true);

        for (path, field) in [("/login", "nick"), ("/login?nick=bob", "password")] {
            page.goto(&server.url(path)).await;
            page.until("return document.activeElement.id === arguments[0]", vec![field.into()]).await;
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn after_the_login_everything_is_there_at_once_and_the_keyboard_reaches_it() {
    at_both_widths(async |server, page| {
        let [alice, bob] = server.pick_on("#rust", ["alice", "bob"]).await;
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
        page.hears("bob: alice, come").await;

        // Removed by another device, it is told so.
        alice.delete("/api/v1/clients").await.unwrap();
        page.says("#signed-out", "this device was removed from another one").await;
        assert_eq!(page.run("return document.querySelector('#nick').value", vec![]).await, "alice");
    })
    .await;
}

/// The code of "Rejoin" as other programs draw it, version 1-M with mask 0: a bit for each module, rows from the top.
const CODE: [u32; 21] = [
    0x1fce7f, 0x105741, 0x17455d, 0x17465d, 0x175f5d, 0x104241, 0x1fd57f, 0x000800, 0x154d12, 0x003ea3, 0x0866ef,
    0x0e9bb3, 0x11fee1, 0x00106c, 0x1fc113, 0x104c73, 0x175d63, 0x174eb6, 0x175af9, 0x104f82, 0x1fd6c3,
];

#[tokio::test(flavor = "multi_thread")]
async fn a_code_leads_a_phone_to_the_login_page() {
    at_both_widths(async |server, page| {
        page.pick(&server.url(""), "alice").await;
        let encode = "const [text, done] = arguments; import('/assets/qr.js')
            .then(({ encode }) => done(encode(text)?.map((row) => row.reduce((bits, dark) => bits * 2 + dark, 0))))";
        assert_eq!(page.run_async(encode, vec!["Rejoin".into()]).await, json!(CODE));
        assert_eq!(page.run_async(encode, vec!["x".repeat(107).into()]).await, json!(null), "too long for a code");

        page.press("[data-panel=devices]").await;
        page.says("#devices", "First set a password.").await;
        page.says("#devices .add b", &server.url("/login?nick=alice")).await;
        let drawn = "return document.querySelector('#devices .code').naturalWidth > 0";
        page.until(drawn, vec![]).await;
        page.says("#devices .devices li", "this device").await;

        // Signed out, one learns why, and the same tab begins anew.
        page.click("#devices .sign-out").await;
        page.says("#ask", "Sign out your last device?").await;
        page.click("#ask .primary").await;
        page.says("#signed-out", "you signed out here").await;
        page.click("#start").await;
        page.says("#own-nick", "alice").await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn notifications_are_asked_for_by_a_click_and_tell_of_what_is_meant_for_one() {
    at_both_widths(async |server, page| {
        page.pick(&server.url(""), "alice").await;
        page.say("/join #rust").await;
        page.says("#title", "#rust").await;
        let [bob] = server.pick_on("#rust", ["bob"]).await;
        page.run(NOTIFICATION, vec![]).await;
        bob.send("PRIVMSG #rust :alice, before").await;
        page.hears("bob: alice, before").await;
        assert_eq!(page.run("return [told, Notification.permission]", vec![]).await, json!([[], "default"]));

        page.press("#notify").await;
        page.until("return document.querySelector('#notify').ariaPressed === 'true'", vec![]).await;
        for line in ["PRIVMSG #rust :hello all", "PRIVMSG #rust :hello Alice", "PRIVMSG alice :only you"] {
            bob.send(line).await;
        }
        page.until("return told.length === 2", vec![]).await;
        assert_eq!(page.run("return told", vec![]).await, json!(["bob in #rust: hello Alice", "bob: only you"]));
        page.press("#notify").await;
        page.until("return document.querySelector('#notify').ariaPressed === 'false'", vec![]).await;
        assert_eq!(page.run("return localStorage.length", vec![]).await, 0);
    })
    .await;
}
