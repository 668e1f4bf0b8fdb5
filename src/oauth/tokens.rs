//! Tokens: issuing, introspecting, revoking.

use std::{net::IpAddr, time::Duration};

use super::{Credentials, Proof, invalid_client, known};
use crate::{
    audit::{Action, Subject},
    error::{Code, Error, Result},
    model::{
        Area, Arrival, Authority, ChannelName, ClientId, EndReason, GrantId, Granted, Network,
        Nick, Scopes, SessionId, Timestamp,
    },
    secret::{Kind, Secret, SecretHash, keys::Pair},
    session::{
        Core, admit_granted, announce_app, lifecycle, refusal_log::Refreshed, tell_of_theft,
    },
    store::{
        Priority, Read, Write,
        app::{self, App},
        app_grant::{self, Grant, NewGrant},
        app_secret, audit,
        client::NewClient,
        client_lifetime, session,
        token::{self, NewToken, Token},
    },
};

/// The lifetime of an access token.
const ACCESS: Duration = Duration::from_mins(10);
/// How long an unused refresh token works.
const REFRESH: Duration = Duration::from_hours(30 * 24);
/// The longest time until a session is asked again, however often its grant was refreshed.
pub const GRANT_LIFE: Duration = Duration::from_hours(180 * 24);

/// What every token request has.
#[derive(Clone, Debug)]
pub struct TokenRequest {
    /// The app's credentials.
    pub credentials: Credentials,
    /// Where the request came from, and when.
    pub arrival: Arrival,
    /// The time that expiries are compared with.
    pub due: Timestamp,
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

/// What a transaction issued with a [`Mint`].
#[derive(Debug)]
pub struct Minted {
    /// What the access token allows.
    pub scope: Scopes,
    /// When the access token expires.
    pub expires_at: Timestamp,
    /// Whether a refresh token goes with it.
    pub refreshable: bool,
    /// The client by which the app acts, if it has one.
    pub client: Option<ClientId>,
    /// The derived secrets, if they replace the mint's own.
    pub derived: Option<Pair>,
    /// The refresh that was carried out, if it was one.
    pub refreshed: Option<Refreshed>,
}

/// The outcome of a transaction that commits even when it refuses, because it records something.
pub type Decision = Result<Minted>;

/// Secrets generated before the transaction that hands them out, and the times it uses.
#[derive(Clone, Copy, Debug)]
pub struct Mint {
    access: SecretHash,
    refresh: SecretHash,
    /// The refresh token that the new tokens are issued for.
    parent: Option<SecretHash>,
    /// The secret of a new grant's client. Nobody ever receives it.
    client: SecretHash,
    client_expires_at: Timestamp,
    max_clients: usize,
    address: IpAddr,
    /// The time of day.
    pub now: Timestamp,
    /// The time that expiries are compared with.
    pub due: Timestamp,
}

impl Mint {
    /// This mint with the derived pair that a refresh token is exchanged for.
    pub fn deriving(&self, pair: &Pair, parent: SecretHash) -> Self {
        let (access, refresh) = pair.hashes();
        Self {
            access,
            refresh,
            parent: Some(parent),
            ..*self
        }
    }

    /// The audit subject of a token request for this grant.
    pub fn subject(&self, app: &App, grant: &Grant) -> Subject {
        Subject {
            session: grant.session,
            client: grant.client,
            address: Some(self.address),
            ..app.subject()
        }
    }

    /// The refresh of a grant's tokens, as the audit log records it.
    pub fn refreshed(&self, app: &App, grant: &Grant) -> Refreshed {
        let &Grant {
            id,
            session,
            client,
            ..
        } = grant;
        Refreshed {
            grant: id,
            network: Network::of(self.address),
            session,
            client,
            app: app.client_id.clone(),
        }
    }

    /// Records that a used token or code came back, and tells the session's devices.
    pub fn report_reuse(&self, tx: &Write, app: &App, grant: &Grant) -> Result<()> {
        audit::record(
            tx,
            Action::ReuseDetected,
            &self.subject(app, grant),
            self.now,
        )?;
        grant.session.map_or(Ok(()), |session| {
            tell_of_theft(tx, session, &app.name, self.address, self.now)
        })
    }

    /// When a refresh token that is issued now expires.
    pub fn refresh_expires_at(&self, limit_at: Timestamp) -> Timestamp {
        limit_at.min(self.due.plus(REFRESH))
    }

