//! Histories: what a session may read of a channel, and the messages between two sessions.

use super::{
    channel_history, engine::value::params, log, membership, queue::PAGE_BYTES, row::Span,
    transaction::Read,
};
use crate::{
    error::Result,
    model::{ChannelId, Event, EventId, SessionId},
};

/// Which part of a history is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// The last events.
    Latest,
    /// The last events before this one.
    Before(EventId),
    /// The first events after this one.
    After(EventId),
    /// The last events up to this one and the first ones after it: half of each, where both have
    /// enough.
    Around(EventId),
}

impl Part {
    /// The event that the part is relative to.
    pub fn id(self) -> Option<EventId> {
        match self {
            Self::Latest => None,
            Self::Before(id) | Self::After(id) | Self::Around(id) => Some(id),
        }
    }
}

/// The events of a channel while the session was a member and, if it is a member now, while the
/// channel was +H. They are ascending, at most `limit` and as many as a page holds. `None`: the
/// session was never a member.
pub fn of_channel(
    tx: &Read,
    session: SessionId,
    channel: ChannelId,
    part: Part,
    limit: usize,
) -> Result<Option<Vec<Event>>> {
    let stays = membership::stays(tx, session, channel)?;
    if stays.is_empty() {
        return Ok(None);
    }
    let is_member = stays.iter().any(|stay| stay.until.is_none());
    let stays = if is_member {
        joined(stays, channel_history::of(tx, channel)?)
    } else {
        stays
    };
    let lane = Lane {
        back: &|up_to, limit| {
            let spans = stays
                .iter()
                .rev()
                .map(|stay| (stay.since, stay.until.unwrap_or(LAST).min(up_to)));
            in_spans(
                tx,
                "SELECT event_id FROM address WHERE target_id = ?1 AND event_id BETWEEN ?2 AND ?3
                 ORDER BY event_id DESC LIMIT ?4",
                channel,
                spans,
                limit,
            )
        },
        forth: &|past, limit| {
            let spans = stays.iter().map(|stay| {
                (
                    stay.since.max(EventId(past.0 + 1)),
                    stay.until.unwrap_or(LAST),
                )
            });
            in_spans(
                tx,
                "SELECT event_id FROM address WHERE target_id = ?1 AND event_id BETWEEN ?2 AND ?3
                 ORDER BY event_id LIMIT ?4",
                channel,
                spans,
                limit,
            )
        },
    };
    lane.read(tx, part, limit).map(Some)
}

/// The union of two lists of spans, in order. Overlapping and adjacent spans become one.
fn joined(mut spans: Vec<Span>, more: Vec<Span>) -> Vec<Span> {
    spans.extend(more);
    spans.sort_by_key(|span| span.since);
    let mut joined: Vec<Span> = Vec::new();
    for span in spans {
        match joined
            .last_mut()
            .filter(|last| last.until.is_none_or(|until| span.since.0 <= until.0 + 1))
        {
            Some(last) => {
                last.until = last
                    .until
                    .zip(span.until)
                    .map(|(last, until)| last.max(until))
            }
            None => joined.push(span),
        }
    }
    joined
}

fn in_spans(
    tx: &Read,
    sql: &str,
    channel: ChannelId,
    spans: impl Iterator<Item = (EventId, EventId)>,
    limit: usize,
) -> Result<Vec<EventId>> {
    let mut statement = tx.prepare(sql)?;
    let mut ids = Vec::new();
    for (first, last) in spans.filter(|(first, last)| first <= last) {
        let wanted = limit - ids.len();
        statement.for_each(params![channel, first, last, wanted], |row| {
            ids.push(row.get(0)?);
            Ok(())
        })?;
        if ids.len() == limit {
            break;
        }
    }
    Ok(ids)
}

/// The direct messages between two sessions, as session `one` sees them. They are ascending, at
/// most `limit` and as many as a page holds.
pub fn of_exchange(
    tx: &Read,
    one: SessionId,
    other: SessionId,
    part: Part,
    limit: usize,
) -> Result<Vec<Event>> {
    let ids = |sql: &str, id: EventId, limit: usize| {
        tx.all(sql, params![one, other, id, limit], |row| row.get(0))
    };
    let lane = Lane {
        back: &|up_to, limit| {
            ids(
                "SELECT id FROM (
                     SELECT * FROM (
                         SELECT id FROM event WHERE sender = ?1 AND recipient = ?2 AND id <= ?3
                         ORDER BY id DESC LIMIT ?4) AS said
                     UNION
                     SELECT * FROM (
                         SELECT id FROM event WHERE sender = ?1 AND silenced_by = ?2 AND id <= ?3
                         ORDER BY id DESC LIMIT ?4) AS silenced
                     UNION
                     SELECT * FROM (
                         SELECT id FROM event WHERE sender = ?2 AND recipient = ?1 AND id <= ?3
                         ORDER BY id DESC LIMIT ?4) AS heard) AS exchange
                 ORDER BY id DESC LIMIT ?4",
                up_to,
                limit,
            )
        },
        forth: &|past, limit| {
            ids(
                "SELECT id FROM (
                     SELECT * FROM (
                         SELECT id FROM event WHERE sender = ?1 AND recipient = ?2 AND id > ?3
                         ORDER BY id LIMIT ?4) AS said
                     UNION
                     SELECT * FROM (
                         SELECT id FROM event WHERE sender = ?1 AND silenced_by = ?2 AND id > ?3
                         ORDER BY id LIMIT ?4) AS silenced
                     UNION
                     SELECT * FROM (
                         SELECT id FROM event WHERE sender = ?2 AND recipient = ?1 AND id > ?3
                         ORDER BY id LIMIT ?4) AS heard) AS exchange
                 ORDER BY id LIMIT ?4",
                past,
                limit,
            )
        },
    };
    lane.read(tx, part, limit)
}

/// The ids of a history, readable in both directions.
struct Lane<'a> {
    /// The last ids up to an id, newest first.
    back: &'a Ids<'a>,
    /// The first ids after an id, oldest first.
    forth: &'a Ids<'a>,
}

type Ids<'a> = dyn Fn(EventId, usize) -> Result<Vec<EventId>> + 'a;

/// Greater than the id of every event.
const LAST: EventId = EventId(i64::MAX);

impl Lane<'_> {
    fn read(&self, tx: &Read, part: Part, limit: usize) -> Result<Vec<Event>> {
        let up_to = |id: EventId| -> Result<Vec<Event>> {
            let mut events = log::load(tx, &(self.back)(id, limit)?, PAGE_BYTES)?;
            events.reverse();
            Ok(events)
        };
        match part {
            Part::Latest => up_to(LAST),
            Part::Before(id) => up_to(EventId(id.0.saturating_sub(1))),
            Part::After(id) => log::load(tx, &(self.forth)(id, limit)?, PAGE_BYTES),
            Part::Around(id) => {
                let (mut older, mut newer) = ((self.back)(id, limit)?, (self.forth)(id, limit)?);
                newer.truncate(limit - older.len().min(limit.div_ceil(2)));
                older.truncate(limit - newer.len());
                let mut events = log::load(tx, &older, PAGE_BYTES)?;
                events.reverse();
                events.extend(log::load(tx, &newer, PAGE_BYTES)?);
                Ok(events)
            }
        }
    }
}
