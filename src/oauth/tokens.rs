//! Issuing tokens: what every token request goes through.

use std::time::Duration;

use super::{
    credentials::{Credentials, invalid_client, known},
    mint::{Decision, Mint, Secrets},
};
use crate::{
    error::Result,
    model::{Area, Arrival, Moment, Scopes},
    secret::{Kind, Secret},
    session::Core,
    store::{
        Priority, Write,
        app::{self, App},
        app_secret,
    },
};

/// What every token request has.
#[derive(Clone, Debug)]
pub struct TokenRequest {
    /// The app's credentials.
    pub credentials: Credentials,
    /// Where the request came from, and when.
    pub arrival: Arrival,
}

/// Tokens that were issued, and what they allow.
#[derive(Debug)]
pub struct Issued {
    /// The access token.
    pub access: Secret,
    /// The refresh token, if a session gave the grant.
    pub refresh: Option<Secret>,
    /// What the access token allows.
    pub scope: Scopes,
    /// The lifetime of the access token.
    pub expires_in: Duration,
}

/// Authenticates the app and issues what `work` decides, in one transaction. An expired app or
/// secret gets the same refusal as an unknown one, but the attempt is noted, so that the owner can
/// see it.
pub(super) async fn issue(
    core: &Core,
    request: TokenRequest,
    mut work: impl FnMut(&Write, &App, &Mint) -> Result<Decision> + Send + 'static,
) -> Result<Issued> {
    let TokenRequest {
        credentials,
        arrival,
    } = request;
    let Arrival {
        address,
        at: Moment { now, due },
        steady,
    } = arrival;
    let presented = credentials.clone();
    // Look the credentials up first, so that guesses never occupy the writer.
    core.store
        .read(move |tx| known(tx, &presented))
        .await?
        .ok_or_else(invalid_client)?;
    let (access, refresh) = (
        Secret::generate_as(Kind::Access)?,
        Secret::generate_as(Kind::Refresh)?,
    );
    let mint = Mint::new(core, &access, &refresh, &arrival)?;
    let decided = core.store.write_as(Priority::Entry, move |tx| {
        let (app, by) = known(tx, &credentials)?.ok_or_else(invalid_client)?;
        // An error would roll back what was recorded, so the transaction succeeds with a refusal.
        if app.is_ended_or_due(due) {
            app::note_tried(tx, app.id, now)?;
            return Ok(Err(invalid_client()));
        }
        if let Some(secret) = by {
            if !secret.is_valid(due) {
                app_secret::note_tried(tx, &secret, now)?;
                return Ok(Err(invalid_client()));
            }
            app_secret::note_used(tx, &secret, now)?;
        }
        work(tx, &app, &mint)
    });
    let minted = decided.await??;
    if let Some(client) = minted.client {
        core.touch(client, Area::of(address), now);
    }
    let (access, refresh) = match minted.secrets {
        Secrets::Access => (access, None),
        Secrets::Pair => (access, Some(refresh)),
        Secrets::Derived { pair, refreshed } => {
            if let Some(refreshed) = refreshed {
                core.refusal_log.note_refresh(refreshed, steady);
            }
            (pair.access, Some(pair.refresh))
        }
    };
    Ok(Issued {
        access,
        refresh,
        scope: minted.scope,
        expires_in: minted.expires_at.since(due),
    })
}
