//! OAuth's endpoints (RFC 6749, 7009, 7662, 8414, 8628).
//!
//! The endpoints under `/auth` take forms and know apps by their credentials, never by a cookie;
//! they refuse as RFC 6749 does. The pages are for people and know them by their cookie alone.

pub mod authorize;
pub mod authorize_request;
pub mod device;
pub mod metadata;
pub mod revocations;
pub mod tokens;
pub mod userinfo;
