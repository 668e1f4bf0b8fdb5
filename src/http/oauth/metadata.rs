//! The server's metadata, which OAuth libraries ask for first (RFC 8414).

use std::sync::Arc;

use axum::extract::State;
use serde::Serialize;
use utoipa::ToSchema;

use crate::{
    http::{
        errors::problem::PageProblems, extract::body::Json, middleware::origin::OwnOrigins,
        oauth::tokens::DEVICE_CODE,
    },
    model::Scope,
};

const AUTH_METHODS: [&str; 2] = ["client_secret_basic", "client_secret_post"];

/// The server's metadata (RFC 8414 §2).
#[derive(Serialize, ToSchema)]
pub struct Metadata {
    issuer: String,
    authorization_endpoint: String,
    token_endpoint: String,
    device_authorization_endpoint: String,
    introspection_endpoint: String,
    revocation_endpoint: String,
    userinfo_endpoint: String,
    scopes_supported: Vec<&'static str>,
    response_types_supported: Vec<&'static str>,
    response_modes_supported: Vec<&'static str>,
    grant_types_supported: Vec<&'static str>,
    code_challenge_methods_supported: Vec<&'static str>,
    /// RFC 9207.
    authorization_response_iss_parameter_supported: bool,
    token_endpoint_auth_methods_supported: Vec<&'static str>,
    introspection_endpoint_auth_methods_supported: Vec<&'static str>,
    revocation_endpoint_auth_methods_supported: Vec<&'static str>,
}

/// The server's OAuth metadata: its endpoints and what they support.
#[utoipa::path(get, security(()), path = "/.well-known/oauth-authorization-server", tag = "oauth",
    responses((status = 200, description = "The metadata of the authorization server (RFC 8414)", body = Metadata), PageProblems))]
pub async fn metadata(State(own_origins): State<Arc<OwnOrigins>>) -> Json<Metadata> {
    let issuer = own_origins.issuer();
    let at = |path: &str| format!("{issuer}{path}");
    Json(Metadata {
        issuer: issuer.to_owned(),
        authorization_endpoint: at("/auth/authorize"),
        token_endpoint: at("/auth/token"),
        device_authorization_endpoint: at("/auth/device"),
        introspection_endpoint: at("/auth/introspect"),
        revocation_endpoint: at("/auth/revoke"),
        userinfo_endpoint: at("/auth/userinfo"),
        scopes_supported: Scope::ALL.iter().map(|scope| scope.name()).collect(),
        response_types_supported: vec!["code"],
        response_modes_supported: vec!["query"],
        grant_types_supported: vec![
            "authorization_code",
            "client_credentials",
            "refresh_token",
            DEVICE_CODE,
        ],
        code_challenge_methods_supported: vec!["S256"],
        authorization_response_iss_parameter_supported: true,
        token_endpoint_auth_methods_supported: [&AUTH_METHODS[..], &["none"]].concat(),
        // The type of an access token says that the app's own access token is accepted too (RFC
        // 8414 §2).
        introspection_endpoint_auth_methods_supported: [&AUTH_METHODS[..], &["Bearer"]].concat(),
        revocation_endpoint_auth_methods_supported: [&AUTH_METHODS[..], &["none"]].concat(),
    })
}
