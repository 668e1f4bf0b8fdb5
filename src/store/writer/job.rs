//! One job of the writer: the work of a transaction, and its caller, who waits for the result.

use tokio::sync::oneshot;

use crate::{
    error::{Code, Error, Result},
    limits::fair::Turn,
    model::Network,
    store::{transaction::Write, write_cost::WriteCost},
};

/// The slots in the writer's queue. Beyond them, callers wait for a slot. One network can have a
/// quarter of the slots, so its callers wait for one another alone, unless several networks do the
/// same.
pub const WAITING: usize = 1024;

/// A piece of work, whatever its type.
pub trait Job: Send {
    /// What its network pays for.
    fn cost(&self) -> &WriteCost;
    /// Runs the work. Returns whether to keep what it did.
    fn run(&mut self, tx: &Write) -> bool;
    /// Replaces the result with a failure of the whole transaction.
    fn fail(&mut self, error: Error);
    /// Whether the machine made it fail.
    fn is_failed(&self) -> bool;
    /// Sends the result to the caller.
    fn answer(self: Box<Self>);
}

/// The work of one transaction, as it waits for the writer.
pub struct Work<T, F> {
    work: F,
    cost: WriteCost,
    result: Option<Result<T>>,
    caller: oneshot::Sender<Result<T>>,
    /// The job's slot, which is free again when the job is answered.
    _slot: Turn<Option<Network>>,
}

impl<T, F> Work<T, F> {
    /// Work whose result is sent to `caller`.
    pub fn new(
        work: F,
        cost: WriteCost,
        caller: oneshot::Sender<Result<T>>,
        slot: Turn<Option<Network>>,
    ) -> Self {
        Self {
            work,
            cost,
            result: None,
            caller,
            _slot: slot,
        }
    }
}

impl<T: Send, F: FnMut(&Write) -> Result<T> + Send> Job for Work<T, F> {
    fn cost(&self) -> &WriteCost {
        &self.cost
    }

    fn run(&mut self, tx: &Write) -> bool {
        self.result = None;
        self.cost.refund();
        tx.requester.set(self.cost.requester);
        let result = (self.work)(tx).and_then(|done| self.cost.charge(tx).map(|()| done));
        let keep = result.is_ok();
        self.result = Some(result);
        keep
    }

    fn fail(&mut self, error: Error) {
        self.cost.refund();
        self.result = Some(Err(error));
    }

    fn is_failed(&self) -> bool {
        matches!(&self.result, Some(Err(error)) if error.code == Code::StorageFailed)
    }

    fn answer(self: Box<Self>) {
        let result = self
            .result
            .unwrap_or_else(|| Err(Error::internal("a transaction panicked")));
        // A caller that has hung up needs no answer. What was done stays done.
        let _ = self.caller.send(result);
    }
}
