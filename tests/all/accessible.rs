//! Whether everybody can use the pages: whoever sees them in other colours, larger, unmoving, or not at all.

use std::{cell::RefCell, collections::BTreeMap};

use serde_json::json;

use crate::{
    browser::fits,
    device_flow::{Waiting, operators_app},
    support::{
        FLAGS, TestServer, authorize,
        axe::{COLOURS, EVERYTHING},
        browser::{Driver, Page, Profile, at_both_widths},
        but,
    },
};

/// Lets somebody see each state that a page is led through, and keeps what is wrong with them.
struct Tour<'a> {
    page: &'a Page,
    found: &'a Findings,
}

/// What is wrong, and in which state that was seen first.
type Findings = RefCell<BTreeMap<String, String>>;

/// What goes on moving for people whom that makes ill.
const MOVING: &str = "return [...document.querySelectorAll('*')].filter((element) => ['', '::before', '::after']
    .map((part) => getComputedStyle(element, part))
    .some(({ animationName, animationDuration, transitionDuration }) =>
        (animationName !== 'none' && /[1-9]/.test(animationDuration)) || /[1-9]/.test(transitionDuration)))
    .map(({ tagName, id, className }) => `it moves: ${tagName}#${id}.${className}`)";

impl Tour<'_> {
    /// Looks at the page as it is now, in light and in dark.
    async fn sees(&self, state: &str) {
        let width = self.page.run("return innerWidth", vec![]).await;
        for (scheme, rules) in [("light", EVERYTHING), ("dark", COLOURS)] {
            self.page.prefers(&[("prefers-color-scheme", scheme), ("prefers-reduced-motion", "reduce")]).await;
            let moving: Vec<String> = serde_json::from_value(self.page.run(MOVING, vec![]).await).unwrap();
            for wrong in self.page.violations(rules).await.into_iter().chain(moving) {
                let place = || format!("{state}, {width} pixels wide, in {scheme}");
                self.found.borrow_mut().entry(wrong).or_insert_with(place);
            }
        }
    }
}

#[track_caller]
fn assert_none(found: Findings) {
    let lines: Vec<_> = found.into_inner().iter().map(|(wrong, place)| format!("{wrong}\n    {place}")).collect();
    assert!(lines.is_empty(), "{}", lines.join("\n"));
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
    let found = Findings::default();
    at_both_widths(async |server, page| {
        let tour = Tour { page, found: &found };
        let alice = server.pick("alice").await;
        for line in ["JOIN #rust", "JOIN #cooking", "PASS :correct horse battery"] {
            alice.send(line).await;
        }
        page.goto(&server.url("")).await;
        page.shows("#start").await;
        tour.sees("the start page").await;
        page.types("#nick", "alice\n").await;
        page.shows("#suggestion").await;
        page.says("#nick-error", "alice is taken").await;
        tour.sees("the start page with an error").await;
        let trouble = "const done = arguments[0]; import('/assets/dom.js')
            .then(({ showPage }) => done(showPage('#trouble-view')))";
        page.run_async(trouble, vec![]).await;
        page.says("main", "The server does not answer").await;
        tour.sees("the trouble page").await;

        page.goto(&server.url("/device")).await;
        page.shows("#password").await;
        tour.sees("the login page").await;
        page.types("#nick", "alice").await;
        page.types("#password", "something else\n").await;
        page.says("#error", "There is no session").await;
        tour.sees("the login page with an error").await;
        page.types("#password", "correct horse battery\n").await;

        let waiting = Waiting::of(&operators_app(&server, "terminal", true, "chat:read chat:write").await).await;
        page.shows("#code").await;
        tour.sees("the page for a device's code").await;
        page.types("#code", "bbbbbbbb\n").await;
        page.says("#error", "No device waits with this code").await;
        tour.sees("the page for a device's code with an error").await;
        page.goto(&server.url(&format!("/device?user_code={}", waiting.code))).await;
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
        let asking = wiki.asking("identity chat:read chat:write");
        page.goto(&server.url(&authorize(&asking))).await;
        page.says("h1", "The wiki").await;
        tour.sees("the consent page").await;
        page.click("[value=chosen]").await;
        page.click("[value=allow]").await;
        page.says(".error", "Choose at least one channel").await;
        tour.sees("the consent page with an error").await;
        page.goto(&server.url(&authorize(&but(&asking, "client_id", None)))).await;
        page.shows(".aside a").await;
        tour.sees("a notice").await;

        let full = TestServer::with(&["--max-clients", "1"]).await;
        full.pick("alice").await.send("PASS :correct horse battery").await;
        page.goto(&full.url("/login?nick=alice")).await;
        page.types("#password", "correct horse battery\n").await;
        page.shows("[name=replace]").await;
        tour.sees("the login page with too many clients").await;
    })
    .await;
    assert_none(found);
}

