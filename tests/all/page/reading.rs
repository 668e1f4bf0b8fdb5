//! What a user sees of a conversation, in real Chromium.

use std::time::Duration;

use crate::support::{
    TestServer,
    browser::{Browsers, Page, Window, at_both_widths},
    until,
};

/// The text of the matching element, in one line.
async fn line(page: &Page, css: &str) -> String {
    page.shows(css).await;
    page.text(css)
        .await
        .split_whitespace()
        .collect::<Vec<_>>()
        .join(" ")
}

#[tokio::test(flavor = "multi_thread")]
async fn messages_are_grouped_marked_and_safe() {
    at_both_widths(async |server, page| {
        page.create_session(&server.url(""), "alice").await;
        page.say("/join #rust").await;
        page.says("#title", "#rust").await;
        let [bob, carol, _dave] = server.sessions_on("#rust", ["bob", "carol", "dave"]).await;

        // Joins and parts are one line that opens to show each.
        carol.send("PART #rust :lunch").await;
        page.says("#messages summary", "alice, bob, carol and 1 more joined; carol left").await;
        assert!(!page.text("#messages").await.contains("lunch"));
        page.click("#messages summary").await;
        page.says("#messages", "carol left (lunch)").await;

        // Messages of one sender are grouped, and a mention is marked. An action has a style of its
        // own. No text becomes HTML, and a link sends no referrer.
        for text in ["one", "<b>two</b>", "Alice: three", "\u{1}ACTION waves\u{1}", "see https://example.org/x)."] {
            bob.send(&format!("PRIVMSG #rust :{text}")).await;
        }
        page.shows_message("bob: see https://example.org/x).").await;
        page.counts("#messages .message.first", 1).await;
        page.counts("#messages .message.together", 4).await;
        assert_eq!(line(page, "#messages .mention").await.split(' ').next_back(), Some("three"));
        assert_eq!(line(page, "#messages .action .text").await, "bob waves");
        page.shows_message("bob: <b>two</b>").await;
        let link = "const { href, rel, target } = document.querySelector('#messages a'); return [href, rel, target]";
        let known = serde_json::json!(["https://example.org/x", "noopener noreferrer", "_blank"]);
        assert_eq!(page.run(link, vec![]).await, known);

        // A message from this device appears as the user's own. A message from another device of
        // the session is marked.
        page.say("from here").await;
        page.shows_message("alice: from here").await;
        let elsewhere = page.device(&server).await;
        elsewhere.send("PRIVMSG #rust :from there").await;
        page.shows_message("alice: from there").await;
        let marked = "return [...document.querySelectorAll('.message.first')].slice(-2).map((m) => m.querySelector('.by small').innerText)";
        assert_eq!(page.run(marked, vec![]).await, serde_json::json!(["", "from another device"]));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_position_in_a_conversation_is_kept() {
    at_both_widths(async |server, page| {
        let [bob, carol] = server.sessions_on("#rust", ["bob", "carol"]).await;
        page.create_session(&server.url(""), "alice").await;
        page.say("/join #rust").await;
        page.says("#title", "#rust").await;
        for number in 1..=130 {
            bob.send(&format!("PRIVMSG #rust :line {number}")).await;
        }
        page.shows_message("bob: line 130").await;
        let at_end =
            "const m = document.querySelector('#messages'); return m.scrollHeight - m.scrollTop - m.clientHeight < 2";
        page.until(at_end, vec![]).await;

        // A user who has scrolled up stays there until the button for the newest messages is
        // pressed.
        let up = "document.querySelector('#messages').scrollTop = 700; return !document.querySelector('#jump').hidden";
        page.until(up, vec![]).await;
        let last = bob.send("PRIVMSG #rust :line 131").await["ids"][0].clone();
        page.shows_message("bob: line 131").await;
        let top = "return document.querySelector('#messages').scrollTop";
        assert_eq!(page.run(top, vec![]).await, 700);
        page.press("#browse").await;
        page.shows("#browse-panel").await;
        page.press("#channels .target").await;
        page.until("return document.querySelector('#messages').scrollTop === 700", vec![]).await;
        page.click("#jump").await;
        page.until(at_end, vec![]).await;

        // All devices share the read marker. After a reload, older messages load when the user
        // scrolls up to them.
        let alice = page.device(&server).await;
        until("the read marker to be set", async || alice.snapshot().await["channels"][0]["read"] == last).await;
        alice.send(&format!("ACK {last}")).await;
        page.reload().await;
        page.shows_message("bob: line 131").await;
        assert!(!page.messages().await.contains(&"bob: line 1".to_owned()));
        let up = "document.querySelector('#messages').scrollTop = 0;
            return document.querySelector('#messages').innerText.includes('alice joined')";
        page.until(up, vec![]).await;
        page.shows_message("bob: line 1").await;
        let said = page.messages().await;
        let lines: Vec<_> = (1..=131).map(|number| format!("bob: line {number}")).collect();
        assert_eq!(said, lines, "each once, in order");

        page.click("#jump").await;
        page.until(at_end, vec![]).await;

        // Messages that arrive in another view are counted in the list, in the title and in the
        // icon. A line shows where they begin.
        page.press("#browse").await;
        carol.send("PRIVMSG #rust :news").await;
        carol.send("PRIVMSG #rust :alice, look").await;
        page.until("return document.title === '(2) Join a channel · Rejoin'", vec![]).await;
        assert_eq!(
            page.run("return document.querySelector('#channels .mentioned .badge').textContent", vec![]).await,
            "2"
        );
        let icon = "return document.querySelector('link[rel=icon]').href.startsWith('data:')";
        assert_eq!(page.run(icon, vec![]).await, true);
        page.press("#channels .target").await;
        page.says("#messages .new", "New since you left").await;
        let after = "return document.querySelector('#messages .new').nextElementSibling.innerText.includes('news')";
        assert_eq!(page.run(after, vec![]).await, true);
        page.until("return document.title === '#rust · Rejoin'", vec![]).await;
        assert_eq!(page.run(icon, vec![]).await, false);

        // Messages that arrive while the window has no focus are below such a line, too. The line
        // is above the first of them, each time.
        for line in ["first", "second"] {
            page.run("document.hasFocus = () => false", vec![]).await;
            carol.send(&format!("PRIVMSG #rust :{line} absence")).await;
            carol.send("PRIVMSG #rust :and more").await;
            page.until("return document.title === '(2) #rust · Rejoin'", vec![]).await;
            let after =
                "return document.querySelector('#messages .new')?.nextElementSibling.innerText.includes(arguments[0])";
            page.until(after, vec![format!("{line} absence").into()]).await;
            page.counts("#messages .new", 1).await;
            page.run("delete document.hasFocus; dispatchEvent(new Event('focus'))", vec![]).await;
            page.until("return document.title === '#rust · Rejoin'", vec![]).await;
        }

        // A conversation with one user stays open over a reload, too.
        bob.send("PRIVMSG alice :psst").await;
        page.press("#directs .target").await;
        page.shows_message("bob: psst").await;
        page.reload().await;
        page.shows_message("bob: psst").await;
        assert_eq!(page.text("#title").await, "bob");
        page.press("#channels .target").await;
        page.until("return location.search === '' && location.hash === '#rust'", vec![]).await;
    })
    .await;
}

/// Counts the requests for older pages, which can be made to fail.
const COUNTING: &str = "window.asked = 0; const ask = fetch;
    window.fetch = (path, ...more) => {
        if (!path.includes('before=')) return ask(path, ...more);
        asked += 1;
        return window.failing ? Promise.resolve(new Response('{}', { status: 503 })) : ask(path, ...more);
    }";

#[tokio::test(flavor = "multi_thread")]
async fn older_messages_are_requested_until_they_arrive_and_no_longer() {
    at_both_widths(async |server, page| {
        page.create_session(&server.url(""), "alice").await;
        page.say("/join #rust").await;
        page.says("#title", "#rust").await;
        let [bob] = server.sessions_on("#rust", ["bob"]).await;
        bob.send("PRIVMSG #rust :long ago").await;
        // These events fill more than a page of the history, and the channel does not show them.
        for number in 0..110 {
            bob.send(&format!("AWAY :{number}")).await;
        }
        let last = bob.send("PRIVMSG #rust :now").await["ids"][0].clone();
        let alice = page.device(&server).await;
        alice.send(&format!("ACK {last}")).await;
        page.add_startup_script(COUNTING).await;
        page.reload().await;
        page.shows_message("bob: long ago").await;
        page.says("#messages .beginning", "begins here").await;
        assert!(page.run("return asked", vec![]).await.as_i64().unwrap() <= 3);

        // The page repeats a failed request a few times. After that it tries again when the user
        // scrolls.
        page.add_startup_script("window.failing = true").await;
        page.reload().await;
        page.shows_message("bob: now").await;
        page.until("return asked === 4", vec![]).await;
        for number in 0..5 {
            bob.send(&format!("PRIVMSG #rust :{number}")).await;
        }
        page.shows_message("bob: 4").await;
        assert_eq!(page.run("return asked", vec![]).await, 4);
        page.run(
            "window.failing = false; document.querySelector('#messages').dispatchEvent(new Event('scroll'))",
            vec![],
        )
        .await;
        page.shows_message("bob: long ago").await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn messages_removed_before_they_arrived_are_shown_as_a_gap() {
    let browsers = Browsers::take_turn().await;
    tokio::join!(
        gap(&browsers, Window::Phone),
        gap(&browsers, Window::Desktop)
    );
}

async fn gap(browsers: &Browsers, window: Window) {
    let day = Duration::from_hours(24);
    let mut server = TestServer::with(&["--retention", "10d", "--client-idle", "100d"]).await;
    let [bob] = server.sessions_on("#rust", ["bob"]).await;
    let page = browsers.open(window).await;
    page.create_session(&server.url(""), "alice").await;
    page.say("/join #rust").await;
    page.says("#title", "#rust").await;
    page.goto("about:blank").await;
    bob.send("PRIVMSG #rust :too old").await;
    server.advance(day * 8);
    bob.send("PRIVMSG #rust :kept").await;
    server.advance(day * 3);
    server.restart().await;
    until("old events to be deleted", async || {
        server.rows("event") == 1
    })
    .await;

    page.goto(&server.url("/#rust")).await;
    page.says("#messages .gap", "Some messages were removed")
        .await;
    page.shows_message("bob: kept").await;
    let shown = page.text("#messages").await;
    assert!(
        shown.find("Some messages were removed") < shown.find("kept") && !shown.contains("too old"),
        "{shown}"
    );
    page.counts("#messages .gap", 1).await;
}
