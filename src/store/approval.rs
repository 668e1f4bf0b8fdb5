//! Pending approvals: what a session has approved and no app has redeemed yet. These are
//! authorization codes, and device codes whose device has not polled since. Both kinds end
//! together.

use super::{
    engine::{connection::Row, value::params},
    row,
    transaction::Read,
};
use crate::{
    error::Result,
    model::{AppId, ChannelName, Scopes, SessionId, Timestamp},
};

/// An approval that its app has not redeemed yet.
#[derive(Clone, Debug)]
pub struct Approval {
    /// The app that may redeem it.
    pub app: AppId,
    /// The scopes that the session approved.
    pub scope: Scopes,
    /// The channels that the session chose. `None`: all of its channels.
    pub res: Option<Vec<ChannelName>>,
    /// When it can no longer be redeemed.
    pub expires_at: Timestamp,
}

impl Approval {
    fn read(row: &Row) -> Result<Self> {
        Ok(Self {
            app: row.get("app_id")?,
            scope: row.get("scope")?,
            res: row::res(row)?,
            expires_at: row.get("expires_at")?,
        })
    }
}

/// The approvals of a session that can still be redeemed, in the order in which they expire.
pub fn pending_of(tx: &Read, session: SessionId, due: Timestamp) -> Result<Vec<Approval>> {
    tx.all(
        "SELECT app_id, scope, res, expires_at FROM authorization_code WHERE session_id = ?1
         AND used_at IS NULL AND expires_at > ?2
         UNION ALL
         SELECT app_id, scope, res, expires_at FROM device_code WHERE session_id = ?1
         AND expires_at > ?2 ORDER BY expires_at",
        params![session, due],
        Approval::read,
    )
}
