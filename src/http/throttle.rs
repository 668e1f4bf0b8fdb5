//! Throttles: a burst for each key, refilled at a rate (the generic cell rate algorithm), in bounded memory.

use std::{
    collections::HashMap,
    hash::Hash,
    sync::{Mutex, MutexGuard},
    time::Duration,
};

use crate::{
    config::Rate,
    error::{Code, Error},
};

/// Keys remembered; beyond it those that are free again are forgotten, and if none is, the half that is soonest.
const KEYS: usize = 65_536;
/// A key that is refused again and again is worth one line of the audit log in this time.
const WINDOW: f64 = 3600.0;

pub struct Throttle<K> {
    rate: Box<Rates<K>>,
    /// Never held over an await.
    buckets: Mutex<HashMap<K, Bucket>>,
}

/// What a key may; one without a rate, as much as it likes.
type Rates<K> = dyn Fn(&K) -> Option<Rate> + Send + Sync;

/// What is known of a key, in seconds of a steady clock.
#[derive(Clone, Copy)]
struct Bucket {
    /// When it will be as if it had never been seen.
    free_at: f64,
    /// When its refusals are news again.
    news_at: f64,
}

/// A key that has to wait.
#[derive(Debug, PartialEq)]
pub struct Refusal<K> {
    pub key: K,
    /// After so many seconds the same try passes, unless others come in between.
    pub seconds: u64,
    /// Whether it is the key's first refusal in its window.
    pub first: bool,
}

impl<K> From<Refusal<K>> for Error {
    fn from(Refusal { seconds, .. }: Refusal<K>) -> Self {
        Self::retry(Code::Throttled, seconds, format!("too fast: try again in {seconds} s"))
    }
}

impl<K: Eq + Hash + Clone> Throttle<K> {
    pub fn new(rate: impl Fn(&K) -> Option<Rate> + Send + Sync + 'static) -> Self {
        Self { rate: Box::new(rate), buckets: Mutex::default() }
    }

    /// Charges all the keys for one, or none of them if any has to wait: then the one that has to wait longest.
    pub fn charge(&self, keys: &[K], now: Duration) -> Result<(), Refusal<K>> {
        let now = now.as_secs_f64();
        let mut buckets = self.lock();
        let mut longest: Option<(f64, &K)> = None;
        for (key, rate) in self.limited(keys) {
            let free_at = buckets.get(key).map_or(now, |bucket| bucket.free_at.max(now));
            let wait = free_at + every(rate) * (1.0 - f64::from(rate.burst)) - now;
            if wait > 1e-6 && longest.is_none_or(|(longest, _)| wait > longest) {
                longest = Some((wait, key));
            }
        }
        if let Some((wait, key)) = longest {
            let bucket = buckets.get_mut(key);
            let first = bucket.is_some_and(|bucket| {
                let news = bucket.news_at <= now;
                bucket.news_at = if news { now + WINDOW } else { bucket.news_at };
                news
            });
            return Err(Refusal { key: key.clone(), seconds: wait.ceil() as u64, first });
        }
        for (key, rate) in self.limited(keys) {
            make_room(&mut buckets, key, now);
            let bucket = buckets.entry(key.clone()).or_insert(Bucket { free_at: now, news_at: now });
            bucket.free_at = bucket.free_at.max(now) + every(rate);
        }
        Ok(())
    }

    /// Gives back what was charged.
    pub fn refund(&self, keys: &[K]) {
        let mut buckets = self.lock();
        for (key, rate) in self.limited(keys) {
            if let Some(bucket) = buckets.get_mut(key) {
                bucket.free_at -= every(rate);
            }
        }
    }

    fn limited<'k>(&self, keys: &'k [K]) -> impl Iterator<Item = (&'k K, Rate)> {
        keys.iter().filter_map(|key| (self.rate)(key).map(|rate| (key, rate)))
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<K, Bucket>> {
        self.buckets.lock().unwrap_or_else(|e| e.into_inner())
    }
}

fn every(rate: Rate) -> f64 {
    rate.every.as_secs_f64()
}

