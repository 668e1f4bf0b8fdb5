//! A page of a queue in one statement, or a few.

use std::collections::BTreeSet;

use super::page_size::PageSize;
use crate::{
    error::{Error, Result},
    model::{Event, EventId, Page, SessionId},
    store::{
        engine::{connection::Row, value::params},
        log,
        transaction::Read,
        within::Within,
    },
};

/// A page like that of [`super::page`].
///
/// One statement reads the first addresses of every lane, and what it finds is usually the page.
/// Another one reads on if a lane has more of the page than that, or if the page goes on past the
/// stays that were looked at.
pub fn page(
    tx: &Read,
    session: SessionId,
    within: Option<&BTreeSet<String>>,
    after: EventId,
    size: PageSize,
) -> Result<Page> {
    let queue = Queue {
        session,
        within: within.map(Within::of),
    };
    let mut filled = Filled::new(size);
    let mut reach = Reach {
        past: after,
        up_to: LAST,
        later: LATER_STAYS,
        whole: false,
    };
    let first = queue.read(tx, reach, &mut filled)?;
    let mut rest = first.rest(reach, &filled);
    while let Some(further) = rest {
        reach = further;
        rest = queue.read(tx, reach, &mut filled)?.rest(reach, &filled);
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
/// How many stays that began past the position a page's first statement looks at. Each further
/// statement looks at twice as many.
const LATER_STAYS: usize = 8;

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
/// Stays that begin past the horizon are not read. What is found up to the horizon and to the lowest
/// cut of all lanes is the queue. Past that, events may be missing.
///
/// The parameters: the session, `past`, how many events are wanted, `up_to`, how many stays that
/// begin past `past` are read, whether each lane gets the whole page and, for `$within`, names.
macro_rules! statement {
    ($own:literal, $within:literal) => {
        concat!(
            "WITH span AS MATERIALIZED (",
            $own,
            "   SELECT channel_id AS target_id,
                    CASE WHEN since > ?2 THEN since - 1 ELSE ?2 END AS past,
                    CASE WHEN until < ?4 THEN until ELSE ?4 END AS up_to,
                    CASE WHEN dropped < since THEN 0 WHEN until < dropped THEN until
                        ELSE dropped END AS lost
                FROM membership JOIN target ON target.id = channel_id",
            $within,
            "   WHERE session_id = ?1 AND (until > ?2 OR until IS NULL)
            ), horizon AS MATERIALIZED (
                SELECT coalesce(
                    (SELECT past FROM span WHERE past > ?2 ORDER BY past LIMIT 1 OFFSET ?5), ?4) AS id
            ), near AS MATERIALIZED (
                SELECT target_id, past, CASE WHEN up_to < horizon.id THEN up_to ELSE horizon.id END AS up_to
                FROM span JOIN horizon ON past < horizon.id
            ), lane AS MATERIALIZED (
                SELECT target_id, past, up_to, (
                    SELECT event_id FROM address
                    WHERE target_id = near.target_id AND event_id > past AND event_id <= up_to
                    ORDER BY event_id LIMIT 1 OFFSET 3 + ?3 / (
                        CASE WHEN ?6 THEN 1 ELSE (1 + (SELECT count(*) FROM near)) / 2 END)
                ) AS cut FROM near
            )
            SELECT head, (SELECT nullif(max(lost), 0) FROM span) AS lost, (SELECT min(cut) FROM lane) AS cut,
                (SELECT id FROM horizon) AS horizon,
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
         AND replace(?7, ',' || folded_name || ',', '') <> ?7 "
);

/// What is read.
struct Queue {
    session: SessionId,
    /// The folded names of the channels, for [`WITHIN_CHANNELS`]. `None`: all of the session's, and
    /// the session itself.
    within: Option<Within>,
}

/// How far one statement reads.
#[derive(Clone, Copy)]
struct Reach {
    /// It reads past this event.
    past: EventId,
    /// It reads up to this event.
    up_to: EventId,
    /// How many stays it looks at that began past `past`.
    later: usize,
    /// Whether each lane is read as far as the whole page may reach.
    whole: bool,
}

/// What a statement has found besides the events.
struct Found {
    /// The log's position.
    head: EventId,
    /// The last event of the queue that retention has removed. `None`: none.
    lost: Option<EventId>,
    /// Where the first lane was cut. `None`: none was.
    cut: Option<EventId>,
    /// No stay that begins past this was read. `None`: all were.
    horizon: Option<EventId>,
    /// The event past the end up to which the page reaches at most. `None`: no event bounds it.
    bound: Option<EventId>,
}

impl Found {
    /// Past this, events may be missing. `None`: none are.
    fn end(&self) -> Option<EventId> {
        match (self.cut, self.horizon) {
            (Some(cut), Some(horizon)) => Some(cut.min(horizon)),
            (cut, horizon) => cut.or(horizon),
        }
    }

    /// Where the rest of the page is, unless the page is full or the queue at its end.
    fn rest(&self, reach: Reach, filled: &Filled) -> Option<Reach> {
        let past = self.end().filter(|_| !filled.is_full)?;
        // Past the horizon there are other stays, which begin with a share of the page again.
        let whole = self.cut == Some(past);
        Some(Reach {
            past,
            up_to: self.bound.filter(|_| whole).unwrap_or(LAST),
            later: reach.later * 2,
            whole,
        })
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
    /// Adds the first events of this reach, as far as they are found by reading the first addresses
    /// of each lane.
    fn read(&self, tx: &Read, reach: Reach, filled: &mut Filled) -> Result<Found> {
        let (wanted, mut rows) = (filled.wanted(), 0);
        let mut found = None;
        let each = |row: &Row| {
            let found = match &mut found {
                Some(found) => found,
                none => none.insert(Found {
                    head: row.get("head")?,
                    lost: row.get("lost")?,
                    cut: row.get("cut")?,
                    horizon: Some(row.get("horizon")?).filter(|horizon| *horizon < reach.up_to),
                    bound: None,
                }),
            };
            let Some(id) = row.get::<Option<EventId>>("id")? else {
                return Ok(Some(()));
            };
            rows += 1;
            if found.end().is_none_or(|end| id <= end) {
                filled.add(row)?;
            } else if rows == wanted {
                found.bound = Some(id);
            }
            Ok(filled.is_full.then_some(()))
        };
        let Reach {
            past,
            up_to,
            later,
            whole,
        } = reach;
        let (session, within) = (self.session, self.within.as_ref());
        let params = params![session, past, wanted, up_to, later, whole, within];
        match within {
            Some(_) => tx.find(WITHIN_CHANNELS, params, each)?,
            None => tx.find(OF_SESSION, &params[..6], each)?,
        };
        found.ok_or_else(|| Error::internal("the log has no row"))
    }
}
