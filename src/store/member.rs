//! Who is on which channel: intervals of event ids, open while they last.

use std::collections::BTreeMap;

use rusqlite::{OptionalExtension, Row, params};

use super::{Effect, Read, Write, as_sql, channel, log, retention, succession, unreadable};
use crate::{
    error::Result,
    model::{ChannelId, EventId, Nick, SessionId, Timestamp},
};

/// Past stays that are kept of a session: coming and going costs a command, and may not grow the
/// store and the pages of one's own queue without end.
const PAST_STAYS: i64 = 1000;

/// Somebody on a channel.
#[derive(Clone, Debug)]
pub struct Member {
    pub session: SessionId,
    pub nick: Nick,
    pub op: bool,
    pub voice: bool,
    pub away: bool,
}

impl Member {
    fn read(row: &Row) -> rusqlite::Result<Self> {
        Ok(Self {
            session: row.get("session_id")?,
            nick: row.get("nick")?,
            op: row.get("op")?,
            voice: row.get("voice")?,
            away: row.get("away")?,
        })
    }

    /// IRC's prefix: the highest standing.
    pub fn prefix(&self) -> &'static str {
        match (self.op, self.voice) {
            (true, _) => "@",
            (false, true) => "+",
            (false, false) => "",
        }
    }
}

const MEMBER: &str = "SELECT session_id, nick, op, voice, away IS NOT NULL AS away
     FROM membership JOIN session ON session.id = session_id";

/// Those on a channel, in the order of their nicks.
pub fn of_channel(tx: &Read, channel: ChannelId) -> Result<Vec<Member>> {
    let sql = format!("{MEMBER} WHERE channel_id = ?1 AND until IS NULL ORDER BY folded_nick");
    let mut statement = tx.sql.prepare_cached(&sql)?;
    let members = statement
        .query_map([channel], Member::read)?
        .collect::<rusqlite::Result<_>>()?;
    Ok(members)
}

/// A batch of those on a channel, ops last.
pub fn ops_last(tx: &Read, channel: ChannelId, batch: usize) -> Result<Vec<Member>> {
    let sql =
        format!("{MEMBER} WHERE channel_id = ?1 AND until IS NULL ORDER BY op, since LIMIT ?2");
    let mut statement = tx.sql.prepare_cached(&sql)?;
    let members = statement
        .query_map(params![channel, as_sql(batch)], Member::read)?
        .collect::<rusqlite::Result<_>>()?;
    Ok(members)
}

/// The first of them, at most so many.
pub fn first_of_channel(tx: &Read, channel: ChannelId, limit: usize) -> Result<Vec<Member>> {
    let sql =
        format!("{MEMBER} WHERE channel_id = ?1 AND until IS NULL ORDER BY folded_nick LIMIT ?2");
    let mut statement = tx.sql.prepare_cached(&sql)?;
    let members = statement
        .query_map(params![channel, as_sql(limit)], Member::read)?
        .collect::<rusqlite::Result<_>>()?;
    Ok(members)
}

/// Some of those on a channel where it has too many to be shown: the session `me`, then ops, voiced
/// ones, and those who have been there longest; in the order of their nicks.
pub fn foremost_of_channel(
    tx: &Read,
    channel: ChannelId,
    me: SessionId,
    limit: usize,
) -> Result<Vec<Member>> {
    let mut foremost = BTreeMap::new();
    if let Some(member) = get(tx, channel, me)? {
        foremost.insert(member.nick.folded(), member);
    }
    for standing in [
        "AND op ORDER BY since",
        "AND voice ORDER BY since",
        "ORDER BY since",
    ] {
        let sql = format!("{MEMBER} WHERE channel_id = ?1 AND until IS NULL {standing}");
        let mut statement = tx.sql.prepare_cached(&sql)?;
        let mut rows = statement.query([channel])?;
        while foremost.len() < limit
            && let Some(row) = rows.next()?
        {
            let member = Member::read(row)?;
            foremost.insert(member.nick.folded(), member);
        }
    }
    Ok(foremost.into_values().collect())
}

pub fn get(tx: &Read, channel: ChannelId, session: SessionId) -> Result<Option<Member>> {
    let sql = format!("{MEMBER} WHERE channel_id = ?1 AND session_id = ?2 AND until IS NULL");
    Ok(tx
        .sql
        .prepare_cached(&sql)?
        .query_row(params![channel, session], Member::read)
        .optional()?)
}

/// Whether a session is or was on a channel.
pub fn was(tx: &Read, channel: ChannelId, session: SessionId) -> Result<bool> {
    let sql = "SELECT EXISTS (SELECT 1 FROM membership WHERE session_id = ?2 AND channel_id = ?1)";
    Ok(tx
        .sql
        .prepare_cached(sql)?
        .query_row(params![channel, session], |row| row.get(0))?)
}

pub fn count(tx: &Read, channel: ChannelId) -> Result<i64> {
    Ok(tx
        .sql
        .prepare_cached("SELECT count(*) FROM membership WHERE channel_id = ?1 AND until IS NULL")?
        .query_row([channel], |row| row.get(0))?)
}

/// How many are on a channel, counted up to `most`.
pub fn count_to(tx: &Read, channel: ChannelId, most: i64) -> Result<i64> {
    let members = tx.sql.prepare_cached(
        "SELECT count(*) FROM (SELECT 1 FROM membership WHERE channel_id = ?1 AND until IS NULL LIMIT ?2)",
    )?;
    Ok({ members }.query_row(params![channel, most], |row| row.get(0))?)
}

