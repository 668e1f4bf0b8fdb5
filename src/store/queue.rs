//! A client's queue: a merge of its session's targets, read from a position on.

use std::collections::BTreeSet;

use super::{
    engine::{connection::Row, value::params},
    log,
    transaction::Read,
    within::Within,
};
use crate::{
    error::{Error, Result},
    model::{Event, EventId, Page, SessionId},
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
/// It is a merge of lanes: one of the session itself, and one of each stay on a channel. One
/// statement reads the first addresses of every lane, and what it finds is usually the page. A
/// second statement reads on if a lane has more of the page than that. The cost therefore depends
/// on the page, on the number of channels and on the number of stays that ended past `after`, never
/// on the backlog.
pub fn page(
    tx: &Read,
    session: SessionId,
    within: Option<&BTreeSet<String>>,
    after: EventId,
    size: impl Into<PageSize>,
) -> Result<Page> {
    let queue = Queue {
        session,
        sharing: within.map(BTreeSet::len),
        within: within.map(Within::of),
    };
    let mut filled = Filled::new(size.into());
    let first = queue.read(tx, (after, LAST), queue.sharing, &mut filled)?;
    let mut rest = first.rest(&filled);
    while let Some(bounds) = rest {
        // Each lane gets the whole page, so this is the last statement.
        rest = queue.read(tx, bounds, Some(0), &mut filled)?.rest(&filled);
    }
    let last = filled.events.last().filter(|_| filled.is_full);
    Ok(Page {
        next: last.map_or(first.head, |last| last.id),
        more: filled.is_full,
        gap: first
            .lost
            .filter(|lost| *lost > after)
            .map(|lost| (EventId(after.0 + 1), lost)),
        events: filled.events,
    })
}

/// Greater than the id of every event.
const LAST: EventId = EventId(i64::MAX);

/// The statement that reads a queue. `$own` is the lane of the session itself, and `$within` is
/// what restricts the channels.
///
/// The columns of a lane:
/// - `past` and `up_to`: the ids between which it is read.
/// - `lost`: its last event that retention has removed. A stay has lost its last event if that was
///   removed, or else the last event of the channel that was removed while the stay lasted.
/// - `cut`: the last address that is read of it. NULL: it is read to its end. Each lane gets three
///   addresses more than twice its share of the page, because lanes are not equally busy.
///
/// What is found up to the lowest cut of all lanes is the queue. Past that, events may be missing.
///
/// The parameters: the session, `past`, how many events are wanted, `up_to`, how many channels
/// share the page (NULL: as many as the session is on) and, for `$within`, their names.
macro_rules! statement {
    ($own:literal, $within:literal) => {
        concat!(
            "WITH lane AS MATERIALIZED (
                SELECT target_id, past, up_to, lost, (
                    SELECT event_id FROM address
                    WHERE target_id = span.target_id AND event_id > past AND event_id <= up_to
                    ORDER BY event_id LIMIT 1 OFFSET 3 + ?3 / ((2 + coalesce(?5, (
                        SELECT count(*) FROM membership WHERE session_id = ?1 AND until IS NULL))) / 2)
                ) AS cut FROM (",
            $own,
            "       SELECT channel_id AS target_id,
                        CASE WHEN since > ?2 THEN since - 1 ELSE ?2 END AS past,
                        CASE WHEN until < ?4 THEN until ELSE ?4 END AS up_to,
                        CASE WHEN dropped < since THEN 0 WHEN until < dropped THEN until
                            ELSE dropped END AS lost
                    FROM membership JOIN target ON target.id = channel_id",
            $within,
            "       WHERE session_id = ?1 AND (until > ?2 OR until IS NULL)
                ) AS span
            )
            SELECT head, (SELECT nullif(max(lost), 0) FROM lane) AS lost, (SELECT min(cut) FROM lane) AS cut,
                event.id AS id, event.time AS time, source, command, params, client_id, label, app
            FROM log LEFT JOIN event ON event.id IN (
                SELECT DISTINCT event_id FROM lane JOIN address ON address.target_id = lane.target_id
                    AND event_id > past AND event_id <= coalesce(cut, up_to)
                ORDER BY event_id LIMIT ?3)
            WHERE one = 1 ORDER BY event.id"
        )
    };
}

