//! The one writer thread: it takes whatever waits, runs each job in its own savepoint, commits
//! once, applies the effects in memory and then answers all of them. That is group commit: the more
//! wait, the more share one sync of the disk.
//!
//! If the transaction comes to nothing, its jobs are run again, each in one of its own: what is one
//! job's fault is its own failure. What is nobody's fault (the disk refuses, another process holds
//! the database) fails all that wait, at once. On a full disk, a job is refused or has the reserve,
//! by its priority (`engine::room`).

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
    engine::{open, room::Room},
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

/// Jobs in the writer's line, done or waiting; beyond it callers wait for a place. The places of
/// one network leave those of others free, and for a place its callers wait for each other alone,
/// unless several networks do the same.
const WAITING: usize = 1024;
const PLACES: Bounds = Bounds {
    permits: WAITING,
    permits_of_one: WAITING / 4,
    // More than have a connection, for what ends something is not to be refused.
    waiting_of_one: 4096,
    waiting: 65_536,
    burst: Duration::from_millis(100),
};
/// Jobs in one commit, and how long a commit goes on taking more.
const GROUP: usize = 256;
const GROUP_TIME: Duration = Duration::from_millis(20);

/// A piece of work whose type the writer need not know.
trait Job: Send {
    fn account(&self) -> &Account;
    /// Runs it; whether to keep what it did.
    fn run(&mut self, tx: &Write) -> bool;
    /// Puts a failure of the whole in place of its result.
    fn fail(&mut self, error: Error);
    /// Whether the machine failed it.
    fn is_failed(&self) -> bool;
    fn answer(self: Box<Self>);
}

struct Work<T, F> {
    work: F,
    account: Account,
    result: Option<Result<T>>,
    caller: oneshot::Sender<Result<T>>,
    /// Others get it when this is answered.
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
        // A caller that has gone away needs no answer; what was done stays done.
        let _ = self.caller.send(result);
    }
}

/// A place in the writer's line, for one job. Whoever has it comes after all who had theirs used
/// before.
pub struct WriteSlot {
    line: mpsc::UnboundedSender<Box<dyn Job>>,
    turn: Turn<Option<Network>>,
    counted: Counted,
}

impl WriteSlot {
    /// Runs `work` in this place; it is in the line as soon as this is polled.
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
        // Without a receiver the job is dropped, and its caller told.
        let _ = line.send(Box::new(Work {
            work,
            account,
            result: None,
            caller,
            _place: turn,
        }));
        // Or the line would be open for as long as the caller waits.
        drop(line);
        answer.await.map_err(|_| stopping())?
    }
}

pub struct Writer {
    line: Mutex<Option<mpsc::UnboundedSender<Box<dyn Job>>>>,
    /// What bounds it.
    places: Fair<Option<Network>>,
    thread: Mutex<Option<JoinHandle<()>>>,
    /// What is added to the disk, and for whom.
    pub counted: Counted,
}

impl Writer {
    /// Starts the thread. At its end it closes the database at `path`.
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

    /// Waits for a place in the line.
    pub async fn write_slot(&self, lane: Lane) -> Result<WriteSlot> {
        let turn = self.places.enter(payer(), lane).await.map_err(crowded)?;
        self.placed(turn).ok_or_else(stopping)
    }

    /// A place in the line, if there is one at once.
    pub fn free_write_slot(&self) -> Option<WriteSlot> {
        self.placed(self.places.try_enter(&payer())?)
    }

    /// None once it is stopping.
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

