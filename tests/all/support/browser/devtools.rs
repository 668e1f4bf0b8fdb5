//! What no page and no WebDriver command can do, by Chromium's DevTools protocol.

use std::str::FromStr;

use fantoccini::{Client, error::CmdError, wd::WebDriverCompatibleCommand};
use reqwest::{Method, Url};
use serde_json::{Value, json};

use super::Page;

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

pub async fn devtools(browser: &Client, method: &str, params: Value) -> Result<(), CmdError> {
    let command = DevTools(json!({"cmd": method, "params": params}));
    browser.issue_cmd(command).await.map(drop)
}

impl Page {
    pub async fn devtools(&self, method: &str, params: Value) {
        devtools(self.browser(), method, params).await.unwrap();
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
}
