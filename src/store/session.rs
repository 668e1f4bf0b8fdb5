//! Sessions: created, found, renamed and ended.

use std::net::IpAddr;

use super::{
    engine::{connection::Row, value::params},
    size::ADDRESS,
    transaction::{Read, Write},
};
use crate::{
    audit::Subject,
    error::{Code, Error, Result},
    irc::glob,
    model::{HashedPassword, Network, Nick, SessionId, TargetId, Timestamp},
};

/// The most sessions that are compared with a mask.
const LOOKED_AT: usize = 10_000;

/// A live session.
#[derive(Clone, Debug)]
pub struct Session {
    /// Its id, which is also its target id.
    pub id: SessionId,
    /// Its nick.
    pub nick: Nick,
    /// Its away message. `None`: it is not away.
    pub away: Option<String>,
    /// When it was created.
    pub created_at: Timestamp,
    /// The hash of its password. `None`: it has no password.
    pub password_hash: Option<HashedPassword>,
}

impl Session {
    fn read(row: &Row) -> Result<Self> {
        Ok(Self {
            id: row.get("id")?,
            nick: row.get("nick")?,
            away: row.get("away")?,
            created_at: row.get("created_at")?,
            password_hash: row.get("password_hash")?,
        })
    }

    /// Its full name, with which masks are compared: `nick!user@host`.
    pub fn mask(&self) -> String {
        format!(
            "{}!{}@{}",
            self.nick,
            self.user(),
            crate::model::SERVER_NAME
        )
    }

    /// The session as the subject of an audit record; the other fields are those of `of`.
    pub fn subject(&self, of: Subject) -> Subject {
        Subject {
            session: Some(self.id),
            nick: Some(self.nick.to_string()),
            ..of
        }
    }

    /// Its user name in IRC.
    pub fn user(&self) -> String {
        user(self.id)
    }
}

/// A session's user name in IRC: `s` and its id, which stays when the nick changes.
pub fn user(id: SessionId) -> String {
    format!("s{id}")
}

/// A live session, with numbers about it.
#[derive(Clone, Debug)]
pub struct Overview {
    /// The session.
    pub session: Session,
    /// The number of its live devices.
    pub clients: i64,
    /// The number of its live API keys.
    pub keys: i64,
    /// The number of its live grants.
    pub grants: i64,
    /// The number of channels that it is on.
    pub channels: i64,
    /// When a device was last used. Uses of the last minute may still be in memory alone.
    pub seen_at: Timestamp,
}

/// Selects live sessions, with numbers about each.
const OVERVIEW: &str = "SELECT *,
    (SELECT count(*) FROM client
     WHERE session_id = session.id AND ended_at IS NULL AND NOT key) AS clients,
    (SELECT max(seen_at) FROM client
     WHERE session_id = session.id AND ended_at IS NULL AND NOT key) AS seen_at,
    (SELECT count(*) FROM app WHERE session_id = session.id AND ended_at IS NULL) AS keys,
    (SELECT count(*) FROM app_grant WHERE session_id = session.id AND ended_at IS NULL) AS grants,
    (SELECT count(*) FROM membership WHERE session_id = session.id AND until IS NULL) AS channels
    FROM session WHERE ended_at IS NULL";

