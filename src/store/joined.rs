//! The channels that a session is on, read all at once: with what a snapshot shows of each, and
//! with their members.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    channel::Channel, engine::value::params, membership::Member, transaction::Read, within::Within,
};
use crate::{
    error::Result,
    model::{ChannelId, EventId, SessionId},
};

/// A channel that a session is on.
#[derive(Clone, Debug)]
pub struct Joined {
    /// The channel.
    pub channel: Channel,
    /// The event by which the session joined it.
    pub since: EventId,
    /// How many members it has.
    pub members: i64,
    /// The session's read marker there. `None`: it has read nothing.
    pub read: Option<EventId>,
}

/// The channels that a session is on, in the order in which it joined them.
pub fn of(tx: &Read, session: SessionId) -> Result<Vec<Joined>> {
    tx.all(
        "SELECT channel.*, since, (
             SELECT count(*) FROM membership AS theirs
             WHERE theirs.channel_id = channel.id AND theirs.until IS NULL) AS members, (
             SELECT event_id FROM read_marker
             WHERE read_marker.session_id = ?1 AND target_id = channel.id) AS read
         FROM membership JOIN channel ON channel.id = channel_id
         WHERE membership.session_id = ?1 AND until IS NULL ORDER BY since",
        params![session],
        |row| {
            Ok(Joined {
                channel: Channel::read(row)?,
                since: row.get("since")?,
                members: row.get("members")?,
                read: row.get("read")?,
            })
        },
    )
}

/// Which members of a session's channels are read.
#[derive(Clone, Copy, Debug)]
pub struct Selection<'a> {
    /// Only those of channels with these folded names. `None`: of all.
    pub within: Option<&'a BTreeSet<String>>,
    /// Only those of channels that the session joined by this event or before.
    pub since: EventId,
    /// Only those of channels with no more members than this. `None`: whatever their number.
    pub members: Option<i64>,
}

/// The members of the channels that a session is on, each channel's by nick.
pub fn members(
    tx: &Read,
    session: SessionId,
    selection: Selection,
) -> Result<BTreeMap<ChannelId, Vec<Member>>> {
    let Selection {
        within,
        since,
        members,
    } = selection;
    let mut found = BTreeMap::<_, Vec<_>>::new();
    // The rows of a channel usually come one after the other.
    let (mut last, mut of_last) = (ChannelId(0), Vec::new());
    // They are sorted here, because SQLite would copy all their columns to sort them.
    tx.for_each(
        "SELECT theirs.session_id, nick, theirs.op, theirs.voice, away IS NOT NULL,
             theirs.channel_id
         FROM membership AS mine
         JOIN membership AS theirs ON theirs.channel_id = mine.channel_id AND theirs.until IS NULL
         JOIN session ON session.id = theirs.session_id
         WHERE mine.session_id = ?1 AND mine.until IS NULL AND mine.since <= ?2
             AND (CAST(?3 AS BIGINT) IS NULL OR (
                 SELECT since FROM membership WHERE channel_id = mine.channel_id AND until IS NULL
                 LIMIT 1 OFFSET ?3) IS NULL)
             AND (CAST(?4 AS TEXT) IS NULL OR EXISTS (
                 SELECT 1 FROM channel WHERE channel.id = mine.channel_id
                     AND replace(?4, ',' || folded_name || ',', '') <> ?4))",
        params![session, since, members, within.map(Within::of)],
        |row| {
            let channel = row.get(5)?;
            if channel != last {
                found.entry(last).or_default().append(&mut of_last);
                last = channel;
            }
            of_last.push(Member::read(row)?);
            Ok(())
        },
    )?;
    found.entry(last).or_default().append(&mut of_last);
    found.retain(|_, members| !members.is_empty());
    for members in found.values_mut() {
        members.sort_by_cached_key(|member| member.nick.folded());
    }
    Ok(found)
}

#[cfg(test)]
mod tests;