/// Forgets keys where there is no room for one more.
fn make_room<K: Eq + Hash>(buckets: &mut HashMap<K, Bucket>, key: &K, now: f64) {
    if buckets.len() < KEYS || buckets.contains_key(key) {
        return;
    }
    buckets.retain(|_, bucket| bucket.free_at > now || bucket.news_at > now);
    if buckets.len() < KEYS {
        return;
    }
    // Half at once, so that a flood of keys does not pay for this again and again.
    let mut times: Vec<f64> = buckets.values().map(|bucket| bucket.free_at).collect();
    let (_, median, _) = times.select_nth_unstable_by(KEYS / 2, f64::total_cmp);
    let median = *median;
    let mut spare = KEYS / 2;
    buckets.retain(|_, bucket| {
        let keep = bucket.free_at > median || spare == 0;
        spare -= usize::from(!keep);
        keep
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    const RATE: Rate = Rate { burst: 3, every: Duration::from_secs(2) };

    fn throttle() -> Throttle<u32> {
        // Ten times a number it allows ten times as much.
        Throttle::new(|key| Some(Rate { burst: if key % 10 == 0 { 30 } else { 3 }, ..RATE }))
    }

    fn at(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn a_burst_passes_then_one_per_interval() {
        let throttle = throttle();
        for _ in 0..3 {
            throttle.charge(&[1], at(100)).unwrap();
        }
        assert_eq!(throttle.charge(&[1], at(100)), Err(Refusal { key: 1, seconds: 2, first: true }));
        assert!(throttle.charge(&[2], at(100)).is_ok(), "another key is another's");
        assert!(throttle.charge(&[1], at(101)).is_err());
        assert!(throttle.charge(&[1], at(102)).is_ok() && throttle.charge(&[1], at(102)).is_err());
        assert!(throttle.charge(&[1], at(104)).is_ok());
        throttle.refund(&[1]);
        assert!(
            throttle.charge(&[1], at(104)).is_ok() && throttle.charge(&[1], at(104)).is_err(),
            "what is given back is there again"
        );
    }

    #[test]
    fn several_keys_are_charged_together_or_not_at_all() {
        let throttle = throttle();
        for _ in 0..3 {
            throttle.charge(&[1, 10], at(0)).unwrap();
        }
        for _ in 0..40 {
            assert_eq!(throttle.charge(&[1, 10], at(0)).unwrap_err().key, 1);
        }
        for _ in 0..27 {
            throttle.charge(&[10], at(0)).unwrap();
        }
        assert_eq!(throttle.charge(&[10], at(0)).unwrap_err().key, 10);
    }

    #[test]
    fn the_longest_wait_is_told_and_is_true() {
        let throttle = throttle();
        (0..3).for_each(|_| throttle.charge(&[1], at(0)).unwrap());
        (0..3).for_each(|_| throttle.charge(&[2], at(1)).unwrap());
        let refusal = throttle.charge(&[1, 2], at(1)).unwrap_err();
        assert_eq!((refusal.key, refusal.seconds), (2, 2));
        assert!(throttle.charge(&[1, 2], at(3)).is_ok());
    }

    #[test]
    fn refusals_are_news_once_in_a_window() {
        let throttle = throttle();
        let refused = |seconds| {
            while throttle.charge(&[1], at(seconds)).is_ok() {}
            throttle.charge(&[1], at(seconds + 1)).unwrap_err().first
        };
        (0..3).for_each(|_| throttle.charge(&[1], at(0)).unwrap());
        assert!(throttle.charge(&[1], at(0)).unwrap_err().first);
        assert!(!refused(60) && !refused(3598));
        (0..3).for_each(|_| throttle.charge(&[1], at(3604)).unwrap());
        assert!(throttle.charge(&[1], at(3604)).unwrap_err().first);
    }

    #[test]
    fn a_flood_of_keys_takes_bounded_memory_and_leaves_the_busiest() {
        let throttle = throttle();
        (0..3).for_each(|_| throttle.charge(&[1], at(5)).unwrap());
        for key in 0..KEYS as u32 + 100 {
            throttle.charge(&[key + 2], at(5)).unwrap();
        }
        assert!((KEYS / 2..=KEYS).contains(&throttle.lock().len()));
        assert!(throttle.charge(&[1], at(5)).is_err());
    }
}
