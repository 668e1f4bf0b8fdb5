//! The jobs of the hashing threads, and the line in which they wait.

use std::collections::VecDeque;

use argon2::Block;
use parking_lot::{Condvar, Mutex, MutexGuard};
use tokio::sync::oneshot;

use super::argon::{Verdict, hash, verify};
use crate::{
    error::Result,
    limits::fair::Turn,
    model::{HashedPassword, Network, Password},
};

/// A task and its network's turn. The turn ends with the task, even if its caller has gone away.
pub struct Job {
    task: Task,
    _turn: Turn<Network>,
}

impl Job {
    /// A task whose turn has come.
    pub fn new(task: Task, turn: Turn<Network>) -> Self {
        Self { task, _turn: turn }
    }

    /// Does the task and ends the turn. `memory` is kept for reuse.
    pub fn run(self, memory: &mut Vec<Block>) {
        self.task.run(memory);
    }
}

/// A job of a hashing thread. Its caller waits for the answer.
pub enum Task {
    /// Hash a new password.
    Hash(Password, oneshot::Sender<Result<HashedPassword>>),
    /// Verify a password against a stored hash.
    Verify(Password, HashedPassword, oneshot::Sender<Result<Verdict>>),
}

impl Task {
    /// Whether its caller still waits for the answer.
    fn is_awaited(&self) -> bool {
        match self {
            Task::Hash(_, answer) => !answer.is_closed(),
            Task::Verify(_, _, answer) => !answer.is_closed(),
        }
    }

    /// Does the job, unless its caller has gone away.
    fn run(self, memory: &mut Vec<Block>) {
        if !self.is_awaited() {
            return;
        }
        // The caller may still go away. Then the answer is dropped.
        match self {
            Task::Hash(password, answer) => drop(answer.send(hash(&password, memory))),
            Task::Verify(password, stored, answer) => {
                drop(answer.send(verify(&password, &stored, memory)))
            }
        }
    }
}

/// The tasks whose turn it is and that no thread has taken yet.
#[derive(Default)]
pub struct Line {
    waiting: Mutex<Waiting>,
    changed: Condvar,
}

#[derive(Default)]
struct Waiting {
    jobs: VecDeque<Job>,
    /// No more tasks will come.
    over: bool,
}

impl Line {
    /// Adds a job.
    pub fn join(&self, job: Job) {
        self.lock().jobs.push_back(job);
        self.changed.notify_one();
    }

    /// Waits for the next job. `None`: the hasher was dropped and the line is empty.
    pub fn next(&self) -> Option<Job> {
        let empty = |waiting: &mut Waiting| waiting.jobs.is_empty() && !waiting.over;
        let mut waiting = self.lock();
        self.changed.wait_while(&mut waiting, empty);
        waiting.jobs.pop_front()
    }

    /// Notes that no more jobs will come, so that the threads end.
    pub fn close(&self) {
        self.lock().over = true;
        self.changed.notify_all();
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock()
    }
}
