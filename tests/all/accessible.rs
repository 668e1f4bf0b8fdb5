//! Whether everybody can use the pages: whoever sees them in other colours, larger, unmoving, or not at all.

use crate::{
    device_flow::{Waiting, operators_app},
    support::{
        FLAGS, TestServer, authorize,
        axe::{COLOURS, EVERYTHING},
        browser::{Page, at_both_widths},
        but,
    },
};

/// A page that is led from state to state, and what was found wrong with it on the way.
struct Tour<'a> {
    page: &'a Page,
    found: Vec<String>,
}

impl<'a> Tour<'a> {
    fn of(page: &'a Page) -> Self {
        Self { page, found: Vec::new() }
    }

    /// Looks at the page as it is now, in light and in dark.
    async fn looks_at(&mut self, state: &str) {
        for (scheme, rules) in [("light", EVERYTHING), ("dark", COLOURS)] {
            self.page.prefers(&[("prefers-color-scheme", scheme), ("prefers-reduced-motion", "reduce")]).await;
            for violation in self.page.violations(rules).await {
                self.found.push(format!("{state}, in {scheme}: {violation}"));
            }
        }
    }

    #[track_caller]
    fn found_nothing(self) {
        assert!(self.found.is_empty(), "{}", self.found.join("\n"));
    }
}

/// Empties the composer.
async fn empty(page: &Page) {
    let script = "const field = document.querySelector('#composer'); field.value = '';
        field.dispatchEvent(new Event('input'))";
    page.run(script, vec![]).await;
}

/// Whether the window is so narrow that the side columns are drawers.
async fn has_drawers(page: &Page) -> bool {
    page.run("return document.querySelector('#open-sidebar').checkVisibility()", vec![]).await == true
}

