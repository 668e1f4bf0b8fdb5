//! The secrets of apps. Several can be valid at a time, and each records when it was last used.

use std::time::Duration;

use super::{
    engine::{connection::Row, value::params},
    size::HASH,
    transaction::{Read, Write},
};
use crate::{
    error::{Code, Error, Result},
    model::{AppId, Timestamp},
    secret::SecretHash,
};

/// The most secrets that an app keeps, valid and expired ones together.
const KEPT_SECRETS: usize = 10;

/// One of an app's secrets, without the secret itself.
#[derive(Clone, Copy, Debug)]
pub struct AppSecret {
    /// The id of its row; newer secrets have higher ids.
    pub id: i64,
    /// When it was created.
    pub created_at: Timestamp,
    /// The end of its validity. `None`: it is valid as long as the app.
    pub valid_until: Option<Timestamp>,
    /// When it was last used. `None`: never.
    pub last_used_at: Option<Timestamp>,
    /// How often it was presented after the end of its validity.
    pub tried: i64,
    /// When it was presented last after that end.
    pub tried_at: Option<Timestamp>,
}

impl AppSecret {
    /// Whether it still authenticates the app.
    pub fn is_valid(&self, due: Timestamp) -> bool {
        self.valid_until.is_none_or(|end| due < end)
    }

    fn read(row: &Row) -> Result<Self> {
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
    tx.execute(
        "INSERT INTO app_secret (app_id, secret_hash, created_at) VALUES (?1, ?2, ?3)",
        params![app, secret, now],
    )?;
    tx.add_row(2 * HASH, 2);
    Ok(())
}

/// Gives an app a new secret. The secrets before it stay valid for `overlap` at most. Ten are kept,
/// valid ones first. Fails with `too_many_keys` if an eleventh would displace a valid one.
pub fn rotate(
    tx: &Write,
    app: AppId,
    secret: SecretHash,
    overlap: Duration,
    now: Timestamp,
    due: Timestamp,
) -> Result<()> {
    tx.execute(
        "UPDATE app_secret SET valid_until = ?2
         WHERE app_id = ?1 AND (valid_until IS NULL OR valid_until > ?2)",
        params![app, due.plus(overlap)],
    )?;
    let valid = of_app(tx, app)?
        .iter()
        .filter(|secret| secret.is_valid(due))
        .count();
    if valid >= KEPT_SECRETS {
        let detail = format!(
            "it already has {KEPT_SECRETS} valid secrets: wait for one to expire, or rotate with a \
             shorter overlap"
        );
        return Err(Error::new(Code::TooManyKeys, detail));
    }
    insert(tx, app, secret, now)?;
    tx.execute(
        "DELETE FROM app_secret WHERE app_id = ?1 AND id NOT IN (
             SELECT id FROM app_secret WHERE app_id = ?1
             ORDER BY (valid_until IS NULL OR valid_until > ?2) DESC, id DESC LIMIT ?3)",
        params![app, due, KEPT_SECRETS],
    )?;
    Ok(())
}

/// The secret of an app with this hash, valid or not.
pub fn find(tx: &Read, app: AppId, secret: SecretHash) -> Result<Option<AppSecret>> {
    tx.optional(
        "SELECT * FROM app_secret WHERE secret_hash = ?2 AND app_id = ?1",
        params![app, secret],
        AppSecret::read,
    )
}

/// The secrets of an app, oldest first.
pub fn of_app(tx: &Read, app: AppId) -> Result<Vec<AppSecret>> {
    tx.all(
        "SELECT * FROM app_secret WHERE app_id = ?1 ORDER BY id",
        params![app],
        AppSecret::read,
    )
}

/// Records a use of a secret.
pub fn note_used(tx: &Write, secret: &AppSecret, now: Timestamp) -> Result<()> {
    tx.execute(
        "UPDATE app_secret SET last_used_at = ?2 WHERE id = ?1",
        params![secret.id, now],
    )?;
    Ok(())
}

/// Counts a use of a secret after the end of its validity.
pub fn note_tried(tx: &Write, secret: &AppSecret, now: Timestamp) -> Result<()> {
    tx.execute(
        "UPDATE app_secret SET tried = tried + 1, tried_at = ?2 WHERE id = ?1",
        params![secret.id, now],
    )?;
    Ok(())
}
