//! A page in an open browser: what the user sees and does.

use std::{path::Path, time::Duration};

use fantoccini::{Client, Locator, wd::WindowHandle};
use serde_json::Value;
use tokio::time::Instant;

use super::pool::Lease;
use crate::support::{Device, TEST_TIMEOUT, TestServer, until};

/// A script that makes the page acknowledge at once, without its delay of seconds.
pub const ACKNOWLEDGING_AT_ONCE: &str = "const wait = setTimeout;
    window.setTimeout = (action, delay, ...more) => wait(action, delay === 5000 ? 0 : delay, ...more)";

/// A script that checks a condition inside the page, because each check from outside costs
/// milliseconds of processor time. After a second it returns that the condition is not met yet, so
/// that no command to the page waits long.
const WAIT: &str = "const args = [...arguments], done = args.pop(), end = Date.now() + 1000
    const look = function () { SCRIPT }
    const again = () => {
        let found
        try { found = look(...args) } catch {}
        if (![undefined, null, false].includes(found) || Date.now() > end) done(found ?? null)
        else setTimeout(again, 20)
    }
    again()";
/// The pause between two checks of a page that cannot answer because it is navigating.
const LOOK: Duration = Duration::from_millis(20);

/// A page in an open browser.
pub struct Page {
    lease: Lease,
}

impl Page {
    pub fn of(lease: Lease) -> Self {
        Self { lease }
    }

    pub fn browser(&self) -> &Client {
        self.lease.browser()
    }

    /// The folder of the browser's profile, which appears in its command line.
    pub fn profile(&self) -> &Path {
        self.lease.profile()
    }

    /// Closes the browser as a user does, without telling the server.
    pub async fn close(self) {
        self.lease.close().await;
    }

    pub async fn goto(&self, url: &str) {
        self.browser().goto(url).await.unwrap();
    }

    pub async fn reload(&self) {
        self.browser().refresh().await.unwrap();
    }

    /// Opens another tab and switches to it. Returns the previous tab.
    pub async fn new_tab(&self) -> WindowHandle {
        let tab = self.browser().new_window(true).await.unwrap().handle;
        self.to_tab(tab).await
    }

    /// Waits for a tab that the page has opened and switches to it. Returns the previous tab.
    pub async fn to_opened_tab(&self) -> WindowHandle {
        let left = self.browser().window().await.unwrap();
        let mut opened = None;
        until("a tab to be opened", async || {
            opened = self
                .browser()
                .windows()
                .await
                .unwrap()
                .into_iter()
                .find(|tab| *tab != left);
            opened.is_some()
        })
        .await;
        self.to_tab(opened.unwrap()).await
    }

    /// Switches to a tab. Returns the previous tab.
    pub async fn to_tab(&self, tab: WindowHandle) -> WindowHandle {
        let left = self.browser().window().await.unwrap();
        self.back_to_tab(tab).await;
        left
    }

    /// Switches to a tab from one that may be closed by now.
    pub async fn back_to_tab(&self, tab: WindowHandle) {
        self.browser().switch_to_window(tab).await.unwrap();
    }

    /// Runs a script. Returns its result.
    pub async fn run(&self, script: &str, args: Vec<Value>) -> Value {
        self.browser().execute(script, args).await.unwrap()
    }

    /// Runs a script whose last argument is a callback. Returns the value that the script passes to
    /// it.
    pub async fn run_async(&self, script: &str, args: Vec<Value>) -> Value {
        self.browser().execute_async(script, args).await.unwrap()
    }

    /// Waits until a script returns a true value. Returns that value.
    pub async fn until(&self, script: &str, args: Vec<Value>) -> Value {
        let deadline = Instant::now() + TEST_TIMEOUT;
        let wait = WAIT.replace("SCRIPT", script);
        loop {
            // A page that is navigating does not answer.
            match self.browser().execute_async(&wait, args.clone()).await {
                Ok(Value::Null | Value::Bool(false)) => {}
                Ok(found) => return found,
                Err(_) => tokio::time::sleep(LOOK).await,
            }
            if Instant::now() > deadline {
                let page = self.text("body").await;
                panic!("waited in vain for {script} {args:?}; the page says:\n{page}");
            }
        }
    }

    /// Waits until an element exists and is visible.
    pub async fn shows(&self, css: &str) {
        self.until(
            "return document.querySelector(arguments[0])?.checkVisibility() ?? false",
            vec![css.into()],
        )
        .await;
    }

