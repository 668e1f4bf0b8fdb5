//! A semaphore that is fair to networks: the network that has used least goes first.
//!
//! It is start-time fair queuing (Goyal, Vin and Cheng, 1996). Each network has a virtual time,
//! which advances by the cost of its turns. A free permit goes to the waiting network with the
//! least virtual time. Networks whose turns cost the same therefore take turns one by one, and a
//! network with expensive turns waits for those with cheap ones. A network that was idle starts a
//! burst before the present virtual time: it goes before busy networks until it has used that much.
//! It cannot save up more, and it owes nothing.
//!
//! Within a network, the callers of each lane take turns one by one, too. A caller says in which
//! lane it is, such as its session. A session with many waiting callers therefore delays the others
//! of its network by one turn at most.
//!
//! Everything is bounded: the permits that one network holds, the waiting callers of one network,
//! and all waiting callers. Every operation is O(log n) in the number of networks, and at most O(n)
//! in the callers of one network.

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

/// The semaphore. Clones are the same semaphore.
#[derive(Debug)]
pub struct Fair<K: Ord + Clone>(Arc<Mutex<Line<K>>>);

/// A permit that is held. Dropping it frees the permit and charges its network for the time since
/// the permit was given.
#[derive(Debug)]
pub struct Turn<K: Ord + Clone> {
    fair: Fair<K>,
    key: K,
    since: Instant,
    /// The nanoseconds that its network was charged in advance.
    expected: u64,
    /// Its cost, if its holder states one.
    cost: Option<Duration>,
}

impl<K: Ord + Clone> Fair<K> {
    /// A semaphore with all permits free.
    pub fn new(bounds: Bounds) -> Self {
        Self(Arc::new(Mutex::new(Line::new(bounds))))
    }

    /// Sets the cost that a turn is expected to have before any turn has ended.
    pub fn expecting(self, cost: Duration) -> Self {
        self.lock().typical = nanoseconds(cost);
        self
    }

    /// Waits for the next turn of this network's lane. Fails at once if too many callers wait, and
    /// later if another caller takes the place. If the caller goes away, it leaves the line and no
    /// permit is lost.
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
        // The sender stays in the line until it has sent something.
        let granted = (&mut waiting.granted)
            .await
            .unwrap_or(Err(Full { seconds: 1 }));
        granted.map(|expected| waiting.turn(expected))
    }

    /// The next turn of this network. `None` if the caller would have to wait.
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

    /// The number of turns that are taken or waited for.
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
    /// Ends the turn and charges this cost instead of the time that it took.
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

/// A caller that waits in the line.
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
        // From here on, nothing can be sent. A permit that was sent but not received is given back.
        self.granted.close();
        match self.granted.try_recv() {
            Ok(Ok(expected)) => self.turn(expected).finish(Duration::ZERO),
            _ => self.fair.lock().leave(&self.key, self.ticket),
        }
    }
}

#[cfg(test)]
mod tests;