    /// Issues an access token of a grant. It expires at `limit_at` at the latest.
    pub fn access(
        &self,
        tx: &Write,
        grant: GrantId,
        scope: Scopes,
        limit_at: Option<Timestamp>,
    ) -> Result<Minted> {
        // By `due`, the clock that decides when the token is refused.
        let end = self.due.plus(ACCESS);
        let expires_at = limit_at.map_or(end, |limit| limit.min(end));
        let new = NewToken {
            secret: self.access,
            grant,
            scope,
            expires_at,
            parent: self.parent,
        };
        token::issue_access(tx, &new, self.now)?;
        Ok(Minted {
            scope,
            expires_at,
            refreshable: false,
            client: None,
            derived: None,
            refreshed: None,
        })
    }

    /// Issues an access token of `scope`, and a refresh token of `asked`, which may be wider.
    pub fn pair(
        &self,
        tx: &Write,
        grant: &Grant,
        scope: Scopes,
        asked: Scopes,
        limit_at: Timestamp,
    ) -> Result<Minted> {
        let expires_at = self.refresh_expires_at(limit_at);
        let new = NewToken {
            secret: self.refresh,
            grant: grant.id,
            scope: asked,
            expires_at,
            parent: self.parent,
        };
        token::issue_refresh(tx, &new, limit_at, self.now)?;
        app_grant::prolong(tx, grant.id, expires_at)?;
        Ok(Minted {
            refreshable: true,
            client: grant.client,
            ..self.access(tx, grant.id, scope, Some(limit_at))?
        })
    }

    /// Notes the authorization code that the pair comes from.
    pub fn descend_from(&self, tx: &Write, code: SecretHash) -> Result<()> {
        token::note_code(tx, self.access, code)?;
        token::note_code(tx, self.refresh, code)
    }

    /// Creates the grant that a session gave an app. The grant gets a client of the session unless
    /// its scope only tells who the session is. Fails with `invalid_grant` if the session has no
    /// room for the client.
    pub fn begin(
        &self,
        tx: &Write,
        app: &App,
        session: SessionId,
        new: &NewGrant,
    ) -> Result<Grant> {
        let id = self.make(tx, app, new)?;
        if new.scope.need_client() {
            let client = self.client_of(app, id, new);
            // The expiry that is shown for the client is no later than its grant's.
            let expires_at = new
                .limit_at
                .map_or(client.expires_at, |limit| limit.min(client.expires_at));
            let client = NewClient {
                expires_at,
                ..client
            };
            let admitted = admit_granted(tx, session, &client, self.max_clients, self.now);
            admitted.map_err(|error| {
                if error.is_failure() {
                    error
                } else {
                    Error::new(Code::InvalidGrant, error.detail)
                }
            })?;
        } else {
            announce_app(tx, session, &app.name, self.now)?;
        }
        app_grant::get(tx, id)?
            .ok_or_else(|| Error::internal("a grant that was just created is missing"))
    }

    /// Creates a grant. Its client, if it is to have one, follows in the same transaction.
    pub fn make(&self, tx: &Write, app: &App, new: &NewGrant) -> Result<GrantId> {
        let id = app_grant::insert(tx, app.id, new, self.now)?;
        let subject = Subject {
            session: new.session,
            ..app.subject()
        };
        audit::record(tx, Action::GrantIssued, &subject, self.now)?;
        Ok(id)
    }

    /// Extends the life of a grant's client, because its app or session was active. The grant's own
    /// limit is the latest end.
    pub fn prolong(&self, tx: &Write, grant: &Grant, limit_at: Option<Timestamp>) -> Result<()> {
        let until = limit_at.map_or(self.client_expires_at, |limit| {
            limit.min(self.client_expires_at)
        });
        grant.client.map_or(Ok(()), |client| {
            client_lifetime::prolong(tx, client, until, self.now)
        })
    }

