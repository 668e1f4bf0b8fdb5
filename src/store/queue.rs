//! A client's queue: a merge of its session's targets, read from a position on.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, BTreeSet, BinaryHeap, VecDeque},
};

use rusqlite::params;

use super::{log, membership, row::Span, row_rusqlite::as_sql, target, transaction::Read};
use crate::{
    error::Result,
    model::{ChannelId, EventId, Page, SessionId, TargetId},
};

/// The bytes of messages after which a page ends, however few the messages are. The bound matters
/// because an answer is held in memory until its reader has received it.
pub const PAGE_BYTES: usize = 256 * 1024;

/// How much a page holds.
#[derive(Clone, Copy, Debug)]
pub struct PageSize {
    /// The most events.
    pub events: usize,
    /// A page ends after the event with which it takes this many bytes or more.
    pub bytes: usize,
}

impl From<usize> for PageSize {
    fn from(events: usize) -> Self {
        Self {
            events,
            bytes: PAGE_BYTES,
        }
    }
}

/// The events of a session's targets past `after`, in order, as many as a page of this size holds.
/// With `within`, only those of channels with these folded names: a caller that is confined to
/// channels does not receive what is addressed to the session itself.
///
/// It is a merge of one lane per target. Each lane is refilled a little at a time. The cost
/// therefore depends on the page, on the number of targets and on the number of stays that ended
/// past `after`, never on the backlog.
pub fn page(
    tx: &Read,
    session: SessionId,
    within: Option<&BTreeSet<String>>,
    after: EventId,
    size: impl Into<PageSize>,
) -> Result<Page> {
    let size = size.into();
    let head = log::head(tx)?;
    let own = within.is_none().then_some(session);
    let stays = membership::stays_past(tx, session, after, within)?;
    let gap = gap(tx, own, after, &stays)?;
    let mut lanes = Vec::from_iter(own.map(|own| Lane::new(own.into(), [(after, head)].into())));
    for (channel, stays) in stays {
        let spans = stays.iter().map(|stay| {
            let before = EventId(stay.since.0 - 1);
            (after.max(before), stay.until.unwrap_or(head))
        });
        lanes.push(Lane::new(channel.into(), spans.collect()));
    }
    let ids = merge(tx, lanes, size.events)?;
    let events = log::load(tx, &ids, size.bytes)?;
    let more = ids.len() == size.events || events.len() < ids.len();
    let next = events.last().filter(|_| more).map_or(head, |last| last.id);
    Ok(Page {
        events,
        next,
        more,
        gap,
    })
}

/// The first `limit` ids of all these lanes together, in order.
fn merge(tx: &Read, mut lanes: Vec<Lane>, limit: usize) -> Result<Vec<EventId>> {
    let chunk = (limit / lanes.len().max(1)).clamp(8, limit.max(8));
    let mut ids = Vec::new();
    let mut heap = BinaryHeap::new();
    for (n, lane) in lanes.iter_mut().enumerate() {
        heap.extend(lane.next(tx, chunk)?.map(|id| Reverse((id, n))));
    }
    while let Some(Reverse((id, n))) = heap.pop() {
        // NICK and QUIT are addressed to several targets of a queue, and are shown once.
        if ids.last() != Some(&id) {
            if ids.len() == limit {
                break;
            }
            ids.push(id);
        }
        heap.extend(lanes[n].next(tx, chunk)?.map(|id| Reverse((id, n))));
    }
    Ok(ids)
}

/// The range past `after` in which retention has removed events of the session `own` or of these
/// stays. The range is exact: a stay has lost its last event if that was removed, or else the last
/// event of the channel that was removed while the stay lasted.
fn gap(
    tx: &Read,
    own: Option<SessionId>,
    after: EventId,
    stays: &BTreeMap<ChannelId, Vec<Span>>,
) -> Result<Option<(EventId, EventId)>> {
    let mut last = EventId(0);
    if let Some(own) = own {
        last = target::dropped(tx, own.into())?;
    }
    for (channel, stays) in stays {
        let dropped = target::dropped(tx, (*channel).into())?;
        for stay in stays.iter().filter(|stay| stay.since <= dropped) {
            last = last.max(stay.until.map_or(dropped, |until| until.min(dropped)));
        }
    }
    Ok((last > after).then(|| (EventId(after.0 + 1), last)))
}

/// A cursor into the index of one target, which reads one span of ids after the other.
struct Lane {
    target: TargetId,
    /// What is still to be read, as (past this id, up to that id).
    spans: VecDeque<(EventId, EventId)>,
    read: VecDeque<EventId>,
}

impl Lane {
    fn new(target: TargetId, spans: VecDeque<(EventId, EventId)>) -> Self {
        Self {
            target,
            spans,
            read: VecDeque::new(),
        }
    }

    fn next(&mut self, tx: &Read, chunk: usize) -> Result<Option<EventId>> {
        while self.read.is_empty() {
            let Some((past, up_to)) = self.spans.front_mut() else {
                return Ok(None);
            };
            let mut statement = tx.sql.prepare_cached(
                "SELECT event_id FROM address WHERE target_id = ?1 AND event_id > ?2 AND event_id <= ?3
                 ORDER BY event_id LIMIT ?4",
            )?;
            let within = params![self.target, *past, *up_to, as_sql(chunk)];
            for id in statement.query_map(within, |row| row.get(0))? {
                self.read.push_back(id?);
            }
            match self.read.back() {
                Some(last) if self.read.len() == chunk => *past = *last,
                _ => drop(self.spans.pop_front()),
            }
        }
        Ok(self.read.pop_front())
    }
}
