//! Apps: what OAuth calls clients. An API key is an app that a session owns.

use std::time::Duration;

pub use super::app_kind::{ApiKey, AppKind, ClientType, Registration};
use super::{
    engine::{connection::Row, value::params},
    row,
    size::length,
    transaction::{Read, Write},
};
use crate::{
    audit::Subject,
    error::{Code, Error, Result},
    model::{AppId, ChannelName, GrantId, RedirectUri, Scopes, SessionId, Timestamp},
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
    /// Whether a session owns it or the operator registered it, and what only such an app has.
    pub kind: AppKind,
    /// The most that it may be granted.
    pub scope: Scopes,
    /// When it was registered or created.
    pub created_at: Timestamp,
    /// When it ended. `None`: it is live.
    pub ended_at: Option<Timestamp>,
    /// How often its credentials were presented after its end.
    pub tried: i64,
    /// When they were presented last after its end.
    pub tried_at: Option<Timestamp>,
}

impl App {
    fn read(row: &Row) -> Result<Self> {
        Ok(Self {
            id: row.get("id")?,
            client_id: row.get("client_id")?,
            name: row.get("name")?,
            kind: AppKind::read(row)?,
            scope: row.get("scope")?,
            created_at: row.get("created_at")?,
            ended_at: row.get("ended_at")?,
            tried: row.get("tried")?,
            tried_at: row.get("tried_at")?,
        })
    }

    /// Whether it is an API key. All other apps are the operator's.
    pub fn is_key(&self) -> bool {
        matches!(self.kind, AppKind::Key(_))
    }

    /// Whether it is a public client (RFC 6749 §2.1), which cannot keep a secret.
    pub fn is_public(&self) -> bool {
        self.registration()
            .is_some_and(|app| app.client_type == ClientType::Public)
    }

    /// Whether it may introspect every access token and follow the ends of grants.
    pub fn is_resource_server(&self) -> bool {
        self.registration()
            .is_some_and(|app| app.client_type.is_resource_server())
    }

    /// Whether it is registered for the device flow.
    pub fn has_device_flow(&self) -> bool {
        self.registration().is_some_and(|app| app.device)
    }

    /// Whether it is registered for the code flow.
    pub fn has_code_flow(&self) -> bool {
        !self.redirect_uris().is_empty()
    }

    /// The registered redirect URIs of its code flow. Empty: it has no code flow.
    pub fn redirect_uris(&self) -> &[RedirectUri] {
        self.registration()
            .map_or(&[], |app| app.redirect_uris.as_slice())
    }

    /// The session that owns this API key. `None`: the operator registered the app.
    pub fn owner(&self) -> Option<SessionId> {
        self.key().map(|key| key.session)
    }

    /// The channels that it is confined to. `None`: it is not confined. Only an API key can be.
    pub fn res(&self) -> Option<&[ChannelName]> {
        self.key().and_then(|key| key.res.as_deref())
    }

    /// When it expires. `None`: never. Only an API key can expire.
    pub fn expires_at(&self) -> Option<Timestamp> {
        self.key().and_then(|key| key.expires_at)
    }

    /// Whether it has ended or expired, even if its row is not marked as ended yet.
    pub fn is_ended_or_due(&self, due: Timestamp) -> bool {
        self.ended_at.is_some() || self.expires_at().is_some_and(|end| due >= end)
    }

    /// The app as the subject of an audit record.
    pub fn subject(&self) -> Subject {
        Subject {
            session: self.owner(),
            app: Some(self.client_id.clone()),
            ..Subject::default()
        }
    }

    /// The properties of an API key, if it is one.
    pub fn key(&self) -> Option<&ApiKey> {
        match &self.kind {
            AppKind::Key(key) => Some(key),
            AppKind::Registered(_) => None,
        }
    }

    /// The properties of an operator's app, if it is one.
    pub fn registration(&self) -> Option<&Registration> {
        match &self.kind {
            AppKind::Registered(registration) => Some(registration),
            AppKind::Key(_) => None,
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
    /// The flows that it is registered for.
    pub registration: Registration,
    /// The most that it may be granted.
    pub scope: Scopes,
}

/// Registers an operator's app. Its secret, if it has one, is added in the same transaction.
pub fn register(tx: &Write, new: &NewApp, now: Timestamp) -> Result<App> {
    let Registration {
        client_type,
        device,
        redirect_uris,
    } = &new.registration;
    // The operator's additions are charged to no session, but every row is counted.
    tx.add_row(new.client_id.len() + new.name.len(), 4);
    tx.one(
        "INSERT INTO app (client_id, name, public, resource_server, bearer_alone, redirect_uris,
         scope, created_at, device) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9) RETURNING *",
        params![
            new.client_id,
            new.name,
            *client_type == ClientType::Public,
            client_type.is_resource_server(),
            client_type.is_bearer_alone(),
            row::to_json(redirect_uris)?,
            new.scope.to_string(),
            now,
            device,
        ],
        App::read,
    )
}

/// An API key that is about to be created.
#[derive(Clone, Debug)]
pub struct NewKey {
    /// Its public identifier.
    pub client_id: String,
    /// Its name for display.
    pub name: String,
    /// Its owner, its creator and its limits.
    pub key: ApiKey,
    /// The grant through which it is created and with which it ends. `None`: a cookie.
    pub through: Option<GrantId>,
    /// The most that it may do.
    pub scope: Scopes,
}

