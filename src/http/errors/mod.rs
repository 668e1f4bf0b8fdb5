//! Errors as responses: problem details for the API, RFC 6749's form for OAuth's endpoints.

pub mod oauth_error;
pub mod problem;
