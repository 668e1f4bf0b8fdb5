//! The log: appending events, and reading a queue as a merge of its targets.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, BinaryHeap, VecDeque},
    sync::Arc,
};

use rusqlite::{OptionalExtension, Row, params};

use super::{Effect, Read, Write, as_sql, row, sight::Sight, size::length, texts, unread};
use crate::{
    error::{Code, Error, Result},
    model::{ChannelId, ClientId, Event, EventId, Page, SessionId, TargetId, Timestamp, Words},
};

/// Bytes of a page's messages after which it ends, however few they are: an answer is held in
/// memory until its reader has it.
pub const PAGE_BYTES: usize = 256 * 1024;

/// How much a page holds: so many events at most, and none behind the one that reaches so many
/// bytes.
#[derive(Clone, Copy, Debug)]
pub struct PageSize {
    pub events: usize,
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

/// The client whose command an event comes from, if it comes from one, and that command's label.
pub type Origin = Option<(ClientId, Option<String>)>;

/// An event about to happen.
pub struct Draft<'a> {
    /// The time by the clock.
    pub time: Timestamp,
    pub source: &'a str,
    pub command: &'a str,
    pub params: Vec<String>,
    pub origin: Origin,
    /// The name of the app through whose grant it comes.
    pub app: Option<String>,
    /// Of a message (PRIVMSG, NOTICE): who sends it, and where to.
    pub message: Option<(SessionId, Recipient)>,
}

/// Where a message goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Recipient {
    Session(SessionId),
    Channel(ChannelId),
    /// To a session that silences the sender, and is never shown it. To the sender it is a message
    /// like any other.
    Silencing(SessionId),
}

/// Appends an event and addresses it, once per target.
pub fn append(tx: &Write, draft: Draft, targets: &[TargetId]) -> Result<EventId> {
    let Draft {
        time: clock,
        source,
        command,
        params,
        origin,
        app,
        message,
    } = draft;
    let time = next_time(tx, clock)?;
    let mut targets = targets.to_vec();
    targets.sort();
    targets.dedup();
    let (client, label) = match &origin {
        Some((client, label)) => (Some(*client), label.as_deref()),
        None => (None, None),
    };
    let (recipient, channel, silenced_by) = match message {
        Some((_, Recipient::Session(session))) => (Some(session), None, None),
        Some((_, Recipient::Channel(channel))) => (None, Some(channel), None),
        Some((_, Recipient::Silencing(session))) => (None, None, Some(session)),
        None => (None, None, None),
    };
    let others = match message {
        Some((sender, Recipient::Channel(channel))) => {
            Some(unread::last_of_others(tx, channel, sender)?)
        }
        _ => None,
    };
    let words = message.and(params.get(1)).map(|text| Words::of(text));
    let (params_column, targets_column) = (
        texts::join(params.iter().map(String::as_str))?,
        row::to_json(&targets)?,
    );
    let lengths = [
        source.len(),
        command.len(),
        params_column.len(),
        targets_column.len(),
        label.map_or(0, str::len),
    ];
    // What tells of unread messages takes as much as two entries of the others.
    let entries = targets.len() + if words.is_some() { 2 } else { 1 };
    tx.add_row(
        lengths.iter().sum::<usize>() + length(app.as_ref()) + words.map_or(0, |_| 8),
        entries,
    );
    tx.sql
        .prepare_cached(
            "INSERT INTO event (time, source, command, params, targets, sender, recipient, client_id, label, app, channel, others,
                                silenced_by, clock, words)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15)",
        )?
        .execute(params![
            time,
            source,
            command,
            params_column,
            targets_column,
            message.map(|(sender, _)| sender),
            recipient,
            client,
            label,
            app,
            channel,
            others,
            silenced_by,
            (clock != time).then_some(clock),
            words,
        ])?;
    let id = EventId(tx.sql.last_insert_rowid());
    let mut address = tx
        .sql
        .prepare_cached("INSERT INTO address (target_id, event_id) VALUES (?1, ?2)")?;
    for target in &targets {
        address.execute(params![target, id])?;
    }
    let event = Event {
        id,
        time,
        source: source.into(),
        command: command.into(),
        params,
        origin,
        app,
    };
    tx.effect(Effect::Logged {
        event: Arc::new(event),
        targets,
    });
    Ok(id)
}

