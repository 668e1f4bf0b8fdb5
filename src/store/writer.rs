//! The one writer thread. It takes all waiting jobs, runs each in its own savepoint, commits once,
//! applies the effects in memory and then answers all callers. This is group commit: the more jobs
//! wait, the more of them share one sync of the disk.
//!
//! If the transaction fails, its jobs are run again, each in a transaction of its own, so that a
//! job fails only through its own fault. If the machine is at fault (the disk fails, another
//! process holds the database), all waiting jobs fail at once. On a full disk, a job is refused or
//! may use the reserve, by its priority (`engine::full_disk`).

use std::{
    collections::VecDeque,
    iter,
    panic::{AssertUnwindSafe, catch_unwind},
    path::PathBuf,
    sync::Mutex,
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use rusqlite::Connection;
use tokio::sync::{mpsc, oneshot};

use super::{
    account::{Account, Counted, Priority},
    effect::{Effect, Observer},
    engine::{full_disk::Room, open},
    transaction::Write,
};
use crate::{
    error::{Code, Error, Result},
    limits::{
        self,
        fair::{Bounds, Fair, Full, Lane, Turn},
    },
    model::Network,
};

/// The slots in the writer's queue. Beyond them, callers wait for a slot. One network can have a
/// quarter of the slots, so its callers wait for one another alone, unless several networks do the
/// same.
const WAITING: usize = 1024;
/// How the slots are shared out.
const PLACES: Bounds = Bounds {
    permits: WAITING,
    permits_of_one: WAITING / 4,
    // More than can be connected, because a write that ends something must not be refused.
    waiting_of_one: 4096,
    waiting: 65_536,
    burst: Duration::from_millis(100),
};
/// The most jobs in one commit.
const GROUP: usize = 256;
/// How long one commit goes on taking jobs.
const GROUP_TIME: Duration = Duration::from_millis(20);

/// A piece of work, whatever its type.
trait Job: Send {
    fn account(&self) -> &Account;
    /// Runs the work. Returns whether to keep what it did.
    fn run(&mut self, tx: &Write) -> bool;
    /// Replaces the result with a failure of the whole transaction.
    fn fail(&mut self, error: Error);
    /// Whether the machine made it fail.
    fn is_failed(&self) -> bool;
    fn answer(self: Box<Self>);
}

struct Work<T, F> {
    work: F,
    account: Account,
    result: Option<Result<T>>,
    caller: oneshot::Sender<Result<T>>,
    /// The job's slot, which is free again when the job is answered.
    _place: Turn<Option<Network>>,
}

impl<T: Send, F: FnMut(&Write) -> Result<T> + Send> Job for Work<T, F> {
    fn account(&self) -> &Account {
        &self.account
    }

    fn run(&mut self, tx: &Write) -> bool {
        self.result = None;
        self.account.refund();
        tx.requester.set(self.account.requester);
        let result = (self.work)(tx).and_then(|done| self.account.charge(tx).map(|()| done));
        let keep = result.is_ok();
        self.result = Some(result);
        keep
    }

    fn fail(&mut self, error: Error) {
        self.account.refund();
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
        let account = Account::of_task(counted, priority);
        // Without a receiver the job is dropped, and its caller is told.
        let _ = line.send(Box::new(Work {
            work,
            account,
            result: None,
            caller,
            _place: turn,
        }));
        // The queue would otherwise stay open as long as the caller waits.
        drop(line);
        answer.await.map_err(|_| stopping())?
    }
}

/// The writer thread, and the queue in front of it.
pub struct Writer {
    line: Mutex<Option<mpsc::UnboundedSender<Box<dyn Job>>>>,
    /// Shares the slots fairly among networks.
    places: Fair<Option<Network>>,
    thread: Mutex<Option<JoinHandle<()>>>,
    /// The counts of what each network adds to the disk.
    pub counted: Counted,
}

impl Writer {
    /// Starts the thread. When it ends, it closes the database at `path`.
    pub fn start(
        mut connection: Connection,
        path: PathBuf,
        mut room: Room,
        observe: Observer,
    ) -> Result<Self> {
        let (line, jobs) = mpsc::unbounded_channel();
        let thread = thread::Builder::new()
            .name("writer".into())
            .spawn(move || {
                work(&mut connection, jobs, &mut room, &observe);
                open::close(connection, &path, &mut room);
            })
            .map_err(Error::internal)?;
        let (line, thread) = (Mutex::new(Some(line)), Mutex::new(Some(thread)));
        Ok(Self {
            line,
            places: Fair::new(PLACES),
            thread,
            counted: Counted::default(),
        })
    }

    /// Waits for a slot in the queue. Fails with `overloaded` if too many callers of the network
    /// wait, or if the server is stopping.
    pub async fn write_slot(&self, lane: Lane) -> Result<WriteSlot> {
        let turn = self.places.enter(payer(), lane).await.map_err(crowded)?;
        self.placed(turn).ok_or_else(stopping)
    }

    /// A slot in the queue, if one is free now.
    pub fn free_write_slot(&self) -> Option<WriteSlot> {
        self.placed(self.places.try_enter(&payer())?)
    }

    /// The slot for a turn. `None`: the server is stopping.
    fn placed(&self, turn: Turn<Option<Network>>) -> Option<WriteSlot> {
        let line = self
            .line
            .lock()
            .unwrap_or_else(|e| e.into_inner())
            .clone()?;
        Some(WriteSlot {
            line,
            turn,
            counted: self.counted.clone(),
        })
    }

    /// Lets the thread finish all waiting jobs, and waits for it.
    pub fn stop(&self) {
        self.line.lock().unwrap_or_else(|e| e.into_inner()).take();
        let thread = self.thread.lock().unwrap_or_else(|e| e.into_inner()).take();
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

/// Why a transaction failed.
enum Failure {
    /// One of its jobs ended it, or its jobs could not be committed together. If there was only one
    /// job, that job holds the error.
    Jobs,
    /// It could not begin, or the machine would not commit even a single job. Other jobs would fail
    /// too.
    Machine(Error),
}

fn work(
    connection: &mut Connection,
    mut line: mpsc::UnboundedReceiver<Box<dyn Job>>,
    room: &mut Room,
    observe: &Observer,
) {
    // The jobs of a group whose transaction failed, and that get a second chance, each alone.
    let mut again = VecDeque::new();
    loop {
        let retried = again.pop_front();
        let alone = retried.is_some();
        let Some(first) = retried.or_else(|| line.blocking_recv()) else {
            return;
        };
        room.review(connection);
        let Some(first) = admitted(first, room) else {
            continue;
        };
        let started = Instant::now();
        let more = |taken: usize| {
            let goes_on = || taken < GROUP && !alone && started.elapsed() < GROUP_TIME;
            iter::from_fn(|| {
                if goes_on() {
                    line.try_recv().ok()
                } else {
                    None
                }
            })
            .find_map(|job| admitted(job, room))
        };
        let mut jobs = vec![first];
        let committed = commit(connection, &mut jobs, more);
        let failed = match &committed {
            Ok(_) => false,
            Err(Failure::Jobs) => jobs.iter().any(|job| job.is_failed()),
            Err(Failure::Machine(error)) => error.code == Code::StorageFailed,
        };
        match committed {
            Ok(effects) => {
                jobs.iter().for_each(|job| room.note(job.account()));
                observe(effects);
            }
            Err(Failure::Jobs) if jobs.len() > 1 => again.extend(jobs.drain(..)),
            // The job was alone, and there is room for it now.
            Err(_) if failed && room.make(jobs[0].account().priority) => {
                jobs.drain(..).rev().for_each(|job| again.push_front(job));
            }
            Err(Failure::Jobs) => {}
            // The others may have a priority for which there is still room.
            Err(Failure::Machine(error)) if room.is_full() => {
                jobs.iter_mut().for_each(|job| job.fail(error.clone()))
            }
            Err(Failure::Machine(error)) => {
                // One after the other, they would each wait as long for the same failure.
                jobs.extend(again.drain(..));
                jobs.extend(iter::from_fn(|| line.try_recv().ok()).take(WAITING));
                jobs.iter_mut().for_each(|job| job.fail(error.clone()));
            }
        }
        jobs.into_iter().for_each(Job::answer);
    }
}

/// The job, unless it is refused because the disk is full. In that case it is answered here.
fn admitted(mut job: Box<dyn Job>, room: &Room) -> Option<Box<dyn Job>> {
    let Some(refusal) = room.refusal(job.account()) else {
        return Some(job);
    };
    job.fail(refusal);
    job.answer();
    None
}

/// Runs the first of `jobs`, and those that `more` returns, in one transaction. Afterwards `jobs`
/// contains all jobs that were run, committed or not.
fn commit(
    connection: &mut Connection,
    jobs: &mut Vec<Box<dyn Job>>,
    mut more: impl FnMut(usize) -> Option<Box<dyn Job>>,
) -> Result<Vec<Effect>, Failure> {
    let begun = connection.execute_batch("BEGIN IMMEDIATE");
    begun.map_err(|error| Failure::Machine(error.into()))?;
    // Some errors (a full disk) make SQLite end the transaction, savepoints and all. If a job
    // overlooked such an error, each further statement would be committed separately. Therefore
    // only the COMMIT below may commit.
    refuse_commits(connection, true);
    let mut effects = Vec::new();
    while let Some(job) = jobs.last_mut() {
        let Some(own) = savepoint(connection, job.as_mut()) else {
            roll_back(connection);
            return Err(Failure::Jobs);
        };
        effects.extend(own);
        match more(jobs.len()) {
            Some(job) => jobs.push(job),
            None => break,
        }
    }
    refuse_commits(connection, false);
    let Err(error) = connection.execute_batch("COMMIT") else {
        return Ok(effects);
    };
    roll_back(connection);
    bury(connection);
    let error = Error::from(error);
    match jobs.as_mut_slice() {
        [_] if error.code == Code::StorageFailed => return Err(Failure::Machine(error)),
        [job] => job.fail(error),
        _ => {}
    }
    Err(Failure::Jobs)
}

/// Runs one job. A refusal, a failure or a panic undoes that job alone. `None`: the transaction is
/// not whole any more.
fn savepoint(connection: &Connection, job: &mut dyn Job) -> Option<Vec<Effect>> {
    if let Err(error) = run(connection, "SAVEPOINT job") {
        job.fail(error.into());
        return None;
    }
    let tx = Write::new(connection);
    let kept = catch_unwind(AssertUnwindSafe(|| job.run(&tx))).unwrap_or(false);
    if job.is_failed() {
        // It may be run again, and it keeps its place before the jobs that came after it.
        return None;
    }
    // Both statements fail if the transaction has ended.
    let undone = if kept {
        Ok(())
    } else {
        run(connection, "ROLLBACK TO job")
    };
    match undone.and_then(|()| run(connection, "RELEASE job")) {
        Ok(()) if kept => Some(tx.effects.into_inner()),
        Ok(()) => Some(Vec::new()),
        Err(error) => {
            if kept {
                job.fail(error.into());
            }
            None
        }
    }
}

/// Runs a statement that every job needs and that is therefore kept prepared.
fn run(connection: &Connection, sql: &str) -> rusqlite::Result<()> {
    connection.prepare_cached(sql)?.execute([]).map(drop)
}

fn refuse_commits(connection: &mut Connection, refuse: bool) {
    // This fails only if the connection is closed.
    let _ = connection.commit_hook(refuse.then_some(|| true));
}

fn roll_back(connection: &Connection) {
    if !connection.is_autocommit() {
        // This fails only if there is nothing left to roll back.
        let _ = connection.execute_batch("ROLLBACK");
    }
}

/// Writes over what a failed COMMIT may have left at the end of the write-ahead log. If only the
/// sync of the log failed, the transaction is there whole, and after a crash the next server would
/// take it for committed.
fn bury(connection: &Connection) {
    if let Err(error) = open::touch(connection) {
        // Creating the error logs it, at the rate at which failures are logged.
        drop(Error::from(error));
    }
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
