//! Real Chromium, driven through ChromeDriver: profiles that are opened, closed and opened again.

use std::{
    io::{BufRead, BufReader},
    process::{Child, ChildStdout, Command, Stdio},
    str::FromStr,
    sync::{Condvar, Mutex},
    time::Duration,
};

use fantoccini::{
    Client, ClientBuilder, Locator,
    wd::{WebDriverCompatibleCommand, WindowHandle},
};
use hyper_util::client::legacy::connect::HttpConnector;
use reqwest::{Method, Url};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::time::Instant;

use super::{Device, TEST_TIMEOUT, TestServer, until};

/// No window of Chromium's is narrower; what is, it has to be told to take for a phone's.
const NARROWEST: u32 = 500;
/// Has a page acknowledge without the seconds that it waits.
pub const ACKNOWLEDGING_AT_ONCE: &str = "const wait = setTimeout;
    window.setTimeout = (action, delay, ...more) => wait(action, delay === 5000 ? 0 : delay, ...more)";
/// Between two looks at a page.
const LOOK: Duration = Duration::from_millis(20);

pub struct Driver {
    process: Child,
    url: String,
    /// Kept open: what the driver and its browsers print goes nowhere, but must have somewhere to
    /// go.
    _output: Lines,
    _turn: Turn,
}

type Lines = std::io::Lines<BufReader<ChildStdout>>;

/// A browser's profile: what stays when the browser is closed.
pub struct Profile {
    folder: TempDir,
    width: u32,
    height: u32,
}

/// A page in an open browser.
pub struct Page {
    browser: Client,
}

/// Tries something on a phone and on a desktop, at once, each with a server of its own.
pub async fn at_both_widths(test: impl AsyncFn(TestServer, &Page)) {
    let driver = Driver::start();
    let at = async |profile: Profile| {
        test(TestServer::start().await, &driver.open(&profile).await).await
    };
    tokio::join!(at(Profile::phone()), at(Profile::desktop()));
}

/// Drivers at one time: browsers are hungry, and a test that waits for a page waits for all the
/// others.
const DRIVERS: usize = 3;
static RUNNING: (Mutex<usize>, Condvar) = (Mutex::new(0), Condvar::new());
/// Now and then the port that the system picked is taken by another before the driver has all of
/// it.
const STARTS: usize = 5;

/// A driver's place among those that run.
struct Turn;

impl Turn {
    fn wait() -> Self {
        let (running, freed) = &RUNNING;
        let full = |running: &mut usize| *running >= DRIVERS;
        *freed.wait_while(running.lock().unwrap(), full).unwrap() += 1;
        Self
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        *RUNNING.0.lock().unwrap() -= 1;
        RUNNING.1.notify_one();
    }
}

impl Driver {
    pub fn start() -> Self {
        let turn = Turn::wait();
        let (process, url, lines) = (0..STARTS)
            .find_map(|_| Self::try_start())
            .expect("chromedriver starts");
        Self {
            process,
            url,
            _output: lines,
            _turn: turn,
        }
    }

    fn try_start() -> Option<(Child, String, Lines)> {
        let mut process = Command::new("chromedriver")
            .arg("--port=0")
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("chromedriver is installed by tests/run");
        let mut lines = BufReader::new(process.stdout.take().unwrap()).lines();
        let port = lines.by_ref().map_while(Result::ok).find_map(|line| {
            let port = line.split("started successfully on port ").nth(1)?;
            Some(port.trim_end_matches('.').to_owned())
        });
        match port {
            Some(port) => Some((process, format!("http://127.0.0.1:{port}"), lines)),
            None => {
                // It has given up, and says so no better.
                let _ = process.wait();
                None
            }
        }
    }

    /// Opens a browser on a profile.
    pub async fn open(&self, profile: &Profile) -> Page {
        self.open_with(profile, &[]).await
    }

