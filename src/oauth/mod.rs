//! Apps, grants and tokens: who gets which token, and what becomes of it (RFC 6749, 7009, 7662).
//!
//! A token is issued for an app's own credentials, for a code that a session approved, or for a
//! refresh token; each way in is a module here, and all of them end in [`tokens`]. What a token
//! allows is its grant's. Whatever ends the app, the grant, its client or the session ends the
//! others with it, in the same transaction: that cascade is the store's
//! ([`crate::store::grant::end`]).

use std::time::Duration;

use crate::{
    error::{Code, Error, Result},
    model::Timestamp,
    secret::SecretHash,
    session::Core,
    store::{
        Read,
        app::{self, App},
        app_secret::{self, AppSecret},
        authorization_code, device_code, grant, token,
    },
};

pub mod approval;
pub mod apps;
pub mod authorize;
pub mod client_credentials;
pub mod device;
pub mod ends;
pub mod grants;
pub mod keys;
mod proof;
pub mod refresh;
mod revocation_feed;
pub mod tokens;

pub use proof::Proof;
pub use revocation_feed::RevocationFeed;

/// How long secrets go on working after a rotation, at most.
pub const MAX_OVERLAP: Duration = Duration::from_hours(90 * 24);

/// What an app proves itself with: its secret, or, if it can keep none, nothing but its name.
#[derive(Clone, Debug)]
pub struct Credentials {
    pub client_id: String,
    pub secret: Option<SecretHash>,
}

impl Credentials {
    /// Credentials as they were presented; an empty secret counts as none.
    pub fn presented(client_id: String, secret: Option<&str>) -> Self {
        Self {
            client_id,
            secret: secret
                .filter(|secret| !secret.is_empty())
                .map(SecretHash::of),
        }
    }
}

/// What an app shows beside its credentials.
#[derive(Clone, Copy, Debug)]
pub enum Shown {
    /// Its name is enough for what it asks, if it can keep no secret.
    Name,
    /// Nothing that could make up for a secret.
    Nothing,
    /// A token or a code.
    Secret(SecretHash),
}

/// Whether what an app asks may succeed: its secret is right, or it can keep none and shows a token
/// or a code of its own that there is. Nothing is changed by asking.
pub async fn may_succeed(core: &Core, proof: Proof, shown: Shown, due: Timestamp) -> Result<bool> {
    let credentials = match proof {
        Proof::Credentials(credentials) => credentials,
        // It was looked up when it was presented.
        Proof::Token(_) => return Ok(true),
    };
    let look = move |tx: &Read| {
        let Some((app, secret)) = find(tx, &credentials, due)?.filter(|(app, _)| !app.over(due))
        else {
            return Ok(false);
        };
        match shown {
            _ if secret.is_some() => Ok(true),
            Shown::Name => Ok(true),
            Shown::Nothing => Ok(false),
            Shown::Secret(shown) => {
                if let Some(token) = token::find(tx, shown)? {
                    return Ok(
                        grant::get(tx, token.grant)?.is_some_and(|grant| grant.app == app.id)
                    );
                }
                let code = authorization_code::find(tx, shown)?.map(|code| code.app);
                let device = device_code::find(tx, shown)?.map(|code| code.app);
                Ok(code.or(device) == Some(app.id))
            }
        }
    };
    core.store.read(look).await
}

/// The live app that these are the credentials of.
pub async fn authenticate(core: &Core, credentials: Credentials, due: Timestamp) -> Result<App> {
    let found = core
        .store
        .read(move |tx| find(tx, &credentials, due))
        .await?;
    found
        .map(|(app, _)| app)
        .filter(|app| !app.over(due))
        .ok_or_else(invalid_client)
}

/// The app that these are the credentials of, perhaps one that is over, and the secret it proved
/// itself with, which is not.
fn find(
    tx: &Read,
    credentials: &Credentials,
    due: Timestamp,
) -> Result<Option<(App, Option<AppSecret>)>> {
    let found = known(tx, credentials)?;
    Ok(found.filter(|(_, secret)| secret.is_none_or(|secret| secret.is_valid(due))))
}

/// The app that these are or were the credentials of.
fn known(tx: &Read, credentials: &Credentials) -> Result<Option<(App, Option<AppSecret>)>> {
    let Some(secret) = credentials.secret else {
        let app = app::by_client_id(tx, &credentials.client_id)?;
        return Ok(app.filter(|app| app.public).map(|app| (app, None)));
    };
    let Some(app) = app::by_client_id(tx, &credentials.client_id)? else {
        return Ok(None);
    };
    let found = app_secret::find(tx, app.id, secret)?;
    Ok(found.map(|secret| (app, Some(secret))))
}

/// RFC 6749 §5.2: unknown, without credentials, with wrong ones or several, and those that are
/// over: one answer.
pub fn invalid_client() -> Error {
    Error::new(
        Code::InvalidClient,
        "there is no live app with this client_id and this secret",
    )
}

/// RFC 6749 §5.2: a code or a refresh token that is unknown, over, used, or another app's: one
/// answer.
fn invalid_grant() -> Error {
    Error::new(
        Code::InvalidGrant,
        "this is unknown, expired, used or revoked, or it is not this app's",
    )
}