impl Overview {
    fn read(row: &Row) -> Result<Self> {
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

/// A page of live sessions with ids above `after`, with numbers about each.
pub fn overviews(tx: &Read, after: SessionId, limit: usize) -> Result<Vec<Overview>> {
    tx.all(
        &format!("{OVERVIEW} AND id > ?1 ORDER BY id LIMIT ?2"),
        params![after, limit],
        Overview::read,
    )
}

/// A live session with numbers about it.
pub fn overview(tx: &Read, id: SessionId) -> Result<Overview> {
    tx.one(
        &format!("{OVERVIEW} AND id = ?1"),
        params![id],
        Overview::read,
    )
}

/// Creates a session for a request from `address`. Its first client is added in the same
/// transaction. Fails with `nickname_in_use`.
pub fn insert(
    tx: &Write,
    target: TargetId,
    nick: &Nick,
    address: IpAddr,
    now: Timestamp,
) -> Result<SessionId> {
    let id = SessionId(target.0);
    tx.execute_unique(
        "INSERT INTO session (id, nick, folded_nick, created_at, network)
         VALUES (?1, ?2, ?3, ?4, ?5)",
        params![
            id,
            nick,
            nick.folded(),
            now,
            Network::of(address).in_order().0
        ],
        || in_use(nick),
    )?;
    tx.add_row(3 * nick.as_str().len() + 2 * ADDRESS, 3);
    Ok(id)
}

fn in_use(nick: &Nick) -> Error {
    Error::new(Code::NicknameInUse, "this nick is in use").about(nick)
}

/// The live session `id`. The caller has checked that there is one.
pub fn get(tx: &Read, id: SessionId) -> Result<Session> {
    tx.one(
        "SELECT * FROM session WHERE id = ?1 AND ended_at IS NULL",
        params![id],
        Session::read,
    )
}

/// The live session `id`, if there is one.
pub fn find(tx: &Read, id: SessionId) -> Result<Option<Session>> {
    tx.optional(
        "SELECT * FROM session WHERE id = ?1 AND ended_at IS NULL",
        params![id],
        Session::read,
    )
}

/// A session by its last nick. It may have ended.
#[derive(Clone, Debug)]
pub struct PastSession {
    /// Its id.
    pub id: SessionId,
    /// Its nick, or its last nick.
    pub nick: Nick,
    /// Whether it has ended.
    pub ended: bool,
}

/// The session `id`, live or ended, while its row is kept.
pub fn find_past(tx: &Read, id: SessionId) -> Result<Option<PastSession>> {
    tx.optional(
        "SELECT nick, ended_at IS NOT NULL FROM session WHERE id = ?1",
        params![id],
        |row| {
            Ok(PastSession {
                id,
                nick: row.get(0)?,
                ended: row.get(1)?,
            })
        },
    )
}

/// The live session that has this nick, compared in folded form.
pub fn by_nick(tx: &Read, nick: &Nick) -> Result<Option<Session>> {
    tx.optional(
        "SELECT * FROM session WHERE folded_nick = ?1 AND ended_at IS NULL",
        params![nick.folded()],
        Session::read,
    )
}

/// The sessions that are on the live channel with this folded name. None if there is no such
/// channel.
pub fn on_channel(tx: &Read, folded_name: &str) -> Result<Vec<Session>> {
    tx.all(
        "SELECT session.* FROM channel
         JOIN membership ON channel_id = channel.id AND until IS NULL
         JOIN session ON session.id = session_id
         WHERE folded_name = ?1 AND channel.ended_at IS NULL",
        params![folded_name],
        Session::read,
    )
}

/// How many live sessions were created from a network, counted up to `most`.
pub fn count_from(tx: &Read, network: Network, most: i64) -> Result<i64> {
    let (first, last) = network.in_order();
    tx.one(
        "SELECT count(*) FROM (
             SELECT 1 FROM session
             WHERE network BETWEEN ?1 AND ?2 AND ended_at IS NULL LIMIT ?3) AS from_network",
        params![first, last, most],
        |row| row.get(0),
    )
}

/// The live sessions whose nicks fit a mask, by nick: at most `limit`, from the first 10,000 that
/// may fit. Also returns whether these are all.
pub fn fitting(tx: &Read, mask: &str, limit: usize) -> Result<(Vec<Session>, bool)> {
    let first = mask
        .split(['*', '?'])
        .next()
        .unwrap_or_default()
        .to_ascii_lowercase();
    // Greater than every nick with this beginning.
    let last = format!("{first}\u{7f}");
    let (mut fitting, mut looked_at) = (Vec::new(), 0);
    let stopped = tx.find(
        "SELECT * FROM session
         WHERE folded_nick >= ?1 AND folded_nick < ?2 AND ended_at IS NULL
         ORDER BY folded_nick LIMIT ?3",
        params![first, last, LOOKED_AT + 1],
        |row| {
            looked_at += 1;
            if looked_at > LOOKED_AT {
                return Ok(Some(()));
            }
            if !glob::fits(mask, row.text("folded_nick")?) {
                return Ok(None);
            }
            if fitting.len() == limit {
                return Ok(Some(()));
            }
            fitting.push(Session::read(row)?);
            Ok(None)
        },
    )?;
    Ok((fitting, stopped.is_none()))
}

/// How many live sessions there are.
pub fn count(tx: &Read) -> Result<i64> {
    tx.one(
        "SELECT count(*) FROM session WHERE ended_at IS NULL",
        &[],
        |row| row.get(0),
    )
}

/// Changes a session's nick. Fails with `nickname_in_use`.
pub fn rename(tx: &Write, session: &Session, nick: &Nick) -> Result<()> {
    tx.execute_unique(
        "UPDATE session SET nick = ?2, folded_nick = ?3 WHERE id = ?1",
        params![session.id, nick, nick.folded()],
        || in_use(nick),
    )
    .map(drop)
}

/// Sets the hash of the password if it still is `expected`. Returns whether it was.
pub fn set_password(
    tx: &Write,
    id: SessionId,
    expected: Option<&HashedPassword>,
    hash: &HashedPassword,
) -> Result<bool> {
    tx.add_text(hash.as_phc());
    let changed = tx.execute(
        "UPDATE session SET password_hash = ?3 WHERE id = ?1 AND ended_at IS NULL
         AND password_hash IS NOT DISTINCT FROM ?2",
        params![id, expected, hash],
    )?;
    Ok(changed == 1)
}

/// Sets or clears (`None`) a session's away message.
pub fn set_away(tx: &Write, id: SessionId, away: Option<&str>) -> Result<()> {
    tx.add_text(away.unwrap_or_default());
    tx.execute(
        "UPDATE session SET away = ?2 WHERE id = ?1",
        params![id, away],
    )?;
    Ok(())
}

/// Marks a session as ended, which frees its nick. Its password and away message are deleted.
pub fn end(tx: &Write, id: SessionId, now: Timestamp) -> Result<()> {
    tx.execute(
        "UPDATE session SET ended_at = ?2, password_hash = NULL, away = NULL WHERE id = ?1",
        params![id, now],
    )?;
    Ok(())
}
