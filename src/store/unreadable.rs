//! Unreadable events are removed before their time: those of an ended session, and those of a
//! channel that lie outside all stays of live sessions and outside the times when the live channel
//! was +H. They are in no queue and no history. Nobody loses anything, so there is no gap to
//! report.

use std::collections::HashMap;

use super::{
    engine::value::params,
    log,
    retention::ADDRESSES,
    sweep,
    transaction::{Read, Write},
};
use crate::{
    error::Result,
    model::{EventId, TargetId},
};

/// The most stays on a channel that are looked at, from the oldest on.
const STAYS: usize = 1000;

/// Removes a batch of unreadable events of the targets that must be swept: at most `batch` events
/// and targets together. Returns how many, or `batch` if it stopped because their addresses were
/// too many.
pub fn remove(tx: &Write, batch: usize) -> Result<usize> {
    let mut gaps = Gaps {
        tx,
        known: HashMap::new(),
    };
    let (mut looked_at, mut addresses) = (0, 0);
    while looked_at < batch {
        let Some(target) = sweep::next(tx)? else {
            break;
        };
        let wanted = batch - looked_at;
        let ids = within(tx, target, gaps.of(target)?, wanted)?;
        for id in &ids {
            if addresses >= ADDRESSES * batch {
                return Ok(batch);
            }
            // A session may still be able to read the event through another of its targets.
            let targets = log::targets_of(tx, *id)?;
            addresses += targets.len();
            let mut readable = false;
            for target in &targets {
                readable |= !holds(gaps.of(*target)?, *id);
            }
            if readable {
                log::unaddress(tx, *id, target)?;
            } else {
                log::remove(tx, *id, &targets)?;
            }
        }
        looked_at += ids.len() + 1;
        if ids.len() < wanted {
            sweep::done(tx, target)?;
        }
    }
    Ok(looked_at)
}

/// The events of a target that lie within these stretches, at most `limit`.
fn within(
    tx: &Read,
    target: TargetId,
    stretches: &[Stretch],
    limit: usize,
) -> Result<Vec<EventId>> {
    let mut events = tx.prepare(
        "SELECT event_id FROM address WHERE target_id = ?1 AND event_id BETWEEN ?2 AND ?3
         ORDER BY event_id LIMIT ?4",
    )?;
    let mut ids = Vec::new();
    for (first, last) in stretches {
        let wanted = limit - ids.len();
        let stretch = params![target, first, last, wanted];
        events.for_each(stretch, |row| row.get(0).map(|id| ids.push(id)))?;
        if ids.len() == limit {
            break;
        }
    }
    Ok(ids)
}

/// The first and the last event of a stretch.
type Stretch = (EventId, EventId);

fn holds(stretches: &[Stretch], id: EventId) -> bool {
    let next = stretches.partition_point(|(first, _)| *first <= id);
    next > 0 && id <= stretches[next - 1].1
}

/// The stretches of each target that nobody can read.
struct Gaps<'a> {
    tx: &'a Read<'a>,
    known: HashMap<TargetId, Vec<Stretch>>,
}

impl Gaps<'_> {
    /// The unreadable stretches of a target, in order. A live session has none. A channel has those
    /// outside the stays of live sessions and the times when it was +H. For anything else it is
    /// everything.
    fn of(&mut self, target: TargetId) -> Result<&[Stretch]> {
        if !self.known.contains_key(&target) {
            self.known.insert(target, self.find(target)?);
        }
        Ok(self.known.get(&target).map_or(&[], Vec::as_slice))
    }

    fn find(&self, target: TargetId) -> Result<Vec<Stretch>> {
        let is_live = self.tx.exists(
            "SELECT 1 FROM session WHERE id = ?1 AND ended_at IS NULL",
            params![target],
        )?;
        if is_live {
            return Ok(Vec::new());
        }
        let (mut gaps, mut first, mut count) = (Vec::new(), 0, 0);
        let is_read_on = self.tx.find(
            "SELECT since, until FROM membership WHERE channel_id = ?1
             UNION ALL
             SELECT since, until FROM channel_history WHERE channel_id = ?1
             ORDER BY since LIMIT ?2",
            params![target, STAYS],
            |row| {
                let (since, until): (i64, Option<i64>) = (row.get(0)?, row.get(1)?);
                if since > first {
                    gaps.push((EventId(first), EventId(since - 1)));
                }
                count += 1;
                // A current member, or one who joins while the channel is +H, can read everything
                // that follows. After this many stays, assume that a session can read it.
                let Some(until) = until.filter(|_| count < STAYS) else {
                    return Ok(Some(()));
                };
                first = first.max(until + 1);
                Ok(None)
            },
        )?;
        if is_read_on.is_none() {
            gaps.push((EventId(first), EventId(i64::MAX)));
        }
        Ok(gaps)
    }
}
