//! How much each key has used within a rolling day, in bounded memory.

use std::{
    collections::{HashMap, VecDeque},
    hash::Hash,
    time::Duration,
};

/// The most keys that are remembered. Beyond them, the keys that have used nothing within the day
/// are forgotten. If there are none, the half that has used least is forgotten. To be forgotten, a
/// stranger must bring more keys than that, each with the same use.
const KEYS: usize = 16_384;
/// The seconds of a slot. Everything that was used within one slot is forgotten together.
const SLOT: u64 = 3600;
/// The whole slots of a day. The current slot is added to them.
const DAY: u64 = 24;

/// What each key has used.
pub struct Windows<K>(HashMap<K, Window>);

#[derive(Default)]
struct Window {
    /// The slots in which something was used, in order, and how much.
    slots: VecDeque<(u64, u64)>,
}

impl Window {
    /// The slots of the day that ends with this slot.
    fn of_day(&self, slot: u64) -> impl Iterator<Item = (u64, u64)> {
        self.slots
            .iter()
            .copied()
            .filter(move |(used_in, _)| used_in + DAY >= slot)
    }

    fn used(&self, slot: u64) -> u64 {
        self.of_day(slot).map(|(_, amount)| amount).sum()
    }
}

impl<K> Default for Windows<K> {
    fn default() -> Self {
        Self(HashMap::new())
    }
}

impl<K: Eq + Hash + Copy> Windows<K> {
    /// The seconds until a key may use this amount within a limit. `None`: it may use it now. `now`
    /// is a steady clock's time.
    pub fn wait(&self, key: K, limit: u64, amount: u64, now: Duration) -> Option<u64> {
        let slot = slot_of(now);
        let window = self.0.get(&key);
        let mut used = window.map_or(0, |window| window.used(slot));
        if used.saturating_add(amount) <= limit {
            return None;
        }
        // The slots are forgotten one after the other, until there is room.
        let mut free_in = slot + 1;
        for (used_in, amount_then) in window.into_iter().flat_map(|window| window.of_day(slot)) {
            used -= amount_then;
            free_in = used_in + DAY + 1;
            if used.saturating_add(amount) <= limit {
                break;
            }
        }
        Some((free_in * SLOT).saturating_sub(now.as_secs()).max(1))
    }

    /// Counts what a key uses, whatever its limit. Returns the slot, for [`Windows::give_back`].
    pub fn take(&mut self, key: K, amount: u64, now: Duration) -> u64 {
        let slot = slot_of(now);
        if self.0.len() >= KEYS && !self.0.contains_key(&key) {
            self.make_room(slot);
        }
        let slots = &mut self.0.entry(key).or_default().slots;
        while slots
            .front()
            .is_some_and(|(used_in, _)| used_in + DAY < slot)
        {
            slots.pop_front();
        }
        match slots.back_mut() {
            Some((used_in, used)) if *used_in == slot => *used = used.saturating_add(amount),
            _ => slots.push_back((slot, amount)),
        }
        slot
    }

    /// Gives back an amount that was counted in a slot.
    pub fn give_back(&mut self, key: K, amount: u64, slot: u64) {
        let window = self.0.get_mut(&key);
        let used = window.and_then(|window| {
            window
                .slots
                .iter_mut()
                .find(|(used_in, _)| *used_in == slot)
        });
        if let Some((_, used)) = used {
            *used = used.saturating_sub(amount);
        }
    }

    fn make_room(&mut self, slot: u64) {
        self.0.retain(|_, window| window.used(slot) > 0);
        if self.0.len() < KEYS {
            return;
        }
        // Half of them at once, so that a flood of keys does not repeat this work for each key.
        let mut amounts: Vec<u64> = self.0.values().map(|window| window.used(slot)).collect();
        let (_, median, _) = amounts.select_nth_unstable(KEYS / 2);
        let median = *median;
        let mut spare = KEYS / 2;
        self.0.retain(|_, window| {
            let keep = window.used(slot) > median || spare == 0;
            spare -= usize::from(!keep);
            keep
        });
    }
}

fn slot_of(now: Duration) -> u64 {
    now.as_secs() / SLOT
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    /// Uses seven at a time, once a minute, whenever it may.
    #[test]
    fn no_day_exceeds_the_limit_and_the_reported_waits_are_true() {
        let (mut windows, mut used) = (Windows::default(), Vec::new());
        let (limit, mut now) = (100, 0);
        while now < 4 * 86_400 {
            match windows.wait(1, limit, 7, at(now)) {
                Some(seconds) => {
                    assert!(windows.wait(1, limit, 7, at(now + seconds - 1)).is_some());
                    now += seconds;
                }
                None => {
                    windows.take(1, 7, at(now));
                    used.push(now);
                    now += 60;
                }
            }
        }
        for from in &used {
            let day = used
                .iter()
                .filter(|time| (*from..from + 86_400).contains(time))
                .count() as u64
                * 7;
            assert!(day <= limit, "{day} from {from} on");
        }
        assert!(used.len() as u64 * 7 >= 3 * 90, "{used:?}");
    }

    #[test]
    fn use_that_is_given_back_does_not_count() {
        let mut windows = Windows::default();
        let slot = windows.take(1, 60, at(0));
        windows.take(1, 40, at(2 * 3600));
        assert!(
            windows.wait(1, 100, 1, at(2 * 3600)).is_some()
                && windows.wait(2, 100, 1, at(0)).is_none()
        );
        windows.give_back(1, 60, slot);
        assert!(windows.wait(1, 100, 60, at(2 * 3600)).is_none());
        assert_eq!(windows.wait(1, 100, 61, at(2 * 3600)), Some(25 * 3600));
        assert!(
            windows.wait(3, 100, 101, at(0)).is_some(),
            "more than the limit never fits"
        );
    }

    #[test]
    fn a_flood_of_keys_takes_bounded_memory_and_keeps_those_that_used_most() {
        let mut windows = Windows::default();
        windows.take(0, 1000, at(0));
        for key in 1..KEYS * 3 {
            windows.take(key, 10, at(0));
            assert!(windows.0.len() <= KEYS);
        }
        assert!(windows.wait(0, 1000, 1, at(0)).is_some());
    }
}
