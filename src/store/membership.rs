//! Memberships: which session is or was on which channel. One row is one stay, as an interval of
//! event ids. The stay is open while the session is on the channel.

use std::collections::BTreeMap;

use super::{
    channel::Channel,
    effect::Effect,
    engine::{connection::Row, value::params},
    row::Span,
    transaction::{Read, Write},
};
use crate::{
    error::Result,
    model::{ChannelId, EventId, Nick, SessionId},
};

/// The most past stays that are kept of a session. A client could otherwise grow the store, and
/// slow down its own queue, by joining and leaving.
const PAST_STAYS: i64 = 1000;

/// A session that is on a channel.
#[derive(Clone, Debug)]
pub struct Member {
    /// The session.
    pub session: SessionId,
    /// Its nick.
    pub nick: Nick,
    /// Whether it is an op of the channel.
    pub op: bool,
    /// Whether it has voice.
    pub voice: bool,
    /// Whether it is marked as away.
    pub away: bool,
}

impl Member {
    /// Reads a row that begins with the columns of [`MEMBER`]. They are found by their positions,
    /// because a channel may have thousands of rows.
    pub(super) fn read(row: &Row) -> Result<Self> {
        Ok(Self {
            session: row.get(0)?,
            nick: row.get(1)?,
            op: row.get(2)?,
            voice: row.get(3)?,
            away: row.get(4)?,
        })
    }

    /// The prefix of its nick in IRC, for its highest status: `@`, `+` or nothing.
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

/// The members of a channel, by nick.
pub fn of_channel(tx: &Read, channel: ChannelId) -> Result<Vec<Member>> {
    tx.all(
        &format!("{MEMBER} WHERE channel_id = ?1 AND until IS NULL ORDER BY folded_nick"),
        params![channel],
        Member::read,
    )
}

/// A batch of the members of a channel, ops last.
pub fn ops_last(tx: &Read, channel: ChannelId, batch: usize) -> Result<Vec<Member>> {
    tx.all(
        &format!("{MEMBER} WHERE channel_id = ?1 AND until IS NULL ORDER BY op, since LIMIT ?2"),
        params![channel, batch],
        Member::read,
    )
}

/// The first `limit` members of a channel, by nick.
pub fn first_of_channel(tx: &Read, channel: ChannelId, limit: usize) -> Result<Vec<Member>> {
    tx.all(
        &format!("{MEMBER} WHERE channel_id = ?1 AND until IS NULL ORDER BY folded_nick LIMIT ?2"),
        params![channel, limit],
        Member::read,
    )
}

/// The foremost `limit` members of a channel that has too many to show them all, by nick: the
/// session `me`, then ops, then voiced members, then those who have been there longest.
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
        if foremost.len() >= limit {
            break;
        }
        // Those who are in already may come again.
        tx.find(
            &format!("{MEMBER} WHERE channel_id = ?1 AND until IS NULL {standing} LIMIT ?2"),
            params![channel, limit],
            |row| {
                let member = Member::read(row)?;
                foremost.insert(member.nick.folded(), member);
                Ok((foremost.len() >= limit).then_some(()))
            },
        )?;
    }
    Ok(foremost.into_values().collect())
}

/// The member of a channel that a session is. `None`: it is not on the channel.
pub fn get(tx: &Read, channel: ChannelId, session: SessionId) -> Result<Option<Member>> {
    tx.optional(
        &format!("{MEMBER} WHERE channel_id = ?1 AND session_id = ?2 AND until IS NULL"),
        params![channel, session],
        Member::read,
    )
}

/// Whether a session is or was on a channel.
pub fn was(tx: &Read, channel: ChannelId, session: SessionId) -> Result<bool> {
    tx.exists(
        "SELECT 1 FROM membership WHERE session_id = ?2 AND channel_id = ?1 LIMIT 1",
        params![channel, session],
    )
}

/// How many members a channel has.
pub fn count(tx: &Read, channel: ChannelId) -> Result<i64> {
    tx.one(
        "SELECT count(*) FROM membership WHERE channel_id = ?1 AND until IS NULL",
        params![channel],
        |row| row.get(0),
    )
}

/// How many members a channel has, counted up to `most`.
pub fn count_to(tx: &Read, channel: ChannelId, most: i64) -> Result<i64> {
    tx.one(
        "SELECT count(*) FROM (
             SELECT 1 FROM membership WHERE channel_id = ?1 AND until IS NULL LIMIT ?2) AS members",
        params![channel, most],
        |row| row.get(0),
    )
}

/// Whether a channel has no members.
pub fn is_empty(tx: &Read, channel: ChannelId) -> Result<bool> {
    let any = tx.exists(
        "SELECT 1 FROM membership WHERE channel_id = ?1 AND until IS NULL LIMIT 1",
        params![channel],
    )?;
    Ok(!any)
}

/// Whether a channel has an op.
pub fn has_op(tx: &Read, channel: ChannelId) -> Result<bool> {
    Ok(ops(tx, channel, 1)? > 0)
}

