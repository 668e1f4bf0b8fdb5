//! A user comes back to the page: what the page shows, and what must not have happened meanwhile.
//! In real Chromium.

use crate::support::{
    Device, Message, TestServer,
    browser::{ACKNOWLEDGING_AT_ONCE, Page, at_both_widths},
    until,
};

const VALUE: &str = "return document.querySelector('#composer').value";
/// Whether the line above the new messages is on the screen.
const NEW_IN_SIGHT: &str =
    "const line = document.querySelector('#messages .new')?.getBoundingClientRect();
    const list = document.querySelector('#messages').getBoundingClientRect();
    return line !== undefined && line.top >= list.top && line.bottom <= list.bottom";
const AT_END: &str = "const m = document.querySelector('#messages'); return m.scrollHeight - m.scrollTop - m.clientHeight < 2";

async fn in_rust(server: &TestServer, page: &Page) -> Device {
    page.create_session(&server.url(""), "alice").await;
    page.say("/join #rust").await;
    page.says("#title", "#rust").await;
    let [bob] = server.sessions_on("#rust", ["bob"]).await;
    page.says("#messages", "bob joined").await;
    bob
}

async fn unread(page: &Page, list: &str, badge: &str) {
    let script =
        "return document.querySelector(arguments[0] + ' .badge')?.textContent === arguments[1]";
    page.until(script, vec![list.into(), badge.into()]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn messages_read_on_another_device_are_read_and_later_ones_are_not() {
    at_both_widths(async |server, page| {
        let bob = in_rust(&server, page).await;
        let laptop = page.device(&server).await;
        page.goto("about:blank").await;
        let read = bob.send("PRIVMSG #rust :read elsewhere").await["ids"][0].clone();
        laptop.send(&format!("MARKREAD #rust {read}")).await;
        let mut said = vec![];
        for number in 0..4 {
            said.push(bob.send(&format!("PRIVMSG #rust :line {number}")).await["ids"][0].clone());
        }
        bob.send("PRIVMSG #rust :alice, come back").await;
        bob.send("PRIVMSG alice :psst").await;
        // The queue repeats the change of the read marker.
        page.goto(&server.url("/?with=nobody")).await;
        unread(page, "#channels .mentioned", "5").await;
        unread(page, "#directs .mentioned", "1").await;
        // The next read marker is in the middle of messages that this page has not loaded, from the
        // queue or from the history.
        page.goto("about:blank").await;
        let last = bob.send("PRIVMSG alice :psst").await["ids"][0].clone();
        laptop.send(&format!("ACK {last}")).await;
        page.goto(&server.url("/?with=nobody")).await;
        unread(page, "#channels .mentioned", "5").await;
        laptop.send(&format!("MARKREAD #rust {}", said[2])).await;
        unread(page, "#channels .mentioned", "2").await;
        page.press("#channels .target").await;
        page.says("#messages .new + *", "line 3").await;
        unread(page, "#channels", "").await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_for_a_session_never_goes_to_a_later_owner_of_its_nick() {
    at_both_widths(async |server, page| {
        let bob = in_rust(&server, page).await;
        bob.send("PRIVMSG alice :hello").await;
        page.press("#directs .target").await;
        page.shows_message("bob: hello").await;
        page.set_offline(true).await;
        page.say("for bob alone").await;
        page.says("#messages .lost .state", "Perhaps not sent.")
            .await;
        page.types("#composer", "a draft for bob").await;

        bob.send("NICK bobby").await;
        let stranger = server.create_session("bob").await;
        page.set_offline(false).await;
        page.says("#title", "bobby").await;
        assert_eq!(
            page.run(
                "return document.querySelector('#composer').ariaLabel",
                vec![]
            )
            .await,
            "Message bobby"
        );
        stranger.send("PRIVMSG alice :who are you?").await;
        page.counts("#directs li", 2).await;
        page.press("#directs li:first-child .target").await;
        page.shows_message("bob: who are you?").await;
        assert_eq!(page.run(VALUE, vec![]).await, "");
        page.press("#directs li:last-child .target").await;
        assert_eq!(page.run(VALUE, vec![]).await, "a draft for bob");
        page.click("#messages .lost .retry").await;
        page.shows_message("alice: for bob alone").await;
        let got = |heard: Vec<Message>| heard.iter().any(|one| one.text() == Some("for bob alone"));
        assert!(got(bob.queue().await) && !got(stranger.queue().await));

        // The conversation of a session that ended does not continue with the next session of its
        // nick.
        stranger.send("QUIT").await;
        bob.send("JOIN #rust").await;
        bob.send("NICK robert").await;
        page.says("#title", "robert").await;
        bob.send("QUIT").await;
        page.says("#title", "robert (left)").await;
        server
            .create_session("robert")
            .await
            .send("PRIVMSG alice :it is me, really")
            .await;
        page.until(
            "return document.querySelectorAll('#directs li').length === 3",
            vec![],
        )
        .await;
        assert!(
            !page
                .messages()
                .await
                .contains(&"robert: it is me, really".to_owned())
        );
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn unsent_text_and_unseen_messages_are_not_lost() {
    at_both_widths(async |server, page| {
        let bob = in_rust(&server, page).await;
        page.say("/join #home").await;
        page.says("#title", "#home").await;
        let [eve] = server.sessions_on("#home", ["eve"]).await;

        // The user is kicked while writing. The page shows the unsent texts and sends them nowhere.
        page.say("/join #garden").await;
        page.says("#title", "#garden").await;
        let [carol] = server.sessions_on("#garden", ["carol"]).await;
        page.say("/op carol").await;
        page.until(
            "return document.querySelector('#composer').value === ''",
            vec![],
        )
        .await;
        page.run(
            "window.mend = fetch; window.fetch = async () => { throw new TypeError(); }",
            vec![],
        )
        .await;
        page.say("lost in the garden").await;
        page.says("#messages .lost .state", "Perhaps not sent.")
            .await;
        page.types("#composer", "my very private rema").await;
        page.run("window.fetch = mend", vec![]).await;
        carol.send("KICK #garden alice").await;
        page.shows("#browse-panel").await;
        page.says("#browse-panel", "You were removed from #garden by carol")
            .await;
        page.says(
            "#browse-panel",
            "Perhaps not sent to #garden: lost in the garden",
        )
        .await;
        page.says(
            "#browse-panel",
            "Perhaps not sent to #garden: my very private rema",
        )
        .await;

        // An unread direct message from a session that ended stays until it is read, even after the
        // page is reloaded.
        page.add_startup_script("document.hasFocus = () => false")
            .await;
        page.add_startup_script(ACKNOWLEDGING_AT_ONCE).await;
        page.reload().await;
        page.shows("#composer").await;
        let unseen = eve.send("PRIVMSG alice :remember the garden").await["ids"][0]
            .as_i64()
            .unwrap();
        bob.send("PRIVMSG #rust :more").await;
        unread(page, "#directs", "1").await;
        eve.send("QUIT").await;
        page.says("#directs", "eve (left)").await;
        let alice = page.device(&server).await;
        until("the earlier events to be acknowledged", async || {
            alice.snapshot().await["acknowledged"] == unseen - 1
        })
        .await;
        page.reload().await;
        page.says("#directs", "eve (left)").await;
        unread(page, "#directs", "1").await;
        page.press("#directs .target").await;
        page.shows_message("eve: remember the garden").await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_returning_user_sees_where_the_new_messages_begin() {
    at_both_widths(async |server, page| {
        let bob = in_rust(&server, page).await;
        bob.send("PRIVMSG #rust :before").await;
        page.shows_message("bob: before").await;

        // A phone comes out of a pocket: the page was hidden and offline, and both end at once.
        page.set_offline(true).await;
        page.says("#connection", "You are offline").await;
        for number in 0..40 {
            bob.send(&format!("PRIVMSG #rust :missed {number}")).await;
        }
        // The user's own message does not remove the line above the new messages.
        page.say("written in a pocket").await;
        page.says("#messages .lost .state", "Perhaps not sent.").await;
        page.set_offline(false).await;
        page.shows_message("bob: missed 39").await;
        page.shows_message("alice: written in a pocket").await;
        page.until(NEW_IN_SIGHT, vec![]).await;
        page.says("#messages .new + *", "missed 0").await;
        page.says("#jump", "40 new").await;
        page.click("#jump").await;
        page.until(AT_END, vec![]).await;
        unread(page, "#channels", "").await;

        let alice = page.device(&server).await;
        until("the read marker to be set", async || alice.snapshot().await["channels"][0]["unread"]["count"] == 0).await;

        // The line also appears when the new messages exceed one page of the history, and when the
        // user comes from a direct conversation, which has no members.
        bob.send("PRIVMSG alice :psst").await;
        page.press("#directs .target").await;
        page.shows_message("bob: psst").await;
        for number in 0..130 {
            bob.send(&format!("PRIVMSG #rust :and {number}, {}", "a long line that is wrapped ".repeat(8))).await;
        }
        unread(page, "#channels", "99+").await;
        let last = bob.send("PRIVMSG #rust :the last").await["ids"][0].as_i64().unwrap();
        alice.send(&format!("ACK {last}")).await;
        page.reload().await;
        page.shows_message("bob: psst").await;
        page.press("#channels .target").await;
        page.says("#messages .new + *", "and 0").await;
        page.until(NEW_IN_SIGHT, vec![]).await;
        unread(page, "#channels", "99+").await;
        page.click("#jump").await;
        page.until(AT_END, vec![]).await;
        page.press("#directs .target").await;
        page.shows_message("bob: psst").await;
        page.press("#channels .target").await;
        page.says("#title", "#rust").await;
        page.until(AT_END, vec![]).await;

        // The messages stay scrolled to the end when the composer grows and when the user sends a
        // message.
        page.types("#composer", "one\u{e008}\u{e007}two\u{e007}three\u{e007}four\u{e007}five\u{e000}").await;
        page.until(AT_END, vec![]).await;
        // The Shift key is held down.
        assert_eq!(page.run(VALUE, vec![]).await, "one\nTWO\nTHREE\nFOUR\nFIVE");
        page.types("#composer", "!").await;
        page.until("return document.querySelector('#jump').hidden", vec![]).await;
        page.run(
            "const f = document.querySelector('#composer'); f.value = ''; f.dispatchEvent(new Event('input'))",
            vec![],
        )
        .await;
        page.until(
            "document.querySelector('#messages').scrollTop = 300; return !document.querySelector('#jump').hidden",
            vec![],
        )
        .await;
        page.say("here I am").await;
        page.shows_message("alice: here I am").await;
        page.until(AT_END, vec![]).await;

        // A text that failed days ago is not sent by itself, because it would appear as a message
        // of today.
        page.set_offline(true).await;
        page.say("good morning").await;
        page.says("#messages .lost .state", "Perhaps not sent.").await;
        page.run("const now = Date.now(); Date.now = () => now + 2 * 86_400_000", vec![]).await;
        page.set_offline(false).await;
        page.says("#connection", "Connected").await;
        bob.send("PRIVMSG #rust :good night").await;
        page.shows_message("bob: good night").await;
        page.says("#messages .lost .state", "Perhaps not sent.").await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_invitation_is_shown_to_its_guest_and_away_is_no_line_in_a_channel() {
    at_both_widths(async |server, page| {
        let bob = in_rust(&server, page).await;
        server.create_session("carol").await;
        page.say("/invite carol").await;
        page.says("#messages", "You invited carol to #rust").await;
        bob.send("JOIN #den").await;
        bob.send("PRIVMSG alice :not seen, and so not acknowledged")
            .await;
        bob.send("INVITE alice #den").await;
        page.says("#messages", "bob invites you to #den.").await;
        page.counts("#messages .server button", 1).await;
        bob.send("AWAY :at lunch").await;
        page.until(
            "return document.querySelector('#members .away') !== null",
            vec![],
        )
        .await;
        page.reload().await;
        page.says("#messages", "bob joined").await;
        assert!(!page.text("#messages").await.contains("lunch"));
        unread(page, "#directs", "1").await;
        assert!(
            !page.text("#messages").await.contains("invites you"),
            "the page showed it before"
        );
        // A user without a password finds the focus in the field for the first one.
        page.press("[data-panel=password]").await;
        page.until(
            "return document.activeElement.id === 'new-password'",
            vec![],
        )
        .await;
    })
    .await;
}
