//! Where the focus is, and what a screen reader reads out, in real Chromium.

use serde_json::json;

use crate::support::{
    JsonAnswer,
    browser::{Page, at_both_widths},
};

async fn focused(page: &Page, css: &str) {
    page.until(
        "return document.activeElement?.matches(arguments[0])",
        vec![css.into()],
    )
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dialog_returns_the_focus_and_typing_goes_to_the_composer() {
    at_both_widths(async |server, page| {
        page.create_session(&server.url(""), "alice").await;
        page.say("/join #rust").await;
        page.says("#title", "#rust").await;
        let narrow = page.has_drawers().await;
        if narrow {
            page.click("#open-sidebar").await;
        }
        page.click("[data-panel=help]").await;
        focused(page, "#help h2").await;
        page.click("#help .last button").await;
        // On a phone the dialog was opened from a drawer, which is closed by now.
        focused(
            page,
            if narrow {
                "#open-sidebar"
            } else {
                "[data-panel=help]"
            },
        )
        .await;

        page.click("#leave").await;
        page.click("#ask [type=button]").await;
        focused(page, "#leave").await;

        page.run("document.activeElement.blur()", vec![]).await;
        page.types("body", "h").await;
        focused(page, "#composer").await;
        page.press("#browse").await;
        page.shows("#join-name").await;
        page.run("document.activeElement.blur()", vec![]).await;
        page.types("body", "x").await;
        focused(page, "#join-name").await;
        assert_eq!(
            page.run("return document.activeElement.value", vec![])
                .await,
            "x"
        );
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn only_messages_of_others_are_read_out() {
    at_both_widths(async |server, page| {
        page.create_session(&server.url(""), "alice").await;
        page.say("/join #rust").await;
        page.says("#title", "#rust").await;
        let [bob] = server.sessions_on("#rust", ["bob"]).await;
        let listen = "window.heard = []; const spoken = document.querySelector('#spoken');
            new MutationObserver(() => heard.push(spoken.textContent)).observe(spoken, { childList: true });
            return [spoken.ariaLive, document.querySelector('#messages').ariaLive]";
        assert_eq!(page.run(listen, vec![]).await, json!(["polite", "off"]));

        bob.send("PRIVMSG #rust :hello").await;
        page.until("return heard.length === 1", vec![]).await;
        let [_carol] = server.sessions_on("#rust", ["carol"]).await;
        page.say("what I say myself").await;
        page.shows_message("alice: what I say myself").await;
        page.run("window.mend = fetch; window.fetch = async () => { throw new TypeError(); }", vec![]).await;
        page.say("lost").await;
        page.until("return heard.length === 2", vec![]).await;
        page.run("window.fetch = mend", vec![]).await;
        for number in 0..10 {
            bob.send(&format!("PRIVMSG #rust :{number}")).await;
        }
        page.shows_message("bob: 9").await;
        page.until("return heard.length >= 3", vec![]).await;
        let heard = page.run("return heard", vec![]).await;
        assert_eq!(heard[0], "bob: hello");
        assert!(heard[1].as_str().unwrap().starts_with("Not sent to #rust."), "{heard}");
        assert!(
            heard.items()[2..].iter().any(|said| said.as_str().unwrap().ends_with("new messages")),
            "{heard}"
        );

        // After the retry its button is gone, and the focus moves to a place nearby.
        page.click("#messages .retry").await;
        page.shows_message("alice: lost").await;
        focused(page, "#messages").await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_tabs_are_one_device_with_two_drafts() {
    at_both_widths(async |server, page| {
        page.create_session(&server.url(""), "alice").await;
        page.say("/join #rust").await;
        page.says("#title", "#rust").await;
        page.types("#composer", "first draft").await;
        let first = page.new_tab().await;
        page.goto(&server.url("/#rust")).await;
        page.says("#title", "#rust").await;
        assert_eq!(
            page.run("return document.querySelector('#composer').value", vec![])
                .await,
            ""
        );
        page.say("from the second").await;
        page.shows_message("alice: from the second").await;
        let second = page.to_tab(first).await;
        page.shows_message("alice: from the second").await;
        page.counts("#messages .by small:not(:empty)", 0).await;
        page.say(", sent").await;
        page.shows_message("alice: first draft, sent").await;

        // After a logout in one tab both tabs say so. A new session in one of them serves both.
        page.say("/quit").await;
        page.says("#logged-out", "you quit here").await;
        let first = page.to_tab(second).await;
        page.says("#logged-out", "you quit here").await;
        page.click("#start").await;
        page.shows("#composer").await;
        page.to_tab(first).await;
        page.click("#start").await;
        page.says("#own-nick", "alice").await;
    })
    .await;
}
