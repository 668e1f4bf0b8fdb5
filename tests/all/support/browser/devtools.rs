//! Commands of Chromium's DevTools protocol, for what neither a page nor WebDriver can do.

use std::str::FromStr;

use fantoccini::{Client, error::CmdError, wd::WebDriverCompatibleCommand};
use reqwest::{Method, Url};
use serde_json::{Value, json};

use super::Page;

/// A command of the DevTools protocol that ChromeDriver passes on.
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

pub async fn devtools(browser: &Client, method: &str, params: Value) -> Result<(), CmdError> {
    let command = DevTools(json!({"cmd": method, "params": params}));
    browser.issue_cmd(command).await.map(drop)
}

impl Page {
    pub async fn devtools(&self, method: &str, params: Value) {
        devtools(self.browser(), method, params).await.unwrap();
    }

    /// Turns the page's network off or on.
    pub async fn set_offline(&self, offline: bool) {
        self.devtools("Network.enable", json!({})).await;
        let network = json!({"offline": offline, "latency": 0, "downloadThroughput": -1, "uploadThroughput": -1});
        self.devtools("Network.emulateNetworkConditions", network)
            .await;
    }

    /// Runs a script in every later page of this tab, before the page's own scripts.
    pub async fn add_startup_script(&self, script: &str) {
        self.devtools(
            "Page.addScriptToEvaluateOnNewDocument",
            json!({ "source": script }),
        )
        .await;
    }

    /// Sets the user's preferences, as style sheets query them. All other preferences are reset.
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
}
