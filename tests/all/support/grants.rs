//! Grants of sessions to apps, from the consent page to the tokens.

use serde_json::Value;

use super::{App, Device, REDIRECT};

/// The flags with which the tests register an app that gets grants.
pub const FLAGS: [&str; 2] = ["--redirect-uri", REDIRECT];

impl App {
    /// Gives the app a grant of the device's session. Returns the refresh token.
    pub async fn refresh_token_for(&self, by: &Device, scope: &str) -> String {
        self.sign_in(by, scope).await["refresh_token"]
            .as_str()
            .unwrap()
            .to_owned()
    }

    /// Does the same. Returns a program with the first access token.
    pub async fn user(&self, by: &Device, scope: &str) -> Device {
        self.program.with_token(
            self.sign_in(by, scope).await["access_token"]
                .as_str()
                .unwrap(),
        )
    }

    /// Uses a refresh token. An empty scope requests no particular one.
    pub async fn refresh(&self, token: &str, scope: &str) -> (u16, Value) {
        self.ask(
            "/auth/token",
            &[
                ("grant_type", "refresh_token"),
                ("refresh_token", token),
                ("scope", scope),
            ],
        )
        .await
    }

    /// Uses a refresh token. Returns a program with the new access token, and the new refresh
    /// token.
    pub async fn refreshed(&self, token: &str) -> (Device, String) {
        let (status, body) = self.refresh(token, "").await;
        assert_eq!(status, 200, "{body}");
        let text = |name: &str| body[name].as_str().unwrap().to_owned();
        (
            self.program.with_token(&text("access_token")),
            text("refresh_token"),
        )
    }

    /// The id of the grant to which a program's token belongs.
    pub async fn grant_of(&self, program: &Device) -> i64 {
        self.introspect(program).await["grant_id"].as_i64().unwrap()
    }
}
