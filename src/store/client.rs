//! Clients: created, renewed, listed and ended. A session ends with its last device.

use std::net::IpAddr;

use rusqlite::{OptionalExtension, Row, params};

use super::{
    effect::{Admission, Effect},
    row_rusqlite::as_sql,
    size::{ADDRESS, HASH},
    transaction::{Read, Write},
};
use crate::{
    error::Result,
    model::{
        AppId, Area, Authority, Caller, ClientAddress, ClientId, ClientView, EndReason, EventId,
        GrantId, Granted, SessionId, Timestamp,
    },
    secret::SecretHash,
};

/// A client that is about to be created or renewed.
#[derive(Clone, Debug)]
pub struct NewClient {
    /// Its name for display.
    pub name: String,
    /// The hash of its cookie's secret.
    pub secret: SecretHash,
    /// When it expires.
    pub expires_at: Timestamp,
    /// The address of the request.
    pub address: IpAddr,
    /// By what it acts.
    pub authority: Authority,
}

/// Adds a client to a session. Its queue begins at `head`, until its first snapshot moves the
/// beginning.
pub fn insert(
    tx: &Write,
    session: SessionId,
    new: &NewClient,
    head: EventId,
    now: Timestamp,
) -> Result<ClientId> {
    let granted = new.authority.granted();
    tx.work_for(session);
    tx.add_row(new.name.len() + 2 * HASH + 2 * ADDRESS, 7);
    let id = tx
        .sql
        .prepare_cached(
            "INSERT INTO client (session_id, name, secret_hash, start, cursor, created_at, seen_at, expires_at, address,
                                 unpresented, grant_id, key)
             VALUES (?1, ?2, ?3, ?4, ?4, ?5, ?5, ?6, ?7, ?8, ?9, ?10)
             RETURNING id",
        )?
        .query_row(params![
            session,
            new.name,
            new.secret,
            head,
            now,
            new.expires_at,
            new.address.to_string(),
            granted.is_none().then_some(now),
            granted.map(|granted| granted.id),
            granted.is_some_and(|granted| granted.is_key),
        ], |row| row.get(0))?;
    tx.effect(Effect::Admitted(Admission {
        caller: Caller {
            session,
            client: id,
            authority: new.authority,
        },
        secret: new.secret,
        cursor: head,
        begun: false,
        presented: granted.is_some(),
        seen_at: now,
        area: Some(Area::of(new.address)),
        expires_at: new.expires_at,
    }));
    Ok(id)
}

/// Gives a live client a new secret and a new lifetime; its queue goes on. The new secret counts as
/// presented: if the answer is lost, its owner can log in again with the password.
pub fn renew(
    tx: &Write,
    caller: Caller,
    new: &NewClient,
    name: Option<&str>,
    now: Timestamp,
) -> Result<()> {
    let (cursor, begun) = tx
        .sql
        .prepare_cached(
            "UPDATE client SET secret_hash = ?2, seen_at = ?3, expires_at = ?4, unpresented = NULL,
                               warned = 0, name = ifnull(?5, name)
             WHERE id = ?1 RETURNING cursor, begun",
        )?
        .query_row(
            params![caller.client, new.secret, now, new.expires_at, name],
            |row| Ok((row.get(0)?, row.get(1)?)),
        )?;
    tx.effect(Effect::Admitted(Admission {
        caller,
        secret: new.secret,
        cursor: EventId(cursor),
        begun,
        presented: true,
        seen_at: now,
        area: Some(Area::of(new.address)),
        expires_at: new.expires_at,
    }));
    Ok(())
}

/// Changes a client's name.
pub fn rename(tx: &Write, id: ClientId, name: &str) -> Result<()> {
    tx.sql
        .prepare_cached("UPDATE client SET name = ?2 WHERE id = ?1")?
        .execute(params![id, name])?;
    Ok(())
}

/// Changes the name of all clients of an app.
pub fn rename_of_app(tx: &Write, app: AppId, name: &str) -> Result<()> {
    tx.sql
        .prepare_cached("UPDATE client SET name = ?2 WHERE grant_id IN (SELECT id FROM app_grant WHERE app_id = ?1)")?
        .execute(params![app, name])?;
    Ok(())
}

/// Extends a client's lifetime to `until`, after its app has authenticated again.
pub fn prolong(tx: &Write, client: ClientId, until: Timestamp, now: Timestamp) -> Result<()> {
    tx.sql
        .prepare_cached("UPDATE client SET expires_at = ?2, seen_at = max(seen_at, ?3), warned = 0 WHERE id = ?1")?
        .execute(params![client, until, now])?;
    Ok(())
}

/// Records that a client has presented this secret, which proves that the secret has arrived.
pub fn note_presented(tx: &Write, client: ClientId, secret: SecretHash) -> Result<()> {
    tx.sql
        .prepare_cached("UPDATE client SET unpresented = NULL WHERE id = ?1 AND secret_hash = ?2")?
        .execute(params![client, secret])?;
    Ok(())
}

