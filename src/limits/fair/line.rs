//! The line of a fair semaphore: whose turn comes next.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use tokio::sync::oneshot;

use super::{
    bounds::{Bounds, Full, Lane},
    share::{Caller, Share, Ticket},
};

/// Idle networks whose virtual time is remembered because they have used something; beyond it the
/// one that has used least is forgotten.
pub const REMEMBERED: usize = 4096;
/// The cost of a network's first turn until it is known.
const FIRST_COST: Duration = Duration::from_millis(1);

/// The line of one semaphore: what is free, and who waits. Virtual times are in nanoseconds of use.
#[derive(Debug)]
pub struct Line<K> {
    /// What bounds it.
    pub bounds: Bounds,
    /// Permits that nobody holds.
    pub free: usize,
    /// Callers that wait, of all networks.
    pub waiting: usize,
    /// The virtual time at which the last turn began.
    pub now: u64,
    /// The number of the next caller that waits.
    pub tickets: u64,
    /// What turns have cost lately.
    pub typical: u64,
    /// What each network has of the line.
    pub shares: BTreeMap<K, Share>,
    /// Networks that may have a turn and wait for one, least used first.
    pub eligible: BTreeSet<(u64, K)>,
    /// Networks that wait, by how many of their callers do.
    pub longest: BTreeSet<(usize, K)>,
    /// Idle networks that have used of their burst, or more than that, least used first.
    pub idle: BTreeSet<(u64, K)>,
}

impl<K: Ord + Clone> Line<K> {
    /// A line in which nobody waits.
    pub fn new(bounds: Bounds) -> Self {
        Self {
            free: bounds.permits,
            bounds,
            waiting: 0,
            // Nobody starts before the beginning.
            now: nanoseconds(bounds.burst),
            tickets: 0,
            typical: nanoseconds(FIRST_COST),
            shares: BTreeMap::new(),
            eligible: BTreeSet::new(),
            longest: BTreeSet::new(),
            idle: BTreeSet::new(),
        }
    }

    /// Lets a caller wait, or refuses it. Its ticket, and where its permit will arrive with its
    /// expected cost in nanoseconds.
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

    /// Gives a network a free permit, where none of its callers waits. (While a permit is free,
    /// networks that wait have as many turns as they may.) What its turn is expected to cost.
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

    /// Notes that a turn began at this virtual time. What it is expected to cost.
    fn started(&mut self, (used, expected): (u64, u64)) -> u64 {
        self.free -= 1;
        self.now = self.now.max(used);
        self.forget();
        expected
    }

    /// Takes the last place of the network with most waiting callers, if those are more than the
    /// newcomer's would be.
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

    /// Takes the last place of the network's lane with most waiting callers, if those are more than
    /// the newcomer's would be.
    fn push_out_of_lane(&mut self, key: &K, newcomer: Lane) -> bool {
        let last = self
            .shares
            .get(key)
            .and_then(|share| share.last_of_longest_lane(newcomer));
        last.is_some_and(|last| self.refuse(key, last))
    }

    /// Refuses a caller that waits; whether there was one.
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

    /// Takes a caller out of the line.
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

    /// Gives free permits to those whose turn it is.
    fn serve(&mut self) {
        while self.free > 0
            && let Some((used, key)) = self.eligible.first().cloned()
        {
            self.waiting -= 1;
            let started = self.update(&key, |share| {
                let ((round, _), caller) = share.callers.pop_first()?;
                share.round = share.round.max(round);
                let expected = share.expected;
                // A caller that is going away leaves its place to the next.
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

    /// Frees a permit, and charges its network what the turn cost, in nanoseconds.
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
            // Nobody competes, so nobody is ahead.
            self.shares.clear();
            self.idle.clear();
        }
    }

    /// Forgets idle networks that have nothing to make up for, and where there are too many, those
    /// that have least.
    fn forget(&mut self) {
        while let Some((used, key)) = self.idle.first()
            && (*used <= self.start() || self.idle.len() > REMEMBERED)
        {
            self.shares.remove(key);
            self.idle.pop_first();
        }
    }

    /// The virtual time at which a network that was idle starts.
    fn start(&self) -> u64 {
        self.now.saturating_sub(nanoseconds(self.bounds.burst))
    }

    fn full(&self, key: &K) -> Full {
        let (waiting, cost) = self
            .shares
            .get(key)
            .map_or((0, 0), |share| (share.callers.len(), share.expected));
        // In the meantime each other network has as many turns as this one, or as it waits for.
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

    /// Changes a network's share, and its places in the orders with it.
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