/// Creates an API key. Its first secret is added in the same transaction.
pub fn insert_key(tx: &Write, new: &NewKey, now: Timestamp) -> Result<App> {
    let (scope, res) = (
        new.scope.to_string(),
        new.key.res.as_ref().map(row::to_json).transpose()?,
    );
    let texts = [
        new.client_id.len(),
        new.client_id.len(),
        new.name.len(),
        scope.len(),
        length(res.as_ref()),
    ];
    tx.add_row(texts.iter().sum(), 4);
    tx.one(
        "INSERT INTO app (client_id, name, session_id, created_by, scope, res, created_at, expires_at,
         created_through) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9) RETURNING *",
        params![
            new.client_id,
            new.name,
            new.key.session,
            new.key.created_by,
            scope,
            res,
            now,
            new.key.expires_at,
            new.through,
        ],
        App::read,
    )
}

/// The app with this `client_id`, live or ended.
pub fn by_client_id(tx: &Read, client_id: &str) -> Result<Option<App>> {
    tx.optional(
        "SELECT * FROM app WHERE client_id = ?1",
        params![client_id],
        App::read,
    )
}

/// The app with this id, live or ended. Fails with `internal_error` if there is none.
pub fn get(tx: &Read, id: AppId) -> Result<App> {
    tx.one("SELECT * FROM app WHERE id = ?1", params![id], App::read)
}

/// A page of the operator's apps with ids above `after`, live and ended, each with the number of
/// its live grants.
pub fn operators(tx: &Read, after: AppId, limit: usize) -> Result<Vec<(App, i64)>> {
    tx.all(
        "SELECT *, (SELECT count(*) FROM app_grant WHERE app_id = app.id
         AND ended_at IS NULL) AS grants FROM app WHERE session_id IS NULL AND id > ?1
         ORDER BY id LIMIT ?2",
        params![after, limit],
        |row| Ok((App::read(row)?, row.get("grants")?)),
    )
}

/// The live API keys of a session.
pub fn live_keys_of(tx: &Read, session: SessionId) -> Result<Vec<App>> {
    tx.all(
        "SELECT * FROM app WHERE session_id = ?1 AND ended_at IS NULL",
        params![session],
        App::read,
    )
}

/// A session's API keys that have ended, the latest first, at most `limit`.
pub fn ended_keys_of(tx: &Read, session: SessionId, limit: usize) -> Result<Vec<App>> {
    tx.all(
        "SELECT * FROM app WHERE session_id = ?1 AND ended_at IS NOT NULL
         ORDER BY ended_at DESC LIMIT ?2",
        params![session, limit],
        App::read,
    )
}

/// A live API key of a session. Fails with `not_found` if the session has no such key.
pub fn live_key(tx: &Read, session: SessionId, client_id: &str) -> Result<App> {
    tx.optional(
        "SELECT * FROM app WHERE client_id = ?2 AND session_id = ?1 AND ended_at IS NULL",
        params![session, client_id],
        App::read,
    )?
    .ok_or_else(|| Error::new(Code::NotFound, "this session has no such key"))
}

/// The live API keys that were created through a grant.
pub fn live_created_through(tx: &Read, grant: GrantId) -> Result<Vec<AppId>> {
    tx.all(
        "SELECT id FROM app WHERE created_through = ?1 AND ended_at IS NULL",
        params![grant],
        |row| row.get(0),
    )
}

/// Changes an app's name.
pub fn rename(tx: &Write, app: AppId, name: &str) -> Result<()> {
    tx.execute("UPDATE app SET name = ?2 WHERE id = ?1", params![app, name])?;
    Ok(())
}

/// Counts a use of an app that has ended.
pub fn note_tried(tx: &Write, app: AppId, now: Timestamp) -> Result<()> {
    tx.execute(
        "UPDATE app SET tried = tried + 1, tried_at = ?2 WHERE id = ?1",
        params![app, now],
    )?;
    Ok(())
}

/// Marks an app as ended and returns it. `None`: it had ended already.
pub fn end(tx: &Write, id: AppId, now: Timestamp) -> Result<Option<App>> {
    tx.optional(
        "UPDATE app SET ended_at = ?2 WHERE id = ?1 AND ended_at IS NULL RETURNING *",
        params![id, now],
        App::read,
    )
}

/// A batch of the live apps that have expired.
pub fn due(tx: &Read, now: Timestamp, batch: usize) -> Result<Vec<AppId>> {
    tx.all(
        "SELECT id FROM app WHERE ended_at IS NULL AND expires_at <= ?1 LIMIT ?2",
        params![now, batch],
        |row| row.get(0),
    )
}

/// Removes a batch of ended apps that nobody can ask about any more: their session ended at
/// `cutoff` or before, or they ended 30 days ago. Returns how many. Their grants must be removed
/// first.
pub fn drop_ended(tx: &Write, cutoff: Timestamp, now: Timestamp, batch: usize) -> Result<usize> {
    tx.execute(
        "DELETE FROM app WHERE id IN (SELECT id FROM app WHERE ended_at IS NOT NULL
         AND (ended_at <= ?2 OR session_id IN (SELECT id FROM session WHERE ended_at <= ?1))
         AND NOT EXISTS (SELECT 1 FROM app_grant WHERE app_id = app.id) LIMIT ?3)",
        params![cutoff, now.minus(LISTED_FOR), batch],
    )
}
