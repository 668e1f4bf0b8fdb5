//! The credentials of an app: its public name and its secret.

use crate::{
    error::{Code, Error, Result},
    model::{Moment, Timestamp},
    secret::SecretHash,
    session::Core,
    store::{
        Read,
        app::{self, App},
        app_secret::{self, AppSecret},
    },
};

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
pub(super) fn find(
    tx: &Read,
    credentials: &Credentials,
    due: Timestamp,
) -> Result<Option<(App, Option<AppSecret>)>> {
    let found = known(tx, credentials)?;
    Ok(found.filter(|(_, secret)| secret.is_none_or(|secret| secret.is_valid(due))))
}

/// The app that these credentials belong to. The secret that was used may have expired.
pub(super) fn known(
    tx: &Read,
    credentials: &Credentials,
) -> Result<Option<(App, Option<AppSecret>)>> {
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
