//! Apps: what OAuth calls clients. An API key is an app that a session owns.

use std::time::Duration;

use rusqlite::{OptionalExtension, Row, params};

use super::{
    row::{self, as_sql},
    size::length,
    transaction::{Read, Write},
};
use crate::{
    audit::Subject,
    error::{Code, Error, Result},
    model::{AppId, ChannelName, ClientId, GrantId, RedirectUri, Scopes, SessionId, Timestamp},
};

/// How long an app that has ended stays in the list.
const LISTED_FOR: Duration = Duration::from_hours(30 * 24);

/// An app, live or ended.
#[derive(Clone, Debug)]
pub struct App {
    /// Its id in the database.
    pub id: AppId,
    /// Its public identifier, the `client_id` of OAuth. It is not a secret.
    pub client_id: String,
    /// Its name for display.
    pub name: String,
    /// The session that owns this API key. `None`: the operator registered the app.
    pub session: Option<SessionId>,
    /// For an API key: the client that created it.
    pub maker: Option<ClientId>,
    /// Whether it is a public client (RFC 6749 §2.1): it runs on its users' machines and cannot
    /// keep a secret.
    pub public: bool,
    /// Whether it may introspect every token.
    pub resource_server: bool,
    /// Whether its access tokens work without the app's own credentials beside them.
    pub bearer_alone: bool,
    /// Whether it is registered for the device flow (RFC 8628).
    pub device: bool,
    /// The registered redirect URIs. An app with at least one is registered for the code flow.
    pub redirect_uris: Vec<RedirectUri>,
    /// The most that it may be granted.
    pub scope: Scopes,
    /// The channels that it is confined to. `None`: all channels of the session.
    pub res: Option<Vec<ChannelName>>,
    /// When it was registered or created.
    pub created_at: Timestamp,
    /// When it expires. `None`: never.
    pub expires_at: Option<Timestamp>,
    /// When it ended. `None`: it is live.
    pub ended_at: Option<Timestamp>,
    /// How often its credentials were presented after its end.
    pub tried: i64,
    /// When they were presented last after its end.
    pub tried_at: Option<Timestamp>,
}

impl App {
    fn read(row: &Row) -> rusqlite::Result<Self> {
        let time = |column: &str| {
            row.get::<_, Option<i64>>(column)
                .map(|time| time.map(Timestamp))
        };
        Ok(Self {
            id: row.get("id")?,
            client_id: row.get("client_id")?,
            name: row.get("name")?,
            session: row.get("session_id")?,
            maker: row.get("maker")?,
            public: row.get("public")?,
            resource_server: row.get("resource_server")?,
            bearer_alone: row.get("bearer_alone")?,
            device: row.get("device")?,
            redirect_uris: row::redirect_uris(row)?,
            scope: row.get("scope")?,
            res: row::res(row)?,
            created_at: row.get("created_at")?,
            expires_at: time("expires_at")?,
            ended_at: time("ended_at")?,
            tried: row.get("tried")?,
            tried_at: time("tried_at")?,
        })
    }

    /// Whether it is an API key. All other apps are the operator's.
    pub fn is_key(&self) -> bool {
        self.session.is_some()
    }

    /// Whether it is registered for the code flow.
    pub fn has_code_flow(&self) -> bool {
        !self.is_key() && !self.redirect_uris.is_empty()
    }

    /// Whether it is registered for the device flow.
    pub fn has_device_flow(&self) -> bool {
        !self.is_key() && self.device
    }

    /// Whether it has ended or expired, even if its row is not marked as ended yet.
    pub fn over(&self, due: Timestamp) -> bool {
        self.ended_at.is_some() || self.expires_at.is_some_and(|end| due >= end)
    }

    /// The app as the subject of an audit record.
    pub fn subject(&self) -> Subject {
        Subject {
            session: self.session,
            app: Some(self.client_id.clone()),
            ..Subject::default()
        }
    }
}

