//! Grants: what an app may do, as a session or for itself. A grant ends with everything that hangs
//! on it.

use rusqlite::{OptionalExtension, Row, params};

use super::{
    app::{self, App},
    row::{self, as_sql},
    size::length,
    transaction::{Read, Write},
};
use crate::{
    error::Result,
    model::{AppId, ChannelName, ClientId, GrantId, Scopes, SessionId, Timestamp},
};

/// A live grant.
#[derive(Clone, Debug)]
pub struct Grant {
    pub id: GrantId,
    /// As whose session it acts; none: it is an app's own.
    pub session: Option<SessionId>,
    pub app: AppId,
    /// Its client, which one with a queue has.
    pub client: Option<ClientId>,
    pub scope: Scopes,
    /// The channels it is confined to; none: all of the session's.
    pub res: Option<Vec<ChannelName>>,
    pub created_at: Timestamp,
    /// Of one that a session gave: its end, unless that session consents again.
    pub limit_at: Option<Timestamp>,
}

/// A grant's columns, and its client.
const GRANT: &str = "SELECT app_grant.*, (SELECT id FROM client WHERE grant_id = app_grant.id) AS client FROM app_grant";

impl Grant {
    fn read(row: &Row) -> rusqlite::Result<Self> {
        Ok(Self {
            id: row.get("id")?,
            session: row.get("session_id")?,
            app: row.get("app_id")?,
            client: row.get("client")?,
            scope: row.get("scope")?,
            res: row::res(row)?,
            created_at: row.get("created_at")?,
            limit_at: row.get("limit_at")?,
        })
    }
}

/// A grant about to be made.
#[derive(Clone, Debug)]
pub struct NewGrant {
    /// As whose session it is to act; none: it is the app's own.
    pub session: Option<SessionId>,
    pub scope: Scopes,
    /// The channels it is to be confined to; none: all of the session's.
    pub res: Option<Vec<ChannelName>>,
    /// Of one that a session gives: its end, unless that session consents again.
    pub limit_at: Option<Timestamp>,
}

impl NewGrant {
    /// All that an app may do, as the session that owns it or for itself.
    pub fn own_of(app: &App) -> Self {
        Self {
            session: app.session,
            scope: app.scope,
            res: app.res.clone(),
            limit_at: None,
        }
    }
}

/// Makes a grant; a client of it, if it is to have one, follows in the same transaction.
pub fn insert(tx: &Write, app: AppId, new: &NewGrant, now: Timestamp) -> Result<GrantId> {
    let (scope, res) = (
        new.scope.to_string(),
        new.res.as_ref().map(row::to_json).transpose()?,
    );
    tx.add_row(scope.len() + length(res.as_ref()), 5);
    let id = tx
        .sql
        .prepare_cached(
            "INSERT INTO app_grant (session_id, app_id, scope, res, created_at, limit_at) VALUES (?1, ?2, ?3, ?4, ?5, ?6)
             RETURNING id",
        )?
        .query_row(params![
            new.session,
            app,
            scope,
            res,
            now,
            new.limit_at,
        ], |row| row.get(0))?;
    Ok(id)
}

/// Lets a grant that lives by refreshing live until its newest tokens expire.
pub fn prolong(tx: &Write, id: GrantId, until: Timestamp) -> Result<()> {
    tx.sql
        .prepare_cached(
            "UPDATE app_grant SET expires_at = max(ifnull(expires_at, ?2), ?2) WHERE id = ?1",
        )?
        .execute(params![id, until])?;
    Ok(())
}

/// Notes that the session of a grant has consented again.
pub fn consent_again(tx: &Write, id: GrantId, limit_at: Timestamp) -> Result<()> {
    tx.sql
        .prepare_cached("UPDATE app_grant SET limit_at = ?2 WHERE id = ?1")?
        .execute(params![id, limit_at])?;
    Ok(())
}

