//! When each key may be charged again: the generic cell rate algorithm, in bounded memory.

use std::{borrow::Borrow, collections::HashMap, hash::Hash, time::Duration};

use super::Rate;

/// The most keys that are remembered of one kind. Beyond them, the keys that are free again are
/// forgotten. If there are none, the half that will be free soonest is forgotten, so the keys with
/// the highest counts stay. To make a map forget a count of ten, a stranger must bring half as many
/// keys as the map holds, each to a count of ten, and each of them costs as much as the ten that
/// are forgotten.
pub const KEYS: usize = 16_384;
/// The nanoseconds in which the refusals of one key are recorded once in the audit log.
const WINDOW: u64 = 3600 * 1_000_000_000;

/// The keys of one kind. Times are nanoseconds of a steady clock.
pub struct Buckets<K>(HashMap<K, Bucket>);

#[derive(Clone, Copy)]
struct Bucket {
    /// When the key will be as if it had never been used.
    free_at: u64,
    /// When a refusal of the key is recorded again.
    news_at: u64,
}

impl<K> Default for Buckets<K> {
    fn default() -> Self {
        Self(HashMap::new())
    }
}

impl<K: Eq + Hash> Buckets<K> {
    /// How many nanoseconds a key must wait before this amount is allowed. `None`: it is allowed
    /// now. A free key may take more than the burst, and then takes longer to be free again.
    pub fn wait<Q: Eq + Hash + ?Sized>(
        &self,
        key: &Q,
        rate: Rate,
        amount: u64,
        now: u64,
    ) -> Option<u64>
    where
        K: Borrow<Q>,
    {
        let free_at = self
            .0
            .get(key)
            .map_or(now, |bucket| bucket.free_at.max(now));
        let burst = u64::from(rate.burst);
        let full_at = free_at.saturating_add(cost(rate, amount.min(burst)));
        full_at
            .checked_sub(now.saturating_add(cost(rate, burst)))
            .filter(|wait| *wait > 0)
    }

    /// Charges an amount, whether or not it is allowed.
    pub fn take(&mut self, key: K, rate: Rate, amount: u64, now: u64) {
        if self.0.len() >= KEYS && !self.0.contains_key(&key) {
            self.make_room(now);
        }
        let bucket = self.0.entry(key).or_insert(Bucket {
            free_at: now,
            news_at: now,
        });
        bucket.free_at = bucket.free_at.max(now).saturating_add(cost(rate, amount));
    }

    /// Gives back an amount that was charged.
    pub fn give_back<Q: Eq + Hash + ?Sized>(&mut self, key: &Q, rate: Rate, amount: u64)
    where
        K: Borrow<Q>,
    {
        if let Some(bucket) = self.0.get_mut(key) {
            bucket.free_at = bucket.free_at.saturating_sub(cost(rate, amount));
        }
    }

    /// Whether a key is as if it had never been used.
    pub fn is_free<Q: Eq + Hash + ?Sized>(&self, key: &Q, now: u64) -> bool
    where
        K: Borrow<Q>,
    {
        self.0.get(key).is_none_or(|bucket| bucket.free_at <= now)
    }

    /// Whether a refusal of this key is the first one in its window.
    pub fn is_news<Q: Eq + Hash + ?Sized>(&mut self, key: &Q, now: u64) -> bool
    where
        K: Borrow<Q>,
    {
        self.0.get_mut(key).is_some_and(|bucket| {
            let news = bucket.news_at <= now;
            bucket.news_at = if news { now + WINDOW } else { bucket.news_at };
            news
        })
    }

    #[cfg(test)]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    fn make_room(&mut self, now: u64) {
        self.0
            .retain(|_, bucket| bucket.free_at > now || bucket.news_at > now);
        if self.0.len() < KEYS {
            return;
        }
        // Half of them at once, so that a flood of keys does not repeat this work for each key.
        let mut times: Vec<u64> = self.0.values().map(|bucket| bucket.free_at).collect();
        let (_, median, _) = times.select_nth_unstable(KEYS / 2);
        let median = *median;
        let mut spare = KEYS / 2;
        self.0.retain(|_, bucket| {
            let keep = bucket.free_at > median || spare == 0;
            spare -= usize::from(!keep);
            keep
        });
    }
}

/// The nanoseconds in which this amount becomes free again.
fn cost(rate: Rate, amount: u64) -> u64 {
    nanoseconds(rate.every).saturating_mul(amount)
}

/// A duration in nanoseconds. The longest is 584 years.
pub fn nanoseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

/// A wait in nanoseconds as whole seconds, rounded up, as `Retry-After` gives it.
pub fn seconds(wait: u64) -> u64 {
    wait.div_ceil(1_000_000_000)
}