    /// The client by which an app acts through a grant.
    pub fn client_of(&self, app: &App, grant: GrantId, of: &NewGrant) -> NewClient {
        NewClient {
            name: app.name.clone(),
            secret: self.client,
            expires_at: self.client_expires_at,
            address: self.address,
            authority: Authority::Grant(Granted {
                id: grant,
                scope: of.scope,
                confined: of.res.is_some(),
                is_key: app.is_key(),
            }),
        }
    }
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
        arrival: Arrival {
            address,
            now,
            steady,
        },
        due,
    } = request;
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
    let mint = Mint {
        access: access.hash(),
        refresh: refresh.hash(),
        parent: None,
        client: Secret::generate()?.hash(),
        client_expires_at: now.plus(core.limits.client_lifetime),
        max_clients: core.limits.max_clients,
        address,
        now,
        due,
    };
    let decided = core.store.write_as(Priority::Entry, move |tx| {
        let (app, by) = known(tx, &credentials)?.ok_or_else(invalid_client)?;
        // An error would roll back what was recorded, so the transaction succeeds with a refusal.
        if app.over(due) {
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
    if let Some(refreshed) = minted.refreshed {
        core.refusal_log.note_refresh(refreshed, steady);
    }
    let (access, refresh) = minted
        .derived
        .map_or((access, refresh), |pair| (pair.access, pair.refresh));
    Ok(Issued {
        access,
        refresh: minted.refreshable.then_some(refresh),
        scope: minted.scope,
        expires_in: minted.expires_at.since(due),
    })
}

/// What an active token stands for (RFC 7662 §2.2).
#[derive(Debug)]
pub struct Introspection {
    /// The token.
    pub token: Token,
    /// The name under which an access token's end is told. `None` for a refresh token.
    pub jti: Option<String>,
    /// The name of the app that the token was issued to.
    pub client_id: String,
    /// The session that the token acts as, and its nick. `None` if the app acts for itself.
    pub user: Option<(SessionId, Nick)>,
    /// The channels that the grant is confined to. `None`: no restriction.
    pub res: Option<Vec<ChannelName>>,
}

/// Introspects a token for an app that can keep a secret: a token of its own, or, for a resource
/// server, any access token. Returns `None` if the token is not active or not visible to this app.
/// Fails with `malformed_request` if `named` is not the `client_id` of the app that asks.
pub async fn introspect(
    core: &Core,
    by: Proof,
    named: Option<String>,
    presented: SecretHash,
    now: Timestamp,
    due: Timestamp,
) -> Result<Option<Introspection>> {
    let found = core.store.read(move |tx| {
        let asking = by.introspects(tx, due)?;
        if named.is_some_and(|named| named != asking.client_id) {
            return Err(Error::malformed(
                "the client_id is not that of the access token's app",
            ));
        }
        let Some(token) = token::find(tx, presented)?.filter(|token| token.is_active(due)) else {
            return Ok(None);
        };
        let Some(grant) = app_grant::get(tx, token.grant)? else {
            return Ok(None);
        };
        // A resource server is never presented a refresh token.
        if grant.app != asking.id && !(asking.is_resource_server() && token.is_access) {
            return Ok(None);
        }
        let session = grant.session.map(|id| session::get(tx, id)).transpose()?;
        let user = session.map(|session| (session.id, session.nick));
        let client_id = app::get(tx, grant.app)?.client_id;
        let unsettled = token::is_unsettled(tx, presented)?;
        let jti = token.is_access.then(|| token::jti(presented));
        Ok(Some((
            grant.client,
            unsettled,
            Introspection {
                token,
                jti,
                client_id,
                user,
                res: grant.res,
            },
        )))
    });
    // An expired client may not call, even if maintenance has not ended it yet.
    let calls = |client: &Option<ClientId>| client.is_none_or(|client| !core.is_over(client, due));
    let Some((_, unsettled, found)) = found.await?.filter(|(client, ..)| calls(client)) else {
        return Ok(None);
    };
    if unsettled {
        // Somebody presented this token, so the app has it, and its parent is settled.
        match core
            .store
            .write(move |tx| token::settle_parent(tx, presented, now))
            .await
        {
            // The store has no room. Introspection still answers; the next request tries again.
            Err(error) if error.is_want_of_room() => {}
            settled => settled?,
        }
    }
    Ok(Some(found))
}

/// Ends the grant of one of this app's tokens, even of an expired or superseded one (RFC 7009
/// §2.1). Returns `None` for an unknown token. Fails with `invalid_grant` for another app's token.
pub async fn revoke(
    core: &Core,
    asking: App,
    presented: SecretHash,
    now: Timestamp,
) -> Result<Option<GrantId>> {
    let of_app = move |tx: &Read| {
        let grant = token::find(tx, presented)?
            .map(|token| app_grant::get(tx, token.grant))
            .transpose()?
            .flatten();
        match grant {
            Some(grant) if grant.app != asking.id => Err(Error::new(
                Code::InvalidGrant,
                "this token was issued to another app",
            )),
            grant => Ok(grant.map(|grant| grant.id)),
        }
    };
    // Look the token up first, so that unknown tokens never occupy the writer.
    let Some(id) = core.store.read(of_app).await? else {
        return Ok(None);
    };
    core.store
        .write(move |tx| lifecycle::end_grant(tx, id, EndReason::Revoked, now))
        .await
        .map(|()| Some(id))
}
