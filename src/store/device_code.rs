//! Device codes (RFC 8628): a device polls with its code until a user has typed the user code that
//! it shows.

use std::{net::IpAddr, time::Duration};

use super::{
    engine::{connection::Row, value::params},
    row,
    size::HASH,
    transaction::{Read, Write},
};
use crate::{
    error::Result,
    model::{AppId, ChannelName, ClientId, Scopes, SessionId, Timestamp},
    secret::{KeyId, SecretHash, UserCodeHash},
};

/// How long an expired code is kept, so that a device that still polls learns that it has expired.
const KEPT_FOR: Duration = Duration::from_hours(24);

/// A device code that was not redeemed yet.
#[derive(Clone, Debug)]
pub struct DeviceCode {
    /// The hash of the user code that belongs to it.
    pub user_code: UserCodeHash,
    /// The app that asked for it.
    pub app: AppId,
    /// The scopes that the app asked for.
    pub scope: Scopes,
    /// The address of the device that asked for it.
    pub address: String,
    /// When it expires.
    pub expires_at: Timestamp,
    /// The least time between two polls.
    pub interval: Duration,
    /// When the device polled last. `None`: not yet.
    pub polled_at: Option<Timestamp>,
    /// The decision. `None`: not decided yet.
    pub decision: Option<Decision>,
}

/// The decision about a device code, on the page where its user code was typed.
#[derive(Clone, Debug)]
pub enum Decision {
    /// The device was refused.
    Denied,
    /// The device was approved.
    Approved {
        /// The session that approved it.
        session: SessionId,
        /// The client of that session that approved it.
        client: ClientId,
        /// The channels that the grant will be confined to. `None`: all of the session's.
        res: Option<Vec<ChannelName>>,
    },
}

impl DeviceCode {
    fn read(row: &Row) -> Result<Self> {
        let approved = row
            .get::<Option<SessionId>>("session_id")?
            .zip(row.get::<Option<ClientId>>("client_id")?);
        let decision = match (row.get("denied")?, approved) {
            (true, _) => Some(Decision::Denied),
            (false, Some((session, client))) => Some(Decision::Approved {
                session,
                client,
                res: row::res(row)?,
            }),
            (false, None) => None,
        };
        Ok(Self {
            user_code: row.get("user_code")?,
            app: row.get("app_id")?,
            scope: row.get("scope")?,
            address: row.get("address")?,
            expires_at: row.get("expires_at")?,
            interval: row.get("interval")?,
            polled_at: row.get("polled_at")?,
            decision,
        })
    }
}

/// A device code that is about to be created.
#[derive(Clone, Debug)]
pub struct NewDeviceCode {
    /// The hash of the device code.
    pub secret: SecretHash,
    /// The hash of the user code.
    pub user_code: UserCodeHash,
    /// The key with which the user code is hashed.
    pub key: KeyId,
    /// The app that asks for it.
    pub app: AppId,
    /// The scopes that the app asks for.
    pub scope: Scopes,
    /// The address of the device.
    pub address: IpAddr,
    /// When it expires.
    pub expires_at: Timestamp,
    /// The least time between two polls.
    pub interval: Duration,
}

/// Creates a device code. Returns `false`, and creates nothing, if its user code is in use.
pub fn insert(tx: &Write, new: &NewDeviceCode, now: Timestamp) -> Result<bool> {
    let (scope, address) = (new.scope.to_string(), new.address.to_string());
    tx.add_row(2 * HASH + scope.len() + 2 * address.len(), 4);
    let inserted = tx.execute(
        "INSERT INTO device_code (secret_hash, user_code, app_id, scope, address, created_at,
         expires_at, interval, key) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)
         ON CONFLICT (user_code) DO NOTHING",
        params![
            new.secret,
            new.user_code,
            new.app,
            scope,
            address,
            now,
            new.expires_at,
            new.interval,
            new.key,
        ],
    )?;
    Ok(inserted == 1)
}

/// How many of the codes that an app requested from this address are still undecided.
pub fn count_pending(tx: &Read, app: AppId, address: IpAddr, due: Timestamp) -> Result<i64> {
    tx.one(
        "SELECT count(*) FROM device_code WHERE app_id = ?1
         AND address = ?2 AND expires_at > ?3 AND session_id IS NULL AND NOT denied",
        params![app, address, due],
        |row| row.get(0),
    )
}

/// The first expiry among these undecided codes. `None`: there are none.
pub fn first_pending(
    tx: &Read,
    app: AppId,
    address: IpAddr,
    due: Timestamp,
) -> Result<Option<Timestamp>> {
    tx.one(
        "SELECT min(expires_at) FROM device_code
         WHERE app_id = ?1 AND address = ?2 AND expires_at > ?3
         AND session_id IS NULL AND NOT denied",
        params![app, address, due],
        |row| row.get(0),
    )
}

/// The device code with this hash, expired and decided ones included.
pub fn find(tx: &Read, secret: SecretHash) -> Result<Option<DeviceCode>> {
    tx.optional(
        "SELECT * FROM device_code WHERE secret_hash = ?1",
        params![secret],
        DeviceCode::read,
    )
}

/// The device code that belongs to a user code, given all hashes that the user code may have.
pub fn find_typed(tx: &Read, user_code: &[UserCodeHash]) -> Result<Option<DeviceCode>> {
    let mut found = user_code.iter().map(|hash| {
        tx.optional(
            "SELECT * FROM device_code WHERE user_code = ?1",
            params![hash],
            DeviceCode::read,
        )
    });
    found.find_map(Result::transpose).transpose()
}

