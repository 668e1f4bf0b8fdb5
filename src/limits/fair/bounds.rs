//! The bounds of a fair semaphore, and its refusal.

use std::time::Duration;

use crate::model::SessionId;

/// A part of a network: a session, or all callers without a session together.
pub type Lane = Option<SessionId>;

/// How many permits there are, and how many callers may wait for one.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    /// The permits that exist.
    pub permits: usize,
    /// The most permits that one network may hold at a time. The rest is left to others, however
    /// long the turns of one network take.
    pub permits_of_one: usize,
    /// The callers of one network that may wait. Beyond that, a newcomer takes the place of the
    /// last caller in the lane with most waiting callers.
    pub waiting_of_one: usize,
    /// The callers of all networks that may wait. Beyond that, a newcomer takes the place of the
    /// last caller of the network with most waiting callers.
    pub waiting: usize,
    /// How much a network that was idle may use before it takes turns with the busy networks.
    pub burst: Duration,
}

/// The refusal of a caller: too many callers wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Full {
    /// The seconds after which the waiting callers of its network should have had their turns.
    pub seconds: u64,
}
