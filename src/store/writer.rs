//! The one writer thread: it takes whatever waits, runs each job in its own savepoint, commits once, applies the effects
//! in memory and then answers all of them. That is group commit: the more wait, the more share one sync of the disk.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Mutex,
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use rusqlite::Connection;
use tokio::sync::{mpsc, oneshot};

use super::{Effect, Observer, Write};
use crate::error::{Code, Error, Result};

/// Jobs waiting for the writer; beyond it callers wait for a place.
const WAITING: usize = 1024;
/// Jobs in one commit, and how long a commit goes on taking more.
const GROUP: usize = 256;
const GROUP_TIME: Duration = Duration::from_millis(20);

/// A piece of work whose type the writer need not know.
trait Job: Send {
    /// Runs it; whether to keep what it did.
    fn run(&mut self, tx: &Write) -> bool;
    /// Puts a failure of the whole in place of its result.
    fn fail(&mut self, error: Error);
    fn answer(self: Box<Self>);
}

struct Work<T, F> {
    work: F,
    result: Option<Result<T>>,
    caller: oneshot::Sender<Result<T>>,
}

impl<T: Send, F: FnMut(&Write) -> Result<T> + Send> Job for Work<T, F> {
    fn run(&mut self, tx: &Write) -> bool {
        self.result = None;
        let result = (self.work)(tx);
        let keep = result.is_ok();
        self.result = Some(result);
        keep
    }

    fn fail(&mut self, error: Error) {
        self.result = Some(Err(error));
    }

    fn answer(self: Box<Self>) {
        let result = self.result.unwrap_or_else(|| Err(Error::internal("a transaction panicked")));
        // A caller that has gone away needs no answer; what was done stays done.
        let _ = self.caller.send(result);
    }
}

pub struct Writer {
    line: Mutex<Option<mpsc::Sender<Box<dyn Job>>>>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

impl Writer {
    pub fn start(connection: Connection, observe: Observer) -> Result<Self> {
        let (line, jobs) = mpsc::channel(WAITING);
        let thread = thread::Builder::new()
            .name("writer".into())
            .spawn(move || work(&connection, jobs, &observe))
            .map_err(Error::internal)?;
        Ok(Self { line: Mutex::new(Some(line)), thread: Mutex::new(Some(thread)) })
    }

