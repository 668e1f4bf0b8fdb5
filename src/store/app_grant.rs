//! Grants: what an app may do, as a session or for itself. What depends on a grant ends with it.

use super::{
    app::{self, App},
    engine::{connection::Row, value::params},
    row,
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
    /// Its id.
    pub id: GrantId,
    /// The app that may use it.
    pub app: AppId,
    /// As whom the app acts.
    pub acting: Acting,
    /// What it allows.
    pub scope: Scopes,
    /// When it was created.
    pub created_at: Timestamp,
}

/// As whom an app acts through a grant.
#[derive(Clone, Debug)]
pub enum Acting {
    /// The app acts for itself. It has no queue.
    ForItself,
    /// The app acts as a session.
    AsSession {
        /// The terms on which it does.
        terms: Terms,
        /// Its client. `None`: the grant has no queue.
        client: Option<ClientId>,
    },
}

/// The terms on which an app acts as a session.
#[derive(Clone, Debug)]
pub struct Terms {
    /// The session.
    pub session: SessionId,
    /// The channels that the app is confined to. `None`: all of the session's.
    pub res: Option<Vec<ChannelName>>,
    /// For a grant that the session consented to: its end, unless the session consents again.
    /// `None`: the app is an API key, and the grant ends with it.
    pub limit_at: Option<Timestamp>,
}

/// Selects a grant's columns and its client.
const GRANT: &str =
    "SELECT app_grant.*, (SELECT id FROM client WHERE grant_id = app_grant.id) AS client
     FROM app_grant";

impl Grant {
    /// The terms on which the app acts as a session. `None`: it acts for itself.
    pub fn terms(&self) -> Option<&Terms> {
        match &self.acting {
            Acting::ForItself => None,
            Acting::AsSession { terms, .. } => Some(terms),
        }
    }

    /// The session as which the app acts. `None`: it acts for itself.
    pub fn session(&self) -> Option<SessionId> {
        self.terms().map(|terms| terms.session)
    }

    /// The client by which the app acts. `None`: the grant has no queue.
    pub fn client(&self) -> Option<ClientId> {
        match self.acting {
            Acting::ForItself => None,
            Acting::AsSession { client, .. } => client,
        }
    }

    /// The channels of the session that the grant is confined to. `None`: it is not confined.
    pub fn res(&self) -> Option<&[ChannelName]> {
        self.terms().and_then(|terms| terms.res.as_deref())
    }

    fn read(row: &Row) -> Result<Self> {
        Ok(Self {
            id: row.get("id")?,
            app: row.get("app_id")?,
            acting: Acting::read(row)?,
            scope: row.get("scope")?,
            created_at: row.get("created_at")?,
        })
    }
}

impl Acting {
    fn read(row: &Row) -> Result<Self> {
        let Some(session) = row.get("session_id")? else {
            return Ok(Self::ForItself);
        };
        let terms = Terms {
            session,
            res: row::res(row)?,
            limit_at: row.get("limit_at")?,
        };
        Ok(Self::AsSession {
            terms,
            client: row.get("client")?,
        })
    }
}

/// A grant that is about to be created.
#[derive(Clone, Debug)]
pub struct NewGrant {
    /// What it will allow.
    pub scope: Scopes,
    /// The terms on which the app will act as a session. `None`: it will act for itself.
    pub terms: Option<Terms>,
}

impl NewGrant {
    /// Everything that an app may do, as the session that owns it or for itself.
    pub fn own_of(app: &App) -> Self {
        let terms = app.key().map(|key| Terms {
            session: key.session,
            res: key.res.clone(),
            limit_at: None,
        });
        Self {
            scope: app.scope,
            terms,
        }
    }

    /// The session as which the app will act. `None`: it will act for itself.
    pub fn session(&self) -> Option<SessionId> {
        self.terms.as_ref().map(|terms| terms.session)
    }

    /// Whether it will be confined to some of the session's channels.
    pub fn is_confined(&self) -> bool {
        self.terms.as_ref().is_some_and(|terms| terms.res.is_some())
    }
}

/// Creates a grant. Its client, if it has one, is added in the same transaction.
pub fn insert(tx: &Write, app: AppId, new: &NewGrant, now: Timestamp) -> Result<GrantId> {
    let terms = new.terms.as_ref();
    let res = terms.and_then(|terms| terms.res.as_ref());
    let (scope, res) = (new.scope.to_string(), res.map(row::to_json).transpose()?);
    let limit_at = terms.and_then(|terms| terms.limit_at);
    tx.add_row(scope.len() + length(res.as_ref()), 5);
    tx.one(
        "INSERT INTO app_grant (session_id, app_id, scope, res, created_at, limit_at)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6) RETURNING id",
        params![new.session(), app, scope, res, now, limit_at],
        |row| row.get(0),
    )
}

/// Extends the life of a grant that lives by refreshing, until its newest tokens expire.
pub fn prolong(tx: &Write, id: GrantId, until: Timestamp) -> Result<()> {
    tx.execute(
        "UPDATE app_grant SET expires_at = CASE WHEN expires_at > ?2 THEN expires_at ELSE ?2 END
         WHERE id = ?1",
        params![id, until],
    )?;
    Ok(())
}

/// Records that the session of a grant has consented again, and until when that lasts.
pub fn consent_again(tx: &Write, id: GrantId, limit_at: Timestamp) -> Result<()> {
    tx.execute(
        "UPDATE app_grant SET limit_at = ?2 WHERE id = ?1",
        params![id, limit_at],
    )?;
    Ok(())
}