/// Records a poll, and the least time until the next one.
pub fn note_poll(tx: &Write, secret: SecretHash, interval: Duration, due: Timestamp) -> Result<()> {
    tx.execute(
        "UPDATE device_code SET polled_at = ?2, interval = ?3 WHERE secret_hash = ?1",
        params![secret, due, interval],
    )?;
    Ok(())
}

/// Records the decision about an undecided code, and its new expiry.
pub fn decide(
    tx: &Write,
    user_code: UserCodeHash,
    decision: &Decision,
    expires_at: Timestamp,
) -> Result<()> {
    let (session, client, res) = match decision {
        Decision::Denied => (None, None, &None),
        Decision::Approved {
            session,
            client,
            res,
        } => (Some(session), Some(client), res),
    };
    tx.execute(
        "UPDATE device_code SET denied = ?6, session_id = ?2, client_id = ?3, res = ?4,
         expires_at = ?5 WHERE user_code = ?1",
        params![
            user_code,
            session,
            client,
            res.as_ref().map(row::to_json).transpose()?,
            expires_at,
            session.is_none(),
        ],
    )?;
    Ok(())
}

/// Removes a code that was redeemed: it works once.
pub fn remove(tx: &Write, secret: SecretHash) -> Result<()> {
    tx.execute(
        "DELETE FROM device_code WHERE secret_hash = ?1",
        params![secret],
    )?;
    Ok(())
}

/// Removes the codes of an app that has ended.
pub fn remove_of_app(tx: &Write, app: AppId) -> Result<()> {
    tx.execute("DELETE FROM device_code WHERE app_id = ?1", params![app])?;
    Ok(())
}

/// Removes all codes that a session approved.
pub fn remove_of_session(tx: &Write, session: SessionId) -> Result<()> {
    tx.execute(
        "DELETE FROM device_code WHERE session_id = ?1",
        params![session],
    )?;
    Ok(())
}

/// Removes the codes that a client approved before it left and that were not redeemed. The client
/// may have been removed because it was not trusted.
pub fn remove_of_client(tx: &Write, session: SessionId, client: ClientId) -> Result<()> {
    tx.execute(
        "DELETE FROM device_code WHERE session_id = ?1 AND client_id = ?2",
        params![session, client],
    )?;
    Ok(())
}

/// Denies the codes that a session approved and that were not redeemed, for one app or for all
/// (`None`). Returns how many.
pub fn void(tx: &Write, session: SessionId, app: Option<AppId>) -> Result<usize> {
    tx.execute(
        "UPDATE device_code SET denied = TRUE, session_id = NULL, client_id = NULL, res = NULL
         WHERE session_id = ?1 AND app_id = coalesce(?2, app_id)",
        params![session, app],
    )
}

/// How many approved codes of a session will create a new client when they are redeemed. The scope
/// `identity` creates none.
pub fn count_approved(tx: &Read, session: SessionId, due: Timestamp) -> Result<usize> {
    tx.one(
        "SELECT count(*) FROM device_code
         WHERE session_id = ?1 AND expires_at > ?2 AND scope != 'identity'",
        params![session, due],
        |row| row.get(0),
    )
}

/// Expires all undecided codes, because the key to their user codes is lost.
pub fn end_undecided(tx: &Write, now: Timestamp) -> Result<()> {
    tx.execute(
        "UPDATE device_code SET expires_at = ?1
         WHERE expires_at > ?1 AND session_id IS NULL AND NOT denied",
        params![now],
    )?;
    Ok(())
}

/// Removes a batch of codes that expired 24 hours ago or earlier. Returns how many.
pub fn expire(tx: &Write, due: Timestamp, batch: usize) -> Result<usize> {
    tx.execute("DELETE FROM device_code
         WHERE secret_hash IN (SELECT secret_hash FROM device_code WHERE expires_at <= ?1 LIMIT ?2)", params![due.minus(KEPT_FOR), batch])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        secret::{KeyRing, UserCode},
        store::{
            Write,
            app::{self, ClientType, NewApp, Registration},
            open_for_test,
        },
    };

    #[test]
    fn user_codes_are_unique_and_codes_end_with_their_app() {
        let dir = tempfile::tempdir().unwrap();
        let now = Timestamp(0);
        let sql = open_for_test(&dir.path().join("d.db"));
        let tx = Write::new(&sql);
        let app = NewApp {
            client_id: "app_x".into(),
            name: "x".into(),
            registration: Registration {
                client_type: ClientType::Public,
                device: true,
                redirect_uris: Vec::new(),
            },
            scope: Scopes::ALL,
        };
        let app = app::register(&tx, &app, now).unwrap().id;
        let ring = KeyRing::generate().unwrap();
        let user_code = ring.hash(&UserCode::generate().unwrap(), now);
        let new = |secret: &str| NewDeviceCode {
            secret: SecretHash::of(secret),
            user_code,
            key: ring.current(now).clone(),
            app,
            scope: Scopes::ALL,
            address: [127, 0, 0, 1].into(),
            expires_at: Timestamp(1),
            interval: Duration::ZERO,
        };
        assert!(insert(&tx, &new("one"), now).unwrap());
        assert!(!insert(&tx, &new("another"), now).unwrap());
        assert!(find(&tx, SecretHash::of("one")).unwrap().is_some());
        remove_of_app(&tx, app).unwrap();
        assert!(find(&tx, SecretHash::of("one")).unwrap().is_none());
    }
}
