//! A page of a queue, merged from lanes that are read a little at a time.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, BTreeSet, BinaryHeap, VecDeque},
};

use super::page_size::PageSize;
use crate::{
    error::Result,
    model::{ChannelId, EventId, Page, SessionId, TargetId},
    store::{engine::value::params, log, row::Span, target, transaction::Read},
};

/// A page like that of [`super::page`].
///
/// There is one lane per target. Each is refilled when it has been read.
pub fn page(
    tx: &Read,
    session: SessionId,
    within: Option<&BTreeSet<String>>,
    after: EventId,
    size: PageSize,
) -> Result<Page> {
    let head = log::head(tx)?;
    let own = within.is_none().then_some(session);
    let stays = stays_past(tx, session, after, within)?;
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
            tx.for_each(
                "SELECT event_id FROM address WHERE target_id = ?1 AND event_id > ?2 AND event_id <= ?3
                 ORDER BY event_id LIMIT ?4",
                params![self.target, *past, *up_to, chunk],
                |row| {
                    self.read.push_back(row.get(0)?);
                    Ok(())
                },
            )?;
            match self.read.back() {
                Some(last) if self.read.len() == chunk => *past = *last,
                _ => drop(self.spans.pop_front()),
            }
        }
        Ok(self.read.pop_front())
    }
}

/// The stays of a session that reach past the event `after`, in order, by channel. With `within`,
/// only those on channels with these folded names.
fn stays_past(
    tx: &Read,
    session: SessionId,
    after: EventId,
    within: Option<&BTreeSet<String>>,
) -> Result<BTreeMap<ChannelId, Vec<Span>>> {
    let mut folded_name = tx.prepare("SELECT folded_name FROM channel WHERE id = ?1")?;
    let mut stays = BTreeMap::<_, Vec<_>>::new();
    tx.for_each(
        "SELECT channel_id, since, until FROM membership WHERE session_id = ?1 AND until > ?2
         UNION ALL
         SELECT channel_id, since, until FROM membership WHERE session_id = ?1 AND until IS NULL
         ORDER BY channel_id, since",
        params![session, after],
        |row| {
            let channel: ChannelId = row.get(0)?;
            let is_within = match within {
                None => true,
                Some(names) => {
                    folded_name.one(params![channel], |row| Ok(names.contains(row.text(0)?)))?
                }
            };
            if is_within {
                let (since, until) = (row.get(1)?, row.get(2)?);
                stays
                    .entry(channel)
                    .or_default()
                    .push(Span { since, until });
            }
            Ok(())
        },
    )?;
    Ok(stays)
}
