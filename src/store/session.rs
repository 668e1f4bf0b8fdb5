//! Sessions: made, found, renamed, ended.

use std::net::IpAddr;

use rusqlite::{OptionalExtension, Row, params};

use super::{
    engine::error::on_unique,
    row::as_sql,
    size::ADDRESS,
    transaction::{Read, Write},
};
use crate::{
    audit::Subject,
    error::{Code, Error, Result},
    irc::glob,
    model::{HashedPassword, Network, Nick, SessionId, TargetId, Timestamp},
};

/// Sessions that are looked at for a mask.
const LOOKED_AT: usize = 10_000;

/// A live session.
#[derive(Clone, Debug)]
pub struct Session {
    pub id: SessionId,
    pub nick: Nick,
    pub away: Option<String>,
    pub created_at: Timestamp,
    pub password_hash: Option<HashedPassword>,
}

impl Session {
    fn read(row: &Row) -> rusqlite::Result<Self> {
        Ok(Self {
            id: row.get("id")?,
            nick: row.get("nick")?,
            away: row.get("away")?,
            created_at: row.get("created_at")?,
            password_hash: row.get("password_hash")?,
        })
    }

    /// Everything others may see of whoever has this nick, for bans: `nick!user@host`.
    pub fn mask(&self) -> String {
        format!(
            "{}!{}@{}",
            self.nick,
            self.user(),
            crate::model::SERVER_NAME
        )
    }

    /// What the audit log is told of it.
    pub fn subject(&self, of: Subject) -> Subject {
        Subject {
            session: Some(self.id),
            nick: Some(self.nick.to_string()),
            ..of
        }
    }

    /// IRC's user name: the session's id, which stays when the nick changes.
    pub fn user(&self) -> String {
        format!("s{}", self.id)
    }
}

/// A live session, and how much there is of it.
#[derive(Clone, Debug)]
pub struct Overview {
    pub session: Session,
    /// Live devices.
    pub clients: i64,
    /// Live API keys.
    pub keys: i64,
    pub grants: i64,
    pub channels: i64,
    /// When a device was last known to be used: within the last minute the memory knows better.
    pub seen_at: Timestamp,
}

/// Live sessions, and how much there is of each.
const OVERVIEW: &str = "SELECT *,
    (SELECT count(*) FROM client WHERE session_id = session.id AND ended_at IS NULL AND NOT key) AS clients,
    (SELECT max(seen_at) FROM client WHERE session_id = session.id AND ended_at IS NULL AND NOT key) AS seen_at,
    (SELECT count(*) FROM app WHERE session_id = session.id AND ended_at IS NULL) AS keys,
    (SELECT count(*) FROM app_grant WHERE session_id = session.id AND ended_at IS NULL) AS grants,
    (SELECT count(*) FROM membership WHERE session_id = session.id AND until IS NULL) AS channels
    FROM session WHERE ended_at IS NULL";

impl Overview {
    fn read(row: &Row) -> rusqlite::Result<Self> {
        Ok(Self {
            session: Session::read(row)?,
            clients: row.get("clients")?,
            keys: row.get("keys")?,
            grants: row.get("grants")?,
            channels: row.get("channels")?,
            seen_at: row.get("seen_at")?,
        })
    }
}

/// Live sessions after one, by their ids.
pub fn overviews(tx: &Read, after: SessionId, limit: usize) -> Result<Vec<Overview>> {
    let mut statement = tx
        .sql
        .prepare_cached(&format!("{OVERVIEW} AND id > ?1 ORDER BY id LIMIT ?2"))?;
    let rows = statement.query_map(params![after, as_sql(limit)], Overview::read)?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

/// The same of one that is live.
pub fn overview(tx: &Read, id: SessionId) -> Result<Overview> {
    Ok(tx
        .sql
        .prepare_cached(&format!("{OVERVIEW} AND id = ?1"))?
        .query_row([id], Overview::read)?)
}

/// Makes a session for a request from `address`; a client of it follows in the same transaction.
pub fn insert(
    tx: &Write,
    target: TargetId,
    nick: &Nick,
    address: IpAddr,
    now: Timestamp,
) -> Result<SessionId> {
    let id = SessionId(target.0);
    let inserted = tx
        .sql
        .prepare_cached("INSERT INTO session (id, nick, folded_nick, created_at, network) VALUES (?1, ?2, ?3, ?4, ?5)")?
        .execute(params![id, nick.as_str(), nick.folded(), now, Network::of(address).in_order().0]);
    on_unique(inserted, || in_use(nick))?;
    tx.add_row(3 * nick.as_str().len() + 2 * ADDRESS, 3);
    Ok(id)
}

fn in_use(nick: &Nick) -> Error {
    Error::new(Code::NicknameInUse, "this nick is in use").about(nick)
}

/// The live session `id`; its callers are checked before, so that there is one.
pub fn get(tx: &Read, id: SessionId) -> Result<Session> {
    Ok(tx
        .sql
        .prepare_cached("SELECT * FROM session WHERE id = ?1 AND ended_at IS NULL")?
        .query_row([id], Session::read)?)
}

/// The live session `id`, if there is one.
pub fn find(tx: &Read, id: SessionId) -> Result<Option<Session>> {
    Ok(tx
        .sql
        .prepare_cached("SELECT * FROM session WHERE id = ?1 AND ended_at IS NULL")?
        .query_row([id], Session::read)
        .optional()?)
}

/// A session that may have ended, by its last nick.
#[derive(Clone, Debug)]
pub struct PastSession {
    pub id: SessionId,
    pub nick: Nick,
    pub ended: bool,
}

/// The session `id`, live or ended, as long as anything is known of it.
pub fn find_past(tx: &Read, id: SessionId) -> Result<Option<PastSession>> {
    let found = tx
        .sql
        .prepare_cached("SELECT nick, ended_at IS NOT NULL FROM session WHERE id = ?1")?;
    let past = { found }.query_row([id], |row| {
        Ok(PastSession {
            id,
            nick: row.get(0)?,
            ended: row.get(1)?,
        })
    });
    Ok(past.optional()?)
}

pub fn by_nick(tx: &Read, nick: &Nick) -> Result<Option<Session>> {
    Ok(tx
        .sql
        .prepare_cached("SELECT * FROM session WHERE folded_nick = ?1 AND ended_at IS NULL")?
        .query_row([nick.folded()], Session::read)
        .optional()?)
}

/// How many live sessions were made from a network, counted up to `most`.
pub fn count_from(tx: &Read, network: Network, most: i64) -> Result<i64> {
    let (first, last) = network.in_order();
    let count = tx.sql.prepare_cached(
        "SELECT count(*) FROM (SELECT 1 FROM session INDEXED BY session_by_network
                               WHERE network BETWEEN ?1 AND ?2 AND ended_at IS NULL LIMIT ?3)",
    )?;
    Ok({ count }.query_row(params![first, last, most], |row| row.get(0))?)
}

