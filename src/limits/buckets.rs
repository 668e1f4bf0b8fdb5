//! What is known of keys: when each is free again. This is the generic cell rate algorithm, in
//! bounded memory.

use std::{borrow::Borrow, collections::HashMap, hash::Hash, time::Duration};

use super::Rate;

/// Keys remembered. Beyond it the keys that are free again are forgotten; if there are none, the
/// half that will be free soonest is. So the most used keys stay: to make a map forget a count of
/// ten, a stranger has to bring half as many keys as the map holds to ten each, and every one of
/// these costs the stranger as much as the ten that are forgotten.
pub const KEYS: usize = 16_384;
/// A key that is refused again and again is worth one line of the audit log in this time.
const WINDOW: u64 = 3600 * 1_000_000_000;

/// What is known of the keys of one kind. Times are nanoseconds of a steady clock.
pub struct Buckets<K>(HashMap<K, Bucket>);

#[derive(Clone, Copy)]
struct Bucket {
    /// When the key will be as if it had never been seen.
    free_at: u64,
    /// When a refusal of the key is news again.
    news_at: u64,
}

impl<K> Default for Buckets<K> {
    fn default() -> Self {
        Self(HashMap::new())
    }
}

impl<K: Eq + Hash> Buckets<K> {
    /// How long a key has to wait before so much is allowed, if it has to. More than the burst is
    /// allowed to a key that is free, and takes longer to come back.
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

    /// Takes an amount, whether or not it is allowed.
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

    /// Gives back what was taken.
    pub fn give_back<Q: Eq + Hash + ?Sized>(&mut self, key: &Q, rate: Rate, amount: u64)
    where
        K: Borrow<Q>,
    {
        if let Some(bucket) = self.0.get_mut(key) {
            bucket.free_at = bucket.free_at.saturating_sub(cost(rate, amount));
        }
    }

    /// Whether nothing counts against a key.
    pub fn is_free<Q: Eq + Hash + ?Sized>(&self, key: &Q, now: u64) -> bool
    where
        K: Borrow<Q>,
    {
        self.0.get(key).is_none_or(|bucket| bucket.free_at <= now)
    }

    /// Whether a refusal of this key is the first in its window.
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
        // Half at once, so that a flood of keys does not pay for this again and again.
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

/// The time in which so much comes back.
fn cost(rate: Rate, amount: u64) -> u64 {
    nanoseconds(rate.every).saturating_mul(amount)
}

/// A duration as buckets keep it; the largest is 584 years.
pub fn nanoseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

/// The seconds after which a wait is over, as `Retry-After` says it.
pub fn seconds(wait: u64) -> u64 {
    wait.div_ceil(1_000_000_000)
}