/// An operator's app that is about to be registered.
#[derive(Clone, Debug)]
pub struct NewApp {
    /// Its public identifier.
    pub client_id: String,
    /// Its name for display.
    pub name: String,
    /// Whether it cannot keep a secret.
    pub public: bool,
    /// Whether it may introspect every token.
    pub resource_server: bool,
    /// Whether its access tokens work without the app's own credentials.
    pub bearer_alone: bool,
    /// Whether it is registered for the device flow.
    pub device: bool,
    /// The redirect URIs of its code flow. Empty: it has no code flow.
    pub redirect_uris: Vec<RedirectUri>,
    /// The most that it may be granted.
    pub scope: Scopes,
}

/// Registers an operator's app. Its secret, if it has one, is added in the same transaction.
pub fn register(tx: &Write, new: &NewApp, now: Timestamp) -> Result<App> {
    // The operator's additions are charged to nobody, but every row is counted.
    tx.add_row(new.client_id.len() + new.name.len(), 4);
    let app = tx
        .sql
        .prepare_cached(
            "INSERT INTO app (client_id, name, public, resource_server, bearer_alone, redirect_uris, scope, created_at,
                              device)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9) RETURNING *",
        )?
        .query_row(
            params![
                new.client_id,
                new.name,
                new.public,
                new.resource_server,
                new.bearer_alone,
                row::to_json(&new.redirect_uris)?,
                new.scope.to_string(),
                now,
                new.device,
            ],
            App::read,
        )?;
    Ok(app)
}

/// An API key that is about to be created.
#[derive(Clone, Debug)]
pub struct NewKey {
    /// Its public identifier.
    pub client_id: String,
    /// Its name for display.
    pub name: String,
    /// The session that owns it.
    pub session: SessionId,
    /// The client that creates it.
    pub maker: ClientId,
    /// The grant through which it is created and with which it ends. `None`: a cookie.
    pub through: Option<GrantId>,
    /// The most that it may do.
    pub scope: Scopes,
    /// The channels that it is confined to. `None`: all channels of the session.
    pub res: Option<Vec<ChannelName>>,
    /// When it expires. `None`: never.
    pub expires_at: Option<Timestamp>,
}

/// Creates an API key. Its first secret is added in the same transaction.
pub fn insert_key(tx: &Write, new: &NewKey, now: Timestamp) -> Result<App> {
    let (scope, res) = (
        new.scope.to_string(),
        new.res.as_ref().map(row::to_json).transpose()?,
    );
    let texts = [
        new.client_id.len(),
        new.client_id.len(),
        new.name.len(),
        scope.len(),
        length(res.as_ref()),
    ];
    tx.add_row(texts.iter().sum(), 4);
    let app = tx
        .sql
        .prepare_cached(
            "INSERT INTO app (client_id, name, session_id, maker, scope, res, created_at, expires_at, made_through)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9) RETURNING *",
        )?
        .query_row(
            params![
                new.client_id,
                new.name,
                new.session,
                new.maker,
                scope,
                res,
                now,
                new.expires_at,
                new.through,
            ],
            App::read,
        )?;
    Ok(app)
}

/// The app with this `client_id`, live or ended.
pub fn by_client_id(tx: &Read, client_id: &str) -> Result<Option<App>> {
    Ok(tx
        .sql
        .prepare_cached("SELECT * FROM app WHERE client_id = ?1")?
        .query_row([client_id], App::read)
        .optional()?)
}

/// The app with this id, live or ended. Fails with `internal_error` if there is none.
pub fn get(tx: &Read, id: AppId) -> Result<App> {
    Ok(tx
        .sql
        .prepare_cached("SELECT * FROM app WHERE id = ?1")?
        .query_row([id], App::read)?)
}

