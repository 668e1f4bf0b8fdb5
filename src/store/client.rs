//! Clients: created, renewed, used, listed and ended. A session ends with its last device. Which
//! clients are due to end is in [`super::client_lifetime`].

use std::net::IpAddr;

use super::{
    effect::{Admission, Effect},
    engine::{connection::Row, value::params},
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
    /// The authority by which it acts.
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
    let id = tx.one(
        "INSERT INTO client (session_id, name, secret_hash, start, cursor, created_at, seen_at,
             expires_at, address, unpresented, grant_id, key)
         VALUES (?1, ?2, ?3, ?4, ?4, ?5, ?5, ?6, ?7, ?8, ?9, ?10) RETURNING id",
        params![
            session,
            new.name,
            new.secret,
            head,
            now,
            new.expires_at,
            new.address,
            granted.is_none().then_some(now),
            granted.map(|granted| granted.id),
            granted.is_some_and(|granted| granted.is_key),
        ],
        |row| row.get(0),
    )?;
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
    let (cursor, begun) = tx.one(
        "UPDATE client SET secret_hash = ?2, seen_at = ?3, expires_at = ?4, unpresented = NULL,
             warned = FALSE, name = coalesce(?5, name)
         WHERE id = ?1 RETURNING cursor, begun",
        params![caller.client, new.secret, now, new.expires_at, name],
        |row| Ok((row.get(0)?, row.get(1)?)),
    )?;
    tx.effect(Effect::Admitted(Admission {
        caller,
        secret: new.secret,
        cursor,
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
    tx.execute(
        "UPDATE client SET name = ?2 WHERE id = ?1",
        params![id, name],
    )
    .map(drop)
}

/// Changes the name of all clients of an app.
pub fn rename_of_app(tx: &Write, app: AppId, name: &str) -> Result<()> {
    tx.execute(
        "UPDATE client SET name = ?2
         WHERE grant_id IN (SELECT id FROM app_grant WHERE app_id = ?1)",
        params![app, name],
    )
    .map(drop)
}

/// Records that a client has presented this secret, which proves that the secret has arrived.
pub fn note_presented(tx: &Write, client: ClientId, secret: SecretHash) -> Result<()> {
    tx.execute(
        "UPDATE client SET unpresented = NULL WHERE id = ?1 AND secret_hash = ?2",
        params![client, secret],
    )
    .map(drop)
}

/// The addresses from which the session's latest devices logged in, at most 100. Only devices that
/// are live or have expired count. A device that was removed or has logged out may have been a
/// stranger's. Clients of apps are left out, because programs of strangers run at the same places.
pub fn addresses(tx: &Read, session: SessionId) -> Result<Vec<IpAddr>> {
    let addresses = tx.all(
        "SELECT address FROM client
         WHERE session_id = ?1 AND grant_id IS NULL AND (ended_at IS NULL OR end_reason = ?2)
         ORDER BY id DESC LIMIT 100",
        params![session, EndReason::Expired],
        address,
    )?;
    Ok(addresses.into_iter().flatten().collect())
}

/// Why a client has left. `None`: it is live. Fails with `internal_error` if its row is gone.
pub fn ended(tx: &Read, client: ClientId) -> Result<Option<EndReason>> {
    tx.one(
        "SELECT end_reason FROM client WHERE id = ?1",
        params![client],
        |row| row.get(0),
    )
}

/// Why the client with this secret left. `None`: it is live or unknown, or its tombstone is gone.
pub fn reason_in_tombstone(tx: &Read, secret: SecretHash) -> Result<Option<EndReason>> {
    let reason = tx.optional(
        "SELECT end_reason FROM client WHERE secret_hash = ?1 AND ended_at IS NOT NULL",
        params![secret],
        |row| row.text(0).map(EndReason::parse),
    )?;
    Ok(reason.flatten())
}

/// The live devices of a session, oldest first. These are the clients that are listed, that count,
/// and that keep the session alive.
pub fn devices_of(tx: &Read, session: SessionId) -> Result<Vec<ClientView>> {
    tx.all(
        "SELECT * FROM client WHERE session_id = ?1 AND ended_at IS NULL AND NOT key ORDER BY id",
        params![session],
        view,
    )
}

/// The live clients of a session that are bots of API keys.
pub fn bots_of(tx: &Read, session: SessionId) -> Result<Vec<ClientId>> {
    tx.all(
        "SELECT id FROM client WHERE session_id = ?1 AND ended_at IS NULL AND key",
        params![session],
        |row| row.get(0),
    )
}

/// One client, as its own holder sees it (`current`).
pub fn own_view(tx: &Read, id: ClientId) -> Result<ClientView> {
    let view = tx.one("SELECT * FROM client WHERE id = ?1", params![id], view)?;
    Ok(ClientView {
        current: true,
        ..view
    })
}

fn view(row: &Row) -> Result<ClientView> {
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

fn client_address(row: &Row) -> Result<Option<ClientAddress>> {
    let Some(first) = address(row)?.map(Area::of) else {
        return Ok(None);
    };
    Ok(Some(ClientAddress {
        first,
        last: row.get::<Option<Area>>("area")?.unwrap_or(first),
    }))
}

fn address(row: &Row) -> Result<Option<IpAddr>> {
    let address = row.optional_text("address")?;
    Ok(address.and_then(|address| address.parse().ok()))
}

/// The columns of a client that has just ended.
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
    tx.optional(
        "UPDATE client SET ended_at = ?2, end_reason = ?3 WHERE id = ?1 AND ended_at IS NULL
         RETURNING grant_id, NOT key",
        params![id, now, reason],
        |row| {
            Ok(EndedClient {
                grant: row.get(0)?,
                is_device: row.get(1)?,
            })
        },
    )
}

/// The use of a client, as collected in memory.
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
    tx.one(
        "SELECT start FROM client WHERE id = ?1",
        params![client],
        |row| row.get(0),
    )
}

/// Begins a client's queue: at the cursor of its first snapshot, or where the client was created if
/// it reads first. Later calls change nothing.
pub fn begin_queue(tx: &Write, client: ClientId, at: EventId) -> Result<()> {
    tx.execute(
        "UPDATE client SET start = CASE WHEN start < ?2 THEN ?2 ELSE start END,
             cursor = CASE WHEN cursor < ?2 THEN ?2 ELSE cursor END, begun = TRUE
         WHERE id = ?1 AND NOT begun",
        params![client, at],
    )
    .map(drop)
}

/// Records the use of a client that was collected in memory. Neither the cursor nor the time ever
/// goes back.
pub fn note_use(
    tx: &Write,
    client: ClientId,
    Use {
        cursor,
        seen_at,
        area,
    }: Use,
) -> Result<()> {
    tx.execute(
        "UPDATE client SET cursor = CASE WHEN cursor < ?2 THEN ?2 ELSE cursor END,
             seen_at = CASE WHEN seen_at < ?3 THEN ?3 ELSE seen_at END, area = coalesce(?4, area)
         WHERE id = ?1 AND ended_at IS NULL",
        params![client, cursor, seen_at, area],
    )
    .map(drop)
}

/// Calls `each` for every live client, to fill the caller map at the start.
pub fn for_each_live(tx: &Read, mut each: impl FnMut(Effect)) -> Result<()> {
    tx.for_each(
        "SELECT client.id, client.session_id, secret_hash, cursor, begun,
             unpresented IS NULL AS presented, seen_at, client.expires_at, grant_id, scope,
             res IS NOT NULL AS confined, key, area, address
         FROM client LEFT JOIN app_grant ON app_grant.id = grant_id
         WHERE client.ended_at IS NULL",
        params![],
        |row| {
            each(Effect::Admitted(Admission {
                caller: Caller {
                    client: row.get("id")?,
                    session: row.get("session_id")?,
                    authority: authority(row)?,
                },
                secret: row.get("secret_hash")?,
                cursor: row.get("cursor")?,
                begun: row.get("begun")?,
                presented: row.get("presented")?,
                seen_at: row.get("seen_at")?,
                area: client_address(row)?.map(|address| address.last),
                expires_at: row.get("expires_at")?,
            }));
            Ok(())
        },
    )
}

/// A client's authority, from its row and its grant's.
fn authority(row: &Row) -> Result<Authority> {
    Ok(match row.get("grant_id")? {
        None => Authority::Cookie,
        Some(grant) => Authority::Grant(Granted {
            id: grant,
            scope: row.get("scope")?,
            confined: row.get("confined")?,
            is_key: row.get("key")?,
        }),
    })
}
