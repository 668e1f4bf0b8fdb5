//! Apps, grants and tokens: how tokens are issued, introspected and revoked (RFC 6749, 7009, 7662).
//!
//! An app gets a token for its own credentials, for a code that a session approved, or for a
//! refresh token. Each of these has a module here, and all of them end in [`tokens`]. A token
//! allows at most what its grant allows. When the app, the grant, its client or the session ends,
//! the others that depend on it end in the same transaction. [`crate::session::lifecycle`] holds
//! that cascade.

use std::time::Duration;

use crate::{
    error::{Code, Error, Result},
    model::{Moment, Timestamp},
    secret::SecretHash,
    session::Core,
    store::{
        Read,
        app::{self, App},
        app_grant,
        app_secret::{self, AppSecret},
        authorization_code, device_code, token,
    },
};

/// What both kinds of approval share: the scope that is asked for, and room for a new client.
pub mod approval;
/// The operator's apps: register, list, rotate, remove.
pub mod apps;
/// The authorization code flow (RFC 6749 §4.1): the request, and what the session answers.
pub mod authorize;
/// Tokens for an app's own credentials (RFC 6749 §4.4).
pub mod client_credentials;
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

pub use proof::Proof;
pub use revocation_feed::RevocationFeed;

/// The longest time that older secrets may keep working after a rotation: 90 days.
pub const MAX_OVERLAP: Duration = Duration::from_hours(90 * 24);

/// How an app identifies itself. A public app has no secret and gives its name alone.
#[derive(Clone, Debug)]
pub struct Credentials {
    /// The app's public name.
    pub client_id: String,
    /// The hash of the secret, if one was presented.
    pub secret: Option<SecretHash>,
}

impl Credentials {
    /// Takes credentials as the app presented them. An empty secret counts as none.
    pub fn presented(client_id: String, secret: Option<&str>) -> Self {
        Self {
            client_id,
            secret: secret
                .filter(|secret| !secret.is_empty())
                .map(SecretHash::of),
        }
    }
}

/// What an app presents beside its credentials.
#[derive(Clone, Copy, Debug)]
pub enum Shown {
    /// Nothing. The request is one for which a public app's name is enough.
    Name,
    /// Nothing. The request is one for which a public app's name is not enough.
    Nothing,
    /// The hash of a token or of a code.
    Secret(SecretHash),
}

/// Whether the app's request can succeed at all. That is so if its secret is right, or if it is
/// public and shows an existing token or code of its own. The check changes nothing.
pub async fn may_succeed(
    core: &Core,
    proof: Proof,
    shown: Shown,
    Moment { due, .. }: Moment,
) -> Result<bool> {
    let credentials = match proof {
        Proof::Credentials(credentials) => credentials,
        // The token was checked when it was presented.
        Proof::Token(_) => return Ok(true),
    };
    let look = move |tx: &Read| {
        let Some((app, secret)) =
            find(tx, &credentials, due)?.filter(|(app, _)| !app.is_ended_or_due(due))
        else {
            return Ok(false);
        };
        match shown {
            _ if secret.is_some() => Ok(true),
            Shown::Name => Ok(true),
            Shown::Nothing => Ok(false),
            Shown::Secret(shown) => {
                if let Some(token) = token::find(tx, shown)? {
                    return Ok(app_grant::get(tx, token.facts().grant)?
                        .is_some_and(|grant| grant.app == app.id));
                }
                let code = authorization_code::find(tx, shown)?.map(|code| code.app);
                let device = device_code::find(tx, shown)?.map(|code| code.app);
                Ok(code.or(device) == Some(app.id))
            }
        }
    };
    core.store.read(look).await
}

/// The live app that these credentials belong to. Fails with `invalid_client` if there is none.
pub async fn authenticate(
    core: &Core,
    credentials: Credentials,
    Moment { due, .. }: Moment,
) -> Result<App> {
    let found = core
        .store
        .read(move |tx| find(tx, &credentials, due))
        .await?;
    found
        .map(|(app, _)| app)
        .filter(|app| !app.is_ended_or_due(due))
        .ok_or_else(invalid_client)
}

/// The app that these credentials belong to, and the secret that was used. The secret is valid now.
/// The app may be over.
fn find(
    tx: &Read,
    credentials: &Credentials,
    due: Timestamp,
) -> Result<Option<(App, Option<AppSecret>)>> {
    let found = known(tx, credentials)?;
    Ok(found.filter(|(_, secret)| secret.is_none_or(|secret| secret.is_valid(due))))
}

/// The app that these credentials belong to. The secret that was used may have expired.
fn known(tx: &Read, credentials: &Credentials) -> Result<Option<(App, Option<AppSecret>)>> {
    let Some(secret) = credentials.secret else {
        let app = app::by_client_id(tx, &credentials.client_id)?;
        return Ok(app.filter(App::is_public).map(|app| (app, None)));
    };
    let Some(app) = app::by_client_id(tx, &credentials.client_id)? else {
        return Ok(None);
    };
    let found = app_secret::find(tx, app.id, secret)?;
    Ok(found.map(|secret| (app, Some(secret))))
}

/// The one answer to unknown, missing, wrong, expired and duplicate credentials (RFC 6749 §5.2).
pub fn invalid_client() -> Error {
    Error::new(
        Code::InvalidClient,
        "the client_id or the secret is wrong, or the app was removed",
    )
}

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