/// A batch of live grants whose last tokens have expired.
pub fn due(tx: &Read, now: Timestamp, batch: usize) -> Result<Vec<GrantId>> {
    tx.all(
        "SELECT id FROM app_grant WHERE ended_at IS NULL AND expires_at <= ?1 LIMIT ?2",
        params![now, batch],
        |row| row.get(0),
    )
}

/// The live grants that a session gave an app, oldest first.
pub fn given(tx: &Read, session: SessionId, app: AppId) -> Result<Vec<Grant>> {
    tx.all(
        &format!("{GRANT} WHERE session_id = ?1 AND app_id = ?2 AND ended_at IS NULL ORDER BY id"),
        params![session, app],
        Grant::read,
    )
}

/// The live grant with this id.
pub fn get(tx: &Read, id: GrantId) -> Result<Option<Grant>> {
    tx.optional(
        &format!("{GRANT} WHERE app_grant.id = ?1 AND ended_at IS NULL"),
        params![id],
        Grant::read,
    )
}

/// The live grants of a session, oldest first, each with its app.
pub fn live_of(tx: &Read, session: SessionId) -> Result<Vec<(Grant, App)>> {
    let grants = tx.all(
        &format!("{GRANT} WHERE session_id = ?1 AND ended_at IS NULL ORDER BY id"),
        params![session],
        Grant::read,
    )?;
    with_apps(tx, grants)
}

/// A page of live grants with ids above `after`, each with its app. They can be limited to those of
/// an app, of a session, or both.
pub fn page(
    tx: &Read,
    app: Option<AppId>,
    session: Option<SessionId>,
    after: GrantId,
    limit: usize,
) -> Result<Vec<(Grant, App)>> {
    // Each case has a statement of its own, so that the engine uses the index that
    // fits.
    let filter = match (app, session) {
        (Some(_), Some(_)) => "app_id = ?2 AND session_id = ?3",
        (Some(_), None) => "app_id = ?2 AND CAST(?3 AS BIGINT) IS NULL",
        (None, Some(_)) => "CAST(?2 AS BIGINT) IS NULL AND session_id = ?3",
        (None, None) => "CAST(?2 AS BIGINT) IS NULL AND CAST(?3 AS BIGINT) IS NULL",
    };
    let grants = tx.all(
        &format!("{GRANT} WHERE ended_at IS NULL AND id > ?1 AND {filter} ORDER BY id LIMIT ?4"),
        params![after, app, session, limit],
        Grant::read,
    )?;
    with_apps(tx, grants)
}

/// Each of these grants with its app.
fn with_apps(tx: &Read, grants: Vec<Grant>) -> Result<Vec<(Grant, App)>> {
    grants
        .into_iter()
        .map(|grant| app::get(tx, grant.app).map(|app| (grant, app)))
        .collect()
}

/// The one live grant that an app has for itself: that of an API key, which acts as its session, or
/// that of an operator's app.
pub fn own_of(tx: &Read, app: &App) -> Result<Option<Grant>> {
    tx.optional(
        &format!(
            "{GRANT} WHERE app_id = ?1 AND session_id IS NOT DISTINCT FROM ?2 AND ended_at IS NULL"
        ),
        params![app.id, app.owner()],
        Grant::read,
    )
}

/// The live grants of an app.
pub fn live_of_app(tx: &Read, app: AppId) -> Result<Vec<GrantId>> {
    tx.all(
        "SELECT id FROM app_grant WHERE app_id = ?1 AND ended_at IS NULL",
        params![app],
        |row| row.get(0),
    )
}

/// The name of a grant's app, with which the grant's events are tagged.
pub fn app_name(tx: &Read, grant: GrantId) -> Result<String> {
    tx.one(
        "SELECT name FROM app JOIN app_grant ON app_id = app.id WHERE app_grant.id = ?1",
        params![grant],
        |row| row.get(0),
    )
}

/// The channels that a grant is confined to. `None`: all of the session's.
pub fn res(tx: &Read, grant: GrantId) -> Result<Option<Vec<ChannelName>>> {
    tx.one(
        "SELECT res FROM app_grant WHERE id = ?1",
        params![grant],
        row::res,
    )
}

/// Whether a grant is live.
pub fn is_live(tx: &Read, id: GrantId) -> Result<bool> {
    tx.exists(
        "SELECT 1 FROM app_grant WHERE id = ?1 AND ended_at IS NULL",
        params![id],
    )
}

/// Marks a grant as ended. Returns its app and the session as which it acted. `None`: it had ended
/// already.
pub fn end(tx: &Write, id: GrantId, now: Timestamp) -> Result<Option<(AppId, Option<SessionId>)>> {
    tx.optional(
        "UPDATE app_grant SET ended_at = ?2 WHERE id = ?1 AND ended_at IS NULL
         RETURNING app_id, session_id",
        params![id, now],
        |row| Ok((row.get(0)?, row.get(1)?)),
    )
}

/// Removes a batch of grants that ended at `cutoff` or before and whose clients are removed.
/// Returns how many.
pub fn drop_ended(tx: &Write, cutoff: Timestamp, batch: usize) -> Result<usize> {
    tx.execute(
        "DELETE FROM app_grant WHERE id IN (SELECT id FROM app_grant WHERE ended_at <= ?1
                 AND NOT EXISTS (SELECT 1 FROM client WHERE grant_id = app_grant.id) LIMIT ?2)",
        params![cutoff, batch],
    )
}
