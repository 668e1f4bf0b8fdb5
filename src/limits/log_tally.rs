//! Reports repeated incidents a few times, then counts them, and reports the count when a window of
//! time is over.
//!
//! It bounds the lines that strangers can cause in the log and in the audit log, by key and window.
//! Important incidents stay visible, and a flood of them adds one line.

use std::{collections::HashMap, hash::Hash, time::Duration};

use parking_lot::{Mutex, MutexGuard};

/// How many keys are reported separately, and how often each is reported.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    /// How often one key is reported in a window.
    pub told: u32,
    /// How many keys are reported separately. All further keys are reported together.
    pub keys: usize,
    /// How often all further keys together are reported in a window.
    pub told_of_others: u32,
    /// The length of a window.
    pub window: Duration,
}

/// What happened, by key.
pub struct LogTally<K> {
    bounds: Bounds,
    /// Never held over an await.
    windows: Mutex<Windows<K>>,
}

struct Windows<K> {
    keys: HashMap<K, Window>,
    others: Option<Window>,
    /// No window ends before this time.
    next: Duration,
}

impl<K: Eq + Hash> Windows<K> {
    /// The window of a key (or of all further keys), and how often it may be reported.
    fn of(&mut self, key: Option<K>, bounds: &Bounds, now: Duration) -> (&mut Window, u32) {
        let new = Window {
            ends: now + bounds.window,
            told: 0,
            untold: 0,
        };
        let key = key.filter(|key| self.keys.len() < bounds.keys || self.keys.contains_key(key));
        let (window, most) = match key {
            Some(key) => (self.keys.entry(key).or_insert(new), bounds.told),
            None => (self.others.get_or_insert(new), bounds.told_of_others),
        };
        self.next = self.next.min(window.ends);
        (window, most)
    }
}

#[derive(Clone, Copy)]
struct Window {
    ends: Duration,
    told: u32,
    untold: u64,
}

/// What happened and was not reported one by one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Untold<K> {
    /// The key. `None`: all keys that are not reported separately.
    pub key: Option<K>,
    /// How often it happened without a report.
    pub count: u64,
}

impl<K: Eq + Hash> LogTally<K> {
    /// A tally in which nothing has happened yet.
    pub fn new(bounds: Bounds) -> Self {
        let windows = Windows {
            keys: HashMap::new(),
            others: None,
            next: Duration::MAX,
        };
        Self {
            bounds,
            windows: Mutex::new(windows),
        }
    }

    /// Notes that something happened. Returns whether to report it now. Otherwise it is counted.
    pub fn note(&self, key: K, now: Duration) -> bool {
        let Self { bounds, .. } = self;
        let mut windows = self.lock();
        let (window, most) = windows.of(Some(key), bounds, now);
        let tell = window.told < most;
        window.told += u32::from(tell);
        window.untold += u64::from(!tell);
        tell
    }

    /// Counts what could not be reported, to be reported when the window is over.
    pub fn count(&self, key: Option<K>, count: u64, now: Duration) {
        self.lock().of(key, &self.bounds, now).0.untold += count;
    }

    /// Whether [`LogTally::note`] would return `true`.
    pub fn would_tell(&self, key: &K) -> bool {
        let Self { bounds, .. } = self;
        let windows = self.lock();
        let told = |window: Option<&Window>| window.map_or(0, |window| window.told);
        match windows.keys.get(key) {
            Some(window) => window.told < bounds.told,
            None if windows.keys.len() < bounds.keys => bounds.told > 0,
            None => told(windows.others.as_ref()) < bounds.told_of_others,
        }
    }

    /// Ends the windows whose time is over, and returns what was counted in them.
    pub fn due(&self, now: Duration) -> Vec<Untold<K>> {
        let mut windows = self.lock();
        if now < windows.next {
            return Vec::new();
        }
        let over = windows
            .keys
            .extract_if(|_, window| window.ends <= now)
            .collect::<Vec<_>>();
        let others = windows.others.take_if(|window| window.ends <= now);
        let left = windows.keys.values().chain(&windows.others);
        windows.next = left
            .map(|window| window.ends)
            .min()
            .unwrap_or(Duration::MAX);
        let keys = over.into_iter().map(|(key, window)| (Some(key), window));
        let all = keys.chain(others.map(|window| (None, window)));
        all.filter(|(_, window)| window.untold > 0)
            .map(|(key, window)| Untold {
                key,
                count: window.untold,
            })
            .collect()
    }

    /// Ends all windows, and returns what was counted in them.
    pub fn end(&self) -> Vec<Untold<K>> {
        self.lock().next = Duration::ZERO;
        self.due(Duration::MAX)
    }

    fn lock(&self) -> MutexGuard<'_, Windows<K>> {
        self.windows.lock()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BOUNDS: Bounds = Bounds {
        told: 3,
        keys: 2,
        told_of_others: 4,
        window: Duration::from_secs(60),
    };

    fn at(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    fn told(tally: &LogTally<u8>, key: u8, times: usize, seconds: u64) -> usize {
        let tells = |_: &usize| {
            let expected = tally.would_tell(&key);
            let told = tally.note(key, at(seconds));
            assert_eq!(told, expected);
            told
        };
        (0..times).filter(tells).count()
    }

    #[test]
    fn a_few_are_reported_and_the_rest_is_counted_until_the_window_is_over() {
        let tally = LogTally::new(BOUNDS);
        assert_eq!(told(&tally, 1, 3, 0), 3);
        assert_eq!(tally.due(at(1000)), [], "nothing is left to report");
        assert_eq!(told(&tally, 1, 10, 1000), 3);
        assert_eq!(told(&tally, 2, 10, 1030), 3);
        assert_eq!(tally.due(at(1059)), []);
        assert_eq!(
            tally.due(at(1060)),
            [Untold {
                key: Some(1),
                count: 7
            }]
        );
        assert_eq!(told(&tally, 1, 4, 1060), 3);
        assert_eq!(
            tally.due(at(1090)),
            [Untold {
                key: Some(2),
                count: 7
            }]
        );
        assert_eq!(
            tally.end(),
            [Untold {
                key: Some(1),
                count: 1
            }]
        );
        assert_eq!(tally.end(), []);
    }

    #[test]
    fn unreported_incidents_are_counted() {
        let tally = LogTally::new(BOUNDS);
        assert!(tally.note(1, at(0)));
        tally.count(Some(1), 1, at(0));
        tally.count(None, 5, at(30));
        assert_eq!(
            tally.due(at(60)),
            [Untold {
                key: Some(1),
                count: 1
            }]
        );
        assert_eq!(
            tally.due(at(90)),
            [Untold {
                key: None,
                count: 5
            }]
        );
    }

    #[test]
    fn further_keys_are_reported_together() {
        let tally = LogTally::new(BOUNDS);
        assert_eq!((told(&tally, 1, 5, 0), told(&tally, 2, 5, 0)), (3, 3));
        assert_eq!(
            (
                told(&tally, 3, 3, 0),
                told(&tally, 4, 3, 0),
                told(&tally, 1, 1, 0)
            ),
            (3, 1, 0)
        );
        let mut due = tally.due(at(60));
        due.sort_by_key(|untold| untold.key);
        let untold = |key, count| Untold { key, count };
        assert_eq!(
            due,
            [untold(None, 2), untold(Some(1), 3), untold(Some(2), 2)]
        );
        assert_eq!(told(&tally, 3, 5, 60), 3, "there is room for a key again");
    }
}
