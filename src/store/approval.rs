//! What a session has approved and no app has redeemed yet: authorization codes, and device codes
//! whose device has not come back. They end together, whichever kind they are.

use rusqlite::{Connection, Row, params};

use super::{Read, Write, row};
use crate::{
    error::Result,
    model::{AppId, ChannelName, Scopes, SessionId, Timestamp},
};

/// An approval that waits for its app.
#[derive(Clone, Debug)]
pub struct Approval {
    pub app: AppId,
    pub scope: Scopes,
    /// The channels that were chosen; none: all of the session's.
    pub res: Option<Vec<ChannelName>>,
    pub expires_at: Timestamp,
}

impl Approval {
    fn read(row: &Row) -> rusqlite::Result<Self> {
        Ok(Self {
            app: row.get("app_id")?,
            scope: row.get("scope")?,
            res: row::res(row)?,
            expires_at: row.get("expires_at")?,
        })
    }
}

/// The approvals of a session that can still be redeemed, those that expire first before the
/// others.
pub fn pending_of(tx: &Read, session: SessionId, due: Timestamp) -> Result<Vec<Approval>> {
    let mut statement = tx.sql.prepare_cached(
        "SELECT app_id, scope, res, expires_at FROM authorization_code
         WHERE session_id = ?1 AND used_at IS NULL AND expires_at > ?2
         UNION ALL
         SELECT app_id, scope, res, expires_at FROM device_code WHERE session_id = ?1 AND expires_at > ?2
         ORDER BY expires_at",
    )?;
    let rows = statement.query_map(params![session, due], Approval::read)?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

/// Voids every approval in a copy of a database. What its session took back after the copy was made
/// must not be redeemed.
pub(super) fn void_all(sql: &Connection) -> rusqlite::Result<()> {
    sql.execute_batch(
        "DELETE FROM authorization_code WHERE used_at IS NULL;
         UPDATE device_code SET denied = 1, session_id = NULL, client_id = NULL, res = NULL WHERE session_id IS NOT NULL;",
    )
}

/// Voids everything that a session has approved and nobody has redeemed.
pub fn void_of_session(tx: &Write, session: SessionId) -> Result<()> {
    void(tx, session, None).map(drop)
}

/// Voids what a session has approved for one app; how many approvals those were.
pub fn void_of_app(tx: &Write, session: SessionId, app: AppId) -> Result<usize> {
    void(tx, session, Some(app))
}

/// Voids approvals for one app or for all. A device that polls is told that it was denied.
fn void(tx: &Write, session: SessionId, app: Option<AppId>) -> Result<usize> {
    let of = params![session, app];
    let codes = tx
        .sql
        .prepare_cached(
            "DELETE FROM authorization_code
             WHERE session_id = ?1 AND (?2 IS NULL OR app_id = ?2) AND used_at IS NULL",
        )?
        .execute(of)?;
    let devices = tx
        .sql
        .prepare_cached(
            "UPDATE device_code SET denied = 1, session_id = NULL, client_id = NULL, res = NULL
             WHERE session_id = ?1 AND (?2 IS NULL OR app_id = ?2)",
        )?
        .execute(of)?;
    Ok(codes + devices)
}