    /// Lets the thread finish what waits, and waits for it.
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

/// By whose turns it goes. One customer's networks are that customer.
fn payer() -> Option<Network> {
    limits::payer().map(Network::widest)
}

fn stopping() -> Error {
    Error::retry(Code::Overloaded, 5, "the server is stopping")
}

/// Why a transaction came to nothing.
enum Failure {
    /// One of its jobs ended it, or they could not be committed together. A job that was alone in
    /// it holds the error.
    Jobs,
    /// It could not begin, or the machine would not commit even a job alone: no other would fare
    /// better.
    Machine(Error),
}

fn work(
    connection: &mut Connection,
    mut line: mpsc::UnboundedReceiver<Box<dyn Job>>,
    room: &mut Room,
    observe: &Observer,
) {
    // The jobs of a group whose transaction is gone, and with it all that they did: each has a
    // second chance, alone.
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
            // It is alone, and there is room for it now.
            Err(_) if failed && room.make(jobs[0].account().priority) => {
                jobs.drain(..).rev().for_each(|job| again.push_front(job));
            }
            Err(Failure::Jobs) => {}
            // The others may be of a kind for which there is still room.
            Err(Failure::Machine(error)) if room.is_full() => {
                jobs.iter_mut().for_each(|job| job.fail(error.clone()))
            }
            Err(Failure::Machine(error)) => {
                // One after the other they would each wait as long for the same.
                jobs.extend(again.drain(..));
                jobs.extend(iter::from_fn(|| line.try_recv().ok()).take(WAITING));
                jobs.iter_mut().for_each(|job| job.fail(error.clone()));
            }
        }
        jobs.into_iter().for_each(Job::answer);
    }
}

/// The job, unless it is refused because the disk is full: then it is answered.
fn admitted(mut job: Box<dyn Job>, room: &Room) -> Option<Box<dyn Job>> {
    let Some(refusal) = room.refusal(job.account()) else {
        return Some(job);
    };
    job.fail(refusal);
    job.answer();
    None
}

/// Runs the first of `jobs`, and what `more` gives, in one transaction; all that were run are in
/// `jobs` afterwards, committed or not.
fn commit(
    connection: &mut Connection,
    jobs: &mut Vec<Box<dyn Job>>,
    mut more: impl FnMut(usize) -> Option<Box<dyn Job>>,
) -> Result<Vec<Effect>, Failure> {
    let begun = connection.execute_batch("BEGIN IMMEDIATE");
    begun.map_err(|error| Failure::Machine(error.into()))?;
    // Some errors (a full disk) make SQLite end the transaction, savepoints and all. A job that
    // overlooked one would then commit each further statement by itself: none is committed but by
    // the COMMIT below.
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

/// Runs one job; a refusal, a failure or a panic undoes that job alone. `None`: the transaction is
/// no longer whole.
fn savepoint(connection: &Connection, job: &mut dyn Job) -> Option<Vec<Effect>> {
    if let Err(error) = run(connection, "SAVEPOINT job") {
        job.fail(error.into());
        return None;
    }
    let tx = Write::new(connection);
    let kept = catch_unwind(AssertUnwindSafe(|| job.run(&tx))).unwrap_or(false);
    if job.is_failed() {
        // It may be run again, and keep its place before those that came after it.
        return None;
    }
    // Either fails if the transaction has ended.
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

/// Runs a statement that every job needs, and that is therefore prepared once.
fn run(connection: &Connection, sql: &str) -> rusqlite::Result<()> {
    connection.prepare_cached(sql)?.execute([]).map(drop)
}

fn refuse_commits(connection: &mut Connection, refuse: bool) {
    // It fails only for a connection that somebody else closes.
    let _ = connection.commit_hook(refuse.then_some(|| true));
}

fn roll_back(connection: &Connection) {
    if !connection.is_autocommit() {
        // It fails only if there is nothing left to roll back.
        let _ = connection.execute_batch("ROLLBACK");
    }
}

/// Writes over what a failed COMMIT may have left at the end of the write-ahead log. If only its
/// sync failed, it is there whole, and a server that is started after a crash would take it for
/// committed.
fn bury(connection: &Connection) {
    if let Err(error) = open::touch(connection) {
        // By this it is logged, as often as failures are.
        drop(Error::from(error));
    }
}

/// Too many requests of a network wait for a reader or the writer.
pub(super) fn crowded(full: Full) -> Error {
    Error::retry(
        Code::Overloaded,
        full.seconds,
        "too many requests of your network wait already; try again shortly",
    )
}

#[cfg(test)]
mod tests;
