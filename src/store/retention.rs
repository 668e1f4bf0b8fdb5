//! Retention: removes old events, ended stays (rows of `membership`) and tombstones, in small
//! batches, oldest first.

use super::{app, app_grant, engine::value::params, log, row, sweep, target, transaction::Write};
use crate::{
    error::Result,
    model::{ChannelId, EventId, SessionId, TargetId, Timestamp},
};

/// The most addresses that a batch removes, for each event that it may remove.
pub(super) const ADDRESSES: usize = 8;

/// Removes a batch of the events that happened at `cutoff` or before, and records at each of their
/// targets up to which event it has lost events. Returns how many.
///
/// It goes by id and stops at the first event that is young enough, so a clock that jumped makes it
/// remove nothing out of order. The age of an event follows the clock at that moment, which may be
/// earlier than the event's own time. A time in the future comes from a wrong clock: such an event
/// is removed with the next one after it, however far away that is. A batch also ends at
/// `ADDRESSES` times as many addresses, because one NICK may have a thousand.
pub fn drop_events(tx: &Write, cutoff: Timestamp, now: Timestamp, batch: usize) -> Result<usize> {
    let (mut old, mut to_come) = (Vec::new(), Vec::new());
    let mut addresses = 0;
    tx.find(
        "SELECT id, coalesce(clock, time), targets FROM event ORDER BY id LIMIT ?1",
        params![batch],
        |row| {
            let time: Timestamp = row.get(1)?;
            if addresses >= ADDRESSES * batch || (time > cutoff && time <= now) {
                return Ok(Some(()));
            }
            let targets = row::from_json::<TargetId>(row.text(2)?)?;
            addresses += targets.len();
            to_come.push((row.get::<EventId>(0)?, targets));
            if time <= cutoff {
                old.append(&mut to_come);
            }
            Ok(None)
        },
    )?;
    // Such events at the end of the batch are removed too if the next one after them is old.
    if let Some((last, _)) = to_come.last() {
        let next = tx.optional(
            "SELECT coalesce(clock, time) FROM event WHERE id > ?1 AND coalesce(clock, time) <= ?2
             ORDER BY id LIMIT 1",
            params![*last, now],
            |row| row.get(0),
        )?;
        if next.is_some_and(|time: Timestamp| time <= cutoff) {
            old.append(&mut to_come);
        }
    }
    for (event, targets) in &old {
        for target in targets {
            target::note_dropped(tx, *target, *event)?;
        }
        log::remove(tx, *event, targets)?;
    }
    Ok(old.len())
}

/// Removes a batch of the stays that ended before the oldest event of the log. Returns how many.
/// What a client of the session may have missed is recorded at the session itself. A confined
/// client is not told of what the session has lost, so a stay is kept until that client has
/// acknowledged it, unless the client cannot read.
pub fn drop_stays(tx: &Write, batch: usize) -> Result<usize> {
    let floor: i64 = tx.one(
        "SELECT coalesce((SELECT min(id) FROM event),
                         (SELECT head + 1 FROM log))",
        &[],
        |row| row.get(0),
    )?;
    let closed: Vec<(SessionId, ChannelId, EventId, EventId)> = tx.all(
        "SELECT session_id, channel_id, since, until FROM membership WHERE until < ?1
         AND NOT EXISTS (SELECT 1 FROM client JOIN app_grant ON app_grant.id = grant_id
                         WHERE client.session_id = membership.session_id
                         AND client.ended_at IS NULL AND res IS NOT NULL
                         AND scope LIKE '%chat:read%' AND cursor < membership.until)
         LIMIT ?2",
        params![floor, batch],
        |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?)),
    )?;
    for (session, channel, since, until) in &closed {
        target::note_dropped(tx, (*session).into(), *until)?;
        tx.execute(
            "DELETE FROM membership WHERE session_id = ?1 AND channel_id = ?2 AND since = ?3",
            params![session, channel, since],
        )?;
        sweep::note(tx, (*channel).into())?;
    }
    Ok(closed.len())
}

/// Removes a batch of tombstones: clients, grants, apps, sessions and channels that ended at
/// `cutoff` or before. Returns how many.
pub fn drop_tombstones(
    tx: &Write,
    cutoff: Timestamp,
    now: Timestamp,
    batch: usize,
) -> Result<usize> {
    let mut removed = tx.execute(
        "DELETE FROM client WHERE id IN (SELECT id FROM client WHERE ended_at <= ?1 LIMIT ?2)",
        params![cutoff, batch],
    )?;
    removed += app_grant::drop_ended(tx, cutoff, batch)?;
    removed += app::drop_ended(tx, cutoff, now, batch)?;
    for statement in [
        "DELETE FROM session WHERE id IN (SELECT id FROM session WHERE ended_at <= ?1
             AND NOT EXISTS (SELECT 1 FROM client WHERE session_id = session.id)
             AND NOT EXISTS (SELECT 1 FROM app_grant WHERE session_id = session.id)
             AND NOT EXISTS (SELECT 1 FROM app WHERE session_id = session.id)
             AND NOT EXISTS (SELECT 1 FROM membership WHERE session_id = session.id) LIMIT ?2)
         RETURNING id",
        "DELETE FROM channel WHERE id IN (SELECT id FROM channel WHERE ended_at <= ?1
             AND NOT EXISTS (SELECT 1 FROM membership WHERE channel_id = channel.id) LIMIT ?2)
         RETURNING id",
    ] {
        let ended: Vec<TargetId> = tx.all(statement, params![cutoff, batch], |row| row.get(0))?;
        removed += ended.len();
        for id in ended {
            target::remove(tx, id)?;
        }
    }
    Ok(removed)
}