/// The addresses from which the session's latest devices logged in, at most 100. Only devices that
/// are live or have expired count. A device that was removed or has logged out may have been a
/// stranger's. Clients of apps are left out, because programs of strangers run at the same places.
pub fn addresses(tx: &Read, session: SessionId) -> Result<Vec<IpAddr>> {
    let mut statement = tx.sql.prepare_cached(
        "SELECT address FROM client WHERE session_id = ?1 AND grant_id IS NULL AND (ended_at IS NULL OR end_reason = ?2)
         ORDER BY id DESC LIMIT 100",
    )?;
    let rows = statement.query_map(params![session, EndReason::Expired.name()], address)?;
    let addresses = rows.collect::<rusqlite::Result<Vec<_>>>()?;
    Ok(addresses.into_iter().flatten().collect())
}

/// Why a client has left. `None`: it is live. Fails with `internal_error` if its row is gone.
pub fn ended(tx: &Read, client: ClientId) -> Result<Option<EndReason>> {
    let reason = tx
        .sql
        .prepare_cached("SELECT end_reason FROM client WHERE id = ?1")?
        .query_row([client], |row| row.get::<_, Option<String>>(0))?;
    Ok(reason.map(|reason| EndReason::parse(&reason).unwrap_or(EndReason::Revoked)))
}

/// Why the client with this secret left. `None`: it is live or unknown, or its tombstone is gone.
pub fn end_reason(tx: &Read, secret: SecretHash) -> Result<Option<EndReason>> {
    let reason = tx
        .sql
        .prepare_cached(
            "SELECT end_reason FROM client WHERE secret_hash = ?1 AND ended_at IS NOT NULL",
        )?
        .query_row([secret], |row| row.get::<_, String>(0))
        .optional()?;
    Ok(reason.and_then(|reason| EndReason::parse(&reason)))
}

/// The live devices of a session, oldest first. These are the clients that are listed, that count,
/// and that keep the session alive.
pub fn live_of(tx: &Read, session: SessionId) -> Result<Vec<ClientView>> {
    let mut statement = tx.sql.prepare_cached(
        "SELECT * FROM client WHERE session_id = ?1 AND ended_at IS NULL AND NOT key ORDER BY id",
    )?;
    let clients = statement
        .query_map([session], view)?
        .collect::<rusqlite::Result<_>>()?;
    Ok(clients)
}

/// The live clients of a session that are bots of API keys.
pub fn bots_of(tx: &Read, session: SessionId) -> Result<Vec<ClientId>> {
    let mut statement = tx.sql.prepare_cached(
        "SELECT id FROM client WHERE session_id = ?1 AND ended_at IS NULL AND key",
    )?;
    let rows = statement.query_map([session], |row| row.get(0))?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

/// One client, as its own holder sees it (`current`).
pub fn own_view(tx: &Read, id: ClientId) -> Result<ClientView> {
    let view = tx
        .sql
        .prepare_cached("SELECT * FROM client WHERE id = ?1")?
        .query_row([id], view)?;
    Ok(ClientView {
        current: true,
        ..view
    })
}

fn view(row: &Row) -> rusqlite::Result<ClientView> {
    Ok(ClientView {
        id: row.get("id")?,
        name: row.get("name")?,
        created_at: row.get("created_at")?,
        seen_at: row.get("seen_at")?,
        expires_at: row.get("expires_at")?,
        address: client_address(row)?,
        current: false,
    })
}

fn client_address(row: &Row) -> rusqlite::Result<Option<ClientAddress>> {
    let Some(first) = address(row)?.map(Area::of) else {
        return Ok(None);
    };
    Ok(Some(ClientAddress {
        first,
        last: stored_area(row.get("area")?).unwrap_or(first),
    }))
}

fn stored_area(bits: Option<i64>) -> Option<Area> {
    bits.map(|bits| Area::from_bits(bits.cast_unsigned()))
}

fn address(row: &Row) -> rusqlite::Result<Option<IpAddr>> {
    Ok(row
        .get::<_, Option<String>>("address")?
        .and_then(|address| address.parse().ok()))
}

/// What the row of a client that has just ended says.
pub struct EndedClient {
    /// The grant by which it acted.
    pub grant: Option<GrantId>,
    /// Whether it was a device. An API key's bot is not.
    pub is_device: bool,
}

/// Marks a client as ended. `None`: it had ended already, and stays as it is.
pub fn end(
    tx: &Write,
    id: ClientId,
    reason: EndReason,
    now: Timestamp,
) -> Result<Option<EndedClient>> {
    let ended = tx.sql.prepare_cached(
        "UPDATE client SET ended_at = ?2, end_reason = ?3 WHERE id = ?1 AND ended_at IS NULL
         RETURNING grant_id, NOT key",
    )?;
    let ended = { ended }.query_row(params![id, now, reason], |row| {
        Ok(EndedClient {
            grant: row.get(0)?,
            is_device: row.get(1)?,
        })
    });
    Ok(ended.optional()?)
}

/// What is collected in memory about a client's use.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Use {
    /// How far it has acknowledged its queue.
    pub cursor: EventId,
    /// When it was last used.
    pub seen_at: Timestamp,
    /// Where it was last used from, if known.
    pub area: Option<Area>,
}

