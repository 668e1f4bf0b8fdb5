//! An app as a value: its credentials, and what it asks for with them.

use reqwest::{Method, Response};
use serde_json::{Value, json};

use super::Device;

/// An API key, or an app that stands in the database.
#[derive(Clone, Debug)]
pub struct App {
    /// A program without cookie and token.
    pub program: Device,
    pub client_id: String,
    pub secret: String,
}

impl Device {
    /// Issues an API key of this device's session, named `bot`.
    pub async fn key(&self, scope: &str) -> App {
        self.key_of(json!({"name": "bot", "scope": scope})).await
    }

    pub async fn key_of(&self, wanted: Value) -> App {
        let key = self.post("/api/v1/keys", wanted).await.unwrap();
        App::of(self, &key)
    }

    /// Whether this program's token works no more.
    pub async fn is_cut_off(&self) -> bool {
        self.call(Method::GET, "/api/v1/session").await.is_err_and(|problem| problem.code == "invalid_token")
    }

    /// The session's keys.
    pub async fn keys(&self) -> Vec<Value> {
        self.get("/api/v1/keys").await.as_array().unwrap().clone()
    }
}

impl App {
    /// The app whose secret an answer shows.
    pub fn of(device: &Device, key: &Value) -> Self {
        let text = |name: &str| key[name].as_str().unwrap().to_owned();
        let program = Device::new(device.base.clone());
        Self { program, client_id: text("client_id"), secret: text("client_secret") }
    }

    /// Posts a form with the app's credentials in it.
    pub async fn post(&self, path: &str, params: &[(&str, &str)]) -> Response {
        let own = [("client_id", self.client_id.as_str()), ("client_secret", self.secret.as_str())];
        let form = [&own[..], params].concat();
        self.program.request(Method::POST, path).form(&form).send().await.unwrap()
    }

    /// The same, as status and body.
    pub async fn ask(&self, path: &str, params: &[(&str, &str)]) -> (u16, Value) {
        let response = self.post(path, params).await;
        let status = response.status().as_u16();
        (status, serde_json::from_slice(&response.bytes().await.unwrap()).unwrap_or(Value::Null))
    }

    /// Asks for an access token with a scope, or without one if that is empty.
    pub async fn try_token(&self, scope: &str) -> (u16, Value) {
        self.ask("/auth/token", &[("grant_type", "client_credentials"), ("scope", scope)]).await
    }

    /// A program that calls with a new access token.
    pub async fn token(&self, scope: &str) -> Device {
        let (status, body) = self.try_token(scope).await;
        assert_eq!(status, 200, "{body}");
        self.program.with_token(body["access_token"].as_str().unwrap())
    }

    /// What this app is told of a program's token.
    pub async fn introspect(&self, of: &Device) -> Value {
        let (status, body) = self.ask("/auth/introspect", &[("token", of.token.as_ref().unwrap())]).await;
        assert_eq!(status, 200, "{body}");
        body
    }
}
