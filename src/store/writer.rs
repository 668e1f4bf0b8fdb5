//! The one writer thread: it takes whatever waits, runs each job in its own savepoint, commits once, applies the effects
//! in memory and then answers all of them. That is group commit: the more wait, the more share one sync of the disk.
//!
//! If the transaction comes to nothing, its jobs are run again, each in one of its own: what is one job's fault is its own
//! failure. What is nobody's fault (the disk refuses, another process holds the database) fails all that wait, at once.

use std::{
    collections::VecDeque,
    iter,
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

/// A place in the writer's line, for one job. Whoever has it comes after all who had theirs used before.
pub struct Place(mpsc::OwnedPermit<Box<dyn Job>>);

impl Place {
    /// Runs `work` in this place; it is in the line as soon as this is polled.
    pub async fn take<T, F>(self, work: F) -> Result<T>
    where
        T: Send + 'static,
        F: FnMut(&Write) -> Result<T> + Send + 'static,
    {
        let (caller, answer) = oneshot::channel();
        drop(self.0.send(Box::new(Work { work, result: None, caller })));
        answer.await.map_err(|_| stopping())?
    }
}

pub struct Writer {
    line: Mutex<Option<mpsc::Sender<Box<dyn Job>>>>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

impl Writer {
    pub fn start(mut connection: Connection, observe: Observer) -> Result<Self> {
        let (line, jobs) = mpsc::channel(WAITING);
        let thread = thread::Builder::new()
            .name("writer".into())
            .spawn(move || work(&mut connection, jobs, &observe))
            .map_err(Error::internal)?;
        Ok(Self { line: Mutex::new(Some(line)), thread: Mutex::new(Some(thread)) })
    }

    /// Waits for a place in the line.
    pub async fn place(&self) -> Result<Place> {
        let line = self.line().ok_or_else(stopping)?;
        line.reserve_owned().await.map(Place).map_err(|_| stopping())
    }

    /// A place in the line, if there is one at once.
    pub fn free_place(&self) -> Option<Place> {
        self.line()?.try_reserve_owned().ok().map(Place)
    }

    /// None once it is stopping.
    fn line(&self) -> Option<mpsc::Sender<Box<dyn Job>>> {
        self.line.lock().unwrap_or_else(|e| e.into_inner()).clone()
    }

    #[cfg(test)]
    async fn run<T, F>(&self, work: F) -> Result<T>
    where
        T: Send + 'static,
        F: FnMut(&Write) -> Result<T> + Send + 'static,
    {
        self.place().await?.take(work).await
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

fn stopping() -> Error {
    Error::retry(Code::Overloaded, 5, "the server is stopping")
}

/// Why a transaction came to nothing.
enum Failure {
    /// One of its jobs ended it, or they could not be committed together. A job that was alone in it holds the error.
    Jobs,
    /// It could not begin, or the machine would not commit even a job alone: no other would fare better.
    Machine(Error),
}

fn work(connection: &mut Connection, mut line: mpsc::Receiver<Box<dyn Job>>, observe: &Observer) {
    // The jobs of a group whose transaction is gone, and with it all that they did: each has a second chance, alone.
    let mut again = VecDeque::new();
    loop {
        let retried = again.pop_front();
        let alone = retried.is_some();
        let Some(first) = retried.or_else(|| line.blocking_recv()) else { return };
        let started = Instant::now();
        let more = |taken: usize| match taken {
            0..GROUP if !alone && started.elapsed() < GROUP_TIME => line.try_recv().ok(),
            _ => None,
        };
        let mut jobs = vec![first];
        match commit(connection, &mut jobs, more) {
            Ok(effects) => observe(effects),
            Err(Failure::Jobs) if jobs.len() > 1 => again.extend(jobs.drain(..)),
            Err(Failure::Jobs) => {}
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

/// Runs the first of `jobs`, and what `more` gives, in one transaction; all that were run are in `jobs` afterwards,
/// committed or not.
fn commit(
    connection: &mut Connection,
    jobs: &mut Vec<Box<dyn Job>>,
    mut more: impl FnMut(usize) -> Option<Box<dyn Job>>,
) -> Result<Vec<Effect>, Failure> {
    let begun = connection.execute_batch("BEGIN IMMEDIATE");
    begun.map_err(|error| Failure::Machine(error.into()))?;
    // Some errors (a full disk) make SQLite end the transaction, savepoints and all. A job that overlooked one would then
    // commit each further statement by itself: none is committed but by the COMMIT below.
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
    let Err(error) = connection.execute_batch("COMMIT") else { return Ok(effects) };
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

/// Runs one job; a refusal, a failure or a panic undoes that job alone. `None`: the transaction is no longer whole.
fn savepoint(connection: &Connection, job: &mut dyn Job) -> Option<Vec<Effect>> {
    if let Err(error) = run(connection, "SAVEPOINT job") {
        job.fail(error.into());
        return None;
    }
    let tx = Write::new(connection);
    let kept = catch_unwind(AssertUnwindSafe(|| job.run(&tx))).unwrap_or(false);
    // Either fails if the transaction has ended.
    let undone = if kept { Ok(()) } else { run(connection, "ROLLBACK TO job") };
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

/// Writes over what a failed COMMIT may have left at the end of the write-ahead log. If only its sync failed, it is there
/// whole, and a server that is started after a crash would take it for committed.
fn bury(connection: &Connection) {
    if let Err(error) = super::touch(connection) {
        tracing::warn!(%error, "nothing can be written at this moment");
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::model::{ChannelId, SessionId};

    const PATIENCE: Duration = Duration::from_millis(100);

    fn counter() -> (tempfile::TempDir, Arc<Writer>, Connection) {
        counter_with("WAL", |_| {})
    }

    /// A writer, and a connection beside it as another process has it.
    fn counter_with(
        journal: &str,
        observe: impl Fn(Vec<Effect>) + Send + 'static,
    ) -> (tempfile::TempDir, Arc<Writer>, Connection) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("w.db");
        let (writer, other) = (Connection::open(&path).unwrap(), Connection::open(&path).unwrap());
        writer.busy_timeout(PATIENCE).unwrap();
        let tables = "CREATE TABLE n (v INTEGER UNIQUE); CREATE TABLE blob (b);
            CREATE TABLE later (v INTEGER REFERENCES n (v) DEFERRABLE INITIALLY DEFERRED)";
        writer.execute_batch(&format!("PRAGMA journal_mode={journal}; PRAGMA max_page_count=100; {tables}")).unwrap();
        (dir, Arc::new(Writer::start(writer, Box::new(observe)).unwrap()), other)
    }

    fn values(connection: &Connection) -> Vec<i64> {
        let mut statement = connection.prepare("SELECT v FROM n ORDER BY v").unwrap();
        statement.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect()
    }

    fn insert(tx: &Write, v: i64) -> Result<()> {
        Ok(tx.sql.execute("INSERT INTO n VALUES (?1)", [v]).map(drop)?)
    }

    /// Runs jobs numbered from 0, which all wait at once; what each was answered.
    async fn together<T: Send + 'static>(
        writer: &Arc<Writer>,
        count: i64,
        job: impl Fn(&Write, i64) -> Result<T> + Copy + Send + 'static,
    ) -> Vec<Result<T>> {
        futures_util::future::join_all((0..count).map(|v| writer.run(move |tx| job(tx, v)))).await
    }

    fn code<T>(result: &Result<T>) -> Option<Code> {
        result.as_ref().err().map(|error| error.code)
    }

    #[tokio::test]
    async fn a_refusal_and_a_panic_undo_their_own_job_alone() {
        let (_dir, writer, reader) = counter();
        let results = together(&writer, 60, |tx, v| {
            insert(tx, v)?;
            match v % 3 {
                0 => Ok(()),
                1 => Err(Error::malformed("refused")),
                _ => panic!("a bug in one command"),
            }
        });
        for (v, result) in results.await.iter().enumerate() {
            assert_eq!(code(result), [None, Some(Code::MalformedRequest), Some(Code::InternalError)][v % 3]);
        }
        assert_eq!(values(&reader), (0..60).filter(|v| v % 3 == 0).collect::<Vec<_>>());
    }

    #[tokio::test]
    async fn a_refusal_that_records_something_stays_recorded() {
        let (_dir, writer, reader) = counter();
        let results = together(&writer, 10, |tx, v| {
            insert(tx, v)?;
            Ok::<Result<()>, Error>(Err(Error::malformed("refused, and written down")))
        });
        assert!(results.await.iter().all(|result| matches!(result, Ok(Err(_)))));
        assert_eq!(values(&reader), (0..10).collect::<Vec<_>>());
    }

    #[tokio::test]
    async fn a_job_that_ends_the_transaction_fails_alone_and_the_rest_of_its_group_is_run_again() {
        let (_dir, writer, reader) = counter();
        let results = together(&writer, 40, |tx, v| {
            insert(tx, v)?;
            if v == 20 {
                // There is no room for this, and SQLite itself rolls everything back.
                tx.sql.execute("INSERT INTO blob VALUES (zeroblob(1000000))", [])?;
            }
            Ok(())
        });
        for (v, result) in results.await.iter().enumerate() {
            assert_eq!(code(result), (v == 20).then_some(Code::StorageFailed), "{v}");
        }
        assert_eq!(values(&reader), (0..40).filter(|v| *v != 20).collect::<Vec<_>>());
    }

    #[tokio::test]
    async fn a_job_that_overlooks_the_end_of_the_transaction_does_nothing_by_halves() {
        let (_dir, writer, reader) = counter();
        let results = together(&writer, 3, |tx, v| {
            if v == 1 {
                tx.sql.execute("INSERT INTO blob VALUES (zeroblob(1000000))", []).unwrap_err();
                let _ = insert(tx, 100);
            }
            insert(tx, v)
        });
        assert_eq!(results.await.iter().map(Result::is_ok).collect::<Vec<_>>(), [true, false, true]);
        assert_eq!(values(&reader), [0, 2]);
    }

    #[tokio::test]
    async fn a_job_that_cannot_be_committed_fails_alone() {
        let (_dir, writer, reader) = counter();
        let results = together(&writer, 40, |tx, v| {
            if v % 20 == 0 {
                tx.sql.execute("INSERT INTO later VALUES (-1)", [])?;
            }
            insert(tx, v)
        });
        for (v, result) in results.await.iter().enumerate() {
            assert_eq!(code(result), (v % 20 == 0).then_some(Code::InternalError), "{v}");
        }
        assert_eq!(values(&reader), (0..40).filter(|v| v % 20 != 0).collect::<Vec<_>>());
    }

    #[tokio::test]
    async fn while_nothing_can_begin_all_that_waits_fails_at_once_and_later_goes_on() {
        let (_dir, writer, other) = counter();
        other.execute_batch("BEGIN IMMEDIATE").unwrap();
        let started = Instant::now();
        let results = together(&writer, 60, insert).await;
        assert!(results.iter().all(|result| code(result) == Some(Code::StorageFailed)));
        assert!(started.elapsed() < PATIENCE * 30, "each waited for its own turn");
        other.execute_batch("ROLLBACK").unwrap();
        assert!(together(&writer, 60, insert).await.iter().all(Result::is_ok));
        assert_eq!(values(&other), (0..60).collect::<Vec<_>>());
    }

    #[tokio::test]
    async fn while_not_even_one_can_be_committed_all_that_waits_fails_at_once_and_later_goes_on() {
        // Without a write-ahead log whoever reads keeps others from committing.
        let (_dir, writer, other) = counter_with("DELETE", |_| {});
        other.execute_batch("BEGIN; SELECT * FROM n").unwrap();
        let started = Instant::now();
        let results = together(&writer, 60, |tx, v| match v {
            30 => insert(tx, 1),
            v => insert(tx, v),
        });
        let results = results.await;
        assert!(
            results.iter().all(|result| code(result) == Some(Code::StorageFailed)),
            "30 too: what it saw is not so"
        );
        assert!(started.elapsed() < PATIENCE * 30, "each waited for its own turn");
        assert!(values(&other).is_empty());
        other.execute_batch("COMMIT").unwrap();
        assert!(together(&writer, 60, insert).await.iter().all(Result::is_ok));
        assert_eq!(values(&other), (0..60).collect::<Vec<_>>());
    }

    #[tokio::test]
    async fn what_waits_is_committed_in_groups_of_bounded_size() {
        let (sizes, commits) = std::sync::mpsc::channel();
        let (_dir, writer, other) = counter_with("WAL", move |effects| sizes.send(effects.len()).unwrap());
        other.execute_batch("BEGIN IMMEDIATE").unwrap();
        let jobs = together(&writer, 600, |tx, v| {
            tx.effect(Effect::Left { session: SessionId(1), channel: ChannelId(1) });
            insert(tx, v)
        });
        // The jobs are polled first, so they all wait by then.
        let free = async { other.execute_batch("ROLLBACK").unwrap() };
        let (results, ()) = futures_util::future::join(jobs, free).await;
        assert!(results.iter().all(Result::is_ok));
        let sizes: Vec<_> = commits.try_iter().collect();
        assert!(sizes.iter().sum::<usize>() == 600 && sizes.iter().all(|size| *size <= GROUP), "{sizes:?}");
        assert!(sizes.len() < 100, "{} commits are no groups", sizes.len());
    }

    #[tokio::test]
    async fn stopping_commits_what_was_accepted_and_refuses_the_rest() {
        let (_dir, writer, reader) = counter();
        let stop = async { writer.stop() };
        // The jobs are polled first, so they are in the line when it stops.
        let (accepted, ()) = futures_util::future::join(together(&writer, 60, insert), stop).await;
        assert!(accepted.iter().all(Result::is_ok));
        assert_eq!(code(&writer.run(|tx| insert(tx, 60)).await), Some(Code::Overloaded));
        assert_eq!(values(&reader), (0..60).collect::<Vec<_>>());
    }
}