/// The time of the next event: the clock's, or that of the last event ever if the clock has gone
/// back since. Times never decrease as ids increase.
fn next_time(tx: &Write, clock: Timestamp) -> Result<Timestamp> {
    let last = tx
        .sql
        .prepare_cached("SELECT time FROM log")?
        .query_row([], |row| row.get(0))?;
    if clock > last {
        tx.sql
            .prepare_cached("UPDATE log SET time = ?1")?
            .execute([clock])?;
    }
    Ok(last.max(clock))
}

/// What an event is addressed to.
pub(super) fn targets_of(tx: &Read, id: i64) -> Result<Vec<i64>> {
    let mut targets = tx
        .sql
        .prepare_cached("SELECT targets FROM event WHERE id = ?1")?;
    Ok(targets.query_row([id], |row| row::from_json(row.get_ref(0)?.as_str()?))?)
}

/// The log's position: the id of the last event ever appended, whether or not retention has removed
/// it.
pub fn head(tx: &Read) -> Result<EventId> {
    let head = tx
        .sql
        .prepare_cached("SELECT seq FROM sqlite_sequence WHERE name = 'event'")?;
    let head = { head }.query_row([], |row| row.get(0)).optional()?;
    Ok(EventId(head.unwrap_or(0)))
}

/// Refuses an id that no event has had yet.
pub fn require_issued(tx: &Read, id: EventId) -> Result<()> {
    if id > head(tx)? {
        return Err(Error::new(
            Code::InvalidCursor,
            "no event has had this id yet",
        ));
    }
    Ok(())
}

/// The events of a session's targets past `after`, as far as they are seen and as many as a page of
/// this size holds, in order. What is addressed to the session itself lies outside whatever
/// channels a caller is confined to.
///
/// It is a merge of one lane per target, each refilled a little at a time, so that it costs the
/// page, the number of targets and of stays that ended past `after`, never the backlog.
pub fn page(
    sight: &Sight,
    session: SessionId,
    after: EventId,
    size: impl Into<PageSize>,
) -> Result<Page> {
    let PageSize {
        events: limit,
        bytes,
    } = size.into();
    let tx = sight.tx;
    let head = head(tx)?;
    let own = sight.is_whole().then_some(session);
    let spans = spans(sight, session, after)?;
    let gap = gap(tx, own, after, &spans)?;
    let mut lanes =
        Vec::from_iter(own.map(|own| Lane::new(own.into(), [(after.0, head.0)].into())));
    for (channel, spans) in spans {
        let spans = spans
            .iter()
            .map(|span| (after.0.max(span.since - 1), span.until.unwrap_or(head.0)));
        lanes.push(Lane::new(channel.into(), spans.collect()));
    }
    let chunk = (limit / lanes.len().max(1)).clamp(8, limit.max(8));
    let mut ids = Vec::new();
    let mut heap = BinaryHeap::new();
    for (n, lane) in lanes.iter_mut().enumerate() {
        heap.extend(lane.next(tx, chunk)?.map(|id| Reverse((id, n))));
    }
    while let Some(Reverse((id, n))) = heap.pop() {
        // NICK and QUIT are addressed to several targets of a queue, and shown once.
        if ids.last() != Some(&id) {
            if ids.len() == limit {
                break;
            }
            ids.push(id);
        }
        heap.extend(lanes[n].next(tx, chunk)?.map(|id| Reverse((id, n))));
    }
    let events = load(tx, &ids, bytes)?;
    let more = ids.len() == limit || events.len() < ids.len();
    let next = events.last().filter(|_| more).map_or(head, |last| last.id);
    Ok(Page {
        events,
        next,
        more,
        gap,
    })
}

/// A stay on a channel, by the events at its ends.
pub(super) struct Span {
    pub since: i64,
    pub until: Option<i64>,
}

impl Span {
    pub fn read(row: &Row) -> rusqlite::Result<Self> {
        Ok(Self {
            since: row.get("since")?,
            until: row.get("until")?,
        })
    }
}

