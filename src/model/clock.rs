//! Where the time comes from, and what a clock that is set does to it.

use std::{sync::Arc, time::Duration};

use parking_lot::Mutex;

use super::timestamp::Timestamp;

/// How long a clock that was set forward is mistrusted; after that it is taken to be right.
const MISTRUST: Duration = Duration::from_hours(24);
/// By how much a clock may gain before it is said that somebody has set it.
const WORTH_SAYING: Duration = Duration::from_mins(1);

/// The system's clocks in `main`, clocks that are moved by hand in tests.
#[derive(Clone)]
pub struct Clock {
    now: Arc<dyn Fn() -> Timestamp + Send + Sync>,
    steady: Arc<dyn Fn() -> Duration + Send + Sync>,
    /// Never held over an await.
    trust: Arc<Mutex<Trust>>,
}

/// What the clock on the wall is measured by.
#[derive(Clone, Copy)]
struct Trust {
    /// What both clocks showed when the one on the wall was last taken to be right.
    time: Timestamp,
    steady: Duration,
    /// Since when it has been ahead.
    ahead_since: Option<Duration>,
}

impl Clock {
    /// A clock on the wall, which somebody may set, and a steady one, which nobody can, from any
    /// beginning.
    pub fn new(
        now: impl Fn() -> Timestamp + Send + Sync + 'static,
        steady: impl Fn() -> Duration + Send + Sync + 'static,
    ) -> Self {
        let trust = Trust {
            time: now(),
            steady: steady(),
            ahead_since: None,
        };
        Self {
            now: Arc::new(now),
            steady: Arc::new(steady),
            trust: Arc::new(Mutex::new(trust)),
        }
    }

    /// The time of day: when things happen.
    pub fn now(&self) -> Timestamp {
        (self.now)()
    }

    /// Time that has passed, whatever the clock on the wall was set to.
    pub fn steady(&self) -> Duration {
        (self.steady)()
    }

    /// The time by which things fall due. A clock that was set forward makes nothing due that has
    /// not lasted, until it has gone on like that for a day; one that was set back makes things due
    /// later.
    pub fn due(&self) -> Timestamp {
        let (now, steady) = (self.now(), self.steady());
        let mut trust = self.trust.lock();
        let lasted = trust.time.plus(steady.saturating_sub(trust.steady));
        if now <= lasted {
            trust.ahead_since = None;
            return now;
        }
        let since = *trust.ahead_since.get_or_insert_with(|| {
            if now > lasted.plus(WORTH_SAYING) {
                tracing::warn!("the clock was set forward; what falls due goes by the time that has passed, for a day");
            }
            steady
        });
        if steady.saturating_sub(since) < MISTRUST {
            return lasted;
        }
        *trust = Trust {
            time: now,
            steady,
            ahead_since: None,
        };
        now
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicI64, Ordering::Relaxed};

    use super::*;

    const DAY: i64 = 24 * 3600;

    #[test]
    fn what_falls_due_goes_by_time_that_has_passed_until_a_set_clock_has_proved_itself() {
        let (wall, steady) = (
            Arc::new(AtomicI64::new(100 * DAY)),
            Arc::new(AtomicI64::new(0)),
        );
        let (now, passed) = (wall.clone(), steady.clone());
        let clock = Clock::new(
            move || Timestamp(now.load(Relaxed) * 1000),
            move || Duration::from_secs(passed.load(Relaxed).try_into().unwrap()),
        );
        let pass = |seconds: i64| {
            wall.fetch_add(seconds, Relaxed);
            steady.fetch_add(seconds, Relaxed);
        };
        let due = || clock.due().0 / 1000 - 100 * DAY;
        pass(60);
        assert_eq!(due(), 60);
        wall.fetch_add(DAY, Relaxed);
        assert_eq!(due(), 60, "set forward");
        pass(3600);
        assert_eq!(due(), 3660);
        pass(DAY);
        assert_eq!(due(), 60 + 3600 + 2 * DAY, "it was right, then");
        wall.fetch_sub(3 * DAY, Relaxed);
        assert_eq!(due(), 60 + 3600 - DAY, "set back");
        pass(10);
        assert_eq!(due(), 70 + 3600 - DAY);
        wall.fetch_add(2 * DAY, Relaxed);
        assert_eq!(
            due(),
            70 + 3600 + DAY,
            "and set right again: it is where it was"
        );
    }
}
