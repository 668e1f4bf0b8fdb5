//! Refusals as OAuth writes them (RFC 6749 §5.2).

use std::collections::BTreeMap;

use axum::response::{IntoResponse, Response};
use serde::Serialize;
use utoipa::{
    IntoResponses, ToSchema,
    openapi::{self, Content, Ref, RefOr},
};

use crate::{
    error::{Code, Error},
    http::{errors::problem, extract::body::Json},
};

/// An error on its way to an app.
pub struct Refusal(pub Error);

impl From<Error> for Refusal {
    fn from(error: Error) -> Self {
        Self(error)
    }
}

/// The body of every OAuth error.
#[derive(Serialize, ToSchema)]
#[schema(example = json!({"error": "invalid_client", "error_description": "…"}))]
pub struct RefusalView<'a> {
    error: &'static str,
    error_description: &'a str,
}

/// The error's name in OAuth. An error without one becomes `invalid_request`, `server_error`
/// or `temporarily_unavailable`.
pub fn name(error: &Error) -> &'static str {
    match error.code {
        code @ (Code::InvalidClient
        | Code::InvalidToken
        | Code::InvalidScope
        | Code::InvalidGrant
        | Code::UnauthorizedClient
        | Code::UnsupportedGrantType
        | Code::UnsupportedResponseType
        | Code::AccessDenied
        | Code::AuthorizationPending
        | Code::SlowDown
        | Code::ExpiredToken
        | Code::LoginRequired
        | Code::ConsentRequired) => code.name(),
        Code::Throttled | Code::StorageLimit | Code::Overloaded | Code::StorageFailed => {
            "temporarily_unavailable"
        }
        _ if error.is_failure() => "server_error",
        _ => "invalid_request",
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let Self(error) = self;
        let view = RefusalView {
            error: name(&error),
            error_description: &error.detail,
        };
        let mut response = (problem::status(&error), Json(view)).into_response();
        problem::add_headers(&error, response.headers_mut());
        response
    }
}

/// The errors of an endpoint for apps, for the description.
pub enum Refusals {}

impl IntoResponses for Refusals {
    fn responses() -> BTreeMap<String, RefOr<openapi::Response>> {
        // Errors from before the handler are problem details, as everywhere.
        let shared = [
            problem::PublicProblems::responses(),
            problem::TimedOut::responses(),
        ];
        let own = [
            (400, "The request is refused"),
            (401, "The app's credentials are wrong"),
            (429, "Too many requests"),
            (503, "The server is overloaded, or its storage failed"),
        ]
        .map(|(status, about)| {
            let content = Content::new(Some(Ref::from_schema_name(RefusalView::name())));
            let response = openapi::ResponseBuilder::new()
                .description(about)
                .content("application/json", content);
            (status.to_string(), response.build().into())
        });
        shared.into_iter().flatten().chain(own).collect()
    }
}
