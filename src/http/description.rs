//! The frame of the OpenAPI description; each handler describes itself.

use utoipa::{
    Modify, OpenApi,
    openapi::{
        self,
        security::{ApiKey, ApiKeyValue, Http, HttpAuthScheme, SecurityScheme},
    },
};

use crate::http::{
    errors::{oauth_error::RefusalView, problem::Problem},
    extract::auth::IDENTITY,
};

/// The description before the routes are added.
#[derive(OpenApi)]
#[openapi(
    info(title = "Rejoin", description = "An IRC-style chat server whose sessions are rejoined from any device by logging in."),
    modifiers(&Credentials),
    security(("cookie" = []), ("token" = []), ("token" = [], "identity" = [])),
    components(schemas(Problem, RefusalView)),
    tags((name = "session"), (name = "client"), (name = "chat"), (name = "delivery"), (name = "service"), (name = "oauth")),
)]
pub struct Description;

/// Describes the credentials that programs send: access tokens, and an app's own.
struct Credentials;

impl Modify for Credentials {
    fn modify(&self, description: &mut openapi::OpenApi) {
        let components = description.components.get_or_insert_default();
        components.add_security_scheme(
            "token",
            SecurityScheme::Http(Http::new(HttpAuthScheme::Bearer)),
        );
        let about = "The access token of the user for whom an app acts. The app's own access token \
                     is in Authorization.";
        let identity = ApiKeyValue::with_description(IDENTITY.as_str(), about);
        components
            .add_security_scheme("identity", SecurityScheme::ApiKey(ApiKey::Header(identity)));
        components.add_security_scheme(
            "app",
            SecurityScheme::Http(Http::new(HttpAuthScheme::Basic)),
        );
    }
}

/// Describes the cookie. The operator may choose its name.
pub fn describe_cookie(description: &mut openapi::OpenApi, name: &str) {
    let cookie =
        ApiKeyValue::with_description(name, "Set when a session is created and at a login.");
    let components = description.components.get_or_insert_default();
    components.add_security_scheme("cookie", SecurityScheme::ApiKey(ApiKey::Cookie(cookie)));
}
