//! The device flow (RFC 8628): codes, polls and decisions.

use std::time::Duration;

use reqwest::{Method, header};
use serde_json::{Value, json};

use crate::support::{App, Device, FLAGS, JsonAnswer, TestServer, assert_integrity};

mod endings;
mod page;
mod polls;

const GRANT_TYPE: &str = "urn:ietf:params:oauth:grant-type:device_code";

/// Registers an app for the device flow. A public app has no secret.
pub async fn device_flow_app(server: &TestServer, name: &str, public: bool, scope: &str) -> App {
    let flags = ["--device", "--scope", scope, "--public"];
    server
        .app(name, if public { &flags } else { &flags[..3] })
        .await
}

/// A device that shows a code and polls.
pub struct PendingDevice {
    app: App,
    device_code: String,
    pub code: String,
}

impl PendingDevice {
    pub async fn start(app: &App) -> Self {
        let (status, body) = app.ask("/auth/device", &[]).await;
        assert_eq!(status, 200, "{body}");
        Self::shown(app, &body)
    }

    /// The device that got this answer from `/auth/device`.
    pub fn shown(app: &App, body: &Value) -> Self {
        let text = |name: &str| body[name].as_str().unwrap().to_owned();
        Self {
            app: app.clone(),
            device_code: text("device_code"),
            code: text("user_code"),
        }
    }

    async fn poll_as(&self, app: &App) -> (u16, Value) {
        app.ask(
            "/auth/token",
            &[
                ("grant_type", GRANT_TYPE),
                ("device_code", &self.device_code),
            ],
        )
        .await
    }

    /// Polls, and returns the error.
    pub async fn refusal(&self) -> String {
        let (status, body) = self.poll_as(&self.app).await;
        assert_eq!(
            status,
            if body["error"] == "invalid_client" {
                401
            } else {
                400
            },
            "{body}"
        );
        body["error"].as_str().unwrap().to_owned()
    }

    /// Polls, and returns the tokens.
    pub async fn tokens(&self) -> Value {
        let (status, body) = self.poll_as(&self.app).await;
        assert_eq!(status, 200, "{body}");
        body
    }

    pub async fn access(&self) -> Device {
        self.app
            .program
            .with_token(self.tokens().await["access_token"].as_str().unwrap())
    }
}

/// Posts a form of the page, and returns the status and the page.
async fn post(person: &Device, form: &[(&str, &str)]) -> (u16, String) {
    let response = person
        .request(Method::POST, "/device")
        .form(form)
        .send()
        .await
        .unwrap();
    (response.status().as_u16(), response.text().await.unwrap())
}

pub async fn decide(person: &Device, code: &str, decision: &str) -> (u16, String) {
    post(person, &[("user_code", code), ("decision", decision)]).await
}

pub async fn allow(person: &Device, code: &str) {
    let (status, page) = decide(person, code, "allow").await;
    assert_eq!(status, 200, "{page}");
}

/// The entries of the session's audit log with this action.
async fn audit(person: &Device, action: &str) -> Vec<Value> {
    let lines = person.get("/api/v1/audit").await;
    lines
        .items()
        .iter()
        .filter(|line| line["action"] == action)
        .cloned()
        .collect()
}