/// A page of the operator's apps with ids above `after`, live and ended, each with the number of
/// its live grants.
pub fn operators(tx: &Read, after: AppId, limit: usize) -> Result<Vec<(App, i64)>> {
    let mut statement = tx.sql.prepare_cached(
        "SELECT *, (SELECT count(*) FROM app_grant WHERE app_id = app.id AND ended_at IS NULL) AS grants
         FROM app WHERE session_id IS NULL AND id > ?1 ORDER BY id LIMIT ?2",
    )?;
    let rows = statement.query_map(params![after, as_sql(limit)], |row| {
        Ok((App::read(row)?, row.get("grants")?))
    })?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

/// The live API keys of a session.
pub fn live_keys_of(tx: &Read, session: SessionId) -> Result<Vec<App>> {
    let mut statement = tx
        .sql
        .prepare_cached("SELECT * FROM app WHERE session_id = ?1 AND ended_at IS NULL")?;
    let keys = statement
        .query_map([session], App::read)?
        .collect::<rusqlite::Result<_>>()?;
    Ok(keys)
}

/// A session's API keys that have ended, the latest first, at most `limit`.
pub fn ended_keys_of(tx: &Read, session: SessionId, limit: usize) -> Result<Vec<App>> {
    let mut statement = tx.sql.prepare_cached(
        "SELECT * FROM app WHERE session_id = ?1 AND ended_at IS NOT NULL ORDER BY ended_at DESC LIMIT ?2",
    )?;
    let keys = statement
        .query_map(params![session, as_sql(limit)], App::read)?
        .collect::<rusqlite::Result<_>>()?;
    Ok(keys)
}

/// A live API key of a session. Fails with `not_found` if the session has no such key.
pub fn live_key(tx: &Read, session: SessionId, client_id: &str) -> Result<App> {
    tx.sql
        .prepare_cached(
            "SELECT * FROM app WHERE client_id = ?2 AND session_id = ?1 AND ended_at IS NULL",
        )?
        .query_row(params![session, client_id], App::read)
        .optional()?
        .ok_or_else(|| Error::new(Code::NotFound, "this session has no such key"))
}

/// The live API keys that were created through a grant.
pub fn live_made_through(tx: &Read, grant: GrantId) -> Result<Vec<AppId>> {
    let mut statement = tx
        .sql
        .prepare_cached("SELECT id FROM app WHERE made_through = ?1 AND ended_at IS NULL")?;
    let rows = statement.query_map([grant], |row| row.get(0))?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

/// Changes an app's name.
pub fn rename(tx: &Write, app: AppId, name: &str) -> Result<()> {
    tx.sql
        .prepare_cached("UPDATE app SET name = ?2 WHERE id = ?1")?
        .execute(params![app, name])?;
    Ok(())
}

/// Counts a use of an app that has ended.
pub fn note_tried(tx: &Write, app: AppId, now: Timestamp) -> Result<()> {
    tx.sql
        .prepare_cached("UPDATE app SET tried = tried + 1, tried_at = ?2 WHERE id = ?1")?
        .execute(params![app, now])?;
    Ok(())
}

/// Marks an app as ended and returns it. `None`: it had ended already.
pub fn end(tx: &Write, id: AppId, now: Timestamp) -> Result<Option<App>> {
    let ended = tx.sql.prepare_cached(
        "UPDATE app SET ended_at = ?2 WHERE id = ?1 AND ended_at IS NULL RETURNING *",
    )?;
    Ok({ ended }
        .query_row(params![id, now], App::read)
        .optional()?)
}

/// A batch of the live apps that have expired.
pub fn due(tx: &Read, now: Timestamp, batch: usize) -> Result<Vec<AppId>> {
    let mut statement = tx.sql.prepare_cached(
        "SELECT id FROM app WHERE ended_at IS NULL AND expires_at <= ?1 LIMIT ?2",
    )?;
    let rows = statement.query_map(params![now, as_sql(batch)], |row| row.get(0))?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

/// Removes a batch of ended apps that nobody can ask about any more: their session ended at
/// `cutoff` or before, or they ended 30 days ago. Returns how many. Their grants must be removed
/// first.
pub fn drop_ended(tx: &Write, cutoff: Timestamp, now: Timestamp, batch: usize) -> Result<usize> {
    Ok(tx
        .sql
        .prepare_cached(
            "DELETE FROM app WHERE id IN (SELECT id FROM app WHERE ended_at IS NOT NULL
                 AND (ended_at <= ?2 OR session_id IN (SELECT id FROM session WHERE ended_at <= ?1))
                 AND NOT EXISTS (SELECT 1 FROM app_grant WHERE app_id = app.id) LIMIT ?3)",
        )?
        .execute(params![cutoff, now.minus(LISTED_FOR), as_sql(batch)])?)
}
