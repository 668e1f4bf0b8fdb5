//! An app as a value: its credentials, and the requests that it makes with them.

use std::path::Path;

use reqwest::{Method, Response};
use serde_json::{Value, json};

use super::{Device, JsonAnswer, TestServer, rejoin};

/// An API key, or an app that the operator registered.
#[derive(Clone, Debug)]
pub struct App {
    /// A program without a cookie and without a token.
    pub program: Device,
    pub client_id: String,
    /// The client secret, empty for a public app.
    pub secret: String,
}

impl Device {
    /// Issues an API key of this device's session, named `bot`.
    pub async fn create_key(&self, scope: &str) -> App {
        self.create_key_with(json!({"name": "bot", "scope": scope}))
            .await
    }

    pub async fn create_key_with(&self, wanted: Value) -> App {
        let key = self.post("/api/v1/keys", wanted).await.unwrap();
        App::of(self, &key)
    }

    /// Whether this program's token no longer works.
    pub async fn token_is_invalid(&self) -> bool {
        self.call(Method::GET, "/api/v1/session")
            .await
            .is_err_and(|problem| problem.code == "invalid_token")
    }

    /// The keys of the session.
    pub async fn keys(&self) -> Vec<Value> {
        self.get("/api/v1/keys").await.items().to_vec()
    }
}

/// Registers an app as the operator, with further flags, whether or not a server is running.
/// Returns its credentials.
pub async fn register(database: &Path, name: &str, flags: &[&str]) -> Value {
    let printed = rejoin(
        database,
        &[&["app", "add", "--json", "--name", name], flags].concat(),
    )
    .await
    .unwrap();
    serde_json::from_str(&printed).unwrap()
}

impl TestServer {
    /// Registers an app as the operator.
    pub async fn app(&self, name: &str, flags: &[&str]) -> App {
        App::of(
            &self.device(),
            &register(&self.database(), name, flags).await,
        )
    }
}

impl App {
    /// The app with the credentials in an answer.
    pub fn of(device: &Device, key: &Value) -> Self {
        let text = |name: &str| key[name].as_str().unwrap_or_default().to_owned();
        let program = Device::new(device.base.clone());
        Self {
            program,
            client_id: text("client_id"),
            secret: text("client_secret"),
        }
    }

    /// Posts a form that includes the app's credentials. A public app sends only its client_id.
    pub async fn post(&self, path: &str, params: &[(&str, &str)]) -> Response {
        let own = [
            ("client_id", self.client_id.as_str()),
            ("client_secret", self.secret.as_str()),
        ];
        let own = if self.secret.is_empty() {
            &own[..1]
        } else {
            &own[..]
        };
        let form = [own, params].concat();
        self.program
            .request(Method::POST, path)
            .form(&form)
            .send()
            .await
            .unwrap()
    }

    /// Posts the same form. Returns the status and the body.
    pub async fn ask(&self, path: &str, params: &[(&str, &str)]) -> (u16, Value) {
        let response = self.post(path, params).await;
        let status = response.status().as_u16();
        (
            status,
            serde_json::from_slice(&response.bytes().await.unwrap()).unwrap_or(Value::Null),
        )
    }

    /// Requests an access token for a scope. An empty scope requests the default one.
    pub async fn try_token(&self, scope: &str) -> (u16, Value) {
        self.ask(
            "/auth/token",
            &[("grant_type", "client_credentials"), ("scope", scope)],
        )
        .await
    }

    /// A program with a new access token of the app.
    pub async fn token(&self, scope: &str) -> Device {
        let (status, body) = self.try_token(scope).await;
        assert_eq!(status, 200, "{body}");
        self.program
            .with_token(body["access_token"].as_str().unwrap())
    }

    /// The app's introspection of a program's token.
    pub async fn introspect(&self, of: &Device) -> Value {
        let (status, body) = self
            .ask("/auth/introspect", &[("token", of.token.as_ref().unwrap())])
            .await;
        assert_eq!(status, 200, "{body}");
        body
    }
}