#[tokio::test(flavor = "multi_thread")]
async fn axe_finds_nothing_in_the_chat() {
    let found = Findings::default();
    at_both_widths(async |server, page| {
        let tour = Tour { page, found: &found };
        page.pick(&server.url(""), "alice").await;
        page.says("#browse-panel", "No channel yet").await;
        tour.sees("the list of no channels").await;
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
        tour.sees("a channel").await;
        page.run("document.querySelector('#messages').scrollTop = 0", vec![]).await;
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
        page.until("return document.title.startsWith('(1)')", vec![]).await;
        tour.sees("the list of channels").await;
        carol.send("JOIN #rust").await;
        carol.send("PRIVMSG #rust :alice: news").await;
        page.until("return document.title.startsWith('(2)')", vec![]).await;
        if has_drawers(page).await {
            page.click("#open-sidebar").await;
            page.shows("#sidebar .target").await;
            tour.sees("the drawer of channels").await;
            page.click("#sidebar .close").await;
        }
        page.press("#channels .target").await;
        page.says("#messages .new", "New since you left").await;
        tour.sees("what is new").await;
        if has_drawers(page).await {
            page.click("#open-members").await;
            page.shows("#members .target").await;
            tour.sees("the drawer of members").await;
            page.click("#members .close").await;
        }
        page.press("#directs .target").await;
        page.hears("bob: hello").await;
        bob.send("QUIT").await;
        page.say("are you there?").await;
        page.says("#messages .refused .state", "Not sent.").await;
        tour.sees("a conversation").await;
        page.click("#messages .discard").await;

        page.press("#open-password").await;
        page.shows("#new-password").await;
        tour.sees("the first password").await;
        page.types("#new-password", "short\n").await;
        page.says("#password-error", "8").await;
        tour.sees("the first password with an error").await;
        page.run("document.querySelector('#new-password').value = ''", vec![]).await;
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
        page.until("return document.querySelector('#devices .code')?.naturalWidth > 0", vec![]).await;
        tour.sees("the devices").await;
        page.click("#devices .others").await;
        page.says("#ask", "Remove all others?").await;
        tour.sees("a question over a panel").await;
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
        page.run("document.querySelector('#composer').value += '\\n\\ntwo'", vec![]).await;
        page.click(".send").await;
        page.says("#ask", "Send 2 messages?").await;
        tour.sees("several lines").await;
        page.click("#ask [type=button]").await;
        empty(page).await;
        page.say("/quit").await;
        page.says("#signed-out", "you quit here").await;
        tour.sees("the start page when signed out").await;
    })
    .await;
    assert_none(found);
}

/// A window of 1,280 by 1,024 pixels in which everything is shown twice as large, and four times: width, height, scale (WCAG 2.2,
/// 1.4.4 and 1.4.10).
const ENLARGED: [[u32; 3]; 2] = [[640, 512, 2], [320, 256, 4]];

async fn enlarge(page: &Page, [width, height, scale]: [u32; 3]) {
    let metrics = json!({"width": width, "height": height, "deviceScaleFactor": scale, "mobile": false});
    page.devtools("Emulation.setDeviceMetricsOverride", metrics).await;
    page.until("return innerWidth === arguments[0]", vec![width.into()]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn enlarged_everything_stays_within_reach() {
    let server = TestServer::start().await;
    let (driver, profile) = (Driver::start(), Profile::desktop());
    let page = driver.open(&profile).await;
    for (path, css) in [("/login", "#log-in"), ("/", "#start")] {
        page.goto(&server.url(path)).await;
        page.shows(css).await;
        for scale in ENLARGED {
            enlarge(&page, scale).await;
            within(&page, path).await;
        }
    }
    page.pick(&server.url(""), "alice").await;
    page.say("/join #a-channel-with-quite-a-long-name").await;
    page.says("#title", "#a-channel").await;
    page.say(&"word".repeat(100)).await;
    page.counts("#messages .message[data-id]", 1).await;
    for scale in ENLARGED {
        enlarge(&page, scale).await;
        within(&page, "a channel").await;
        let reach = "return ['#composer', '.send'].every((css) => {
            const { top, bottom, height } = document.querySelector(css).getBoundingClientRect();
            return height > 20 && top >= 0 && bottom <= innerHeight })";
        assert_eq!(page.run(reach, vec![]).await, true, "one can write and send: {scale:?}");
        for panel in ["devices", "password", "apps", "help"] {
            page.press(&format!("[data-panel={panel}]")).await;
            page.shows("dialog h2").await;
            within(&page, panel).await;
            page.run("document.querySelector('dialog').close()", vec![]).await;
        }
    }
}

