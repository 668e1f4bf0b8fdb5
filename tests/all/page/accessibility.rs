//! axe-core checks every page, panel and dialog, in light and in dark. With reduced motion nothing
//! moves.

use std::{cell::RefCell, collections::BTreeMap};

use crate::{
    oauth::device_flow::{PendingDevice, device_flow_app},
    support::{
        FLAGS, TestServer, authorization_path,
        axe::{COLOURS, EVERYTHING},
        browser::{Page, at_both_widths},
        with_param,
    },
};

/// A page that the test takes from state to state, and the findings so far.
struct Tour<'a> {
    page: &'a Page,
    found: &'a Findings,
}

/// The findings, each with the first state in which it appeared.
type Findings = RefCell<BTreeMap<String, String>>;

/// The animations that still run although the user prefers reduced motion.
const MOVING: &str =
    "const lasts = (durations) => durations.split(',').some((one) => parseFloat(one) > 0.01);
    return [...document.querySelectorAll('*')].filter((element) => ['', '::before', '::after']
        .map((part) => getComputedStyle(element, part))
        .some(({ animationName, animationDuration, transitionDuration }) =>
            (animationName !== 'none' && lasts(animationDuration)) || lasts(transitionDuration)))
        .map(({ tagName, id, className }) => `it moves: ${tagName}#${id}.${className}`)";

impl Tour<'_> {
    /// Checks the page in its current state, in light and in dark.
    async fn sees(&self, state: &str) {
        let width = self.page.run("return innerWidth", vec![]).await;
        for (scheme, rules) in [("light", EVERYTHING), ("dark", COLOURS)] {
            self.page
                .prefers(&[
                    ("prefers-color-scheme", scheme),
                    ("prefers-reduced-motion", "reduce"),
                ])
                .await;
            self.keep(
                self.page.violations(rules).await,
                &format!("{state}, {width} pixels wide, in {scheme}"),
            );
        }
        let moving = serde_json::from_value(self.page.run(MOVING, vec![]).await).unwrap();
        self.keep(moving, &format!("{state}, {width} pixels wide"));
    }

    fn keep(&self, wrong: Vec<String>, place: &str) {
        for one in wrong {
            self.found
                .borrow_mut()
                .entry(one)
                .or_insert_with(|| place.to_owned());
        }
    }
}

