//! What bounds a fair semaphore, and its refusal.

use std::time::Duration;

use crate::model::SessionId;

/// A part of a network: a session, or all callers without one together.
pub type Lane = Option<SessionId>;

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
