//! The pages as some users need them: enlarged, or in colours that the system sets. Nicks are
//! readable in every colour.

use serde_json::json;

use crate::{
    page::main_job::fits,
    support::{
        TestServer,
        browser::{Browsers, Page, Window},
    },
};

/// A window of 1,280 by 1,024 pixels that shows everything twice as large, and one that shows it
/// four times as large: width, height and scale (WCAG 2.2, 1.4.4 and 1.4.10).
const ENLARGED: [[u32; 3]; 2] = [[640, 512, 2], [320, 256, 4]];

async fn enlarge(page: &Page, [width, height, scale]: [u32; 3]) {
    let metrics =
        json!({"width": width, "height": height, "deviceScaleFactor": scale, "mobile": false});
    page.devtools("Emulation.setDeviceMetricsOverride", metrics)
        .await;
    page.until("return innerWidth === arguments[0]", vec![width.into()])
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn enlarged_everything_stays_within_reach() {
    let server = TestServer::start().await;
    let browsers = Browsers::take_turn().await;
    let page = browsers.open(Window::Desktop).await;
    for (path, css) in [("/login", "#log-in"), ("/", "#start")] {
        page.goto(&server.url(path)).await;
        page.shows(css).await;
        for scale in ENLARGED {
            enlarge(&page, scale).await;
            within(&page, path).await;
        }
    }
    page.create_session(&server.url(""), "alice").await;
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
        assert_eq!(
            page.run(reach, vec![]).await,
            true,
            "the user can write and send: {scale:?}"
        );
        for panel in ["devices", "password", "apps", "help"] {
            page.press(&format!("[data-panel={panel}]")).await;
            page.shows("dialog h2").await;
            within(&page, panel).await;
            page.run("document.querySelector('dialog').close()", vec![])
                .await;
        }
    }
}

/// Asserts that the page does not scroll sideways and that every control is inside the window.
async fn within(page: &Page, what: &str) {
    fits(page, what).await;
    let beside = "return [...document.querySelectorAll('a, button, input, textarea, summary')]
        .filter((one) => one.checkVisibility() && !one.matches('.unseen'))
        .filter((one) => { const { left, right } = one.getBoundingClientRect(); return left < 0 || right > innerWidth })
        .map(({ outerHTML }) => outerHTML)";
    assert_eq!(page.run(beside, vec![]).await, json!([]), "{what}");
}

/// If the system sets the colours, an outline shows what a colour alone would show.
#[tokio::test(flavor = "multi_thread")]
async fn in_forced_colours_outlines_mark_the_current_chosen_focused_and_mentioning() {
    let server = TestServer::start().await;
    let browsers = Browsers::take_turn().await;
    let page = browsers.open(Window::Desktop).await;
    page.prefers(&[("forced-colors", "active")]).await;
    page.create_session(&server.url(""), "alice").await;
    page.say("/join #chess").await;
    page.says("#title", "#chess").await;
    page.say("/join #rust").await;
    page.says("#title", "#rust").await;
    let [bob] = server.sessions_on("#rust", ["bob"]).await;
    for text in ["hello", "alice: hello"] {
        bob.send(&format!("PRIVMSG #rust :{text}")).await;
    }
    page.shows_message("bob: alice: hello").await;
    page.types("#composer", "/").await;
    page.shows("#completions li").await;
    let outlined = "return [...document.querySelectorAll(arguments[0])]
        .map((one) => { const { outlineStyle, outlineWidth } = getComputedStyle(one);
            return outlineStyle !== 'none' && parseFloat(outlineWidth) >= 2 })";
    for (css, expected) in [
        ("#channels [data-key] .target", json!([false, true])),
        ("#messages .message", json!([false, true])),
        ("#completions [aria-selected=true]", json!([true])),
        (
            "#completions [aria-selected=false]:last-child",
            json!([false]),
        ),
        (".compose", json!([true])),
    ] {
        assert_eq!(
            page.run(outlined, vec![css.into()]).await,
            expected,
            "{css}"
        );
    }
    // The keyboard moves the focus into the list of channels and onto the messages.
    for css in [
        ".send",
        "#channels .target:not([aria-current=true])",
        "#messages",
    ] {
        page.run(
            "document.querySelector(arguments[0]).focus({ focusVisible: true })",
            vec![css.into()],
        )
        .await;
        assert_eq!(
            page.run(outlined, vec![format!("{css}:focus").into()])
                .await,
            json!([true]),
            "{css}"
        );
    }
    assert_eq!(
        page.run(outlined, vec![".compose".into()]).await,
        json!([false])
    );
}

/// The contrasts of nicks in every hue with the backgrounds of messages and of mentions: their
/// number and the lowest (WCAG 2.2, 1.4.3).
const CONTRASTS: &str = "const canvas = new OffscreenCanvas(1, 1).getContext('2d', { willReadFrequently: true });
    const light = (colour) => {
        canvas.fillStyle = colour;
        canvas.fillRect(0, 0, 1, 1);
        const [r, g, b] = [...canvas.getImageData(0, 0, 1, 1).data].map((c) => c / 255)
            .map((c) => c <= .04045 ? c / 12.92 : ((c + .055) / 1.055) ** 2.4);
        return .2126 * r + .7152 * g + .0722 * b;
    };
    const backs = ['.main', '.mention'].map((css) => light(getComputedStyle(document.querySelector(css)).backgroundColor));
    const nick = document.querySelector('.mention .nick');
    const contrasts = Array.from({ length: 360 }, (_, hue) => {
        nick.style.setProperty('--hue', hue);
        const front = light(getComputedStyle(nick).color);
        return backs.map((back) => (Math.max(front, back) + .05) / (Math.min(front, back) + .05));
    }).flat();
    return [contrasts.length, Math.min(...contrasts)]";

#[tokio::test(flavor = "multi_thread")]
async fn nicks_of_every_hue_can_be_read() {
    let server = TestServer::start().await;
    let browsers = Browsers::take_turn().await;
    let page = browsers.open(Window::Desktop).await;
    page.create_session(&server.url(""), "alice").await;
    page.say("/join #rust").await;
    page.says("#title", "#rust").await;
    let [bob] = server.sessions_on("#rust", ["bob"]).await;
    bob.send("PRIVMSG #rust :hello alice").await;
    page.shows("#messages .mention .nick").await;
    for scheme in ["light", "dark"] {
        page.prefers(&[("prefers-color-scheme", scheme)]).await;
        let found = page.run(CONTRASTS, vec![]).await;
        assert!(
            found[0] == 720 && found[1].as_f64().unwrap() >= 4.5,
            "{scheme}: {found}"
        );
    }
}