/// The event id after which a client's queue begins.
pub fn queue_start(tx: &Read, client: ClientId) -> Result<EventId> {
    Ok(tx
        .sql
        .prepare_cached("SELECT start FROM client WHERE id = ?1")?
        .query_row([client], |row| row.get(0))?)
}

/// Begins a client's queue: at the cursor of its first snapshot, or where the client was created if
/// it reads first. Later calls change nothing.
pub fn begin_queue(tx: &Write, client: ClientId, at: EventId) -> Result<()> {
    tx.sql
        .prepare_cached(
            "UPDATE client SET start = max(start, ?2), cursor = max(cursor, ?2), begun = 1 WHERE id = ?1 AND NOT begun",
        )?
        .execute(params![client, at])?;
    Ok(())
}

/// Writes down what was collected in memory about a client's use. Neither the cursor nor the time
/// ever goes back.
pub fn note_use(
    tx: &Write,
    client: ClientId,
    Use {
        cursor,
        seen_at,
        area,
    }: Use,
) -> Result<()> {
    tx.sql
        .prepare_cached(
            "UPDATE client SET cursor = max(cursor, ?2), seen_at = max(seen_at, ?3), area = ifnull(?4, area)
             WHERE id = ?1 AND ended_at IS NULL",
        )?
        .execute(params![client, cursor, seen_at, area.map(|area| area.to_bits().cast_signed())])?;
    Ok(())
}

/// A batch of live clients that are due to end: they have expired, they were last seen at
/// `idle_since` or before, or they have had a secret since `unpresented_since` or before and never
/// presented it.
pub fn due(
    tx: &Read,
    now: Timestamp,
    idle_since: Timestamp,
    unpresented_since: Timestamp,
    batch: usize,
) -> Result<Vec<(SessionId, ClientId)>> {
    let mut statement = tx.sql.prepare_cached(
        "SELECT session_id, id FROM client WHERE ended_at IS NULL AND expires_at <= ?1
         UNION
         SELECT session_id, id FROM client WHERE ended_at IS NULL AND seen_at <= ?2
         UNION
         SELECT session_id, id FROM client WHERE ended_at IS NULL AND unpresented <= ?3
         LIMIT ?4",
    )?;
    let times = params![now, idle_since, unpresented_since, as_sql(batch)];
    let rows = statement.query_map(times, |row| Ok((row.get(0)?, row.get(1)?)))?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

/// A device that is about to expire.
#[derive(Clone, Debug)]
pub struct Ending {
    /// Its session.
    pub session: SessionId,
    /// The device.
    pub client: ClientId,
    /// Its name for display.
    pub name: String,
    /// When it expires.
    pub expires_at: Timestamp,
    /// Whether it acts by a cookie. If so, logging in again renews it.
    pub by_cookie: bool,
}

/// A batch of the live devices that expire by `until` and whose session was not warned yet, in the
/// order in which they expire.
pub fn ending(tx: &Read, until: Timestamp, batch: usize) -> Result<Vec<Ending>> {
    let mut statement = tx.sql.prepare_cached(
        "SELECT session_id, id, name, expires_at, grant_id IS NULL FROM client INDEXED BY client_unwarned
         WHERE ended_at IS NULL AND NOT key AND NOT warned AND expires_at <= ?1 ORDER BY expires_at LIMIT ?2",
    )?;
    let rows = statement.query_map(params![until, as_sql(batch)], |row| {
        Ok(Ending {
            session: row.get(0)?,
            client: row.get(1)?,
            name: row.get(2)?,
            expires_at: row.get(3)?,
            by_cookie: row.get(4)?,
        })
    })?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

/// Records that a client's session was warned that the client is about to expire.
pub fn note_warned(tx: &Write, client: ClientId) -> Result<()> {
    tx.sql
        .prepare_cached("UPDATE client SET warned = 1 WHERE id = ?1")?
        .execute([client])?;
    Ok(())
}

/// Calls `each` for every live client, to fill the caller map at the start.
pub fn for_each_live(tx: &Read, mut each: impl FnMut(Effect)) -> Result<()> {
    let mut statement = tx.sql.prepare(
        "SELECT client.id, client.session_id, secret_hash, cursor, begun, unpresented IS NULL, seen_at, client.expires_at,
                grant_id, scope, res IS NOT NULL, key, area, address
         FROM client LEFT JOIN app_grant ON app_grant.id = grant_id WHERE client.ended_at IS NULL",
    )?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        each(Effect::Admitted(Admission {
            caller: Caller {
                client: row.get(0)?,
                session: row.get(1)?,
                authority: match row.get(8)? {
                    None => Authority::Cookie,
                    Some(grant) => Authority::Grant(Granted {
                        id: grant,
                        scope: row.get(9)?,
                        confined: row.get(10)?,
                        is_key: row.get(11)?,
                    }),
                },
            },
            secret: row.get(2)?,
            cursor: row.get(3)?,
            begun: row.get(4)?,
            presented: row.get(5)?,
            seen_at: row.get(6)?,
            area: client_address(row)?.map(|address| address.last),
            expires_at: row.get(7)?,
        }));
    }
    Ok(())
}