/// How many ops a channel has, counted up to `most`.
pub fn ops(tx: &Read, channel: ChannelId, most: i64) -> Result<i64> {
    tx.one(
        "SELECT count(*) FROM (
             SELECT 1 FROM membership WHERE channel_id = ?1 AND until IS NULL AND op LIMIT ?2) AS ops",
        params![channel, most],
        |row| row.get(0),
    )
}

/// The channels that a session is on, in the order in which it joined them.
pub fn channels_of(tx: &Read, session: SessionId) -> Result<Vec<ChannelId>> {
    tx.all(
        "SELECT channel_id FROM membership WHERE session_id = ?1 AND until IS NULL ORDER BY since",
        params![session],
        |row| row.get(0),
    )
}

/// Like [`channels_of`], with all that is known of each channel.
pub fn channels(tx: &Read, session: SessionId) -> Result<Vec<Channel>> {
    tx.all(
        "SELECT channel.* FROM membership JOIN channel ON channel.id = channel_id
         WHERE session_id = ?1 AND until IS NULL ORDER BY since",
        params![session],
        Channel::read,
    )
}

/// Opens a stay: the session is on the channel from the event `since` on.
pub fn insert(
    tx: &Write,
    session: SessionId,
    channel: ChannelId,
    since: EventId,
    op: bool,
) -> Result<()> {
    tx.execute(
        "INSERT INTO membership (session_id, channel_id, since, op) VALUES (?1, ?2, ?3, ?4)",
        params![session, channel, since, op],
    )?;
    tx.add_row(0, 10);
    Ok(())
}

/// Closes a stay with the event by which the session left. Returns whether it was an op.
pub fn close(tx: &Write, session: SessionId, channel: ChannelId, until: EventId) -> Result<bool> {
    let was_op = tx.one(
        "UPDATE membership SET until = ?3
         WHERE session_id = ?1 AND channel_id = ?2 AND until IS NULL RETURNING op",
        params![session, channel, until],
        |row| row.get(0),
    )?;
    tx.effect(Effect::Left { session, channel });
    Ok(was_op)
}

/// Forgets all past stays of a session but the newest 1,000. Returns the channel of each forgotten
/// stay, and the event by which the stay ended.
pub fn forget_old(tx: &Write, session: SessionId) -> Result<Vec<(ChannelId, EventId)>> {
    tx.all(
        "DELETE FROM membership WHERE session_id = ?1 AND until <= (
             SELECT until FROM membership WHERE session_id = ?1 AND until IS NOT NULL
             ORDER BY until DESC LIMIT 1 OFFSET ?2)
         RETURNING channel_id, until",
        params![session, PAST_STAYS],
        |row| Ok((row.get(0)?, row.get(1)?)),
    )
}

/// Forgets all stays of a session. Returns the channel of each.
pub fn remove_of_session(tx: &Write, session: SessionId) -> Result<Vec<ChannelId>> {
    tx.all(
        "DELETE FROM membership WHERE session_id = ?1 RETURNING channel_id",
        params![session],
        |row| row.get(0),
    )
}

/// The voiced member who has been on a channel longest. `None`: no member has voice.
pub fn first_voiced(tx: &Read, channel: ChannelId) -> Result<Option<SessionId>> {
    tx.optional(
        "SELECT session_id FROM membership WHERE channel_id = ?1 AND until IS NULL AND voice
         ORDER BY since LIMIT 1",
        params![channel],
        |row| row.get(0),
    )
}

/// The members who have been on a channel longest, at most `limit`.
pub fn longest(tx: &Read, channel: ChannelId, limit: usize) -> Result<Vec<SessionId>> {
    tx.all(
        "SELECT session_id FROM membership WHERE channel_id = ?1 AND until IS NULL
         ORDER BY since LIMIT ?2",
        params![channel, limit],
        |row| row.get(0),
    )
}

/// The stays of a session on a channel, in order.
pub fn stays(tx: &Read, session: SessionId, channel: ChannelId) -> Result<Vec<Span>> {
    tx.all(
        "SELECT since, until FROM membership WHERE session_id = ?1 AND channel_id = ?2
         ORDER BY since",
        params![session, channel],
        Span::read,
    )
}

/// Makes a member an op, or takes that away.
pub fn set_op(tx: &Write, channel: ChannelId, session: SessionId, op: bool) -> Result<()> {
    tx.execute(
        "UPDATE membership SET op = ?3
         WHERE channel_id = ?1 AND session_id = ?2 AND until IS NULL",
        params![channel, session, op],
    )
    .map(drop)
}

/// Gives a member voice, or takes it away.
pub fn set_voice(tx: &Write, channel: ChannelId, session: SessionId, voice: bool) -> Result<()> {
    tx.execute(
        "UPDATE membership SET voice = ?3
         WHERE channel_id = ?1 AND session_id = ?2 AND until IS NULL",
        params![channel, session, voice],
    )
    .map(drop)
}

/// Calls `each` for every open stay, to fill the hub at the start.
pub fn for_each_live(tx: &Read, mut each: impl FnMut(Effect)) -> Result<()> {
    tx.for_each(
        "SELECT session_id, channel_id FROM membership WHERE until IS NULL",
        params![],
        |row| {
            each(Effect::Joined {
                session: row.get(0)?,
                channel: row.get(1)?,
            });
            Ok(())
        },
    )
}