    pub async fn run<T, F>(&self, work: F) -> Result<T>
    where
        T: Send + 'static,
        F: FnMut(&Write) -> Result<T> + Send + 'static,
    {
        let stopping = || Error::retry(Code::Overloaded, 5, "the server is stopping");
        let line = self.line.lock().unwrap_or_else(|e| e.into_inner()).clone().ok_or_else(stopping)?;
        let (caller, answer) = oneshot::channel();
        line.send(Box::new(Work { work, result: None, caller })).await.map_err(|_| stopping())?;
        drop(line);
        answer.await.map_err(|_| stopping())?
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

fn work(connection: &Connection, mut line: mpsc::Receiver<Box<dyn Job>>, observe: &Observer) {
    while let Some(first) = line.blocking_recv() {
        let started = Instant::now();
        let mut jobs = Vec::new();
        let more = |taken: usize| match taken {
            0..GROUP if started.elapsed() < GROUP_TIME => line.try_recv().ok(),
            _ => None,
        };
        match commit(connection, &mut jobs, first, more) {
            Ok(effects) => observe(effects),
            // The transaction is gone, and with it all that the group did: each job gets a second chance of its own.
            Err(_) if jobs.len() > 1 => {
                for job in std::mem::take(&mut jobs) {
                    let mut alone = Vec::new();
                    match commit(connection, &mut alone, job, |_| None) {
                        Ok(effects) => observe(effects),
                        Err(error) => alone.iter_mut().for_each(|job| job.fail(error.clone())),
                    }
                    jobs.append(&mut alone);
                }
            }
            Err(error) => jobs.iter_mut().for_each(|job| job.fail(error.clone())),
        }
        jobs.into_iter().for_each(Job::answer);
    }
}

/// Runs `first` and what `more` gives in one transaction; all jobs that were run are in `jobs` afterwards, committed or
/// not.
fn commit(
    connection: &Connection,
    jobs: &mut Vec<Box<dyn Job>>,
    first: Box<dyn Job>,
    mut more: impl FnMut(usize) -> Option<Box<dyn Job>>,
) -> Result<Vec<Effect>> {
    let mut next = Some(first);
    let mut effects = Vec::new();
    let done = (|| {
        connection.execute_batch("BEGIN IMMEDIATE")?;
        while let Some(job) = next.take() {
            jobs.push(job);
            let job = jobs.last_mut().expect("it was just pushed");
            effects.append(&mut savepoint(connection, job.as_mut())?);
            next = more(jobs.len());
        }
        connection.execute_batch("COMMIT")
    })();
    jobs.extend(next);
    done.map(|()| effects).map_err(|error| {
        if !connection.is_autocommit() {
            // It fails only if there is nothing left to roll back.
            let _ = connection.execute_batch("ROLLBACK");
        }
        error.into()
    })
}

/// Runs one job; a refusal, a failure or a panic undoes that job alone. Fails only when the transaction is no longer whole.
fn savepoint(connection: &Connection, job: &mut dyn Job) -> rusqlite::Result<Vec<Effect>> {
    connection.execute_batch("SAVEPOINT job")?;
    let tx = Write::new(connection);
    let kept = catch_unwind(AssertUnwindSafe(|| job.run(&tx))).unwrap_or(false);
    // After some errors (a full disk) SQLite has ended the transaction itself; RELEASE then fails, and so does the group.
    if kept {
        connection.execute_batch("RELEASE job")?;
        return Ok(tx.effects.into_inner());
    }
    connection.execute_batch("ROLLBACK TO job; RELEASE job")?;
    Ok(Vec::new())
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    fn counter() -> (tempfile::TempDir, Arc<Writer>, Connection) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("w.db");
        let open = || Connection::open(&path).unwrap();
        let writer = open();
        writer.execute_batch("PRAGMA journal_mode=WAL; CREATE TABLE n (v INTEGER UNIQUE)").unwrap();
        (dir, Arc::new(Writer::start(writer, Box::new(|_| {})).unwrap()), open())
    }

    fn values(connection: &Connection) -> Vec<i64> {
        let mut statement = connection.prepare("SELECT v FROM n ORDER BY v").unwrap();
        statement.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect()
    }

    fn insert(tx: &Write, v: i64) -> Result<()> {
        Ok(tx.sql.execute("INSERT INTO n VALUES (?1)", [v]).map(drop)?)
    }

    #[tokio::test]
    async fn a_refusal_and_a_panic_undo_their_own_job_alone() {
        let (_dir, writer, reader) = counter();
        let runs = (0..60).map(|v| {
            let writer = writer.clone();
            async move {
                writer
                    .run(move |tx| {
                        insert(tx, v)?;
                        match v % 3 {
                            0 => Ok(()),
                            1 => Err(Error::malformed("refused")),
                            _ => panic!("a bug in one command"),
                        }
                    })
                    .await
            }
        });
        let results = futures_util::future::join_all(runs).await;
        assert_eq!(values(&reader), (0..60).filter(|v| v % 3 == 0).collect::<Vec<_>>());
        assert!(results.iter().enumerate().all(|(v, r)| match (v % 3, r) {
            (0, Ok(())) => true,
            (1, Err(e)) => e.code == Code::MalformedRequest,
            (_, Err(e)) => e.code == Code::InternalError,
            _ => false,
        }));
    }

    #[tokio::test]
    async fn a_group_whose_transaction_ended_is_run_again_one_by_one() {
        let (_dir, writer, reader) = counter();
        let runs = (0..40).map(|v| {
            let writer = writer.clone();
            async move {
                writer
                    .run(move |tx| {
                        insert(tx, v)?;
                        if v == 20 {
                            // What SQLite itself does after some errors.
                            tx.sql.execute_batch("ROLLBACK")?;
                            return Err(Error::internal("the transaction is gone"));
                        }
                        Ok(())
                    })
                    .await
            }
        });
        let results = futures_util::future::join_all(runs).await;
        assert_eq!(values(&reader), (0..40).filter(|v| *v != 20).collect::<Vec<_>>());
        assert!(results.iter().enumerate().all(|(v, result)| result.is_ok() == (v != 20)));
    }

    #[tokio::test]
    async fn stopping_commits_what_was_accepted_and_refuses_the_rest() {
        let (_dir, writer, reader) = counter();
        writer.run(|tx| insert(tx, 1)).await.unwrap();
        writer.stop();
        assert_eq!(writer.run(|tx| insert(tx, 2)).await.unwrap_err().code, Code::Overloaded);
        assert_eq!(values(&reader), [1]);
    }
}
