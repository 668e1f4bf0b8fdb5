//! The browsers that tests open. A browser that a test leaves in order is cleaned and serves the
//! next test, because starting Chromium takes longer than most tests need it.

use std::{
    path::Path,
    sync::{Arc, Mutex},
    time::Duration,
};

use fantoccini::{Client, ClientBuilder, error::CmdError};
use hyper_util::client::legacy::connect::HttpConnector;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::sync::{Semaphore, SemaphorePermit};

use super::{
    Page,
    devtools::devtools,
    driver::{DRIVER, RUNTIME},
};
use crate::support::TestServer;

/// The number of tests that may have browsers at the same time. Browsers need much processor time,
/// and each one slows down the pages of all tests.
const TURNS: usize = 3;
static FREE: Semaphore = Semaphore::const_new(TURNS);

/// The clean browsers that wait for the next test.
static POOL: Mutex<Vec<(Window, Client, Arc<TempDir>)>> = Mutex::new(Vec::new());

/// The most time for cleaning a browser. After that a new one is started instead.
const CLEANING: Duration = Duration::from_secs(20);

/// The width of Chromium's narrowest window. A narrower width is set by emulating a phone.
const NARROWEST: u32 = 500;

#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Window {
    Phone,
    Desktop,
}

impl Window {
    pub fn width(self) -> u32 {
        self.size().0
    }

    fn size(self) -> (u32, u32) {
        match self {
            Self::Phone => (360, 740),
            Self::Desktop => (1280, 800),
        }
    }
}

/// A browser's profile, which remains when the browser is closed and opened again.
pub struct Profile {
    folder: Arc<TempDir>,
    window: Window,
}

impl Profile {
    pub fn new(window: Window) -> Self {
        let folder = Arc::new(tempfile::tempdir_in(&DRIVER.profiles).unwrap());
        Self { folder, window }
    }
}

/// A test's turn to have browsers open.
pub struct Browsers {
    turn: Arc<SemaphorePermit<'static>>,
}

/// A test's hold on a browser.
pub struct Lease {
    /// `None` once the browser is closed.
    browser: Option<Client>,
    folder: Arc<TempDir>,
    /// The kind of window, if the browser will serve other tests, too.
    pooled: Option<Window>,
    turn: Arc<SemaphorePermit<'static>>,
}

/// Runs a test on a phone and on a desktop at the same time, each with a server of its own.
pub async fn at_both_widths(test: impl AsyncFn(TestServer, &Page)) {
    let browsers = Browsers::take_turn().await;
    let at = async |window: Window| {
        test(TestServer::start().await, &browsers.open(window).await).await;
    };
    tokio::join!(at(Window::Phone), at(Window::Desktop));
}

impl Browsers {
    pub async fn take_turn() -> Self {
        let turn = Arc::new(FREE.acquire().await.unwrap());
        Self { turn }
    }

    /// Opens a browser that has stored nothing.
    pub async fn open(&self, window: Window) -> Page {
        let waiting = {
            let mut pool = POOL.lock().unwrap();
            let found = pool.iter().position(|(own, ..)| *own == window);
            found.map(|at| pool.swap_remove(at))
        };
        let (browser, folder) = match waiting {
            Some((_, browser, folder)) => (browser, folder),
            None => {
                let profile = Profile::new(window);
                (launch(&profile, &[]).await, profile.folder)
            }
        };
        self.page(browser, folder, Some(window))
    }

    /// Opens a browser for this test alone, on a profile that can be opened again.
    pub async fn open_profile(&self, profile: &Profile) -> Page {
        let browser = launch(profile, &[]).await;
        self.page(browser, profile.folder.clone(), None)
    }

    /// Opens a browser for this test alone, with further flags.
    pub async fn open_with(&self, window: Window, flags: &[&str]) -> Page {
        let profile = Profile::new(window);
        let browser = launch(&profile, flags).await;
        self.page(browser, profile.folder, None)
    }

    fn page(&self, browser: Client, folder: Arc<TempDir>, pooled: Option<Window>) -> Page {
        Page::of(Lease {
            browser: Some(browser),
            folder,
            pooled,
            turn: self.turn.clone(),
        })
    }
}

impl Lease {
    pub fn browser(&self) -> &Client {
        self.browser.as_ref().expect("it is open")
    }

    pub fn profile(&self) -> &Path {
        self.folder.path()
    }

    pub async fn close(mut self) {
        let browser = self.browser.take().expect("it is open");
        browser.close().await.unwrap();
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        let Some(browser) = self.browser.take() else {
            return;
        };
        // A test that failed may have left the browser in any state.
        let pooled = self.pooled.filter(|_| !std::thread::panicking());
        let (folder, turn) = (self.folder.clone(), self.turn.clone());
        RUNTIME.spawn(async move {
            match pooled {
                Some(window) if is_clean(&browser, window).await => {
                    POOL.lock().unwrap().push((window, browser, folder));
                }
                _ => drop(browser.close().await),
            }
            drop(turn);
        });
    }
}

/// Cleans a browser for the next test. Returns false for one that cannot be cleaned in time.
async fn is_clean(browser: &Client, window: Window) -> bool {
    let cleaned = tokio::time::timeout(CLEANING, clean(browser, window)).await;
    matches!(cleaned, Ok(Ok(())))
}

/// Deletes everything that a browser could store, and waits until its window is like that of a new
/// browser.
///
/// Scripts, emulation, history and session storage belong to a tab, and go with it.
async fn clean(browser: &Client, window: Window) -> Result<(), CmdError> {
    let used = browser.windows().await?;
    let fresh = browser.new_window(true).await?.handle;
    for tab in used {
        browser.switch_to_window(tab).await?;
        browser.close_window().await?;
    }
    browser.switch_to_window(fresh).await?;
    let everything = json!({"origin": "*", "storageTypes": "all"});
    for (method, params) in [
        ("Network.clearBrowserCookies", json!({})),
        ("Network.clearBrowserCache", json!({})),
        ("Storage.clearDataForOrigin", everything),
        ("Browser.resetPermissions", json!({})),
        ("Page.bringToFront", json!({})),
    ] {
        devtools(browser, method, params).await?;
    }
    let look = "return [outerWidth, document.hasFocus(), document.visibilityState]";
    let ready = json!([window.width(), true, "visible"]);
    while browser.execute(look, vec![]).await? != ready {}
    Ok(())
}

async fn launch(profile: &Profile, flags: &[&str]) -> Client {
    let (width, height) = profile.window.size();
    let folder = format!("--user-data-dir={}", profile.folder.path().display());
    let size = format!("--window-size={width},{height}");
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
    if width < NARROWEST {
        let metrics = json!({"width": width, "height": height, "pixelRatio": 1, "touch": false});
        options["mobileEmulation"] = json!({ "deviceMetrics": metrics });
    }
    let capabilities =
        serde_json::Map::<String, Value>::from_iter([("goog:chromeOptions".into(), options)]);
    let connect = async move {
        let mut builder = ClientBuilder::new(HttpConnector::new());
        builder.capabilities(capabilities);
        builder.connect(&DRIVER.url).await
    };
    RUNTIME.spawn(connect).await.unwrap().unwrap()
}