/// Live sessions whose nicks fit a mask, in the order of their nicks, at most `limit` of those that
/// are looked at; and whether these are all.
pub fn fitting(tx: &Read, mask: &str, limit: usize) -> Result<(Vec<Session>, bool)> {
    let first = mask
        .split(['*', '?'])
        .next()
        .unwrap_or_default()
        .to_ascii_lowercase();
    // Behind every nick that begins so.
    let last = format!("{first}\u{7f}");
    let mut statement = tx.sql.prepare_cached(
        "SELECT * FROM session INDEXED BY session_by_nick
         WHERE folded_nick >= ?1 AND folded_nick < ?2 AND ended_at IS NULL ORDER BY folded_nick LIMIT ?3",
    )?;
    let mut rows = statement.query(params![first, last, as_sql(LOOKED_AT + 1)])?;
    let (mut fitting, mut looked_at) = (Vec::new(), 0);
    while let Some(row) = rows.next()? {
        looked_at += 1;
        if looked_at > LOOKED_AT {
            return Ok((fitting, false));
        }
        if !glob::fits(
            mask,
            row.get_ref("folded_nick")?
                .as_str()
                .map_err(rusqlite::Error::from)?,
        ) {
            continue;
        }
        if fitting.len() == limit {
            return Ok((fitting, false));
        }
        fitting.push(Session::read(row)?);
    }
    Ok((fitting, true))
}

pub fn count(tx: &Read) -> Result<i64> {
    Ok(tx
        .sql
        .prepare_cached(
            "SELECT count(*) FROM session INDEXED BY session_by_nick WHERE ended_at IS NULL",
        )?
        .query_row([], |row| row.get(0))?)
}

/// Gives a session another nick.
pub fn rename(tx: &Write, session: &Session, nick: &Nick) -> Result<()> {
    let renamed = tx
        .sql
        .prepare_cached("UPDATE session SET nick = ?2, folded_nick = ?3 WHERE id = ?1")?
        .execute(params![session.id, nick.as_str(), nick.folded()]);
    on_unique(renamed, || in_use(nick)).map(drop)
}

/// Sets the password's hash where it still is `expected`; whether it was.
pub fn set_password(
    tx: &Write,
    id: SessionId,
    expected: Option<&HashedPassword>,
    hash: &HashedPassword,
) -> Result<bool> {
    tx.add_text(hash.as_phc());
    let changed = tx
        .sql
        .prepare_cached(
            "UPDATE session SET password_hash = ?3 WHERE id = ?1 AND ended_at IS NULL AND password_hash IS ?2",
        )?
        .execute(params![id, expected.map(HashedPassword::as_phc), hash.as_phc()])?;
    Ok(changed == 1)
}

pub fn set_away(tx: &Write, id: SessionId, away: Option<&str>) -> Result<()> {
    tx.add_text(away.unwrap_or_default());
    tx.sql
        .prepare_cached("UPDATE session SET away = ?2 WHERE id = ?1")?
        .execute(params![id, away])?;
    Ok(())
}

/// Ends a session's row: its nick is free, its password is gone.
pub fn end(tx: &Write, id: SessionId, now: Timestamp) -> Result<()> {
    tx.sql
        .prepare_cached(
            "UPDATE session SET ended_at = ?2, password_hash = NULL, away = NULL WHERE id = ?1",
        )?
        .execute(params![id, now])?;
    Ok(())
}