/// Live grants whose last tokens have expired; a batch of them.
pub fn due(tx: &Read, now: Timestamp, batch: usize) -> Result<Vec<GrantId>> {
    let mut statement = tx.sql.prepare_cached(
        "SELECT id FROM app_grant WHERE ended_at IS NULL AND expires_at <= ?1 LIMIT ?2",
    )?;
    let rows = statement.query_map(params![now, as_sql(batch)], |row| row.get(0))?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

/// The live grants that a session gave an app, oldest first.
pub fn given(tx: &Read, session: SessionId, app: AppId) -> Result<Vec<Grant>> {
    let mut statement = tx.sql.prepare_cached(&format!(
        "{GRANT} WHERE session_id = ?1 AND app_id = ?2 AND ended_at IS NULL ORDER BY id"
    ))?;
    let grants = statement
        .query_map(params![session, app], Grant::read)?
        .collect::<rusqlite::Result<_>>()?;
    Ok(grants)
}

/// A live grant by its id.
pub fn get(tx: &Read, id: GrantId) -> Result<Option<Grant>> {
    Ok(tx
        .sql
        .prepare_cached(&format!(
            "{GRANT} WHERE app_grant.id = ?1 AND ended_at IS NULL"
        ))?
        .query_row([id], Grant::read)
        .optional()?)
}

/// The live grants of a session, oldest first, each with its app.
pub fn live_of(tx: &Read, session: SessionId) -> Result<Vec<(Grant, App)>> {
    let mut statement = tx.sql.prepare_cached(&format!(
        "{GRANT} WHERE session_id = ?1 AND ended_at IS NULL ORDER BY id"
    ))?;
    let grants = statement
        .query_map([session], Grant::read)?
        .collect::<rusqlite::Result<Vec<_>>>()?;
    grants
        .into_iter()
        .map(|grant| app::get(tx, grant.app).map(|app| (grant, app)))
        .collect()
}

/// Live grants after one, by their ids, each with its app: all, or those of an app, of a session,
/// or both.
pub fn page(
    tx: &Read,
    app: Option<AppId>,
    session: Option<SessionId>,
    after: GrantId,
    limit: usize,
) -> Result<Vec<(Grant, App)>> {
    // A statement for each, so that each has its index.
    let filter = match (app, session) {
        (Some(_), Some(_)) => "app_id = ?2 AND session_id = ?3",
        (Some(_), None) => "app_id = ?2 AND ?3 IS NULL",
        (None, Some(_)) => "?2 IS NULL AND session_id = ?3",
        (None, None) => "?2 IS NULL AND ?3 IS NULL",
    };
    let mut statement = tx.sql.prepare_cached(&format!(
        "{GRANT} WHERE ended_at IS NULL AND id > ?1 AND {filter} ORDER BY id LIMIT ?4"
    ))?;
    let wanted = params![after, app, session, as_sql(limit)];
    let grants = statement
        .query_map(wanted, Grant::read)?
        .collect::<rusqlite::Result<Vec<_>>>()?;
    grants
        .into_iter()
        .map(|grant| app::get(tx, grant.app).map(|app| (grant, app)))
        .collect()
}

/// The one live grant that an app has of itself: an API key's, as its session, or an operator's
/// app's own.
pub fn own_of(tx: &Read, app: &App) -> Result<Option<Grant>> {
    Ok(tx
        .sql
        .prepare_cached(&format!(
            "{GRANT} WHERE app_id = ?1 AND session_id IS ?2 AND ended_at IS NULL"
        ))?
        .query_row(params![app.id, app.session], Grant::read)
        .optional()?)
}

/// The live grants of an app.
pub fn live_of_app(tx: &Read, app: AppId) -> Result<Vec<GrantId>> {
    let mut statement = tx
        .sql
        .prepare_cached("SELECT id FROM app_grant WHERE app_id = ?1 AND ended_at IS NULL")?;
    let rows = statement.query_map([app], |row| row.get(0))?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

/// The name of a live grant's app, which what it does is tagged with.
pub fn app_name(tx: &Read, grant: GrantId) -> Result<String> {
    Ok(tx
        .sql
        .prepare_cached(
            "SELECT name FROM app JOIN app_grant ON app_id = app.id WHERE app_grant.id = ?1",
        )?
        .query_row([grant], |row| row.get(0))?)
}

/// The channels that a grant is confined to; none: all of the session's.
pub fn res(tx: &Read, grant: GrantId) -> Result<Option<Vec<ChannelName>>> {
    let res = tx
        .sql
        .prepare_cached("SELECT res FROM app_grant WHERE id = ?1")?;
    Ok({ res }.query_row([grant], row::res)?)
}

/// Whether a grant still stands.
pub fn is_live(tx: &Read, id: GrantId) -> Result<bool> {
    Ok(tx
        .sql
        .prepare_cached("SELECT 1 FROM app_grant WHERE id = ?1 AND ended_at IS NULL")?
        .exists([id])?)
}

/// Ends a grant's row. Returns its app and the session as which it acted; `None`: it had ended.
pub fn end(tx: &Write, id: GrantId, now: Timestamp) -> Result<Option<(AppId, Option<SessionId>)>> {
    let ended = tx.sql.prepare_cached(
        "UPDATE app_grant SET ended_at = ?2 WHERE id = ?1 AND ended_at IS NULL RETURNING app_id, session_id",
    )?;
    let ended = { ended }.query_row(params![id, now], |row| Ok((row.get(0)?, row.get(1)?)));
    Ok(ended.optional()?)
}

/// Removes a batch of grants that ended at `cutoff` or before and have no client any more.
pub fn drop_ended(tx: &Write, cutoff: Timestamp, batch: usize) -> Result<usize> {
    Ok(tx
        .sql
        .prepare_cached(
            "DELETE FROM app_grant WHERE id IN (SELECT id FROM app_grant WHERE ended_at <= ?1
                 AND NOT EXISTS (SELECT 1 FROM client WHERE grant_id = app_grant.id) LIMIT ?2)",
        )?
        .execute(params![cutoff, as_sql(batch)])?)
}
