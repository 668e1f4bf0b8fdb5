//! The line of a fair semaphore: it decides whose turn is next.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use tokio::sync::oneshot;

use super::{
    bounds::{Bounds, Full, Lane},
    share::{Caller, Share, Ticket},
};

/// The most idle networks whose virtual time is remembered because they have used something. Beyond
/// them, the network that has used least is forgotten.
pub const REMEMBERED: usize = 4096;
/// The expected cost of a network's first turn.
const FIRST_COST: Duration = Duration::from_millis(1);

/// The line of one semaphore: the free permits and the waiting callers. Virtual times are in
/// nanoseconds of use.
#[derive(Debug)]
pub struct Line<K> {
    /// The bounds of the semaphore.
    pub bounds: Bounds,
    /// The free permits.
    pub free: usize,
    /// The waiting callers of all networks.
    pub waiting: usize,
    /// The virtual time at which the last turn began.
    pub now: u64,
    /// The number of the next caller that waits.
    pub tickets: u64,
    /// The recent cost of turns, in nanoseconds.
    pub typical: u64,
    /// Each network's share.
    pub shares: BTreeMap<K, Share>,
    /// The networks that wait and may hold another permit, by virtual time.
    pub eligible: BTreeSet<(u64, K)>,
    /// The networks that wait, by the number of their waiting callers.
    pub longest: BTreeSet<(usize, K)>,
    /// The idle networks that have used their burst or a part of it, by virtual time.
    pub idle: BTreeSet<(u64, K)>,
}

impl<K: Ord + Clone> Line<K> {
    /// An empty line.
    pub fn new(bounds: Bounds) -> Self {
        Self {
            free: bounds.permits,
            bounds,
            waiting: 0,
            // No network starts before the beginning.
            now: nanoseconds(bounds.burst),
            tickets: 0,
            typical: nanoseconds(FIRST_COST),
            shares: BTreeMap::new(),
            eligible: BTreeSet::new(),
            longest: BTreeSet::new(),
            idle: BTreeSet::new(),
        }
    }

    /// Lets a caller wait. Returns its ticket and the receiver of its permit, which comes with the
    /// expected cost in nanoseconds. Fails if too many callers wait.
    pub fn join(
        &mut self,
        key: &K,
        lane: Lane,
    ) -> Result<(Ticket, oneshot::Receiver<Result<u64, Full>>), Full> {
        let bounds = self.bounds;
        let waiting = self.shares.get(key).map_or(0, |share| share.callers.len());
        let has_room = match waiting >= bounds.waiting_of_one {
            true => self.push_out_of_lane(key, lane),
            false => self.waiting < bounds.waiting || self.push_out(waiting),
        };
        if !has_room {
            return Err(self.full(key));
        }
        let (granted, receiver) = oneshot::channel();
        let number = self.tickets;
        self.tickets += 1;
        self.waiting += 1;
        let ticket = self.update(key, |share| {
            let ticket = (share.next_round(lane), number);
            share.callers.insert(ticket, Caller { lane, granted });
            ticket
        });
        self.serve();
        Ok((ticket, receiver))
    }

    /// Gives a network a free permit, if none of its callers waits. (While a permit is free,
    /// networks that wait hold as many permits as they may.) Returns the expected cost in
    /// nanoseconds.
    pub fn start_at_once(&mut self, key: &K) -> Option<u64> {
        let may =
            |share: &Share| share.callers.is_empty() && share.running < self.bounds.permits_of_one;
        if self.free == 0 || !self.shares.get(key).is_none_or(may) {
            return None;
        }
        let started = self.update(key, |share| {
            let used = share.used;
            share.running += 1;
            share.used = used.saturating_add(share.expected);
            (used, share.expected)
        });
        Some(self.started(started))
    }

    /// Notes that a turn began at this virtual time. Returns its expected cost.
    fn started(&mut self, (used, expected): (u64, u64)) -> u64 {
        self.free -= 1;
        self.now = self.now.max(used);
        self.forget();
        expected
    }

    /// Takes the last place of the network with most waiting callers, if these are more than the
    /// newcomer's network would have. Returns whether it did.
    fn push_out(&mut self, newcomers: usize) -> bool {
        let longest = self
            .longest
            .last()
            .filter(|(callers, _)| *callers > newcomers + 1);
        let Some((_, key)) = longest.cloned() else {
            return false;
        };
        let last = self
            .shares
            .get(&key)
            .and_then(|share| share.callers.keys().next_back().copied());
        last.is_some_and(|last| self.refuse(&key, last))
    }

    /// Takes the last place in the network's lane with most waiting callers, if these are more than
    /// the newcomer's lane would have. Returns whether it did.
    fn push_out_of_lane(&mut self, key: &K, newcomer: Lane) -> bool {
        let last = self
            .shares
            .get(key)
            .and_then(|share| share.last_of_longest_lane(newcomer));
        last.is_some_and(|last| self.refuse(key, last))
    }