/// The stays of a session that reach past `after`, on channels that are seen, by channel and in
/// order.
fn spans(
    sight: &Sight,
    session: SessionId,
    after: EventId,
) -> Result<BTreeMap<ChannelId, Vec<Span>>> {
    let mut statement = sight.tx.sql.prepare_cached(
        "SELECT channel_id, since, until FROM membership WHERE session_id = ?1 AND until > ?2
         UNION ALL
         SELECT channel_id, since, until FROM membership WHERE session_id = ?1 AND until IS NULL
         ORDER BY channel_id, since",
    )?;
    let rows = statement.query_map(params![session, after], |row| {
        Ok((row.get(0)?, Span::read(row)?))
    })?;
    let mut spans = BTreeMap::<_, Vec<_>>::new();
    for row in rows {
        let (channel, span) = row?;
        if sight.includes(channel)? {
            spans.entry(channel).or_default().push(span);
        }
    }
    Ok(spans)
}

/// The stretch past `after` in which retention removed something of one's `own` session's or of
/// these stays, exactly: a stay lost its last event if that was removed, else whatever was the last
/// removed of the channel while it lasted.
fn gap(
    tx: &Read,
    own: Option<SessionId>,
    after: EventId,
    spans: &BTreeMap<ChannelId, Vec<Span>>,
) -> Result<Option<(EventId, EventId)>> {
    let mut dropped_of = tx
        .sql
        .prepare_cached("SELECT dropped FROM target WHERE id = ?1")?;
    let mut dropped = |target: TargetId| dropped_of.query_row([target], |row| row.get::<_, i64>(0));
    let mut last = own.map_or(Ok(0), |own| dropped(own.into()))?;
    for (channel, spans) in spans {
        let dropped = dropped((*channel).into())?;
        for span in spans.iter().filter(|span| span.since <= dropped) {
            last = last.max(span.until.map_or(dropped, |until| until.min(dropped)));
        }
    }
    Ok((last > after.0).then(|| (EventId(after.0 + 1), EventId(last))))
}

/// A cursor into the index of one target, through one span of ids after the other.
struct Lane {
    target: TargetId,
    /// What is still to be read, as (past this id, up to that one).
    spans: VecDeque<(i64, i64)>,
    read: VecDeque<i64>,
}

impl Lane {
    fn new(target: TargetId, spans: VecDeque<(i64, i64)>) -> Self {
        Self {
            target,
            spans,
            read: VecDeque::new(),
        }
    }

    fn next(&mut self, tx: &Read, chunk: usize) -> Result<Option<i64>> {
        while self.read.is_empty() {
            let Some((past, up_to)) = self.spans.front_mut() else {
                return Ok(None);
            };
            let mut statement = tx.sql.prepare_cached(
                "SELECT event_id FROM address WHERE target_id = ?1 AND event_id > ?2 AND event_id <= ?3
                 ORDER BY event_id LIMIT ?4",
            )?;
            let rows = statement
                .query_map(params![self.target, *past, *up_to, as_sql(chunk)], |row| {
                    row.get(0)
                })?;
            for id in rows {
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

/// The events with these ids, in this order, up to the one that reaches so many bytes.
pub(super) fn load(tx: &Read, ids: &[i64], most: usize) -> Result<Vec<Event>> {
    let mut statement = tx.sql.prepare_cached(
        "SELECT id, time, source, command, params, client_id, label, app FROM event WHERE id = ?1",
    )?;
    let (mut events, mut bytes) = (Vec::new(), 0);
    for id in ids {
        if bytes >= most {
            break;
        }
        events.push(statement.query_row([id], |row| {
            let client: Option<i64> = row.get("client_id")?;
            let label = row.get("label")?;
            let params = row.get_ref("params")?.as_str()?;
            bytes += texts::rendered_length(params);
            Ok(Event {
                id: row.get("id")?,
                time: row.get("time")?,
                source: row.get("source")?,
                command: row.get("command")?,
                params: texts::split(params).map(str::to_owned).collect(),
                origin: client.map(|client| (ClientId(client), label)),
                app: row.get("app")?,
            })
        })?);
    }
    Ok(events)
}

#[cfg(test)]
mod tests;
