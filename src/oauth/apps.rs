//! The operator's apps: register, list, rotate, remove.

use std::time::Duration;

use super::MAX_OVERLAP;
use crate::{
    audit::Action,
    error::{Code, Error, Result},
    model::{AppId, EndReason, Moment, RedirectUri, Scopes, Timestamp, required_name},
    secret::{self, Kind, Secret},
    session::{Core, lifecycle},
    store::{
        Read,
        app::{self, App, ClientType, NewApp, Registration},
        app_secret, audit,
    },
};

/// The most redirect URIs that an app may have.
const MAX_REDIRECT_URIS: usize = 20;

/// An app as the operator describes it.
#[derive(Clone, Debug)]
pub struct Wanted {
    /// The name that users see.
    pub name: String,
    /// Whether the app can keep no secret. Its users' tokens then work without a token of its own.
    pub public: bool,
    /// Whether it may introspect every access token and follow the ends of grants.
    pub resource_server: bool,
    /// Whether its users' tokens work without the app's own token beside them.
    pub bearer_alone: bool,
    /// Whether it may use the device flow.
    pub device: bool,
    /// Where answers may go. An app with at least one URI may use the code flow.
    pub redirect_uris: Vec<RedirectUri>,
    /// The widest scope that a session may grant it.
    pub scope: Scopes,
}

impl Wanted {
    /// The client type that the flags describe. A public app's tokens always work alone.
    fn client_type(&self) -> Result<ClientType> {
        match (self.public, self.resource_server) {
            (true, true) => Err(Error::malformed(
                "a public app cannot be a resource server, because it has no secret",
            )),
            (true, false) => Ok(ClientType::Public),
            (false, resource_server) => Ok(ClientType::Confidential {
                resource_server,
                bearer_alone: self.bearer_alone,
            }),
        }
    }
}

/// The credentials that an app has from now on.
#[derive(Debug)]
pub struct Issued {
    /// The app's public name.
    pub client_id: String,
    /// The secret, which nobody can read again later. `None` for a public app.
    pub secret: Option<Secret>,
}

/// Registers an app. Fails with `malformed_request` if the description contradicts itself, or
/// breaks the rules for names and redirect URIs.
pub async fn register(core: &Core, wanted: Wanted, now: Timestamp) -> Result<Issued> {
    let name = required_name(&wanted.name)?;
    let client_type = wanted.client_type()?;
    check_redirect_uris(&wanted.redirect_uris)?;
    let client_id = secret::app_name()?;
    let secret = match client_type {
        ClientType::Public => None,
        ClientType::Confidential { .. } => Some(Secret::generate_as(Kind::Key)?),
    };
    let hash = secret.as_ref().map(Secret::hash);
    let new = NewApp {
        client_id: client_id.clone(),
        name,
        registration: Registration {
            client_type,
            device: wanted.device,
            redirect_uris: wanted.redirect_uris,
        },
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
            "an app can have at most {MAX_REDIRECT_URIS} redirect URIs"
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

/// Lists the operator's apps with ids past `after`, in the order of their ids, each with the number
/// of its live grants. Removed apps stay in the list for 30 days.
pub async fn list(core: &Core, after: AppId, limit: usize) -> Result<Vec<(App, i64)>> {
    core.store
        .read(move |tx| app::operators(tx, after, limit))
        .await
}

/// Gives an app a new secret. Older secrets keep working for `overlap`, at most [`MAX_OVERLAP`].
/// Fails with `not_found` for an unknown app, and with `malformed_request` for an API key, a public
/// app or a longer overlap.
pub async fn rotate(
    core: &Core,
    client_id: String,
    overlap: Duration,
    Moment { now, due }: Moment,
) -> Result<Issued> {
    if overlap > MAX_OVERLAP {
        let days = MAX_OVERLAP.as_secs() / 86400;
        return Err(Error::malformed(format!(
            "an overlap can be at most {days} days"
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
                    "this is an API key: only its session can rotate it",
                ));
            }
            if app.is_public() {
                return Err(Error::malformed(
                    "this app is public, so it has no secret to rotate",
                ));
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

/// Removes an app or an API key. All its grants, tokens and clients end in the same transaction.
/// Fails with `not_found` if there is no such live app.
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

/// The live app or API key with this `client_id`. Fails with `not_found` if there is none.
pub(super) fn live(tx: &Read, client_id: &str) -> Result<App> {
    let found = app::by_client_id(tx, client_id)?.filter(|app| app.ended_at.is_none());
    found.ok_or_else(|| {
        Error::new(
            Code::NotFound,
            format!("there is no live app with the client_id {client_id:?}"),
        )
    })
}