#[tokio::test(flavor = "multi_thread")]
async fn axe_finds_nothing_on_the_pages_around_the_chat() {
    at_both_widths(async |server, page| {
        let mut tour = Tour::of(page);
        let alice = server.pick("alice").await;
        for line in ["JOIN #rust", "JOIN #cooking", "PASS :correct horse battery"] {
            alice.send(line).await;
        }
        page.goto(&server.url("")).await;
        page.shows("#start").await;
        tour.looks_at("the start page").await;
        page.types("#nick", "alice\n").await;
        page.shows("#suggestion").await;
        page.says("#nick-error", "alice is taken").await;
        tour.looks_at("the start page with an error").await;
        let trouble = "const done = arguments[0]; import('/assets/dom.js')
            .then(({ showPage }) => done(showPage('#trouble-view')))";
        page.run_async(trouble, vec![]).await;
        page.says("main", "The server does not answer").await;
        tour.looks_at("the trouble page").await;

        page.goto(&server.url("/device")).await;
        page.shows("#password").await;
        tour.looks_at("the login page").await;
        page.types("#nick", "alice").await;
        page.types("#password", "something else\n").await;
        page.says("#error", "There is no session").await;
        tour.looks_at("the login page with an error").await;
        page.types("#password", "correct horse battery\n").await;

        let waiting = Waiting::of(&operators_app(&server, "terminal", true, "chat:read chat:write").await).await;
        page.shows("#code").await;
        tour.looks_at("the page for a device's code").await;
        page.types("#code", "bbbbbbbb\n").await;
        page.says("#error", "No device waits with this code").await;
        tour.looks_at("the page for a device's code with an error").await;
        page.goto(&server.url(&format!("/device?user_code={}", waiting.code))).await;
        page.types("#code", "\n").await;
        page.says("h1", "Is this device in front of you?").await;
        tour.looks_at("the question about a device").await;
        page.click("[name=where][value=chosen]").await;
        page.click("[value=allow]").await;
        page.says(".error", "Choose at least one channel").await;
        tour.looks_at("the question about a device with an error").await;
        page.click("[name=res][value='#rust']").await;
        page.click("[value=allow]").await;
        page.says("h1", "Done").await;
        tour.looks_at("the end of the question about a device").await;

        let wiki = server.app("The wiki", &FLAGS).await;
        let asking = wiki.asking("identity chat:read chat:write");
        page.goto(&server.url(&authorize(&asking))).await;
        page.says("h1", "The wiki").await;
        tour.looks_at("the consent page").await;
        page.click("[value=chosen]").await;
        page.click("[value=allow]").await;
        page.says(".error", "Choose at least one channel").await;
        tour.looks_at("the consent page with an error").await;
        page.goto(&server.url(&authorize(&but(&asking, "client_id", None)))).await;
        page.shows(".aside a").await;
        tour.looks_at("a notice").await;

        let full = TestServer::with(&["--max-clients", "1"]).await;
        full.pick("alice").await.send("PASS :correct horse battery").await;
        page.goto(&full.url("/login?nick=alice")).await;
        page.types("#password", "correct horse battery\n").await;
        page.shows("[name=replace]").await;
        tour.looks_at("the login page with too many clients").await;
        tour.found_nothing();
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn axe_finds_nothing_in_the_chat() {
    at_both_widths(async |server, page| {
        let mut tour = Tour::of(page);
        page.pick(&server.url(""), "alice").await;
        page.says("#browse-panel", "No channel yet").await;
        tour.looks_at("the list of no channels").await;
        page.say("/join #rust").await;
        page.says("#title", "#rust").await;
        let alice = server.device().with_cookie(&format!("rejoin={}", page.cookie("rejoin").await));
        let [bob, carol, dave] = server.pick_on("#rust", ["bob", "carol", "dave"]).await;
        carol.send("PART #rust :lunch").await;
        page.says("#messages summary", "carol left").await;
        page.click("#messages summary").await;
        for line in ["TOPIC #rust :of https://example.org/ and more", "MODE #rust +v bob"] {
            alice.send(line).await;
        }
        dave.send("AWAY :out").await;
        for text in ["one", "two", "Alice: three", "\u{1}ACTION waves\u{1}", "see https://example.org/x"] {
            bob.send(&format!("PRIVMSG #rust :{text}")).await;
        }
        bob.send("NOTICE #rust :built").await;
        bob.send("NOTICE #rust :alice: broken").await;
        alice.send("PRIVMSG #rust :from there").await;
        alice.key("chat:write").await.token("").await.send("PRIVMSG #rust :from a bot").await;
        page.hears("alice: from a bot").await;
        page.say("/away out for lunch").await;
        page.says("#messages .reply", "You have been marked as being away").await;
        page.until("return document.querySelector('#back').title === 'out for lunch'", vec![]).await;
        page.run("window.real = fetch; window.fetch = async () => { throw new TypeError(); }", vec![]).await;
        page.say("lost").await;
        page.says("#messages .lost .state", "Perhaps not sent").await;
        page.run("window.fetch = real", vec![]).await;
        page.say("/nosuch").await;
        page.says("#error", "There is no command").await;
        tour.looks_at("a channel").await;
        page.run("document.querySelector('#messages').scrollTop = 0", vec![]).await;
        tour.looks_at("a channel's beginning").await;
        empty(page).await;
        page.types("#composer", "/").await;
        page.shows("#completions li").await;
        tour.looks_at("the completions").await;
        page.types("#composer", "topic ").await;
        page.says("#syntax", "/topic [text]").await;
        tour.looks_at("a command's syntax").await;
        empty(page).await;

        page.press("#browse").await;
        page.says("#browse-panel li", "#rust").await;
        page.types("#join-name", "\n").await;
        page.says("#join-error", "Type the name of a channel").await;
        bob.send("PRIVMSG alice :hello").await;
        page.until("return document.title.startsWith('(1)')", vec![]).await;
        tour.looks_at("the list of channels").await;
        carol.send("JOIN #rust").await;
        carol.send("PRIVMSG #rust :alice: news").await;
        page.until("return document.title.startsWith('(2)')", vec![]).await;
        if has_drawers(page).await {
            page.click("#open-sidebar").await;
            page.shows("#sidebar .target").await;
            tour.looks_at("the drawer of channels").await;
            page.click("#sidebar .close").await;
        }
        page.press("#channels .target").await;
        page.says("#messages .new", "New since you left").await;
        tour.looks_at("what is new").await;
        if has_drawers(page).await {
            page.click("#open-members").await;
            page.shows("#members .target").await;
            tour.looks_at("the drawer of members").await;
            page.click("#members .close").await;
        }
        page.press("#directs .target").await;
        page.hears("bob: hello").await;
        bob.send("QUIT").await;
        page.say("are you there?").await;
        page.says("#messages .refused .state", "Not sent.").await;
        tour.looks_at("a conversation").await;
        page.click("#messages .discard").await;

        page.press("#open-password").await;
        page.shows("#new-password").await;
        tour.looks_at("the first password").await;
        page.types("#new-password", "short\n").await;
        page.says("#password-error", "8").await;
        tour.looks_at("the first password with an error").await;
        page.run("document.querySelector('#new-password').value = ''", vec![]).await;
        page.types("#new-password", "correct horse battery\n").await;
        page.counts("#password", 0).await;
        server.login("alice", "correct horse battery").await;
        page.press("#server .target").await;
        page.says("#messages", "A device logged in").await;
        tour.looks_at("the server's messages").await;
        page.press("#open-password").await;
        page.shows("#current-password").await;
        tour.looks_at("another password").await;
        page.click("#password [type=button]").await;

        page.press("[data-panel=devices]").await;
        page.counts("#devices .devices li", 2).await;
        page.until("return document.querySelector('#devices .code')?.naturalWidth > 0", vec![]).await;
        tour.looks_at("the devices").await;
        page.click("#devices .others").await;
        page.says("#ask", "Remove all others?").await;
        tour.looks_at("a question over a panel").await;
        page.click("#ask [type=button]").await;
        page.click("#devices .last button").await;

        let wiki = server.app("The wiki", &[&FLAGS[..], &["--bearer-alone"]].concat()).await;
        wiki.user(&alice, "chat:read").await;
        page.press("[data-panel=apps]").await;
        page.says("#apps", "The wiki").await;
        page.click("#apps summary").await;
        page.types("#apps form input", "deploy-bot\n").await;
        page.counts("#apps .row", 2).await;
        page.says("#apps .devices li", "deploy-bot").await;
        tour.looks_at("the apps and keys").await;
        page.click("#apps .last button").await;
        page.press("[data-panel=help]").await;
        page.shows("#help").await;
        tour.looks_at("the help").await;
        page.click("#help .last button").await;

        page.press("#channels .target").await;
        page.says("#title", "#rust").await;
        page.click("#edit-topic").await;
        page.says("#ask", "Topic of #rust").await;
        tour.looks_at("the topic").await;
        page.click("#ask [type=button]").await;
        page.click("#leave").await;
        page.says("#ask", "Leave #rust?").await;
        tour.looks_at("leaving").await;
        page.click("#ask [type=button]").await;
        page.types("#composer", "one").await;
        page.run("document.querySelector('#composer').value += '\\n\\ntwo'", vec![]).await;
        page.click(".send").await;
        page.says("#ask", "Send 2 messages?").await;
        tour.looks_at("several lines").await;
        page.click("#ask [type=button]").await;
        empty(page).await;
        page.say("/quit").await;
        page.says("#signed-out", "you quit here").await;
        tour.looks_at("the start page when signed out").await;
        tour.found_nothing();
    })
    .await;
}
