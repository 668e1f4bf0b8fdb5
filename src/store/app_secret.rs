//! The secrets of apps: several may work at a time, and for each is known when it was used last.

use std::time::Duration;

use rusqlite::{OptionalExtension, Row, params};

use super::{
    row::as_sql,
    size::HASH,
    transaction::{Read, Write},
};
use crate::{
    error::{Code, Error, Result},
    model::{AppId, Timestamp},
    secret::SecretHash,
};

/// Secrets of an app, at most: those that still work, and those that did.
const KEPT_SECRETS: usize = 10;

/// One of an app's secrets, without the secret.
#[derive(Clone, Copy, Debug)]
pub struct AppSecret {
    pub id: i64,
    pub created_at: Timestamp,
    /// None: as long as the app.
    pub valid_until: Option<Timestamp>,
    pub last_used_at: Option<Timestamp>,
    /// How often it was still used after its end, and when last.
    pub tried: i64,
    pub tried_at: Option<Timestamp>,
}

impl AppSecret {
    /// Whether it still proves anything.
    pub fn is_valid(&self, due: Timestamp) -> bool {
        self.valid_until.is_none_or(|end| due < end)
    }

    fn read(row: &Row) -> rusqlite::Result<Self> {
        Ok(Self {
            id: row.get("id")?,
            created_at: row.get("created_at")?,
            valid_until: row.get("valid_until")?,
            last_used_at: row.get("last_used_at")?,
            tried: row.get("tried")?,
            tried_at: row.get("tried_at")?,
        })
    }
}

/// Adds a secret to an app.
pub fn insert(tx: &Write, app: AppId, secret: SecretHash, now: Timestamp) -> Result<()> {
    tx.sql
        .prepare_cached(
            "INSERT INTO app_secret (app_id, secret_hash, created_at) VALUES (?1, ?2, ?3)",
        )?
        .execute(params![app, secret, now])?;
    tx.add_row(2 * HASH, 2);
    Ok(())
}

/// Gives an app a new secret; those before it work for as long as `overlap`. Ten are kept, those
/// that work among them, so an eleventh that would put out one that still works is refused.
pub fn rotate(
    tx: &Write,
    app: AppId,
    secret: SecretHash,
    overlap: Duration,
    now: Timestamp,
    due: Timestamp,
) -> Result<()> {
    tx.sql
        .prepare_cached("UPDATE app_secret SET valid_until = ?2 WHERE app_id = ?1 AND ifnull(valid_until > ?2, 1)")?
        .execute(params![app, due.plus(overlap)])?;
    let valid = of_app(tx, app)?
        .iter()
        .filter(|secret| secret.is_valid(due))
        .count();
    if valid >= KEPT_SECRETS {
        let detail = format!(
            "{KEPT_SECRETS} secrets of it still work: wait for one to end, or rotate with a shorter overlap"
        );
        return Err(Error::new(Code::TooManyKeys, detail));
    }
    insert(tx, app, secret, now)?;
    tx.sql
        .prepare_cached(
            "DELETE FROM app_secret WHERE id IN (SELECT id FROM app_secret WHERE app_id = ?1
                 ORDER BY ifnull(valid_until > ?2, 1) DESC, id DESC LIMIT -1 OFFSET ?3)",
        )?
        .execute(params![app, due, as_sql(KEPT_SECRETS)])?;
    Ok(())
}

/// This secret of an app, valid or not.
pub fn find(tx: &Read, app: AppId, secret: SecretHash) -> Result<Option<AppSecret>> {
    Ok(tx
        .sql
        .prepare_cached("SELECT * FROM app_secret WHERE secret_hash = ?2 AND app_id = ?1")?
        .query_row(params![app, secret], AppSecret::read)
        .optional()?)
}

/// An app's secrets, oldest first.
pub fn of_app(tx: &Read, app: AppId) -> Result<Vec<AppSecret>> {
    let mut statement = tx
        .sql
        .prepare_cached("SELECT * FROM app_secret WHERE app_id = ?1 ORDER BY id")?;
    let secrets = statement
        .query_map([app], AppSecret::read)?
        .collect::<rusqlite::Result<_>>()?;
    Ok(secrets)
}

/// Notes the use of a secret.
pub fn note_used(tx: &Write, secret: &AppSecret, now: Timestamp) -> Result<()> {
    tx.sql
        .prepare_cached("UPDATE app_secret SET last_used_at = ?2 WHERE id = ?1")?
        .execute(params![secret.id, now])?;
    Ok(())
}

/// Notes that somebody still uses a secret whose time is over.
pub fn note_tried(tx: &Write, secret: &AppSecret, now: Timestamp) -> Result<()> {
    tx.sql
        .prepare_cached("UPDATE app_secret SET tried = tried + 1, tried_at = ?2 WHERE id = ?1")?
        .execute(params![secret.id, now])?;
    Ok(())
}