#[tokio::test]
async fn a_device_gets_in_with_its_code_and_is_then_like_any_other() {
    let server = TestServer::start().await;
    let [alice, bob] = server.sessions_on("#rust", ["alice", "bob"]).await;
    let app = device_flow_app(
        &server,
        "terminal",
        true,
        "chat:read chat:write identity session:manage",
    )
    .await;
    let response = app.post("/auth/device", &[]).await;
    assert_eq!(response.headers()[header::CACHE_CONTROL], "no-store");
    let body: Value = response.json().await.unwrap();
    let (device_code, code) = (
        body["device_code"].as_str().unwrap(),
        body["user_code"].as_str().unwrap(),
    );
    assert!(
        device_code.starts_with("rjd_") && device_code.len() == 47,
        "{device_code}"
    );
    let letters =
        |part: &str| part.len() == 4 && part.chars().all(|c| "BCDFGHJKLMNPQRSTVWXZ".contains(c));
    assert!(
        code.split('-').filter(|part| letters(part)).count() == 2 && code.len() == 9,
        "{code}"
    );
    let uri = server.url("/device");
    assert_eq!(body["verification_uri"], uri);
    assert_eq!(
        body["verification_uri_complete"],
        format!("{uri}?user_code={code}")
    );
    assert_eq!(
        (&body["expires_in"], &body["interval"]),
        (&json!(600), &json!(5))
    );

    let device = PendingDevice {
        app,
        device_code: device_code.into(),
        code: code.into(),
    };
    assert_eq!(device.refusal().await, "authorization_pending");
    server.advance(Duration::from_secs(125));
    let typed = format!(" {}", code.to_lowercase().replace('-', ""));
    let (status, page) = post(&alice, &[("user_code", &typed)]).await;
    assert_eq!(status, 200, "{page}");
    for told in [
        code,
        "terminal",
        "2 minutes ago",
        "127.0.0.1",
        "alice",
        "in your name",
        "#rust",
    ] {
        assert!(page.contains(told), "{told} is not on {page}");
    }
    assert!(
        !page.contains("manage this session"),
        "it was not requested by name"
    );
    assert_eq!(
        device.refusal().await,
        "authorization_pending",
        "it was only shown"
    );
    let (status, page) = decide(&alice, &typed, "allow").await;
    assert!(
        status == 200 && page.contains("Done") && page.contains("go back to your device"),
        "{page}"
    );

    let tokens = device.tokens().await;
    assert_eq!(
        (&tokens["token_type"], &tokens["expires_in"]),
        (&json!("Bearer"), &json!(600))
    );
    assert_eq!(tokens["scope"], "chat:read chat:write identity");
    let terminal = server
        .device()
        .with_token(tokens["access_token"].as_str().unwrap());
    assert_eq!(terminal.snapshot().await["session"]["nick"], "alice");
    terminal.send("PRIVMSG #rust :hello from a terminal").await;
    let heard = bob.queue().await.pop().unwrap();
    assert_eq!(
        (heard.source.as_str(), heard.app.as_deref()),
        ("alice", Some("terminal"))
    );
    let clients = alice.get("/api/v1/clients").await;
    assert_eq!(
        (clients.items().len(), &clients[1]["name"]),
        (2, &json!("terminal"))
    );
    let approved = &audit(&alice, "device_approved").await[0];
    assert_eq!(
        (&approved["app"], &approved["client"]),
        (&json!(device.app.client_id), &clients[0]["id"])
    );
    assert_eq!(audit(&alice, "grant_issued").await.len(), 1);
    assert_eq!(device.refusal().await, "invalid_grant", "a code works once");

    // It keeps the session alive, its refresh token works, and it can be removed.
    let refresh = [
        ("grant_type", "refresh_token"),
        ("refresh_token", tokens["refresh_token"].as_str().unwrap()),
    ];
    let (_, tokens) = device.app.ask("/auth/token", &refresh).await;
    let terminal = server
        .device()
        .with_token(tokens["access_token"].as_str().unwrap());
    let phone = server.phone_of(&alice, "alice").await;
    alice.send("QUIT").await;
    phone
        .delete(&format!("/api/v1/clients/{}", clients[1]["id"]))
        .await
        .unwrap();
    assert!(terminal.token_is_invalid().await);
    phone.snapshot().await;
    assert_integrity(&server.database());
}

#[tokio::test]
async fn a_device_alone_keeps_its_session() {
    let server = TestServer::start().await;
    let alice = server.create_session("alice").await;
    let device =
        PendingDevice::start(&device_flow_app(&server, "terminal", true, "chat:read").await).await;
    allow(&alice, &device.code).await;
    let terminal = device.access().await;
    alice.send("QUIT").await;
    assert_eq!(terminal.snapshot().await["session"]["nick"], "alice");
    terminal.send("QUIT").await;
    server.create_session("alice").await;
    assert_integrity(&server.database());
}

