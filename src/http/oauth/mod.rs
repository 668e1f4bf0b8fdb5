//! OAuth's endpoints (RFC 6749, 7009, 7662, 8414, 8628).
//!
//! The endpoints under `/auth` take forms and identify apps by their credentials, never by a
//! cookie. Their errors are those of RFC 6749. The pages are for users, and identify them only by
//! their cookie.

pub mod authorize;
pub mod authorize_request;
pub mod device;
pub mod metadata;
pub mod revocations;
pub mod tokens;
pub mod userinfo;
