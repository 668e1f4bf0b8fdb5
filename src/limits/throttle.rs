//! A throttle in memory, for what protects this machine.

use std::{hash::Hash, time::Duration};

use parking_lot::{Mutex, MutexGuard};

use super::{
    Rate,
    buckets::{Buckets, nanoseconds, seconds},
};
use crate::error::Error;

/// Holds each key to the same rate.
///
/// It is our own, because `governor` gives no charge back and cannot charge several keys together or
/// none of them. Attempts are charged before it is known whether they count.
pub struct Throttle<K> {
    /// `None`: everything is allowed.
    rate: Option<Rate>,
    /// Never held over an await.
    buckets: Mutex<Buckets<K>>,
}

/// The refusal of a charge: how long the key must wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wait {
    /// The seconds after which the same charge passes, unless others come first.
    pub seconds: u64,
    /// Whether it is the key's first refusal within an hour.
    pub first: bool,
}

impl From<Wait> for Error {
    fn from(Wait { seconds, .. }: Wait) -> Self {
        Self::throttled(seconds)
    }
}

impl<K: Eq + Hash> Throttle<K> {
    /// A throttle with this rate. `None`: everything is allowed.
    pub fn new(rate: Option<Rate>) -> Self {
        Self {
            rate,
            buckets: Mutex::default(),
        }
    }

    /// Charges a key. Fails if it must wait. A free key may take more than the burst. `now` is a
    /// steady clock's time.
    pub fn charge(&self, key: K, amount: u64, now: Duration) -> Result<(), Wait> {
        let Some(rate) = self.rate else { return Ok(()) };
        let now = nanoseconds(now);
        let mut buckets = self.lock();
        match buckets.wait(&key, rate, amount, now) {
            Some(wait) => Err(Wait {
                seconds: seconds(wait),
                first: buckets.is_news(&key, now),
            }),
            None => {
                buckets.take(key, rate, amount, now);
                Ok(())
            }
        }
    }

    /// Charges a key, whether or not it is allowed.
    pub fn take(&self, key: K, amount: u64, now: Duration) {
        if let Some(rate) = self.rate {
            self.lock().take(key, rate, amount, nanoseconds(now));
        }
    }

    /// Gives back what was charged.
    pub fn refund(&self, key: &K, amount: u64) {
        if let Some(rate) = self.rate {
            self.lock().give_back(key, rate, amount);
        }
    }

    fn lock(&self) -> MutexGuard<'_, Buckets<K>> {
        self.buckets.lock()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    fn throttle() -> Throttle<u32> {
        Throttle::new(Some(Rate {
            burst: 3,
            every: Duration::from_secs(2),
        }))
    }

    #[test]
    fn a_burst_passes_then_one_per_interval() {
        let throttle = throttle();
        for _ in 0..3 {
            throttle.charge(1, 1, at(100)).unwrap();
        }
        assert_eq!(
            throttle.charge(1, 1, at(100)),
            Err(Wait {
                seconds: 2,
                first: true
            })
        );
        assert!(
            throttle.charge(2, 1, at(100)).is_ok(),
            "each key has a limit of its own"
        );
        assert!(throttle.charge(1, 1, at(101)).is_err());
        assert!(throttle.charge(1, 1, at(102)).is_ok() && throttle.charge(1, 1, at(102)).is_err());
        assert!(throttle.charge(1, 1, at(104)).is_ok());
        throttle.refund(&1, 1);
        assert!(throttle.charge(1, 1, at(104)).is_ok() && throttle.charge(1, 1, at(104)).is_err());
    }

    #[test]
    fn an_amount_counts_as_that_many() {
        let throttle = throttle();
        throttle.charge(1, 2, at(0)).unwrap();
        assert_eq!(throttle.charge(1, 2, at(0)).unwrap_err().seconds, 2);
        throttle.charge(1, 1, at(0)).unwrap();
        throttle.charge(1, 2, at(4)).unwrap();
        throttle.charge(1, 0, at(4)).unwrap();
    }

    #[test]
    fn an_amount_above_the_burst_passes_when_all_is_free_and_then_takes_longer() {
        let throttle = throttle();
        throttle.charge(1, 1, at(0)).unwrap();
        assert_eq!(throttle.charge(1, 10, at(0)).unwrap_err().seconds, 2);
        throttle.charge(1, 10, at(2)).unwrap();
        assert_eq!(throttle.charge(1, 1, at(2)).unwrap_err().seconds, 16);
        throttle.charge(1, 1, at(18)).unwrap();
    }

    #[test]
    fn a_refusal_is_first_once_in_a_window() {
        let throttle = throttle();
        let refused = |seconds| {
            while throttle.charge(1, 1, at(seconds)).is_ok() {}
            throttle.charge(1, 1, at(seconds + 1)).unwrap_err().first
        };
        (0..3).for_each(|_| throttle.charge(1, 1, at(0)).unwrap());
        assert!(throttle.charge(1, 1, at(0)).unwrap_err().first);
        assert!(!refused(60) && !refused(3598));
        (0..3).for_each(|_| throttle.charge(1, 1, at(3604)).unwrap());
        assert!(throttle.charge(1, 1, at(3604)).unwrap_err().first);
    }

    #[test]
    fn without_a_rate_everything_passes_and_nothing_is_stored() {
        let throttle = Throttle::new(None);
        (0..100).for_each(|_| throttle.charge(1, 1000, at(0)).unwrap());
        assert_eq!(throttle.lock().len(), 0);
    }
}