    /// The same with further flags.
    pub async fn open_with(&self, profile: &Profile, flags: &[&str]) -> Page {
        let folder = format!("--user-data-dir={}", profile.folder.path().display());
        let size = format!("--window-size={},{}", profile.width, profile.height);
        let mut args = vec![
            "--headless=new",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-quic",
            "--disable-dev-shm-usage",
            "--no-first-run",
            "--disable-background-networking",
            "--disable-component-update",
            "--disable-sync",
            &folder,
            &size,
        ];
        args.extend(flags);
        let mut options = json!({ "args": args });
        if profile.width < NARROWEST {
            let metrics = json!({"width": profile.width, "height": profile.height, "pixelRatio": 1, "touch": false});
            options["mobileEmulation"] = json!({ "deviceMetrics": metrics });
        }
        let capabilities = serde_json::Map::from_iter([("goog:chromeOptions".into(), options)]);
        let mut builder = ClientBuilder::new(HttpConnector::new());
        let browser = builder
            .capabilities(capabilities)
            .connect(&self.url)
            .await
            .unwrap();
        Page { browser }
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        // Browsers that a failed test left open end with their driver.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

impl Profile {
    pub fn new(width: u32, height: u32) -> Self {
        Self {
            folder: tempfile::tempdir().unwrap(),
            width,
            height,
        }
    }

    pub fn desktop() -> Self {
        Self::new(1280, 800)
    }

    pub fn width(&self) -> u32 {
        self.width
    }

    pub fn phone() -> Self {
        Self::new(360, 740)
    }
}

impl Page {
    /// Closes the browser, as a person does it without a word to the server.
    pub async fn close(self) {
        self.browser.close().await.unwrap();
    }

    pub async fn goto(&self, url: &str) {
        self.browser.goto(url).await.unwrap();
    }

    pub async fn reload(&self) {
        self.browser.refresh().await.unwrap();
    }

    /// Opens another tab and goes to it; gives back the one that was left.
    pub async fn new_tab(&self) -> WindowHandle {
        let tab = self.browser.new_window(true).await.unwrap().handle;
        self.to_tab(tab).await
    }

    /// Waits for a tab that the page has opened and goes to it; gives back the one that was left.
    pub async fn to_opened_tab(&self) -> WindowHandle {
        let left = self.browser.window().await.unwrap();
        let mut opened = None;
        until("a tab to be opened", async || {
            opened = self
                .browser
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

    /// Goes to a tab; gives back the one that was left.
    pub async fn to_tab(&self, tab: WindowHandle) -> WindowHandle {
        let left = self.browser.window().await.unwrap();
        self.back_to_tab(tab).await;
        left
    }

    /// Goes to a tab from one that may be closed by now.
    pub async fn back_to_tab(&self, tab: WindowHandle) {
        self.browser.switch_to_window(tab).await.unwrap();
    }

    /// What a script returns.
    pub async fn run(&self, script: &str, args: Vec<Value>) -> Value {
        self.browser.execute(script, args).await.unwrap()
    }

    /// What a script gives to the function that is its last argument.
    pub async fn run_async(&self, script: &str, args: Vec<Value>) -> Value {
        self.browser.execute_async(script, args).await.unwrap()
    }

    /// Waits until a script returns something that is true, and gives it back.
    pub async fn until(&self, script: &str, args: Vec<Value>) -> Value {
        let deadline = Instant::now() + TEST_TIMEOUT;
        loop {
            // A page that is being left has no answer.
            let found = self
                .browser
                .execute(script, args.clone())
                .await
                .unwrap_or(Value::Null);
            if !matches!(found, Value::Null | Value::Bool(false)) {
                return found;
            }
            if Instant::now() > deadline {
                let page = self.text("body").await;
                panic!("waited in vain for {script} {args:?}; the page says:\n{page}");
            }
            tokio::time::sleep(LOOK).await;
        }
    }

    /// Waits until an element is there and can be seen.
    pub async fn shows(&self, css: &str) {
        self.until(
            "return document.querySelector(arguments[0])?.checkVisibility() ?? false",
            vec![css.into()],
        )
        .await;
    }

    /// Waits until the text of an element, or of one of several, has this in it.
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

    /// Types into a field, key by key; a line break is Enter.
    pub async fn types(&self, css: &str, text: &str) {
        self.shows(css).await;
        let keys = text.replace('\n', "\u{e007}");
        self.browser
            .find(Locator::Css(css))
            .await
            .unwrap()
            .send_keys(&keys)
            .await
            .unwrap();
    }

    /// Clicks on an element; one that is drawn anew between the look and the click is looked for
    /// once more.
    pub async fn click(&self, css: &str) {
        let deadline = Instant::now() + TEST_TIMEOUT;
        loop {
            self.shows(css).await;
            let clicked = match self.browser.find(Locator::Css(css)).await {
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

    /// Picks a nick on the first page.
    pub async fn create_session(&self, base: &str, nick: &str) {
        self.goto(base).await;
        self.types("#nick", nick).await;
        self.click("#start").await;
        self.shows("#composer").await;
    }

    pub async fn say(&self, text: &str) {
        self.types("#composer", &format!("{text}\n")).await;
    }

    /// What was said, as `nick: text`, as far as the page shows it.
    pub async fn messages(&self) -> Vec<String> {
        let script = "return [...document.querySelectorAll('#messages .message')]
            .map((m) => `${m.dataset.source}: ${m.querySelector('.text').innerText}`)";
        serde_json::from_value(self.run(script, vec![]).await).unwrap()
    }

    /// Waits until something said is here, and no longer pending.
    pub async fn shows_message(&self, line: &str) {
        let script = "return [...document.querySelectorAll('#messages .message[data-id]')]
            .some((m) => `${m.dataset.source}: ${m.querySelector('.text').innerText}` === arguments[0])";
        self.until(script, vec![line.into()]).await;
    }

    /// Waits until so many elements are there.
    pub async fn counts(&self, css: &str, count: usize) {
        let script = "return document.querySelectorAll(arguments[0]).length === arguments[1]";
        self.until(script, vec![css.into(), count.into()]).await;
    }

    /// Activates what a narrow window may have in a drawer.
    pub async fn press(&self, css: &str) {
        self.until(
            "const found = document.querySelector(arguments[0]); found?.click(); return found !== null",
            vec![css.into()],
        )
        .await;
    }

    /// Has the browser do what no page can, by Chromium's DevTools protocol.
    pub async fn devtools(&self, method: &str, params: Value) {
        self.browser
            .issue_cmd(DevTools(json!({"cmd": method, "params": params})))
            .await
            .unwrap();
    }

    /// Takes the network away from what the page asks for, or gives it back.
    pub async fn set_offline(&self, offline: bool) {
        self.devtools("Network.enable", json!({})).await;
        let network = json!({"offline": offline, "latency": 0, "downloadThroughput": -1, "uploadThroughput": -1});
        self.devtools("Network.emulateNetworkConditions", network)
            .await;
    }

    /// Has a script run in every page of this tab from now on, before the page's own.
    pub async fn add_startup_script(&self, script: &str) {
        self.devtools(
            "Page.addScriptToEvaluateOnNewDocument",
            json!({ "source": script }),
        )
        .await;
    }

    /// Sets what the person prefers, as style sheets ask for it: these features, and no others.
    pub async fn prefers(&self, features: &[(&str, &str)]) {
        let features: Vec<_> = features
            .iter()
            .map(|(name, value)| json!({"name": name, "value": value}))
            .collect();
        self.devtools(
            "Emulation.setEmulatedMedia",
            json!({ "features": features }),
        )
        .await;
    }

    pub async fn screenshot(&self) -> Vec<u8> {
        self.browser.screenshot().await.unwrap()
    }

    /// Where the page's first frame has come to.
    pub async fn frame_address(&self) -> String {
        self.browser
            .find(Locator::Css("iframe"))
            .await
            .unwrap()
            .enter_frame()
            .await
            .unwrap();
        let address = self.run("return location.href", vec![]).await;
        self.browser.enter_parent_frame().await.unwrap();
        address.as_str().unwrap().to_owned()
    }

    /// Whether the window is so narrow that the chat's side columns are drawers.
    pub async fn has_drawers(&self) -> bool {
        self.run(
            "return document.querySelector('#open-sidebar').checkVisibility()",
            vec![],
        )
        .await
            == true
    }

    /// The same device, as a program has it.
    pub async fn device(&self, server: &TestServer) -> Device {
        server
            .device()
            .with_cookie(&format!("rejoin={}", self.cookie("rejoin").await))
    }

    /// The value of one cookie, which no script can see.
    pub async fn cookie(&self, name: &str) -> String {
        self.browser
            .get_named_cookie(name)
            .await
            .unwrap()
            .value()
            .to_owned()
    }

    /// The cookies of this page's origin, as the browser itself tells of them.
    pub async fn cookies(&self) -> Vec<(String, bool)> {
        let cookies = self.browser.get_all_cookies().await.unwrap();
        cookies
            .iter()
            .map(|cookie| (cookie.name().to_owned(), cookie.http_only() == Some(true)))
            .collect()
    }
}

/// A command of the DevTools protocol, as ChromeDriver passes it on.
#[derive(Debug)]
struct DevTools(Value);

impl WebDriverCompatibleCommand for DevTools {
    fn endpoint(&self, base: &Url, session: Option<&str>) -> Result<Url, <Url as FromStr>::Err> {
        base.join(&format!("session/{}/goog/cdp/execute", session.unwrap()))
    }

    fn method_and_body(&self, _: &Url) -> (Method, Option<String>) {
        (Method::POST, Some(self.0.to_string()))
    }
}
