//! Authorization codes: made when a session approves, used once. They end with their app and their
//! session.

use std::time::Duration;

use rusqlite::{OptionalExtension, Row, params};

use super::{
    row::{self, as_sql},
    size::{HASH, length},
    transaction::{Read, Write},
};
use crate::{
    error::Result,
    model::{AppId, ChannelName, ClientId, GrantId, Scopes, SessionId, Timestamp},
    secret::SecretHash,
};

/// How long an expired code is kept: one that comes back even then was stolen.
const KEPT_FOR: Duration = Duration::from_hours(24);

/// What a session approved, on its way to the app.
#[derive(Clone, Debug)]
pub struct AuthorizationCode {
    pub app: AppId,
    pub session: SessionId,
    /// The session's client that approved.
    pub client: ClientId,
    pub scope: Scopes,
    /// The channels that were chosen; none: all of the session's.
    pub res: Option<Vec<ChannelName>>,
    /// As the request gave it; none: it gave none.
    pub redirect_uri: Option<String>,
    /// What the verifier must hash to (RFC 7636 §4.2).
    pub challenge: String,
    /// The grant it joins; once it was used, the one it issued from.
    pub grant: Option<GrantId>,
    pub expires_at: Timestamp,
    pub used: bool,
    /// Whether its first use made the grant.
    pub began: bool,
}

impl AuthorizationCode {
    fn read(row: &Row) -> rusqlite::Result<Self> {
        Ok(Self {
            app: row.get("app_id")?,
            session: row.get("session_id")?,
            client: row.get("client_id")?,
            scope: row.get("scope")?,
            res: row::res(row)?,
            redirect_uri: row.get("redirect_uri")?,
            challenge: row.get("challenge")?,
            grant: row.get("grant_id")?,
            expires_at: row.get("expires_at")?,
            used: row.get::<_, Option<i64>>("used_at")?.is_some(),
            began: row.get("began")?,
        })
    }
}

pub fn insert(tx: &Write, secret: SecretHash, code: &AuthorizationCode) -> Result<()> {
    let (scope, res) = (
        code.scope.to_string(),
        code.res.as_ref().map(row::to_json).transpose()?,
    );
    let texts = [
        HASH,
        scope.len(),
        length(res.as_ref()),
        length(code.redirect_uri.as_ref()),
        code.challenge.len(),
    ];
    tx.add_row(texts.iter().sum(), 4);
    tx.sql
        .prepare_cached(
            "INSERT INTO authorization_code (secret_hash, app_id, session_id, scope, res, redirect_uri, challenge, grant_id,
                                             expires_at, client_id) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
        )?
        .execute(params![
            secret,
            code.app,
            code.session,
            scope,
            res,
            code.redirect_uri,
            code.challenge,
            code.grant,
            code.expires_at,
            code.client,
        ])?;
    Ok(())
}

/// The code with this secret, used and expired ones too; its app and its session are live.
pub fn find(tx: &Read, secret: SecretHash) -> Result<Option<AuthorizationCode>> {
    Ok(tx
        .sql
        .prepare_cached("SELECT * FROM authorization_code WHERE secret_hash = ?1")?
        .query_row([secret], AuthorizationCode::read)
        .optional()?)
}

/// Notes that a code was used, for which grant, and whether it `began` that grant.
pub fn note_used(
    tx: &Write,
    secret: SecretHash,
    grant: GrantId,
    began: bool,
    now: Timestamp,
) -> Result<()> {
    tx.sql
        .prepare_cached("UPDATE authorization_code SET grant_id = ?2, used_at = ?3, began = ?4 WHERE secret_hash = ?1")?
        .execute(params![secret, grant, now, began])?;
    Ok(())
}

/// Removes the codes of a session that has ended.
pub fn remove_of_session(tx: &Write, session: SessionId) -> Result<()> {
    tx.sql
        .prepare_cached("DELETE FROM authorization_code WHERE session_id = ?1")?
        .execute([session])?;
    Ok(())
}

/// Removes what a client has approved that left before it was used: it may have been removed
/// because it was not to be trusted.
pub fn remove_of_client(tx: &Write, session: SessionId, client: ClientId) -> Result<()> {
    tx.sql
        .prepare_cached("DELETE FROM authorization_code WHERE session_id = ?1 AND client_id = ?2 AND used_at IS NULL")?
        .execute(params![session, client])?;
    Ok(())
}

/// Removes what a session has approved and nobody has redeemed, for one app or for all. Returns how
/// many codes it was.
pub fn void(tx: &Write, session: SessionId, app: Option<AppId>) -> Result<usize> {
    let void = tx.sql.prepare_cached(
        "DELETE FROM authorization_code
         WHERE session_id = ?1 AND (?2 IS NULL OR app_id = ?2) AND used_at IS NULL",
    )?;
    Ok({ void }.execute(params![session, app])?)
}

/// How many new clients a session has approved that have not come yet; to say who one is takes
/// none.
pub fn count_waiting(tx: &Read, session: SessionId, due: Timestamp) -> Result<usize> {
    Ok(tx
        .sql
        .prepare_cached(
            "SELECT count(*) FROM authorization_code
             WHERE session_id = ?1 AND expires_at > ?2 AND used_at IS NULL AND grant_id IS NULL AND scope != 'identity'",
        )?
        .query_row(params![session, due], |row| row.get::<_, i64>(0))?
        .unsigned_abs() as usize)
}

/// Removes the codes of an app that has ended.
pub fn remove_of_app(tx: &Write, app: AppId) -> Result<()> {
    tx.sql
        .prepare_cached("DELETE FROM authorization_code WHERE app_id = ?1")?
        .execute([app])?;
    Ok(())
}

/// Removes a batch of codes that expired long enough ago; how many.
pub fn expire(tx: &Write, now: Timestamp, batch: usize) -> Result<usize> {
    Ok(tx
        .sql
        .prepare_cached(
            "DELETE FROM authorization_code WHERE secret_hash IN
                 (SELECT secret_hash FROM authorization_code WHERE expires_at <= ?1 LIMIT ?2)",
        )?
        .execute(params![now.minus(KEPT_FOR), as_sql(batch)])?)
}
