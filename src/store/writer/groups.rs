//! What the writer thread does: it runs the waiting jobs in groups, one transaction for each.

use std::{
    collections::VecDeque,
    iter,
    panic::{AssertUnwindSafe, catch_unwind},
    time::{Duration, Instant},
};

use tokio::sync::mpsc;

use super::job::{Job, WAITING};
use crate::{
    error::{Code, Error, Result},
    store::{
        effect::{Effect, Observer},
        engine::sqlite::transactions::Transactions,
        transaction::Write,
    },
};

/// The most jobs in one commit.
pub const GROUP: usize = 256;
/// How long one commit goes on taking jobs.
const GROUP_TIME: Duration = Duration::from_millis(20);

/// Why a transaction failed.
enum Failure {
    /// One of its jobs ended it, or its jobs could not be committed together. If there was only one
    /// job, that job holds the error.
    Jobs,
    /// It could not begin, or the machine would not commit even a single job. Other jobs would fail
    /// too.
    Machine(Error),
}

/// Runs jobs until nobody can send any more, and all that waited are answered.
pub fn run(
    transactions: &mut Transactions,
    mut line: mpsc::UnboundedReceiver<Box<dyn Job>>,
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
        transactions.review_room();
        let Some(first) = admitted(first, transactions) else {
            continue;
        };
        let started = Instant::now();
        let more = |taken: usize, transactions: &Transactions| {
            let goes_on = || taken < GROUP && !alone && started.elapsed() < GROUP_TIME;
            iter::from_fn(|| goes_on().then(|| line.try_recv().ok()).flatten())
                .find_map(|job| admitted(job, transactions))
        };
        let mut jobs = vec![first];
        let committed = commit(transactions, &mut jobs, more);
        let room = &mut transactions.room;
        let failed = match &committed {
            Ok(_) => false,
            Err(Failure::Jobs) => jobs.iter().any(|job| job.is_failed()),
            Err(Failure::Machine(error)) => error.code == Code::StorageFailed,
        };
        match committed {
            Ok(effects) => {
                jobs.iter().for_each(|job| room.note(job.cost()));
                observe(effects);
            }
            Err(Failure::Jobs) if jobs.len() > 1 => again.extend(jobs.drain(..)),
            // The job was alone, and there is room for it now.
            Err(_) if failed && room.make_room(jobs[0].cost().priority) => {
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
fn admitted(mut job: Box<dyn Job>, transactions: &Transactions) -> Option<Box<dyn Job>> {
    let Some(refusal) = transactions.room.refusal(job.cost()) else {
        return Some(job);
    };
    job.fail(refusal);
    job.answer();
    None
}

/// Runs the first of `jobs`, and those that `more` returns, in one transaction. Afterwards `jobs`
/// contains all jobs that were run, committed or not.
fn commit(
    transactions: &mut Transactions,
    jobs: &mut Vec<Box<dyn Job>>,
    mut more: impl FnMut(usize, &Transactions) -> Option<Box<dyn Job>>,
) -> Result<Vec<Effect>, Failure> {
    transactions.begin().map_err(Failure::Machine)?;
    let mut effects = Vec::new();
    while let Some(job) = jobs.last_mut() {
        let Some(own) = run_job(transactions, job.as_mut()) else {
            transactions.roll_back();
            return Err(Failure::Jobs);
        };
        effects.extend(own);
        match more(jobs.len(), transactions) {
            Some(job) => jobs.push(job),
            None => break,
        }
    }
    let Err(error) = transactions.commit() else {
        return Ok(effects);
    };
    match jobs.as_mut_slice() {
        [_] if error.code == Code::StorageFailed => return Err(Failure::Machine(error)),
        [job] => job.fail(error),
        _ => {}
    }
    Err(Failure::Jobs)
}

/// Runs one job. A refusal, a failure or a panic undoes that job alone. `None`: the transaction is
/// not whole any more.
fn run_job(transactions: &Transactions, job: &mut dyn Job) -> Option<Vec<Effect>> {
    if let Err(error) = transactions.begin_job() {
        job.fail(error);
        return None;
    }
    let tx = Write::new(transactions.connection());
    let kept = catch_unwind(AssertUnwindSafe(|| job.run(&tx))).unwrap_or(false);
    if job.is_failed() {
        // It may be run again, and it stays before the jobs that came after it.
        return None;
    }
    let effects = tx.effects.into_inner();
    match transactions.end_job(kept) {
        Ok(()) if kept => Some(effects),
        Ok(()) => Some(Vec::new()),
        Err(error) => {
            if kept {
                job.fail(error);
            }
            None
        }
    }
}
