//! Tokens: issued for an app's credentials, looked into, revoked.

use std::{net::IpAddr, time::Duration};

use super::{Credentials, find, invalid_client};
use crate::{
    chat::Chat,
    error::{Code, Error, Result},
    model::{ChannelName, EndReason, GrantId, Nick, Scopes, SessionId, Timestamp},
    secret::{Kind, Secret, SecretHash},
    store::{
        Write,
        app::{self, App},
        client::{self, Granted, NewClient},
        grant, session,
        token::{self, Token},
    },
};

/// How long an access token works.
const ACCESS: Duration = Duration::from_mins(10);

/// A token issued, and what it is good for.
#[derive(Debug)]
pub struct Issued {
    pub secret: Secret,
    pub scope: Scopes,
    pub expires_in: Duration,
}

/// What is to be issued, and to whom.
struct Request {
    /// None: all that the app may do.
    scope: Option<Scopes>,
    access: SecretHash,
    /// The secret of the client that the first token makes; nobody ever gets it.
    client: SecretHash,
    client_expires_at: Timestamp,
    address: IpAddr,
    /// Its end, unless the app ends before.
    expires_at: Timestamp,
    now: Timestamp,
}

/// Issues an access token for an app's own credentials (RFC 6749 §4.4). An app that is over is refused like one that never
/// was, but its owner can see that it is still tried.
pub async fn by_credentials(
    chat: &Chat,
    credentials: Credentials,
    scope: Option<Scopes>,
    address: IpAddr,
    now: Timestamp,
    due: Timestamp,
) -> Result<Issued> {
    let presented = credentials.clone();
    // Guesses are turned away before they take a turn of the writer's.
    chat.store.read(move |tx| find(tx, &presented, due)).await?.ok_or_else(invalid_client)?;
    let secret = Secret::generate_as(Kind::Access)?;
    let request = Request {
        scope,
        access: secret.hash(),
        client: Secret::generate()?.hash(),
        client_expires_at: now.plus(chat.limits.client_lifetime),
        address,
        // By the clock by which it is refused.
        expires_at: due.plus(ACCESS),
        now,
    };
    let issued = chat.store.write(move |tx| {
        let (app, by) = find(tx, &credentials, due)?.ok_or_else(invalid_client)?;
        if app.over(due) {
            // What is recorded must stay, so the transaction itself succeeds.
            app::note_tried(tx, app.id, now)?;
            return Ok(Err(invalid_client()));
        }
        app::note_used(tx, &by, now)?;
        issue(tx, &app, &request).map(Ok)
    });
    let (scope, expires_at) = issued.await??;
    Ok(Issued { secret, scope, expires_in: expires_at.since(due) })
}

/// Issues a token of the app's own grant, which the first one makes; what it allows, and its end.
fn issue(tx: &Write, app: &App, request: &Request) -> Result<(Scopes, Timestamp)> {
    let now = request.now;
    let scope = request.scope.unwrap_or(app.scope);
    if !app.scope.covers(scope) {
        return Err(Error::new(Code::InvalidScope, "this is more than the app may do"));
    }
    let expires_at = app.expires_at.map_or(request.expires_at, |end| end.min(request.expires_at));
    let id = match grant::own_of(tx, app)? {
        Some(grant) => {
            let prolong = |client| client::prolong(tx, client, request.client_expires_at, now);
            grant.client.map_or(Ok(()), prolong)?;
            grant.id
        }
        None => begin(tx, app, request)?,
    };
    token::issue_access(tx, id, request.access, scope, expires_at, now)?;
    Ok((scope, expires_at))
}

/// Makes the app's own grant and, as a session, the client by which it calls.
fn begin(tx: &Write, app: &App, request: &Request) -> Result<GrantId> {
    let id = grant::insert(tx, app, request.now)?;
    if let Some(session) = app.session {
        let new = NewClient {
            name: app.name.clone(),
            secret: request.client,
            expires_at: request.client_expires_at,
            address: request.address,
            grant: Some(Granted { id, scope: app.scope, key: true }),
        };
        client::insert(tx, session, &new, request.now)?;
    }
    Ok(id)
}

/// What an active token stands for (RFC 7662 §2.2).
#[derive(Debug)]
pub struct Introspection {
    pub token: Token,
    pub client_id: String,
    /// The session as which it calls, and its nick.
    pub user: Option<(SessionId, Nick)>,
    pub res: Option<Vec<ChannelName>>,
}

/// Looks into a token for an app: any for a resource server, for others their own. `None`: it is not active, or nothing to
/// this app.
pub async fn introspect(
    chat: &Chat,
    asking: App,
    presented: SecretHash,
    due: Timestamp,
) -> Result<Option<Introspection>> {
    chat.store
        .read(move |tx| {
            let Some(token) = token::find(tx, presented)?.filter(|token| due < token.expires_at) else {
                return Ok(None);
            };
            let Some(grant) = grant::get(tx, token.grant)? else { return Ok(None) };
            if grant.app != asking.id && !asking.resource_server {
                return Ok(None);
            }
            let session = grant.session.map(|id| session::get(tx, id)).transpose()?;
            let user = session.map(|session| (session.id, session.nick));
            let client_id = app::get(tx, grant.app)?.client_id;
            Ok(Some(Introspection { token, client_id, user, res: grant.res }))
        })
        .await
}

/// Ends the grant of a token of this app's, expired or not (RFC 7009 §2.1); of any other, nothing.
pub async fn revoke(chat: &Chat, asking: App, presented: SecretHash, now: Timestamp) -> Result<Option<GrantId>> {
    chat.store
        .write(move |tx| {
            let grant = token::find(tx, presented)?.map(|token| grant::get(tx, token.grant)).transpose()?.flatten();
            match grant.filter(|grant| grant.app == asking.id) {
                Some(grant) => grant::end(tx, grant.id, EndReason::Revoked, now).map(|()| Some(grant.id)),
                None => Ok(None),
            }
        })
        .await
}