fn is_empty(tx: &Read, channel: ChannelId) -> Result<bool> {
    let any = tx.sql.prepare_cached(
        "SELECT EXISTS (SELECT 1 FROM membership WHERE channel_id = ?1 AND until IS NULL)",
    )?;
    Ok(!{ any }.query_row([channel], |row| row.get::<_, bool>(0))?)
}

/// Whether anyone on a channel is op.
pub fn has_op(tx: &Read, channel: ChannelId) -> Result<bool> {
    Ok(ops(tx, channel, 1)? > 0)
}

/// How many ops a channel has, counted up to `most`.
pub fn ops(tx: &Read, channel: ChannelId, most: i64) -> Result<i64> {
    let ops = tx.sql.prepare_cached(
        "SELECT count(*) FROM (SELECT 1 FROM membership WHERE channel_id = ?1 AND until IS NULL AND op LIMIT ?2)",
    )?;
    Ok({ ops }.query_row(params![channel, most], |row| row.get(0))?)
}

/// The channels a session is on, in the order in which it joined them.
pub fn channels_of(tx: &Read, session: SessionId) -> Result<Vec<ChannelId>> {
    let mut statement = tx.sql.prepare_cached(
        "SELECT channel_id FROM membership WHERE session_id = ?1 AND until IS NULL ORDER BY since",
    )?;
    let ids = statement
        .query_map([session], |row| row.get(0))?
        .collect::<rusqlite::Result<_>>()?;
    Ok(ids)
}

/// The same, whole.
pub(super) fn channels(tx: &Read, session: SessionId) -> Result<Vec<channel::Channel>> {
    let mut statement = tx.sql.prepare_cached(
        "SELECT channel.* FROM membership JOIN channel ON channel.id = channel_id
         WHERE session_id = ?1 AND until IS NULL ORDER BY since",
    )?;
    let channels = statement
        .query_map([session], channel::Channel::read)?
        .collect::<rusqlite::Result<_>>()?;
    Ok(channels)
}

/// A session joins a channel by the event `join`, which it receives itself.
pub fn join(
    tx: &Write,
    session: SessionId,
    channel: ChannelId,
    op: bool,
    join: log::Draft,
) -> Result<EventId> {
    // First of all the hub counts it among the members, or its own JOIN would pass it by.
    tx.effect(Effect::Joined { session, channel });
    let since = log::append(tx, join, &[channel.into()])?;
    tx.sql
        .prepare_cached(
            "INSERT INTO membership (session_id, channel_id, since, op) VALUES (?1, ?2, ?3, ?4)",
        )?
        .execute(params![session, channel, since, op])?;
    tx.add_row(0, 10);
    Ok(since)
}

/// Closes a membership with the event by which the session left; a channel ends with its last
/// member, and op passes on with its last op.
pub fn close(
    tx: &Write,
    session: SessionId,
    channel: ChannelId,
    until: EventId,
    now: Timestamp,
) -> Result<()> {
    let was_op = tx
        .sql
        .prepare_cached(
            "UPDATE membership SET until = ?3 WHERE session_id = ?1 AND channel_id = ?2 AND until IS NULL RETURNING op",
        )?
        .query_row(params![session, channel, until], |row| row.get(0))?;
    tx.effect(Effect::Left { session, channel });
    forget_stays(tx, session)?;
    if is_empty(tx, channel)? {
        return channel::end(tx, channel, now);
    }
    if was_op {
        succession::pass_on(tx, channel, now)
    } else {
        Ok(())
    }
}

/// Forgets all past stays of a session but the newest. What a client of it may have missed by that
/// is noted at the session.
fn forget_stays(tx: &Write, session: SessionId) -> Result<()> {
    let mut forget = tx.sql.prepare_cached(
        "DELETE FROM membership WHERE session_id = ?1 AND until <= (
             SELECT until FROM membership WHERE session_id = ?1 AND until IS NOT NULL
             ORDER BY until DESC LIMIT 1 OFFSET ?2)
         RETURNING until, channel_id",
    )?;
    let forgotten = forget.query_map(params![session, PAST_STAYS], |row| {
        Ok((row.get(0)?, row.get(1)?))
    })?;
    for (until, channel) in forgotten.collect::<rusqlite::Result<Vec<(i64, ChannelId)>>>()? {
        retention::note_dropped(tx, session.into(), until)?;
        unreadable::note_forgotten(tx, channel)?;
    }
    Ok(())
}

pub fn set_op(tx: &Write, channel: ChannelId, session: SessionId, op: bool) -> Result<()> {
    tx.sql
        .prepare_cached("UPDATE membership SET op = ?3 WHERE channel_id = ?1 AND session_id = ?2 AND until IS NULL")?
        .execute(params![channel, session, op])?;
    Ok(())
}

pub fn set_voice(tx: &Write, channel: ChannelId, session: SessionId, voice: bool) -> Result<()> {
    tx.sql
        .prepare_cached("UPDATE membership SET voice = ?3 WHERE channel_id = ?1 AND session_id = ?2 AND until IS NULL")?
        .execute(params![channel, session, voice])?;
    Ok(())
}
