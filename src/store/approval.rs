//! What a session has approved and no app has redeemed yet: authorization codes, and device codes
//! whose device has not come back. They end together, whichever kind they are.

use rusqlite::{Row, params};

use super::{row, transaction::Read};
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
