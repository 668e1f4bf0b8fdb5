//! Authorization codes (RFC 6749 §4.1): created when a session approves an app, and used once.
//! They end with their app and with their session.

use std::time::Duration;

use super::{
    engine::{connection::Row, value::params},
    row,
    size::{HASH, length},
    transaction::{Read, Write},
};
use crate::{
    error::Result,
    model::{AppId, ChannelName, ClientId, GrantId, Scopes, SessionId, Timestamp},
    secret::SecretHash,
};

/// How long an expired code is kept. A code that comes back in this time was probably stolen.
const KEPT_FOR: Duration = Duration::from_hours(24);

/// What a session approved, until the app redeems it.
#[derive(Clone, Debug)]
pub struct AuthorizationCode {
    /// The app that may redeem it.
    pub app: AppId,
    /// The session that approved it.
    pub session: SessionId,
    /// The client of the session that approved it.
    pub client: ClientId,
    /// The scopes that were approved.
    pub scope: Scopes,
    /// The channels that were chosen. `None`: all channels of the session.
    pub res: Option<Vec<ChannelName>>,
    /// The redirect URI as the authorization request gave it. `None`: the request gave none.
    pub redirect_uri: Option<String>,
    /// The PKCE challenge: what the verifier must hash to (RFC 7636 §4.2).
    pub challenge: String,
    /// When it expires.
    pub expires_at: Timestamp,
    /// Whether it was used, and for which grant.
    pub state: CodeState,
}

/// Whether a code was used, and for which grant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CodeState {
    /// It was not used.
    Unused {
        /// The grant that it extends. `None`: its use looks for a grant to join, or creates one.
        joins: Option<GrantId>,
    },
    /// It was used.
    Used {
        /// The grant whose tokens it issued.
        grant: GrantId,
        /// Whether its use created that grant.
        created: bool,
    },
}

impl AuthorizationCode {
    fn read(row: &Row) -> Result<Self> {
        Ok(Self {
            app: row.get("app_id")?,
            session: row.get("session_id")?,
            client: row.get("client_id")?,
            scope: row.get("scope")?,
            res: row::res(row)?,
            redirect_uri: row.get("redirect_uri")?,
            challenge: row.get("challenge")?,
            expires_at: row.get("expires_at")?,
            state: CodeState::read(row)?,
        })
    }
}

impl CodeState {
    fn read(row: &Row) -> Result<Self> {
        Ok(match row.get::<Option<i64>>("used_at")? {
            None => Self::Unused {
                joins: row.get("grant_id")?,
            },
            Some(_) => Self::Used {
                grant: row.get("grant_id")?,
                created: row.get("began")?,
            },
        })
    }
}

/// Stores a code under the hash of its secret.
pub fn insert(tx: &Write, secret: SecretHash, code: &AuthorizationCode) -> Result<()> {
    let (scope, res) = (
        code.scope.to_string(),
        code.res.as_ref().map(row::to_json).transpose()?,
    );
    // A code is stored when it is created, so it was not used.
    let joins = match code.state {
        CodeState::Unused { joins } => joins,
        CodeState::Used { grant, .. } => Some(grant),
    };
    let texts = [
        HASH,
        scope.len(),
        length(res.as_ref()),
        length(code.redirect_uri.as_ref()),
        code.challenge.len(),
    ];
    tx.add_row(texts.iter().sum(), 4);
    tx.execute(
        "INSERT INTO authorization_code (secret_hash, app_id, session_id, scope, res, redirect_uri,
         challenge, grant_id, expires_at, client_id)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
        params![
            secret,
            code.app,
            code.session,
            scope,
            res,
            code.redirect_uri,
            code.challenge,
            joins,
            code.expires_at,
            code.client,
        ],
    )?;
    Ok(())
}

/// The code with this secret, used and expired ones included. Its app and its session are live.
pub fn find(tx: &Read, secret: SecretHash) -> Result<Option<AuthorizationCode>> {
    tx.optional(
        "SELECT * FROM authorization_code WHERE secret_hash = ?1",
        params![secret],
        AuthorizationCode::read,
    )
}

/// Records the use of a code: for which grant, and whether the use created that grant.
pub fn note_used(
    tx: &Write,
    secret: SecretHash,
    grant: GrantId,
    created: bool,
    now: Timestamp,
) -> Result<()> {
    tx.execute(
        "UPDATE authorization_code SET grant_id = ?2, used_at = ?3, began = ?4
         WHERE secret_hash = ?1",
        params![secret, grant, now, created],
    )?;
    Ok(())
}

/// Removes all codes of a session.
pub fn remove_of_session(tx: &Write, session: SessionId) -> Result<()> {
    tx.execute(
        "DELETE FROM authorization_code WHERE session_id = ?1",
        params![session],
    )?;
    Ok(())
}

/// Removes the unused codes that a client approved before it left. The client may have been removed
/// because it was not trusted.
pub fn remove_of_client(tx: &Write, session: SessionId, client: ClientId) -> Result<()> {
    tx.execute(
        "DELETE FROM authorization_code WHERE session_id = ?1 AND client_id = ?2
         AND used_at IS NULL",
        params![session, client],
    )?;
    Ok(())
}

/// Removes the unused codes that a session approved, for one app or for all (`None`). Returns how
/// many.
pub fn void(tx: &Write, session: SessionId, app: Option<AppId>) -> Result<usize> {
    tx.execute(
        "DELETE FROM authorization_code
         WHERE session_id = ?1 AND app_id = coalesce(?2, app_id) AND used_at IS NULL",
        params![session, app],
    )
}

/// How many approved codes of a session will create a new client when they are redeemed. The scope
/// `identity` creates none.
pub fn count_waiting(tx: &Read, session: SessionId, due: Timestamp) -> Result<usize> {
    tx.one(
        "SELECT count(*) FROM authorization_code WHERE session_id = ?1 AND expires_at > ?2
         AND used_at IS NULL AND grant_id IS NULL AND scope != 'identity'",
        params![session, due],
        |row| row.get(0),
    )
}

/// Removes the codes of an app that has ended.
pub fn remove_of_app(tx: &Write, app: AppId) -> Result<()> {
    tx.execute(
        "DELETE FROM authorization_code WHERE app_id = ?1",
        params![app],
    )?;
    Ok(())
}

/// Removes a batch of codes that expired 24 hours ago or earlier. Returns how many.
pub fn expire(tx: &Write, now: Timestamp, batch: usize) -> Result<usize> {
    tx.execute(
        "DELETE FROM authorization_code WHERE secret_hash IN
                 (SELECT secret_hash FROM authorization_code WHERE expires_at <= ?1 LIMIT ?2)",
        params![now.minus(KEPT_FOR), batch],
    )
}