/// Whether nothing makes the page scroll sideways, and nothing one can use is beside the window.
async fn within(page: &Page, what: &str) {
    fits(page, what).await;
    let beside = "return [...document.querySelectorAll('a, button, input, textarea, summary')]
        .filter((one) => one.checkVisibility() && !one.matches('.unseen'))
        .filter((one) => { const { left, right } = one.getBoundingClientRect(); return left < 0 || right > innerWidth })
        .map(({ outerHTML }) => outerHTML)";
    assert_eq!(page.run(beside, vec![]).await, json!([]), "{what}");
}

/// Where the system sets the colours, what only a colour tells is told by an outline.
#[tokio::test(flavor = "multi_thread")]
async fn in_forced_colours_outlines_tell_what_is_current_chosen_focused_and_meant_for_one() {
    let server = TestServer::start().await;
    let (driver, profile) = (Driver::start(), Profile::desktop());
    let page = driver.open(&profile).await;
    page.prefers(&[("forced-colors", "active")]).await;
    page.pick(&server.url(""), "alice").await;
    page.say("/join #chess").await;
    page.say("/join #rust").await;
    page.says("#title", "#rust").await;
    let [bob] = server.pick_on("#rust", ["bob"]).await;
    for text in ["hello", "alice: hello"] {
        bob.send(&format!("PRIVMSG #rust :{text}")).await;
    }
    page.hears("bob: alice: hello").await;
    page.types("#composer", "/").await;
    page.shows("#completions li").await;
    let outlined = "return [...document.querySelectorAll(arguments[0])]
        .map((one) => { const { outlineStyle, outlineWidth } = getComputedStyle(one);
            return outlineStyle !== 'none' && parseFloat(outlineWidth) >= 2 })";
    for (css, expected) in [
        ("#channels [data-key] .target", json!([false, true])),
        ("#messages .message", json!([false, true])),
        ("#completions [aria-selected=true]", json!([true])),
        ("#completions [aria-selected=false]:last-child", json!([false])),
        (".compose", json!([true])),
    ] {
        assert_eq!(page.run(outlined, vec![css.into()]).await, expected, "{css}");
    }
    // With the keyboard into the list of channels and onto the messages.
    for css in [".send", "#channels .target:not([aria-current=true])", "#messages"] {
        page.run("document.querySelector(arguments[0]).focus({ focusVisible: true })", vec![css.into()]).await;
        assert_eq!(page.run(outlined, vec![format!("{css}:focus").into()]).await, json!([true]), "{css}");
    }
    assert_eq!(page.run(outlined, vec![".compose".into()]).await, json!([false]));
}

/// The contrast of a nick in every hue, on a message that mentions somebody and on one that does not: the lowest.
const LOWEST: &str = "const canvas = new OffscreenCanvas(1, 1).getContext('2d', { willReadFrequently: true });
    const light = (...colours) => {
        for (const colour of colours) { canvas.fillStyle = colour; canvas.fillRect(0, 0, 1, 1); }
        const [r, g, b] = [...canvas.getImageData(0, 0, 1, 1).data].map((c) => c / 255)
            .map((c) => c <= .04045 ? c / 12.92 : ((c + .055) / 1.055) ** 2.4);
        return .2126 * r + .7152 * g + .0722 * b; };
    const style = (css) => getComputedStyle(document.querySelector(css));
    const backs = [style('.main').backgroundColor, style('.mention').backgroundColor].map((back) => [back]);
    const nick = document.querySelector('.by .nick');
    const contrasts = [];
    for (let hue = 0; hue < 360; hue += 1) {
        nick.style.setProperty('--hue', hue);
        const front = light(getComputedStyle(nick).color);
        for (const back of backs.map((back) => light(...back)))
            contrasts.push((Math.max(front, back) + .05) / (Math.min(front, back) + .05));
    }
    return [contrasts.length, Math.min(...contrasts)]";

#[tokio::test(flavor = "multi_thread")]
async fn nicks_of_every_hue_can_be_read() {
    let server = TestServer::start().await;
    let (driver, profile) = (Driver::start(), Profile::desktop());
    let page = driver.open(&profile).await;
    page.pick(&server.url(""), "alice").await;
    page.say("/join #rust").await;
    page.says("#title", "#rust").await;
    let [bob] = server.pick_on("#rust", ["bob"]).await;
    bob.send("PRIVMSG #rust :hello alice").await;
    page.shows("#messages .mention .nick").await;
    for scheme in ["light", "dark"] {
        page.prefers(&[("prefers-color-scheme", scheme)]).await;
        let found = page.run(LOWEST, vec![]).await;

        assert!(found[0] == 720 && found[1].as_f64().unwrap() >= 4.5, "{scheme}: {found}");
    }
}
