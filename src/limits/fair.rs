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

mod bounds;
mod line;
mod share;

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use parking_lot::{Mutex, MutexGuard};
use tokio::sync::oneshot;

pub use bounds::{Bounds, Full, Lane};
use line::{Line, nanoseconds};
use share::Ticket;

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
    /// A semaphore of which nothing is taken.
    pub fn new(bounds: Bounds) -> Self {
        Self(Arc::new(Mutex::new(Line::new(bounds))))
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

#[cfg(test)]
mod tests;
