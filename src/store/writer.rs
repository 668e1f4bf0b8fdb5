//! The one writer thread. It takes all waiting jobs, runs each in its own savepoint, commits once,
//! applies the effects in memory and then answers all callers. This is group commit: the more jobs
//! wait, the more of them share one sync of the disk.
//!
//! If the transaction fails, its jobs are run again, each in a transaction of its own, so that a
//! job fails only through its own fault. If the machine is at fault (the disk fails, another
//! process holds the database), all waiting jobs fail at once. On a full disk, a job is refused or
//! may use the reserve, by its priority (`engine::sqlite::full_disk`).

use std::{
    thread::{self, JoinHandle},
    time::Duration,
};

use parking_lot::Mutex;
use tokio::sync::{mpsc, oneshot};

use super::{
    effect::Observer,
    engine::sqlite::transactions::Transactions,
    transaction::Write,
    write_cost::{Counted, Priority, WriteCost},
};
use crate::{
    error::{Code, Error, Result},
    limits::{
        self,
        fair::{Bounds, Fair, Full, Lane, Turn},
    },
    model::Network,
};

mod groups;
mod job;

use job::{Job, WAITING, Work};

/// How the slots are shared out.
const SLOTS: Bounds = Bounds {
    permits: WAITING,
    permits_of_one: WAITING / 4,
    // More than can be connected, because a write that ends something must not be refused.
    waiting_of_one: 4096,
    waiting: 65_536,
    burst: Duration::from_millis(100),
};

/// A slot in the writer's queue, for one job. Its job runs after all jobs whose slots were used
/// before.
pub struct WriteSlot {
    line: mpsc::UnboundedSender<Box<dyn Job>>,
    turn: Turn<Option<Network>>,
    counted: Counted,
}

impl WriteSlot {
    /// Runs `work` in this slot. It enters the queue when the future is first polled. Fails with
    /// the error of `work`, with `overloaded` when the server stops, and with `storage_failed` or
    /// `storage_limit` when the disk or the network's limit refuses it.
    pub async fn take<T, F>(self, priority: Priority, work: F) -> Result<T>
    where
        T: Send + 'static,
        F: FnMut(&Write) -> Result<T> + Send + 'static,
    {
        let Self {
            line,
            turn,
            counted,
        } = self;
        let (caller, answer) = oneshot::channel();
        let cost = WriteCost::of_task(counted, priority);
        // Without a receiver the job is dropped, and its caller is told.
        let _ = line.send(Box::new(Work::new(work, cost, caller, turn)));
        // The queue would otherwise stay open as long as the caller waits.
        drop(line);
        answer.await.map_err(|_| stopping())?
    }
}

/// The writer thread, and the queue in front of it.
pub struct Writer {
    line: Mutex<Option<mpsc::UnboundedSender<Box<dyn Job>>>>,
    /// Shares the slots fairly among networks.
    slots: Fair<Option<Network>>,
    thread: Mutex<Option<JoinHandle<()>>>,
    /// The counts of what each network adds to the disk.
    pub counted: Counted,
}

impl Writer {
    /// Starts the thread. When it ends, it closes the database.
    pub fn start(mut transactions: Transactions, observe: Observer) -> Result<Self> {
        let (line, jobs) = mpsc::unbounded_channel();
        let thread = thread::Builder::new()
            .name("writer".into())
            .spawn(move || {
                groups::run(&mut transactions, jobs, &observe);
                transactions.close();
            })
            .map_err(Error::internal)?;
        let (line, thread) = (Mutex::new(Some(line)), Mutex::new(Some(thread)));
        Ok(Self {
            line,
            slots: Fair::new(SLOTS),
            thread,
            counted: Counted::default(),
        })
    }

    /// Waits for a slot in the queue. Fails with `overloaded` if too many callers of the network
    /// wait, or if the server is stopping.
    pub async fn write_slot(&self, lane: Lane) -> Result<WriteSlot> {
        let turn = self.slots.enter(payer(), lane).await.map_err(crowded)?;
        self.slot_for(turn).ok_or_else(stopping)
    }

    /// A slot in the queue, if one is free now.
    pub fn free_write_slot(&self) -> Option<WriteSlot> {
        self.slot_for(self.slots.try_enter(&payer())?)
    }

    /// The slot for a turn. `None`: the server is stopping.
    fn slot_for(&self, turn: Turn<Option<Network>>) -> Option<WriteSlot> {
        let line = self.line.lock().clone()?;
        Some(WriteSlot {
            line,
            turn,
            counted: self.counted.clone(),
        })
    }

    /// Lets the thread finish all waiting jobs, and waits for it.
    pub fn stop(&self) {
        self.line.lock().take();
        let thread = self.thread.lock().take();
        if thread.is_some_and(|thread| thread.join().is_err()) {
            tracing::error!("the writer thread panicked");
        }
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.stop();
    }
}

/// The network that waits. The networks of one customer count as one.
fn payer() -> Option<Network> {
    limits::payer().map(Network::widest)
}

fn stopping() -> Error {
    Error::retry(Code::Overloaded, 5, "the server is stopping")
}

/// The refusal when too many requests of a network wait for a reader or the writer.
pub(super) fn crowded(full: Full) -> Error {
    Error::retry(
        Code::Overloaded,
        full.seconds,
        "too many requests from your network are waiting; try again shortly",
    )
}

#[cfg(test)]
mod tests;
