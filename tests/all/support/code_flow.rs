//! A browser and an app in the authorization code flow.

use std::collections::BTreeMap;

use reqwest::{Method, Response};
use serde_json::Value;

use super::{App, Device};

/// The redirect URI of the tests' apps.
pub const REDIRECT: &str = "https://app.example/done";
/// A verifier and its challenge (RFC 7636 appendix B).
pub const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";

/// The path to which the consent page posts its decision.
pub const CONSENT: &str = "/auth/consent";

/// The fields of a form or a query, by name.
pub type Params = Vec<(String, String)>;

/// A browser's response: a page or a redirect.
#[derive(Debug)]
pub struct BrowserResponse {
    pub status: u16,
    pub location: String,
    pub policy: String,
    /// The Cross-Origin-Opener-Policy. It would separate the page from the app's window that opened
    /// it.
    pub opener: Option<String>,
    pub page: String,
}

impl BrowserResponse {
    async fn of(response: Response) -> Self {
        let header = |name| {
            response
                .headers()
                .get(name)
                .map(|value| value.to_str().unwrap().to_owned())
        };
        let (location, policy) = (
            header("location").unwrap_or_default(),
            header("content-security-policy").unwrap(),
        );
        let (status, opener) = (
            response.status().as_u16(),
            header("cross-origin-opener-policy"),
        );
        Self {
            status,
            location,
            policy,
            opener,
            page: response.text().await.unwrap(),
        }
    }

    /// The parameters of the redirect to this address.
    #[track_caller]
    pub fn redirect_params(&self, address: &str) -> BTreeMap<String, String> {
        let Self {
            status,
            location,
            page,
            ..
        } = self;
        let told = location
            .strip_prefix(address)
            .and_then(|rest| rest.strip_prefix(['?', '&']));
        assert!(
            *status == 303 && told.is_some(),
            "{status} {location} {page}"
        );
        form_urlencoded::parse(told.unwrap().as_bytes())
            .into_owned()
            .collect()
    }

    #[track_caller]
    pub fn code(&self) -> String {
        let told = self.redirect_params(REDIRECT);
        told.get("code")
            .unwrap_or_else(|| panic!("{told:?}"))
            .clone()
    }

    /// The error that the redirect tells the app.
    #[track_caller]
    pub fn error(&self) -> String {
        self.redirect_params(REDIRECT)["error"].clone()
    }
}

impl App {
    /// The app's authorization request for a scope.
    pub fn authorization_request(&self, scope: &str) -> Params {
        let pairs = [
            ("response_type", "code"),
            ("client_id", &self.client_id),
            ("redirect_uri", REDIRECT),
            ("scope", scope),
            ("state", "s t&te/ü"),
            ("code_challenge", CHALLENGE),
            ("code_challenge_method", "S256"),
        ];
        pairs
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .into()
    }

    /// Redeems a code.
    pub async fn redeem(&self, code: &str) -> (u16, Value) {
        let params = [
            ("grant_type", "authorization_code"),
            ("code", code),
            ("redirect_uri", REDIRECT),
            ("code_verifier", VERIFIER),
        ];
        self.ask("/auth/token", &params).await
    }

    /// Signs this device's session in to the app, up to the app's tokens. Returns them.
    pub async fn sign_in(&self, device: &Device, scope: &str) -> Value {
        let (status, tokens) = self
            .redeem(
                &device
                    .approve(&self.authorization_request(scope), &[])
                    .await
                    .code(),
            )
            .await;
        assert_eq!(status, 200, "{tokens}");
        tokens
    }
}

impl Device {
    /// Opens the page to which an app sends this browser.
    pub async fn open_authorization(&self, asking: &Params) -> BrowserResponse {
        self.open_page(&authorization_path(asking)).await
    }

    pub async fn open_page(&self, path: &str) -> BrowserResponse {
        BrowserResponse::of(self.request(Method::GET, path).send().await.unwrap()).await
    }

    pub async fn decide_consent(&self, asking: &Params, more: &[(&str, &str)]) -> BrowserResponse {
        let more = more
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        let form = asking.iter().cloned().chain(more).collect::<Vec<_>>();
        BrowserResponse::of(
            self.request(Method::POST, CONSENT)
                .form(&form)
                .send()
                .await
                .unwrap(),
        )
        .await
    }

    /// Approves on the page, with further fields of its form.
    pub async fn approve(&self, asking: &Params, more: &[(&str, &str)]) -> BrowserResponse {
        self.decide_consent(asking, &[more, &[("decision", "allow")]].concat())
            .await
    }
}

/// The path of an authorization request.
pub fn authorization_path(asking: &Params) -> String {
    let query = form_urlencoded::Serializer::new(String::new())
        .extend_pairs(asking)
        .finish();
    format!("/auth/authorize?{query}")
}

/// The same parameters, but with one of them changed or removed.
pub fn with_param(asking: &Params, name: &str, value: Option<&str>) -> Params {
    let others = asking.iter().filter(|(own, _)| own != name).cloned();
    others
        .chain(value.map(|value| (name.to_owned(), value.to_owned())))
        .collect()
}
