//! What the page does and shows when it loses its connection, in real Chromium.

use crate::support::{
    JsonAnswer,
    browser::{ACKNOWLEDGING_AT_ONCE, Page, at_both_widths},
    until,
};

/// Scripts that cut the page off without its noticing: its messages arrive at the server, and those
/// of the server do not arrive at the page.
const MUTABLE: &str = "const Real = WebSocket;
    window.WebSocket = class extends Real { set onmessage(take) { super.onmessage = (event) => window.muted || take(event); } };";
const MUTE: &str = "window.muted = true; const real = fetch;
    window.fetch = async (...all) => { await real(...all); throw new TypeError(); }; window.mend = () => window.fetch = real";
const LOSE: &str = "window.fetch = async () => { throw new TypeError(); }";

async fn state_is(page: &Page, state: &str) {
    let script = "return document.querySelector('#connection').dataset.state === arguments[0]";
    page.until(script, vec![state.into()]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_state_is_always_shown_and_text_written_meanwhile_is_sent() {
    at_both_widths(async |server, page| {
        page.create_session(&server.url(""), "alice").await;
        page.say("/join #rust").await;
        page.says("#title", "#rust").await;
        let [bob] = server.sessions_on("#rust", ["bob"]).await;
        state_is(page, "connected").await;
        page.shows("#connection").await;
        assert_eq!(
            page.run("return document.querySelector('#connection').title", vec![])
                .await,
            "Connected"
        );

        page.set_offline(true).await;
        page.says("#connection", "You are offline").await;
        let covers =
            "const { bottom } = document.querySelector('#connection').getBoundingClientRect();
            return bottom > document.querySelector('#messages').getBoundingClientRect().top";
        assert_eq!(
            page.run(covers, vec![]).await,
            false,
            "it is in nobody's way"
        );
        page.say("from the tunnel").await;
        page.says("#messages .lost .state", "Perhaps not sent.")
            .await;
        bob.send("PRIVMSG #rust :meanwhile").await;

        page.set_offline(false).await;
        state_is(page, "connected").await;
        page.shows_message("bob: meanwhile").await;
        page.shows_message("alice: from the tunnel").await;
        page.counts("#messages .pending", 0).await;
        assert_eq!(
            page.messages().await,
            ["bob: meanwhile", "alice: from the tunnel"]
        );
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_undelivered_message_survives_a_reload_and_is_sent_once() {
    at_both_widths(async |server, page| {
        page.add_startup_script(MUTABLE).await;
        page.create_session(&server.url(""), "alice").await;
        page.say("/join #rust").await;
        page.says("#title", "#rust").await;
        let [bob] = server.sessions_on("#rust", ["bob"]).await;

        page.run(MUTE, vec![]).await;
        page.say("came, and who knows").await;
        page.says("#messages .lost .state", "Perhaps not sent.")
            .await;
        page.run(LOSE, vec![]).await;
        page.say("never came").await;
        page.counts("#messages .lost", 2).await;
        let asks = "return !dispatchEvent(new Event('beforeunload', { cancelable: true }))";
        assert_eq!(
            page.run(asks, vec![]).await,
            true,
            "the page asks before it is closed"
        );
        page.reload().await;
        page.shows_message("alice: came, and who knows").await;
        page.shows_message("alice: never came").await;
        page.counts("#messages .pending", 0).await;

        // A repeated command has its label, too.
        page.run(MUTE, vec![]).await;
        page.say("/msg #rust by command").await;
        page.says("#error", "can’t be reached").await;
        page.run("mend()", vec![]).await;
        page.say("").await;
        page.until(
            "return document.querySelector('#composer').value === ''",
            vec![],
        )
        .await;
        bob.send("PRIVMSG #rust :the end").await;
        let heard = bob.queue().await;
        let texts: Vec<_> = heard.iter().filter_map(|message| message.text()).collect();
        assert_eq!(
            texts,
            ["came, and who knows", "never came", "by command", "the end"],
            "each once"
        );

        // A refused message stays on the page until the user discards it or the session ends.
        bob.send("PRIVMSG alice :hello").await;
        page.reload().await;
        page.press("#directs .target").await;
        bob.send("QUIT").await;
        page.say("are you there?").await;
        page.says("#messages .refused .state", "Not sent.").await;
        // The page does not send it again by itself, because another session may have the nick by
        // now.
        let stranger = server.create_session("bob").await;
        page.reload().await;
        page.press("#directs .target").await;
        page.says("#title", "bob (left)").await;
        page.says("#messages .refused", "are you there?").await;
        page.say("/msg bob who are you?").await;
        until("the message to the stranger", async || {
            !stranger.queue().await.is_empty()
        })
        .await;
        assert_eq!(stranger.queue().await[0].params[1], "who are you?");
        let alice = page.device(&server).await;
        alice.delete("/api/v1/session").await.unwrap();
        page.says("#logged-out", "the session was ended").await;
        assert_eq!(page.run("return sessionStorage.length", vec![]).await, 0);
    })
    .await;
}

/// Records the delays before each attempt to connect, and shortens them.
const IMPATIENT: &str = "const wait = setTimeout; window.delays = [];
    window.setTimeout = (action, delay, ...more) => {
        if (action.name === 'connect') { delays.push(delay); delay = 0; }
        return wait(action, delay, ...more);
    };
    const Real = WebSocket;
    window.WebSocket = class extends Real { constructor(url) { super(window.down ? url.replace('socket', 'nowhere') : url); } };
    const ask = fetch;
    window.fetch = (...all) => window.down ? Promise.reject(new TypeError()) : ask(...all)";

#[tokio::test(flavor = "multi_thread")]
async fn the_page_reconnects_with_growing_delays() {
    at_both_widths(async |server, page| {
        page.add_startup_script(IMPATIENT).await;
        page.create_session(&server.url(""), "alice").await;
        state_is(page, "connected").await;
        page.run(
            "window.down = true; dispatchEvent(new Event('offline'))",
            vec![],
        )
        .await;
        page.until("return delays.length >= 9", vec![]).await;
        let delays = page.run("return delays", vec![]).await;
        let mut expected = 500.0;
        for delay in delays.items().iter().map(|delay| delay.as_f64().unwrap()) {
            assert!(
                (expected * 0.75..=expected * 1.25).contains(&delay),
                "{expected}: {delays}"
            );
            expected = f64::min(expected * 2.0, 30_000.0);
        }
        page.run("window.down = false", vec![]).await;
        state_is(page, "connected").await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_without_a_server_says_so_and_recovers_by_itself() {
    at_both_widths(async |server, page| {
        page.add_startup_script(
            "let tries = 0; const ask = fetch;
            window.fetch = (...all) => (tries += 1) < 6 ? Promise.reject(new TypeError()) : ask(...all)",
        )
        .await;
        page.goto(&server.url("")).await;
        page.says("main", "The server does not answer. This page keeps trying.").await;
        page.shows("#nick").await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_device_added_while_the_page_is_not_watched_is_shown_later() {
    at_both_widths(async |server, page| {
        page.add_startup_script(ACKNOWLEDGING_AT_ONCE).await;
        page.create_session(&server.url(""), "alice").await;
        page.say("/join #rust").await;
        page.says("#title", "#rust").await;
        page.say("/pass correct horse battery").await;
        page.says("#messages", "A password was set").await;
        let alice = page.device(&server).await;

        // A device is added while the page is closed. The notice is there when the user comes back.
        page.goto("about:blank").await;
        let phone = server.login("alice", "correct horse battery").await;
        page.goto(&server.url("/#rust")).await;
        page.says("#messages", "A device logged in").await;
        let acknowledged = async || alice.snapshot().await["acknowledged"].as_i64().unwrap();
        let seen = phone.snapshot().await["cursor"].as_i64().unwrap();
        until("the acknowledgement of a seen notice", async || acknowledged().await >= seen).await;

        // A window without focus acknowledges nothing, so the notice counts as unread and appears
        // again after a reload.
        page.add_startup_script("document.hasFocus = () => false").await;
        page.reload().await;
        page.shows("#composer").await;
        phone.send("PASS battery-horse-correct :correct horse battery").await;
        let notice =
            "return document.querySelector('#server .badge')?.textContent === '1' && document.title.startsWith('(1)')";
        page.until(notice, vec![]).await;
        let told = phone.snapshot().await["cursor"].as_i64().unwrap();
        page.run("for (const name of ['offline', 'online']) dispatchEvent(new Event(name))", vec![]).await;
        state_is(page, "connected").await;
        page.say("unseen").await;
        page.shows_message("alice: unseen").await;
        until("the earlier events to be acknowledged", async || acknowledged().await == told - 1).await;
        page.reload().await;
        page.until(notice, vec![]).await;
        assert!(!page.text("#messages").await.contains("A device logged in"), "a notice that was seen does not appear again");
        page.press("#server .target").await;
        page.says("#messages", "The password of this session was changed").await;
    })
    .await;
}
