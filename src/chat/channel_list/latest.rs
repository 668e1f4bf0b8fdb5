//! The list of channels as it was read last, once for everybody.
//!
//! The list is at most a second old. If it is quick to read, it is read again as soon as something
//! on it has changed, but reading it then takes at most a tenth of the time.

use std::{
    sync::{
        Arc,
        atomic::{
            AtomicBool,
            Ordering::{Acquire, Release},
        },
    },
    time::{Duration, Instant},
};

use parking_lot::{Mutex, MutexGuard};

use super::ChannelList;
use crate::{
    error::{Error, Result},
    session::Core,
    store::Effect,
};

/// How old the list may be.
const MAX_AGE: Duration = Duration::from_secs(1);
/// The pause after a reading, as a multiple of the time that the reading took.
const PAUSE_FACTOR: u32 = 10;
/// The longest pause that a caller waits for to see a change. If the pause is longer, the previous
/// list is shown.
const LONGEST_WAIT: Duration = Duration::from_millis(50);
/// The last list that was read, kept until it is too old.
#[derive(Default)]
pub struct Latest {
    /// Never held over an await.
    last: Mutex<Option<Reading>>,
    /// Whether something on the list may have changed since.
    changed: AtomicBool,
    /// Held by the task that reads the list.
    reading: tokio::sync::Mutex<()>,
}

struct Reading {
    list: Arc<ChannelList>,
    done: Instant,
    took: Duration,
}

impl Latest {
    /// The public list, at most a second old. It fails if the store cannot be read.
    pub async fn list(self: &Arc<Self>, core: &Arc<Core>) -> Result<Arc<ChannelList>> {
        if let Some(list) = self.fresh(Instant::now()) {
            return Ok(list);
        }
        // A task of the server reads the list. If the caller hangs up, the next one need not start
        // again. All callers wait with the server's priority, not with that of the network that
        // came first.
        let (latest, core) = (self.clone(), core.clone());
        let read = tokio::spawn(async move {
            let _reading = latest.reading.lock().await;
            if let Some(list) = latest.fresh(Instant::now()) {
                return Ok(list);
            }
            tokio::time::sleep(latest.pause()).await;
            let started = Instant::now();
            latest.changed.store(false, Release);
            let list = Arc::new(core.store.read(ChannelList::read).await?);
            let reading = Reading {
                list: list.clone(),
                done: Instant::now(),
                took: started.elapsed(),
            };
            *latest.last() = Some(reading);
            Ok(list)
        });
        read.await.map_err(Error::internal)?
    }

    /// Notes whether a commit has changed something on the list.
    pub fn apply(&self, effects: &[Effect]) {
        let shown = |effect: &Effect| match effect {
            Effect::Joined { .. } | Effect::Left { .. } => true,
            Effect::Logged { event, .. } => ["TOPIC", "MODE"].contains(&event.command.as_str()),
            _ => false,
        };
        if effects.iter().any(shown) {
            self.changed.store(true, Release);
        }
    }

    /// The last list, if it need not be read again.
    fn fresh(&self, at: Instant) -> Option<Arc<ChannelList>> {
        let last = self.last();
        let fresh = |reading: &&Reading| {
            let young = at.duration_since(reading.done) + reading.took < MAX_AGE;
            young && (reading.took * PAUSE_FACTOR > LONGEST_WAIT || !self.changed.load(Acquire))
        };
        last.as_ref()
            .filter(fresh)
            .map(|reading| reading.list.clone())
    }

    /// How long it takes until the list may be read again.
    fn pause(&self) -> Duration {
        let last = self.last();
        last.as_ref().map_or(Duration::ZERO, |last| {
            (last.took * PAUSE_FACTOR)
                .min(MAX_AGE)
                .saturating_sub(last.done.elapsed())
        })
    }

    fn last(&self) -> MutexGuard<'_, Option<Reading>> {
        self.last.lock()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{ChannelId, SessionId};

    #[test]
    fn a_list_is_read_again_after_a_second_or_soon_after_a_change_if_that_is_cheap() {
        let latest = Latest::default();
        let now = Instant::now();
        let read = |took| {
            let list = ChannelList::new(Vec::new(), false);
            *latest.last() = Some(Reading {
                list: Arc::new(list),
                done: now + took,
                took,
            });
        };
        let fresh = |after| latest.fresh(now + after).is_some();
        for (took, shows_changes) in [
            (Duration::from_millis(1), true),
            (Duration::from_millis(20), false),
        ] {
            latest.changed.store(false, Release);
            read(took);
            assert!(
                fresh(took) && fresh(Duration::from_millis(999)) && !fresh(Duration::from_secs(1))
            );
            latest.apply(&[Effect::Left {
                session: SessionId(1),
                channel: ChannelId(1),
            }]);
            assert_eq!(fresh(took), !shows_changes);
            assert!(latest.pause() <= took * PAUSE_FACTOR);
        }
        read(Duration::from_mins(1));
        assert!(latest.pause() <= MAX_AGE);
    }
}
