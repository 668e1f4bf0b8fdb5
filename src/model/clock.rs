//! The source of the time, and the rule for a clock that is set by hand.

use std::{sync::Arc, time::Duration};

use parking_lot::Mutex;

use super::{moment::Moment, timestamp::Timestamp};

/// How long a clock that was set forward is not trusted. After that it counts as right.
const MISTRUST: Duration = Duration::from_hours(24);
/// The smallest jump of the clock that is logged as a warning.
const WORTH_SAYING: Duration = Duration::from_mins(1);

/// The system's clocks in `main`. Tests move clocks by hand.
#[derive(Clone)]
pub struct Clock {
    now: Arc<dyn Fn() -> Timestamp + Send + Sync>,
    steady: Arc<dyn Fn() -> Duration + Send + Sync>,
    /// When the wall clock was last trusted. Never held over an await.
    trust: Arc<Mutex<Trust>>,
}

/// The reference that the wall clock is compared with.
#[derive(Clone, Copy)]
struct Trust {
    /// The wall clock's time when it was last trusted.
    time: Timestamp,
    /// The steady clock's time at that moment.
    steady: Duration,
    /// The steady time since which the wall clock has been ahead.
    ahead_since: Option<Duration>,
}

impl Clock {
    /// A pair of clocks. The wall clock may be set by hand. The steady clock cannot be set, and may
    /// start at any value.
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

    /// The present moment. A request takes it once.
    pub fn moment(&self) -> Moment {
        let now = (self.now)();
        Moment {
            now,
            due: self.due(now),
        }
    }

    /// The time that has passed since some beginning. Setting the wall clock does not change it.
    pub fn steady(&self) -> Duration {
        (self.steady)()
    }

    /// The time that expiries are compared with. When the wall clock is set forward, this time
    /// follows the steady clock until the wall clock has stayed ahead for a day. When the wall
    /// clock is set back, this time goes back with it.
    fn due(&self, now: Timestamp) -> Timestamp {
        let steady = self.steady();
        let mut trust = self.trust.lock();
        let lasted = trust.time.plus(steady.saturating_sub(trust.steady));
        if now <= lasted {
            trust.ahead_since = None;
            return now;
        }
        let since = *trust.ahead_since.get_or_insert_with(|| {
            if now > lasted.plus(WORTH_SAYING) {
                tracing::warn!(
                    "the system clock was set forward: expiry follows the elapsed time \
                     until the new time has held for a day; check the clock if you did \
                     not set it"
                );
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
    fn expiry_follows_elapsed_time_until_a_set_clock_has_been_stable_for_a_day() {
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
        let due = || clock.moment().due.0 / 1000 - 100 * DAY;
        pass(60);
        assert_eq!(due(), 60);
        wall.fetch_add(DAY, Relaxed);
        assert_eq!(due(), 60, "set forward");
        pass(3600);
        assert_eq!(due(), 3660);
        pass(DAY);
        assert_eq!(due(), 60 + 3600 + 2 * DAY, "the new time was right");
        wall.fetch_sub(3 * DAY, Relaxed);
        assert_eq!(due(), 60 + 3600 - DAY, "set back");
        pass(10);
        assert_eq!(due(), 70 + 3600 - DAY);
        wall.fetch_add(2 * DAY, Relaxed);
        assert_eq!(
            due(),
            70 + 3600 + DAY,
            "set right again, it continues from where it was"
        );
    }
}