#[tokio::test]
async fn a_bad_request_is_refused_with_its_reason() {
    let server = TestServer::start().await;
    let alice = server.create_session("alice").await;
    let (public, own) = (
        device_flow_app(&server, "public", true, "chat:read session:manage").await,
        device_flow_app(&server, "own", false, "session:manage").await,
    );
    let with = |app: &App, secret: &str| App {
        secret: secret.into(),
        ..app.clone()
    };
    let nobody = App {
        client_id: "app_nobody".into(),
        ..public.clone()
    };
    for (case, app, scope, expected) in [
        (
            "a public app within its scope",
            &public,
            "chat:read session:manage",
            "",
        ),
        (
            "a public app beyond its scope",
            &public,
            "chat:write",
            "invalid_scope",
        ),
        (
            "a public app with an unknown scope",
            &public,
            "everything",
            "invalid_scope",
        ),
        ("an app without a default", &own, "", "invalid_scope"),
        ("an app within its scope", &own, "session:manage", ""),
        (
            "a secret of a public app",
            &with(&public, "rjk_x"),
            "",
            "invalid_client",
        ),
        (
            "no secret of an app that has one",
            &with(&own, ""),
            "session:manage",
            "invalid_client",
        ),
        (
            "a wrong secret",
            &with(&own, "rjk_x"),
            "session:manage",
            "invalid_client",
        ),
        ("an unknown app", &nobody, "", "invalid_client"),
        (
            "an API key",
            &alice.create_key("chat:read").await,
            "",
            "unauthorized_client",
        ),
        (
            "an app of another flow",
            &server.app("web", &FLAGS).await,
            "",
            "unauthorized_client",
        ),
    ] {
        let (status, body) = app.ask("/auth/device", &[("scope", scope)]).await;
        assert_eq!(
            body["error"].as_str().unwrap_or_default(),
            expected,
            "{case}"
        );
        let expected = if expected.is_empty() {
            200
        } else if expected == "invalid_client" {
            401
        } else {
            400
        };
        assert_eq!(status, expected, "{case}: {body}");
    }
    assert_eq!(server.rows("device_code"), 2);
    let device = PendingDevice::start(&public).await;
    for (case, app, code, expected) in [
        (
            "a secret of a public app",
            &with(&public, "rjk_x"),
            device.device_code.as_str(),
            "invalid_client",
        ),
        (
            "a code of another app, without a secret",
            &with(&own, ""),
            &device.device_code,
            "invalid_client",
        ),
        ("no code", &public, "", "invalid_request"),
        ("an unknown code", &public, "rjd_unknown", "invalid_grant"),
        ("the user code", &public, &device.code, "invalid_grant"),
    ] {
        let (_, body) = app
            .ask(
                "/auth/token",
                &[("grant_type", GRANT_TYPE), ("device_code", code)],
            )
            .await;
        assert_eq!(body["error"], expected, "{case}");
    }
    // Secrets of the device flow do not work as anything else.
    let secret = device.device_code.as_str();
    assert!(server.device().with_token(secret).token_is_invalid().await);
    let refresh = [("grant_type", "refresh_token"), ("refresh_token", secret)];
    assert_eq!(
        public.ask("/auth/token", &refresh).await.1["error"],
        "invalid_grant"
    );
    let code = ("user_code", device.code.as_str());
    for (form, status) in [
        (vec![], 400),
        (vec![("user_code", secret), ("decision", "allow")], 404),
        (vec![code, ("decision", "perhaps")], 400),
        (vec![code, ("decision", "allow"), ("decision", "deny")], 400),
        (vec![code, code, ("decision", "allow")], 400),
    ] {
        assert_eq!(post(&alice, &form).await.0, status, "{form:?}");
    }
    assert_eq!(
        device.refusal().await,
        "authorization_pending",
        "none of these requests decided"
    );
}
