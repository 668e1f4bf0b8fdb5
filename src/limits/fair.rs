//! A semaphore that is fair by network: the network that has used least goes first.
//!
//! It is start-time fair queuing (Goyal, Vin and Cheng, 1996). Each network has a virtual time,
//! which its turns move on by what they cost. A free permit goes to the waiting network whose
//! virtual time is least, so networks whose turns cost the same take turns one by one, and one
//! whose turns cost much waits for those whose turns cost little. A network that was idle starts a
//! burst before the present virtual time: until it has used that much, it goes before those that
//! are busy all the time. More it cannot save up, and it owes nothing.
//!
//! Within a network the callers of each lane take turns one by one, too: a caller says in which
//! lane it is, such as its session. So whoever has many callers waiting delays nobody else of the
//! same network by more than one turn.
//!
//! Everything is bounded: the permits one network holds, the callers of one network that wait, and
//! those of all. Every operation is O(log n) in the number of networks, and at most O(n) in the
//! callers of one of them.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::{Duration, Instant},
};

use parking_lot::{Mutex, MutexGuard};

use tokio::sync::oneshot;

use self::share::{Caller, Share, Ticket};
use crate::model::SessionId;

mod share;

/// Who within a network: a session, or all others together.
pub type Lane = Option<SessionId>;

/// Idle networks whose virtual time is remembered because they have used something; beyond it the
/// one that has used least is forgotten.
const REMEMBERED: usize = 4096;
/// The cost of a network's first turn until it is known.
const FIRST_COST: Duration = Duration::from_millis(1);

/// How much of the thing there is, and how many may wait for it.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    /// Turns at one time.
    pub permits: usize,
    /// Turns of one network at one time: some are left to others, however long the turns of one
    /// take.
    pub permits_of_one: usize,
    /// Callers of one network that wait. When they are that many, a newcomer takes the place of the
    /// last caller of the lane with most waiting callers.
    pub waiting_of_one: usize,
    /// Callers of all networks that wait. When they are that many, a newcomer takes the place of
    /// the last caller of the network with most waiting callers.
    pub waiting: usize,
    /// How much a network that was idle may use before it takes turns with those that are busy all
    /// the time.
    pub burst: Duration,
}

/// The line is full for this network.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Full {
    /// Seconds after which its callers that wait now should have had their turns.
    pub seconds: u64,
}

/// The semaphore. Clones share it.
#[derive(Debug)]
pub struct Fair<K: Ord + Clone>(Arc<Mutex<Line<K>>>);

/// A permit that is held. Dropping it frees the permit and charges its network for the time since
/// it was given.
#[derive(Debug)]
pub struct Turn<K: Ord + Clone> {
    fair: Fair<K>,
    key: K,
    since: Instant,
    /// What its network was charged in advance, in nanoseconds.
    expected: u64,
    /// What it cost, where its holder says so.
    cost: Option<Duration>,
}

impl<K: Ord + Clone> Fair<K> {
    pub fn new(bounds: Bounds) -> Self {
        Self(Arc::new(Mutex::new(Line {
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
        })))
    }

    /// Says what a turn is expected to cost before any has ended.
    pub fn expecting(self, cost: Duration) -> Self {
        self.lock().typical = nanoseconds(cost);
        self
    }

    /// Waits for the next turn of this network's lane; refuses at once where too many wait. A
    /// caller that goes away meanwhile leaves the line, and loses no permit.
    pub async fn enter(&self, key: K, lane: Lane) -> Result<Turn<K>, Full> {
        if let Some(turn) = self.try_enter(&key) {
            return Ok(turn);
        }
        let (ticket, granted) = self.lock().join(&key, lane)?;
        let mut waiting = Waiting {
            fair: self.clone(),
            key,
            ticket,
            granted,
        };
        // The sender is in the line until it has sent something.
        let granted = (&mut waiting.granted)
            .await
            .unwrap_or(Err(Full { seconds: 1 }));
        granted.map(|expected| waiting.turn(expected))
    }

    /// This network's next turn, if it need not be waited for.
    pub fn try_enter(&self, key: &K) -> Option<Turn<K>> {
        let expected = self.lock().start_at_once(key)?;
        Some(Turn {
            fair: self.clone(),
            key: key.clone(),
            since: Instant::now(),
            expected,
            cost: None,
        })
    }

    /// How many turns are taken or waited for.
    pub fn busy(&self) -> usize {
        let line = self.lock();
        line.bounds.permits - line.free + line.waiting
    }

    /// Never held over an await.
    fn lock(&self) -> MutexGuard<'_, Line<K>> {
        self.0.lock()
    }
}

impl<K: Ord + Clone> Clone for Fair<K> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<K: Ord + Clone> Turn<K> {
    /// Ends it at another cost than the time it took.
    pub fn finish(mut self, cost: Duration) {
        self.cost = Some(cost);
    }
}

impl<K: Ord + Clone> Drop for Turn<K> {
    fn drop(&mut self) {
        let cost = self.cost.unwrap_or_else(|| self.since.elapsed());
        self.fair
            .lock()
            .finish(&self.key, self.expected, nanoseconds(cost));
    }
}

/// A caller in the line.
struct Waiting<K: Ord + Clone> {
    fair: Fair<K>,
    key: K,
    ticket: Ticket,
    granted: oneshot::Receiver<Result<u64, Full>>,
}

impl<K: Ord + Clone> Waiting<K> {
    fn turn(&self, expected: u64) -> Turn<K> {
        Turn {
            fair: self.fair.clone(),
            key: self.key.clone(),
            since: Instant::now(),
            expected,
            cost: None,
        }
    }
}

impl<K: Ord + Clone> Drop for Waiting<K> {
    fn drop(&mut self) {
        // From here on nothing can be sent; what was sent already and not received is given back.
        self.granted.close();
        match self.granted.try_recv() {
            Ok(Ok(expected)) => self.turn(expected).finish(Duration::ZERO),
            _ => self.fair.lock().leave(&self.key, self.ticket),
        }
    }
}

/// Virtual times are in nanoseconds of use.
#[derive(Debug)]
struct Line<K> {
    bounds: Bounds,
    free: usize,
    waiting: usize,
    /// The virtual time at which the last turn began.
    now: u64,
    tickets: u64,
    /// What turns have cost lately.
    typical: u64,
    shares: BTreeMap<K, Share>,
    /// Networks that may have a turn and wait for one, least used first.
    eligible: BTreeSet<(u64, K)>,
    /// Networks that wait, by how many of their callers do.
    longest: BTreeSet<(usize, K)>,
    /// Idle networks that have used of their burst, or more than that, least used first.
    idle: BTreeSet<(u64, K)>,
}

impl<K: Ord + Clone> Line<K> {
    fn join(
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
    fn start_at_once(&mut self, key: &K) -> Option<u64> {
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

    fn leave(&mut self, key: &K, ticket: Ticket) {
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

    fn finish(&mut self, key: &K, expected: u64, cost: u64) {
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

fn nanoseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests;