const OF_SESSION: &str = statement!(
    "SELECT id AS target_id, ?2 AS past, ?4 AS up_to, dropped AS lost FROM target WHERE id = ?1
     UNION ALL ",
    " "
);

const WITHIN_CHANNELS: &str = statement!(
    "",
    " JOIN channel ON channel.id = channel_id
         AND replace(?6, ',' || folded_name || ',', '') <> ?6 "
);

/// What is read.
struct Queue {
    session: SessionId,
    /// The folded names of the channels, for [`WITHIN_CHANNELS`]. `None`: all of the session's, and
    /// the session itself.
    within: Option<Within>,
    /// How many channels share the page. `None`: as many as the session is on.
    sharing: Option<usize>,
}

/// What a statement has found besides the events.
struct Found {
    /// The log's position.
    head: EventId,
    /// The last event of the queue that retention has removed. `None`: none.
    lost: Option<EventId>,
    /// Past this, events may be missing. `None`: none are.
    cut: Option<EventId>,
    /// The event past the cut up to which the page reaches at most. `None`: no event bounds it.
    bound: Option<EventId>,
}

impl Found {
    /// Where the rest of the page is, unless the page is full or the queue at its end.
    fn rest(&self, filled: &Filled) -> Option<(EventId, EventId)> {
        let past = self.cut.filter(|_| !filled.is_full)?;
        Some((past, self.bound.unwrap_or(LAST)))
    }
}

/// The part of a page that has been read.
struct Filled {
    size: PageSize,
    events: Vec<Event>,
    bytes: usize,
    /// Whether the page has ended before the queue: it holds as many events as wanted, or an event
    /// that it has no more room for comes next.
    is_full: bool,
}

impl Filled {
    fn new(size: PageSize) -> Self {
        Self {
            size,
            events: Vec::new(),
            bytes: 0,
            is_full: size.events == 0,
        }
    }

    fn wanted(&self) -> usize {
        self.size.events - self.events.len()
    }

    /// Adds the event of a row, if there is room for it.
    fn add(&mut self, row: &Row) -> Result<()> {
        if self.bytes >= self.size.bytes {
            self.is_full = true;
            return Ok(());
        }
        let (event, bytes) = log::read(row)?;
        self.bytes += bytes;
        self.events.push(event);
        self.is_full = self.wanted() == 0;
        Ok(())
    }
}

impl Queue {
    /// Adds the first events past one id and up to another one, as far as they are found by reading
    /// the first addresses of each lane.
    fn read(
        &self,
        tx: &Read,
        (past, up_to): (EventId, EventId),
        sharing: Option<usize>,
        filled: &mut Filled,
    ) -> Result<Found> {
        let (wanted, mut rows) = (filled.wanted(), 0);
        let mut found = None;
        let each = |row: &Row| {
            let found = match &mut found {
                Some(found) => found,
                none => none.insert(Found {
                    head: row.get("head")?,
                    lost: row.get("lost")?,
                    cut: row.get("cut")?,
                    bound: None,
                }),
            };
            let Some(id) = row.get::<Option<EventId>>("id")? else {
                return Ok(Some(()));
            };
            rows += 1;
            if found.cut.is_none_or(|cut| id <= cut) {
                filled.add(row)?;
            } else if rows == wanted {
                found.bound = Some(id);
            }
            Ok(filled.is_full.then_some(()))
        };
        let (session, within) = (self.session, self.within.as_ref());
        let params = params![session, past, wanted, up_to, sharing, within];
        match within {
            Some(_) => tx.find(WITHIN_CHANNELS, params, each)?,
            None => tx.find(OF_SESSION, &params[..5], each)?,
        };
        found.ok_or_else(|| Error::internal("the log has no row"))
    }
}
