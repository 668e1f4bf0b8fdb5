//! What a token request issues within its transaction: tokens, grants and their clients.

use std::{net::IpAddr, time::Duration};

use crate::{
    audit::{Action, Subject},
    error::{Code, Error, Result},
    model::{Arrival, Authority, ClientId, GrantId, Granted, Moment, Network, Scopes, Timestamp},
    secret::{Secret, SecretHash, keys::Pair},
    session::{Core, admit_granted, announce_app, refusal_log::Refreshed, tell_of_theft},
    store::{
        Write,
        app::App,
        app_grant::{self, Grant, NewGrant, Terms},
        audit,
        client::NewClient,
        client_lifetime,
        token::{self, NewToken},
    },
};

/// The lifetime of an access token.
const ACCESS: Duration = Duration::from_mins(10);
/// How long an unused refresh token works.
const REFRESH: Duration = Duration::from_hours(30 * 24);
/// The longest time until a session is asked again, however often its grant was refreshed.
pub const GRANT_LIFE: Duration = Duration::from_hours(180 * 24);

/// The longest time after which a session must consent again, however often its grant was
/// refreshed.
#[derive(Debug)]
pub struct Minted {
    /// What the access token allows.
    pub scope: Scopes,
    /// When the access token expires.
    pub expires_at: Timestamp,
    /// The client that is in use by this, if the grant has one.
    pub client: Option<ClientId>,
    /// The secrets that were issued.
    pub secrets: Secrets,
}

/// The secrets that a transaction issued.
#[derive(Debug)]
pub enum Secrets {
    /// The mint's access token alone.
    Access,
    /// The mint's access and refresh token.
    Pair,
    /// The pair that a refresh token is exchanged for.
    Derived {
        /// The pair.
        pair: Pair,
        /// The refresh that was carried out. `None`: it was carried out before, and the pair is
        /// issued again.
        refreshed: Option<Refreshed>,
    },
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
    /// The time of the request.
    pub at: Moment,
}

impl Mint {
    /// A mint for one token request. The two secrets are handed out if the transaction issues them.
    pub fn new(core: &Core, access: &Secret, refresh: &Secret, arrival: &Arrival) -> Result<Self> {
        Ok(Self {
            access: access.hash(),
            refresh: refresh.hash(),
            parent: None,
            client: Secret::generate()?.hash(),
            client_expires_at: arrival.at.now.plus(core.limits.client_lifetime),
            max_clients: core.limits.max_clients,
            address: arrival.address,
            at: arrival.at,
        })
    }

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
            session: grant.session(),
            client: grant.client(),
            address: Some(self.address),
            ..app.subject()
        }
    }

    /// The refresh of a grant's tokens, as the audit log records it.
    pub fn refreshed(&self, app: &App, grant: &Grant) -> Refreshed {
        Refreshed {
            grant: grant.id,
            network: Network::of(self.address),
            session: grant.session(),
            client: grant.client(),
            app: app.client_id.clone(),
        }
    }

    /// Records that a used token or code came back, and tells the session's devices.
    pub fn report_reuse(&self, tx: &Write, app: &App, grant: &Grant) -> Result<()> {
        audit::record(
            tx,
            Action::ReuseDetected,
            &self.subject(app, grant),
            self.at.now,
        )?;
        grant.session().map_or(Ok(()), |session| {
            tell_of_theft(tx, session, &app.name, self.address, self.at.now)
        })
    }

    /// When a refresh token that is issued now expires.
    pub fn refresh_expires_at(&self, limit_at: Timestamp) -> Timestamp {
        limit_at.min(self.at.due.plus(REFRESH))
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
        let end = self.at.due.plus(ACCESS);
        let expires_at = limit_at.map_or(end, |limit| limit.min(end));
        let new = NewToken {
            secret: self.access,
            grant,
            scope,
            expires_at,
            parent: self.parent,
        };
        token::issue_access(tx, &new, self.at.now)?;
        Ok(Minted {
            scope,
            expires_at,
            client: None,
            secrets: Secrets::Access,
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
        token::issue_refresh(tx, &new, limit_at, self.at.now)?;
        app_grant::prolong(tx, grant.id, expires_at)?;
        Ok(Minted {
            client: grant.client(),
            secrets: Secrets::Pair,
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
    pub fn begin(&self, tx: &Write, app: &App, scope: Scopes, terms: Terms) -> Result<Grant> {
        let (session, limit_at) = (terms.session, terms.limit_at);
        let new = NewGrant {
            scope,
            terms: Some(terms),
        };
        let id = self.make(tx, app, &new)?;
        if scope.need_client() {
            let client = self.client_of(app, id, &new);
            // The expiry that is shown for the client is no later than its grant's.
            let expires_at =
                limit_at.map_or(client.expires_at, |limit| limit.min(client.expires_at));
            let client = NewClient {
                expires_at,
                ..client
            };
            let admitted = admit_granted(tx, session, &client, self.max_clients, self.at.now);
            admitted.map_err(|error| {
                if error.is_failure() {
                    error
                } else {
                    Error::new(Code::InvalidGrant, error.detail)
                }
            })?;
        } else {
            announce_app(tx, session, &app.name, self.at.now)?;
        }
        app_grant::get(tx, id)?
            .ok_or_else(|| Error::internal("a grant that was just created is missing"))
    }

    /// Creates a grant. Its client, if it is to have one, follows in the same transaction.
    pub fn make(&self, tx: &Write, app: &App, new: &NewGrant) -> Result<GrantId> {
        let id = app_grant::insert(tx, app.id, new, self.at.now)?;
        let subject = Subject {
            session: new.session(),
            ..app.subject()
        };
        audit::record(tx, Action::GrantIssued, &subject, self.at.now)?;
        Ok(id)
    }

    /// Extends the life of a grant's client, because its app or session was active. The grant's own
    /// limit is the latest end.
    pub fn prolong(&self, tx: &Write, grant: &Grant, limit_at: Option<Timestamp>) -> Result<()> {
        let until = limit_at.map_or(self.client_expires_at, |limit| {
            limit.min(self.client_expires_at)
        });
        grant.client().map_or(Ok(()), |client| {
            client_lifetime::prolong(tx, client, until, self.at.now)
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
                confined: of.is_confined(),
                is_key: app.is_key(),
            }),
        }
    }
}
