//! The operator's apps: registered, listed, rotated, removed.

use std::time::Duration;

use super::MAX_OVERLAP;
use crate::{
    audit::Action,
    error::{Code, Error, Result},
    model::{AppId, EndReason, RedirectUri, Scopes, Timestamp, required_name},
    secret::{self, Kind, Secret},
    session::{Core, lifecycle},
    store::{
        Read,
        app::{self, App, NewApp},
        app_secret, audit,
    },
};

/// Redirect URIs of an app, at most.
const MAX_REDIRECT_URIS: usize = 20;

/// An app as the operator wants it.
#[derive(Clone, Debug)]
pub struct Wanted {
    pub name: String,
    /// It can keep no secret. Its users' tokens work without its own, as it has none.
    pub public: bool,
    pub resource_server: bool,
    pub bearer_alone: bool,
    /// It has the device flow.
    pub device: bool,
    /// With one, it has the code flow.
    pub redirect_uris: Vec<RedirectUri>,
    /// The most that it may be granted.
    pub scope: Scopes,
}

/// What an app proves itself with from now on: unless it is public, a secret to hand to its holder,
/// once.
#[derive(Debug)]
pub struct Issued {
    pub client_id: String,
    pub secret: Option<Secret>,
}

/// Registers an app.
pub async fn register(core: &Core, wanted: Wanted, now: Timestamp) -> Result<Issued> {
    let name = required_name(&wanted.name)?;
    if wanted.public && wanted.resource_server {
        return Err(Error::malformed(
            "a public app has no secret, and so nothing to introspect with",
        ));
    }
    check_redirect_uris(&wanted.redirect_uris)?;
    let client_id = secret::app_name()?;
    let secret = if wanted.public {
        None
    } else {
        Some(Secret::generate_as(Kind::Key)?)
    };
    let hash = secret.as_ref().map(Secret::hash);
    let new = NewApp {
        client_id: client_id.clone(),
        name,
        public: secret.is_none(),
        resource_server: wanted.resource_server,
        bearer_alone: wanted.bearer_alone || wanted.public,
        device: wanted.device,
        redirect_uris: wanted.redirect_uris,
        scope: wanted.scope,
    };
    core.store
        .write(move |tx| {
            let app = app::register(tx, &new, now)?;
            if let Some(secret) = hash {
                app_secret::insert(tx, app.id, secret, now)?;
            }
            audit::record(tx, Action::AppAdded, &app.subject(), now)
        })
        .await?;
    tracing::info!(app = client_id, "app added");
    Ok(Issued { client_id, secret })
}

fn check_redirect_uris(uris: &[RedirectUri]) -> Result<()> {
    if uris.len() > MAX_REDIRECT_URIS {
        return Err(Error::malformed(format!(
            "an app has at most {MAX_REDIRECT_URIS} redirect URIs"
        )));
    }
    match uris
        .iter()
        .enumerate()
        .find(|(at, uri)| uris[..*at].contains(uri))
    {
        Some((_, twice)) => Err(Error::malformed(format!(
            "the redirect URI {twice} is given twice"
        ))),
        None => Ok(()),
    }
}

/// The operator's apps after one, by their ids, each with how many live grants there are of it.
/// Those that were removed are among them for 30 days.
pub async fn list(core: &Core, after: AppId, limit: usize) -> Result<Vec<(App, i64)>> {
    core.store
        .read(move |tx| app::operators(tx, after, limit))
        .await
}

/// Gives an app a new secret; those before it work for as long as `overlap`.
pub async fn rotate(
    core: &Core,
    client_id: String,
    overlap: Duration,
    now: Timestamp,
    due: Timestamp,
) -> Result<Issued> {
    if overlap > MAX_OVERLAP {
        let days = MAX_OVERLAP.as_secs() / 86400;
        return Err(Error::malformed(format!(
            "an overlap is at most {days} days"
        )));
    }
    let secret = Secret::generate_as(Kind::Key)?;
    let hash = secret.hash();
    let client_id = core
        .store
        .write(move |tx| {
            let app = live(tx, &client_id)?;
            if app.is_key() {
                return Err(Error::malformed(
                    "this is an API key: its session alone may speak by it, and rotate it",
                ));
            }
            if app.public {
                return Err(Error::malformed("this app is public: it has no secret"));
            }
            app_secret::rotate(tx, app.id, hash, overlap, now, due)?;
            audit::record(tx, Action::AppRotated, &app.subject(), now)?;
            Ok(app.client_id)
        })
        .await?;
    tracing::info!(app = client_id, "app rotated");
    Ok(Issued {
        client_id,
        secret: Some(secret),
    })
}

/// Removes an app, or somebody's API key, with all that it was granted: tokens and clients are gone
/// at once.
pub async fn remove(core: &Core, client_id: String, now: Timestamp) -> Result<()> {
    let client_id = core
        .store
        .write(move |tx| {
            let app = live(tx, &client_id)?;
            if app.is_key() {
                audit::record(tx, Action::ByOperator, &app.subject(), now)?;
            }
            lifecycle::end_app(tx, app.id, EndReason::Revoked, now)?;
            Ok(app.client_id)
        })
        .await?;
    tracing::info!(app = client_id, "app removed");
    Ok(())
}

/// The live app, or API key, with this name on the wire.
pub(super) fn live(tx: &Read, client_id: &str) -> Result<App> {
    let found = app::by_client_id(tx, client_id)?.filter(|app| app.ended_at.is_none());
    found.ok_or_else(|| {
        Error::new(
            Code::NotFound,
            format!("there is no live app with the client_id {client_id:?}"),
        )
    })
}