    /// Waits until one of the matching elements contains a text.
    pub async fn says(&self, css: &str, text: &str) {
        let script = "return [...document.querySelectorAll(arguments[0])].some((e) => e.innerText.includes(arguments[1]))";
        self.until(script, vec![css.into(), text.into()]).await;
    }

    pub async fn text(&self, css: &str) -> String {
        let found = self
            .run(
                "return document.querySelector(arguments[0])?.innerText ?? ''",
                vec![css.into()],
            )
            .await;
        found.as_str().unwrap_or_default().to_owned()
    }

    /// Types into a field, key by key. A line break is the Enter key.
    pub async fn types(&self, css: &str, text: &str) {
        self.shows(css).await;
        let keys = text.replace('\n', "\u{e007}");
        self.browser()
            .find(Locator::Css(css))
            .await
            .unwrap()
            .send_keys(&keys)
            .await
            .unwrap();
    }

    /// Clicks an element. If the page replaces the element between the search and the click, the
    /// search is repeated.
    pub async fn click(&self, css: &str) {
        let deadline = Instant::now() + TEST_TIMEOUT;
        loop {
            self.shows(css).await;
            let clicked = match self.browser().find(Locator::Css(css)).await {
                Ok(found) => found.click().await,
                Err(error) => Err(error),
            };
            match clicked {
                Ok(()) => return,
                Err(error) if error.is_stale_element_reference() && Instant::now() < deadline => {}
                Err(error) => panic!("{css}: {error}"),
            }
        }
    }

    /// Creates a session on the first page.
    pub async fn create_session(&self, base: &str, nick: &str) {
        self.goto(base).await;
        self.types("#nick", nick).await;
        self.click("#start").await;
        self.shows("#composer").await;
    }

    pub async fn say(&self, text: &str) {
        self.types("#composer", &format!("{text}\n")).await;
    }

    /// The messages that the page shows, as `nick: text`.
    pub async fn messages(&self) -> Vec<String> {
        let script = "return [...document.querySelectorAll('#messages .message')]
            .map((m) => `${m.dataset.source}: ${m.querySelector('.text').innerText}`)";
        serde_json::from_value(self.run(script, vec![]).await).unwrap()
    }

    /// Waits until a message is shown and no longer pending.
    pub async fn shows_message(&self, line: &str) {
        let script = "return [...document.querySelectorAll('#messages .message[data-id]')]
            .some((m) => `${m.dataset.source}: ${m.querySelector('.text').innerText}` === arguments[0])";
        self.until(script, vec![line.into()]).await;
    }

    /// Waits until there are exactly `count` matching elements.
    pub async fn counts(&self, css: &str, count: usize) {
        let script = "return document.querySelectorAll(arguments[0]).length === arguments[1]";
        self.until(script, vec![css.into(), count.into()]).await;
    }

    /// Activates an element that a narrow window may keep in a drawer.
    pub async fn press(&self, css: &str) {
        self.until(
            "const found = document.querySelector(arguments[0]); found?.click(); return found !== null",
            vec![css.into()],
        )
        .await;
    }

    pub async fn screenshot(&self) -> Vec<u8> {
        self.browser().screenshot().await.unwrap()
    }

    /// The address of the page's first frame.
    pub async fn frame_address(&self) -> String {
        self.browser()
            .find(Locator::Css("iframe"))
            .await
            .unwrap()
            .enter_frame()
            .await
            .unwrap();
        let address = self.run("return location.href", vec![]).await;
        self.browser().enter_parent_frame().await.unwrap();
        address.as_str().unwrap().to_owned()
    }

    /// Whether the window is so narrow that the side columns of the chat are drawers.
    pub async fn has_drawers(&self) -> bool {
        self.run(
            "return document.querySelector('#open-sidebar').checkVisibility()",
            vec![],
        )
        .await
            == true
    }

    /// A device for API calls that has the page's cookie.
    pub async fn device(&self, server: &TestServer) -> Device {
        server
            .device()
            .with_cookie(&format!("rejoin={}", self.cookie("rejoin").await))
    }

    /// The value of a cookie, including one that no script can read.
    pub async fn cookie(&self, name: &str) -> String {
        self.browser()
            .get_named_cookie(name)
            .await
            .unwrap()
            .value()
            .to_owned()
    }

    /// The cookies of the page's origin, as the browser itself lists them.
    pub async fn cookies(&self) -> Vec<(String, bool)> {
        let cookies = self.browser().get_all_cookies().await.unwrap();
        cookies
            .iter()
            .map(|cookie| (cookie.name().to_owned(), cookie.http_only() == Some(true)))
            .collect()
    }
}