    /// Refuses a waiting caller. Returns whether there was one.
    fn refuse(&mut self, key: &K, ticket: Ticket) -> bool {
        let full = self.full(key);
        let Some(caller) = self.update(key, |share| share.callers.remove(&ticket)) else {
            return false;
        };
        self.waiting -= 1;
        // A caller that has gone away meanwhile needs no answer.
        let _ = caller.granted.send(Err(full));
        true
    }

    /// Removes a caller from the line.
    pub fn leave(&mut self, key: &K, ticket: Ticket) {
        if self
            .shares
            .get(key)
            .is_some_and(|share| share.callers.contains_key(&ticket))
        {
            self.update(key, |share| share.callers.remove(&ticket));
            self.waiting -= 1;
        }
    }

    /// Gives free permits to the callers whose turn it is.
    fn serve(&mut self) {
        while self.free > 0
            && let Some((used, key)) = self.eligible.first().cloned()
        {
            self.waiting -= 1;
            let started = self.update(&key, |share| {
                let ((round, _), caller) = share.callers.pop_first()?;
                share.round = share.round.max(round);
                let expected = share.expected;
                // A caller that is going away leaves its place to the next one.
                caller.granted.send(Ok(expected)).ok()?;
                share.running += 1;
                share.used = used.saturating_add(expected);
                Some(())
            });
            if started.is_some() {
                self.free -= 1;
                self.now = self.now.max(used);
                self.forget();
            }
        }
    }

    /// Frees a permit and charges its network what the turn cost, in nanoseconds.
    pub fn finish(&mut self, key: &K, expected: u64, cost: u64) {
        self.free += 1;
        if cost > 0 {
            self.typical = self.typical / 4 * 3 + cost / 4;
        }
        self.update(key, |share| {
            share.running -= 1;
            share.used = share.used.saturating_sub(expected).saturating_add(cost);
            share.expected = cost;
        });
        self.serve();
        if self.free == self.bounds.permits && self.waiting == 0 {
            // No network competes, so none is ahead.
            self.shares.clear();
            self.idle.clear();
        }
    }

    /// Forgets idle networks that have used nothing beyond their burst's start and, if there are
    /// too many, those that have used least.
    fn forget(&mut self) {
        while let Some((used, key)) = self.idle.first()
            && (*used <= self.start() || self.idle.len() > REMEMBERED)
        {
            self.shares.remove(key);
            self.idle.pop_first();
        }
    }

    /// The virtual time at which an idle network starts.
    fn start(&self) -> u64 {
        self.now.saturating_sub(nanoseconds(self.bounds.burst))
    }

    fn full(&self, key: &K) -> Full {
        let (waiting, cost) = self
            .shares
            .get(key)
            .map_or((0, 0), |share| (share.callers.len(), share.expected));
        // In the meantime, each other network has as many turns as this one, or as it waits for.
        let others = self.longest.iter().filter(|(_, other)| other != key);
        let before = waiting
            + others
                .map(|(callers, _)| (*callers).min(waiting + 1))
                .sum::<usize>();
        let turns = (waiting / self.bounds.permits_of_one.max(1))
            .max(before / self.bounds.permits.max(1))
            + 1;
        let wait = Duration::from_nanos(cost.max(self.typical).saturating_mul(turns as u64));
        Full {
            seconds: wait.as_secs().clamp(0, 59) + 1,
        }
    }

    /// Changes a network's share, and moves the network within the orders.
    fn update<R>(&mut self, key: &K, change: impl FnOnce(&mut Share) -> R) -> R {
        let start = self.start();
        let Self {
            bounds,
            shares,
            eligible,
            longest,
            idle,
            ..
        } = self;
        let expected = nanoseconds(FIRST_COST);
        let new = || Share {
            used: start,
            expected,
            running: 0,
            callers: BTreeMap::new(),
            round: 0,
        };
        let share = shares.entry(key.clone()).or_insert_with(new);
        eligible.remove(&(share.used, key.clone()));
        longest.remove(&(share.callers.len(), key.clone()));
        idle.remove(&(share.used, key.clone()));
        if share.running == 0 && share.callers.is_empty() {
            share.used = share.used.max(start);
        }
        let result = change(share);
        let waits = !share.callers.is_empty();
        if waits {
            longest.insert((share.callers.len(), key.clone()));
        }
        if waits && share.running < bounds.permits_of_one {
            eligible.insert((share.used, key.clone()));
        }
        if share.running == 0 && !waits {
            idle.insert((share.used, key.clone()));
            self.forget();
        }
        result
    }
}

/// A duration in nanoseconds.
pub fn nanoseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}
