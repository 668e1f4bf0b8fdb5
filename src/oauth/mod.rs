//! Apps, grants and tokens: how tokens are issued, introspected and revoked (RFC 6749, 7009, 7662).
//!
//! An app gets a token for its own credentials, for a code that a session approved, or for a
//! refresh token. Each of these has a module here, and all of them end in [`tokens`]. A token
//! allows at most what its grant allows. When the app, the grant, its client or the session ends,
//! the others that depend on it end in the same transaction. [`crate::session::lifecycle`] holds
//! that cascade.

use std::time::Duration;

use crate::error::{Code, Error};

/// What both kinds of approval share: the scope that is asked for, and room for a new client.
pub mod approval;
/// The operator's apps: register, list, rotate, remove.
pub mod apps;
/// The authorization code flow (RFC 6749 §4.1): the request, and what the session answers.
pub mod authorize;
/// Tokens for an app's own credentials (RFC 6749 §4.4).
pub mod client_credentials;
mod credentials;
/// The device flow (RFC 8628).
pub mod device;
/// Grants as their session, the operator and their app see them.
pub mod grants;
/// Introspecting a token (RFC 7662).
pub mod introspect;
/// API keys, which a session owns.
pub mod keys;
mod mint;
/// Proof Key for Code Exchange (RFC 7636).
pub mod pkce;
mod proof;
/// Tokens for an authorization code (RFC 6749 §4.1.3).
pub mod redeem;
/// New tokens for a refresh token (RFC 6749 §6).
pub mod refresh;
mod revocation_feed;
/// The feed of ended grants that resource servers follow.
pub mod revocations;
/// Revoking a token (RFC 7009).
pub mod revoke;
/// Issuing tokens: what all token requests share.
pub mod tokens;

pub use credentials::{Credentials, authenticate, invalid_client};
pub use proof::{Proof, Shown, may_succeed};
pub use revocation_feed::RevocationFeed;

/// The longest time that older secrets may keep working after a rotation: 90 days.
pub const MAX_OVERLAP: Duration = Duration::from_hours(90 * 24);

/// The one answer to a code or refresh token that is unknown, expired, used, or another app's (RFC
/// 6749 §5.2).
fn invalid_grant() -> Error {
    Error::new(
        Code::InvalidGrant,
        "this code or token is unknown, expired, used, revoked or issued to another app",
    )
}

/// The error `access_denied`: the user denied the app's request (RFC 6749 §4.1.2.1, RFC 8628 §3.5).
pub fn access_denied() -> Error {
    Error::new(Code::AccessDenied, "the user denied the request")
}
