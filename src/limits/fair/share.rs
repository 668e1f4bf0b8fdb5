//! One network's share of a line: its virtual time, its turns, and its callers by lane.

use std::collections::BTreeMap;

use tokio::sync::oneshot;

use super::bounds::{Full, Lane};

/// A caller's place within its network: the round in which its turn comes, and its number.
pub type Ticket = (u64, u64);

/// One network's share of a line.
#[derive(Debug)]
pub struct Share {
    /// Its virtual time, in nanoseconds of use.
    pub used: u64,
    /// The cost of its last turn, in nanoseconds.
    pub expected: u64,
    /// The permits that it holds.
    pub running: usize,
    /// Its waiting callers, in the order of their turns.
    pub callers: BTreeMap<Ticket, Caller>,
    /// The round in which the last turn began.
    pub round: u64,
}

/// A caller that waits.
#[derive(Debug)]
pub struct Caller {
    /// Its lane.
    pub lane: Lane,
    /// Receives the expected cost in nanoseconds with the permit, or the refusal.
    pub granted: oneshot::Sender<Result<u64, Full>>,
}

impl Share {
    /// The places in which the callers of a lane wait.
    fn places(&self, lane: Lane) -> impl Iterator<Item = Ticket> {
        self.callers
            .iter()
            .filter(move |(_, caller)| caller.lane == lane)
            .map(|(ticket, _)| *ticket)
    }

    /// The round in which the turn of a newcomer in this lane comes. A round has one turn of each
    /// lane.
    pub fn next_round(&self, lane: Lane) -> u64 {
        self.places(lane)
            .last()
            .map_or(self.round, |(last, _)| last.max(self.round))
            + 1
    }

    /// The last caller in the lane with most waiting callers, if these are more than those of the
    /// newcomer's lane would be.
    pub fn last_of_longest_lane(&self, newcomer: Lane) -> Option<Ticket> {
        let mut lanes = BTreeMap::<Lane, (usize, Ticket)>::new();
        for (ticket, caller) in &self.callers {
            let (waiting, last) = lanes.entry(caller.lane).or_insert((0, *ticket));
            (*waiting, *last) = (*waiting + 1, *ticket);
        }
        let newcomers = lanes.get(&newcomer).map_or(0, |(waiting, _)| *waiting);
        lanes
            .into_values()
            .filter(|(waiting, _)| *waiting > newcomers + 1)
            .max()
            .map(|(_, last)| last)
    }
}
