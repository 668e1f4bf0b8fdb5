//! What sessions give apps, by the page and the code that comes of it.

use serde_json::Value;

use super::{App, Device, REDIRECT};

/// How an app is registered to which sessions give something in the tests.
pub const FLAGS: [&str; 2] = ["--redirect-uri", REDIRECT];

impl App {
    /// Lets a device's session give this app a grant; the refresh token.
    pub async fn refresh_token_for(&self, by: &Device, scope: &str) -> String {
        self.sign_in(by, scope).await["refresh_token"]
            .as_str()
            .unwrap()
            .to_owned()
    }

    /// The same; a program with the first access token.
    pub async fn user(&self, by: &Device, scope: &str) -> Device {
        self.program.with_token(
            self.sign_in(by, scope).await["access_token"]
                .as_str()
                .unwrap(),
        )
    }

    /// Presents a refresh token, and asks for a scope, or for none in particular if that is empty.
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

    /// A program that calls with the new access token, and the new refresh token.
    pub async fn refreshed(&self, token: &str) -> (Device, String) {
        let (status, body) = self.refresh(token, "").await;
        assert_eq!(status, 200, "{body}");
        let text = |name: &str| body[name].as_str().unwrap().to_owned();
        (
            self.program.with_token(&text("access_token")),
            text("refresh_token"),
        )
    }

    /// The id of the grant that a program's token is of.
    pub async fn grant_of(&self, program: &Device) -> i64 {
        self.introspect(program).await["grant_id"].as_i64().unwrap()
    }
}