/// Empties the composer.
async fn empty(page: &Page) {
    let script = "const field = document.querySelector('#composer'); field.value = '';
        field.dispatchEvent(new Event('input'))";
    page.run(script, vec![]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn axe_finds_nothing_and_nothing_moves() {
    let found = Findings::default();
    at_both_widths(async |server, page| {
        let tour = Tour {
            page,
            found: &found,
        };
        talk(&server, &tour).await;
        dialogs(&server, &tour).await;
        pages(&server, &tour).await;
    })
    .await;
    let found = found.into_inner();
    let lines: Vec<_> = found
        .iter()
        .map(|(wrong, place)| format!("{wrong}\n    {place}"))
        .collect();
    assert!(lines.is_empty(), "{}", lines.join("\n"));
}

/// From the start page through channels and conversations.
async fn talk(server: &TestServer, tour: &Tour<'_>) {
    let page = tour.page;
    page.goto(&server.url("")).await;
    page.shows("#start").await;
    tour.sees("the start page").await;
    page.create_session(&server.url(""), "alice").await;
    page.says("#browse-panel", "No channels yet").await;
    tour.sees("the list of no channels").await;
    page.say("/join #rust").await;
    page.says("#title", "#rust").await;
    let alice = page.device(server).await;
    let [bob, carol, dave] = server.sessions_on("#rust", ["bob", "carol", "dave"]).await;
    carol.send("PART #rust :lunch").await;
    page.says("#messages summary", "carol left").await;
    page.click("#messages summary").await;
    for line in [
        "TOPIC #rust :of https://example.org/ and more",
        "MODE #rust +v bob",
    ] {
        alice.send(line).await;
    }
    dave.send("AWAY :out").await;
    for text in [
        "one",
        "two",
        "Alice: three",
        "\u{1}ACTION waves\u{1}",
        "see https://example.org/x",
    ] {
        bob.send(&format!("PRIVMSG #rust :{text}")).await;
    }
    bob.send("NOTICE #rust :built").await;
    bob.send("NOTICE #rust :alice: broken").await;
    alice.send("PRIVMSG #rust :from there").await;
    alice
        .create_key("chat:write")
        .await
        .token("")
        .await
        .send("PRIVMSG #rust :from a bot")
        .await;
    page.shows_message("alice: from a bot").await;
    page.say("/away out for lunch").await;
    page.says("#messages .reply", "You have been marked as being away")
        .await;
    page.until(
        "return document.querySelector('#back').title === 'out for lunch'",
        vec![],
    )
    .await;
    page.run(
        "window.real = fetch; window.fetch = async () => { throw new TypeError(); }",
        vec![],
    )
    .await;
    page.say("lost").await;
    page.says("#messages .lost .state", "Perhaps not sent")
        .await;
    page.run("window.fetch = real", vec![]).await;
    page.say("/nosuch").await;
    page.says("#error", "There is no command").await;
    tour.sees("a channel").await;
    page.run("document.querySelector('#messages').scrollTop = 0", vec![])
        .await;
    tour.sees("a channel's beginning").await;
    empty(page).await;
    page.types("#composer", "/").await;
    page.shows("#completions li").await;
    tour.sees("the completions").await;
    page.types("#composer", "topic ").await;
    page.says("#syntax", "/topic [text]").await;
    tour.sees("a command's syntax").await;
    empty(page).await;

    page.press("#browse").await;
    page.says("#browse-panel li", "#rust").await;
    page.types("#join-name", "\n").await;
    page.says("#join-error", "Type the name of a channel").await;
    bob.send("PRIVMSG alice :hello").await;
    page.until("return document.title.startsWith('(1)')", vec![])
        .await;
    tour.sees("the list of channels").await;
    carol.send("JOIN #rust").await;
    carol.send("PRIVMSG #rust :alice: news").await;
    page.until("return document.title.startsWith('(2)')", vec![])
        .await;
    if page.has_drawers().await {
        page.click("#open-sidebar").await;
        page.shows("#sidebar .target").await;
        tour.sees("the drawer of channels").await;
        page.click("#sidebar .close").await;
    }
    page.press("#channels .target").await;
    page.says("#messages .new", "New since you left").await;
    tour.sees("what is new").await;
    if page.has_drawers().await {
        page.click("#open-members").await;
        page.shows("#members .target").await;
        tour.sees("the drawer of members").await;
        page.click("#members .close").await;
    }
    page.press("#directs .target").await;
    page.shows_message("bob: hello").await;
    bob.send("QUIT").await;
    page.say("are you there?").await;
    page.says("#messages .refused .state", "Not sent.").await;
    tour.sees("a conversation").await;
    page.click("#messages .discard").await;

    page.set_offline(true).await;
    page.says("#connection", "You are offline").await;
    page.run(
        "document.getAnimations().forEach((one) => one.finish())",
        vec![],
    )
    .await;
    tour.sees("a browser that is offline").await;
    page.set_offline(false).await;
    page.until(
        "return document.querySelector('#connection').dataset.state === 'connected'",
        vec![],
    )
    .await;
}

/// The panels and dialogs of the chat, until the user quits.
async fn dialogs(server: &TestServer, tour: &Tour<'_>) {
    let page = tour.page;
    let alice = page.device(server).await;
    page.press("#open-password").await;
    page.shows("#new-password").await;
    tour.sees("the first password").await;
    page.types("#new-password", "short\n").await;
    page.says("#password-error", "8").await;
    tour.sees("the first password with an error").await;
    page.run("document.querySelector('#new-password').value = ''", vec![])
        .await;
    page.types("#new-password", "correct horse battery\n").await;
    page.counts("#password", 0).await;
    server.login("alice", "correct horse battery").await;
    page.press("#server .target").await;
    page.says("#messages", "A device logged in").await;
    tour.sees("the server's messages").await;
    page.press("#open-password").await;
    page.shows("#current-password").await;
    tour.sees("another password").await;
    page.click("#password [type=button]").await;

    page.press("[data-panel=devices]").await;
    page.counts("#devices .devices li", 2).await;
    page.until(
        "return document.querySelector('#devices .code')?.naturalWidth > 0",
        vec![],
    )
    .await;
    tour.sees("the devices").await;
    page.click("#devices .others").await;
    page.says("#ask", "Remove all others?").await;
    tour.sees("a question over a panel").await;
    page.click("#ask [type=button]").await;
    page.click("#devices .last button").await;

    let wiki = server
        .app("The wiki", &[&FLAGS[..], &["--bearer-alone"]].concat())
        .await;
    wiki.user(&alice, "chat:read").await;
    page.press("[data-panel=apps]").await;
    page.says("#apps", "The wiki").await;
    page.click("#apps summary").await;
    page.types("#apps form input", "deploy-bot\n").await;
    page.counts("#apps .row", 2).await;
    page.says("#apps .devices li", "deploy-bot").await;
    tour.sees("the apps and keys").await;
    page.click("#apps .last button").await;
    page.press("[data-panel=help]").await;
    page.shows("#help").await;
    tour.sees("the help").await;
    page.click("#help .last button").await;

    page.press("#channels .target").await;
    page.says("#title", "#rust").await;
    page.click("#edit-topic").await;
    page.says("#ask", "Topic of #rust").await;
    tour.sees("the topic").await;
    page.click("#ask [type=button]").await;
    page.click("#leave").await;
    page.says("#ask", "Leave #rust?").await;
    tour.sees("leaving").await;
    page.click("#ask [type=button]").await;
    page.types("#composer", "one").await;
    page.run(
        "document.querySelector('#composer').value += '\\n\\ntwo'",
        vec![],
    )
    .await;
    page.click(".send").await;
    page.says("#ask", "Send 2 messages?").await;
    tour.sees("several lines").await;
    page.click("#ask [type=button]").await;
    empty(page).await;
    page.say("/quit").await;
    page.says("#logged-out", "you quit here").await;
    tour.sees("the start page when logged out").await;
}

/// The pages on the way to the chat, and the pages that ask for approval of apps and devices.
async fn pages(server: &TestServer, tour: &Tour<'_>) {
    let page = tour.page;
    let erin = server.create_session("erin").await;
    for line in ["JOIN #rust", "JOIN #cooking", "PASS :correct horse battery"] {
        erin.send(line).await;
    }
    page.goto(&server.url("")).await;
    page.types("#nick", "erin\n").await;
    page.shows("#suggestion").await;
    page.says("#nick-error", "erin is taken").await;
    tour.sees("the start page with an error").await;
    let trouble = "const done = arguments[0]; import('/assets/ui/dom.js')
        .then(({ showPage }) => done(showPage('#trouble-view')))";
    page.run_async(trouble, vec![]).await;
    page.says("main", "The server does not answer").await;
    tour.sees("the trouble page").await;

    page.goto(&server.url("/device")).await;
    page.shows("#password").await;
    tour.sees("the login page").await;
    page.types("#nick", "erin").await;
    page.types("#password", "something else\n").await;
    page.says("#error", "There is no session").await;
    tour.sees("the login page with an error").await;
    page.types("#password", "correct horse battery\n").await;

    let waiting = PendingDevice::start(
        &device_flow_app(server, "terminal", true, "chat:read chat:write").await,
    )
    .await;
    page.shows("#code").await;
    tour.sees("the page for a device's code").await;
    page.types("#code", "bbbbbbbb\n").await;
    page.says("#error", "No device is waiting with this code")
        .await;
    tour.sees("the page for a device's code with an error")
        .await;
    page.goto(&server.url(&format!("/device?user_code={}", waiting.code)))
        .await;
    page.types("#code", "\n").await;
    page.says("h1", "Is this device in front of you?").await;
    tour.sees("the question about a device").await;
    page.click("[name=where][value=chosen]").await;
    page.click("[value=allow]").await;
    page.says(".error", "Choose at least one channel").await;
    tour.sees("the question about a device with an error").await;
    page.click("[name=res][value='#rust']").await;
    page.click("[value=allow]").await;
    page.says("h1", "Done").await;
    tour.sees("the end of the question about a device").await;

    let wiki = server.app("The wiki", &FLAGS).await;
    let asking = wiki.authorization_request("identity chat:read chat:write");
    page.goto(&server.url(&authorization_path(&asking))).await;
    page.says("h1", "The wiki").await;
    tour.sees("the consent page").await;
    page.click("[value=chosen]").await;
    page.click("[value=allow]").await;
    page.says(".error", "Choose at least one channel").await;
    tour.sees("the consent page with an error").await;
    page.goto(&server.url(&authorization_path(&with_param(&asking, "client_id", None))))
        .await;
    page.shows(".aside a").await;
    tour.sees("a notice").await;

    let full = TestServer::with(&["--max-clients", "1"]).await;
    full.create_session("erin")
        .await
        .send("PASS :correct horse battery")
        .await;
    page.goto(&full.url("/login?nick=erin")).await;
    page.types("#password", "correct horse battery\n").await;
    page.shows("[name=replace]").await;
    tour.sees("the login page with too many clients").await;
}
