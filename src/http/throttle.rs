//! Throttles: a burst for each key, refilled at a rate (the generic cell rate algorithm), in bounded memory.

use std::{collections::HashMap, hash::Hash, sync::Mutex};

use crate::{
    config::Rate,
    error::{Code, Error, Result},
    model::Timestamp,
};

/// Keys remembered; beyond it those that are free again are forgotten, and if none is, the half that is soonest.
const KEYS: usize = 65_536;

pub struct Throttle<K> {
    rate: Option<Rate>,
    /// For each key, when it will be as if it had never been seen, in milliseconds. Never held over an await.
    free_at: Mutex<HashMap<K, f64>>,
}

impl<K: Eq + Hash + Copy> Throttle<K> {
    /// Without a rate it lets everything pass.
    pub fn new(rate: Option<Rate>) -> Self {
        Self { rate, free_at: Mutex::default() }
    }

    /// Gives back what was charged.
    pub fn refund(&self, key: K) {
        let Some(rate) = self.rate else { return };
        let mut keys = self.free_at.lock().unwrap_or_else(|e| e.into_inner());
        if let Some(free_at) = keys.get_mut(&key) {
            *free_at -= rate.every.as_secs_f64() * 1000.0;
        }
    }

    /// Charges the key for one, or refuses it with the time after which it may.
    pub fn charge(&self, key: K, now: Timestamp) -> Result<()> {
        let Some(rate) = self.rate else { return Ok(()) };
        let now = now.0 as f64;
        let every = rate.every.as_secs_f64() * 1000.0;
        let mut keys = self.free_at.lock().unwrap_or_else(|e| e.into_inner());
        let full = every * f64::from(rate.burst);
        // A clock that was set back must not keep anyone out for longer than an empty bucket would.
        let free_at = keys.get(&key).map_or(now, |at| at.clamp(now, now + full));
        let wait = free_at + every - (now + full);
        if wait > 1e-6 {
            keys.insert(key, free_at);
            let seconds = (wait / 1000.0).ceil() as u64;
            return Err(Error::retry(Code::Throttled, seconds, format!("too fast: try again in {seconds} s")));
        }
        if !keys.contains_key(&key) {
            if keys.len() >= KEYS {
                keys.retain(|_, at| *at > now);
            }
            if keys.len() >= KEYS {
                // Half at once, so that a flood of keys does not pay for this again and again.
                let mut times: Vec<f64> = keys.values().copied().collect();
                let (_, median, _) = times.select_nth_unstable_by(KEYS / 2, f64::total_cmp);
                let median = *median;
                let mut spare = KEYS / 2;
                keys.retain(|_, at| {
                    let keep = *at > median || spare == 0;
                    spare -= usize::from(!keep);
                    keep
                });
            }
        }
        keys.insert(key, free_at + every);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::error::Extra;

    fn throttle() -> Throttle<u32> {
        Throttle::new(Some(Rate { burst: 3, every: Duration::from_secs(2) }))
    }

    #[test]
    fn a_burst_passes_then_one_per_interval() {
        let throttle = throttle();
        let at = |seconds: i64| Timestamp(seconds * 1000);
        for _ in 0..3 {
            throttle.charge(1, at(100)).unwrap();
        }
        let refused = throttle.charge(1, at(100)).unwrap_err();
        assert_eq!((refused.code, refused.extra), (Code::Throttled, Extra::RetryAfter(2)));
        assert!(throttle.charge(2, at(100)).is_ok(), "another key is another's");
        assert!(throttle.charge(1, at(101)).is_err());
        assert!(throttle.charge(1, at(102)).is_ok() && throttle.charge(1, at(102)).is_err());
        assert!(throttle.charge(1, at(104)).is_ok());
        throttle.refund(1);
        assert!(
            throttle.charge(1, at(104)).is_ok() && throttle.charge(1, at(104)).is_err(),
            "what is given back is there again"
        );
    }

    #[test]
    fn a_clock_set_back_keeps_nobody_out_for_long() {
        let throttle = throttle();
        throttle.charge(1, Timestamp(1_000_000_000)).unwrap();
        assert!((0..4).all(|_| throttle.charge(1, Timestamp(10_000)).is_err()));
        assert!(throttle.charge(1, Timestamp(12_000)).is_ok());
    }

    #[test]
    fn a_flood_of_keys_takes_bounded_memory() {
        let throttle = Throttle::new(Some(Rate { burst: 3, every: Duration::from_secs(2) }));
        for key in 0..KEYS as u64 + 100 {
            throttle.charge(key, Timestamp(5)).unwrap();
        }
        assert!(throttle.free_at.lock().unwrap().len() <= KEYS);
        assert!(throttle.free_at.lock().unwrap().len() > KEYS / 2);
    }
}
