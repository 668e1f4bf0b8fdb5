//! The writer with a database of its own: refusals, failures of the machine, and the order of
//! waiting jobs.

use std::{net::IpAddr, sync::Arc, time::Instant};

use rusqlite::Connection;

use super::{groups::GROUP, *};
use crate::{
    model::{ChannelId, SessionId},
    store::{effect::Effect, engine::sqlite::full_disk::Room},
};

impl Writer {
    async fn run<T, F>(&self, work: F) -> Result<T>
    where
        T: Send + 'static,
        F: FnMut(&Write) -> Result<T> + Send + 'static,
    {
        self.write_slot(None)
            .await?
            .take(Priority::Essential, work)
            .await
    }
}

const PATIENCE: Duration = Duration::from_millis(100);

fn counter() -> (tempfile::TempDir, Arc<Writer>, Connection) {
    counter_with("WAL", |_| {})
}

/// A writer, and a second connection like that of another process.
fn counter_with(
    journal: &str,
    observe: impl Fn(Vec<Effect>) + Send + 'static,
) -> (tempfile::TempDir, Arc<Writer>, Connection) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("w.db");
    let (writer, other) = (
        Connection::open(&path).unwrap(),
        Connection::open(&path).unwrap(),
    );
    writer.busy_timeout(PATIENCE).unwrap();
    let tables = "CREATE TABLE n (v INTEGER UNIQUE); CREATE TABLE blob (b);
        CREATE TABLE later (v INTEGER REFERENCES n (v) DEFERRABLE INITIALLY DEFERRED)";
    writer
        .execute_batch(&format!(
            "PRAGMA journal_mode={journal}; PRAGMA max_page_count=100; {tables}"
        ))
        .unwrap();
    (
        dir,
        Arc::new(
            Writer::start(
                Transactions::new(writer, path.clone(), Room::of(&path)),
                Box::new(observe),
            )
            .unwrap(),
        ),
        other,
    )
}

fn values(connection: &Connection) -> Vec<i64> {
    let mut statement = connection.prepare("SELECT v FROM n ORDER BY v").unwrap();
    statement
        .query_map([], |row| row.get(0))
        .unwrap()
        .map(Result::unwrap)
        .collect()
}

fn insert(tx: &Write, v: i64) -> Result<()> {
    Ok(tx
        .sql()
        .execute("INSERT INTO n VALUES (?1)", [v])
        .map(drop)?)
}

/// Runs jobs numbered from 0, which all wait at once. Returns the answer to each.
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
        assert_eq!(
            code(result),
            [
                None,
                Some(Code::MalformedRequest),
                Some(Code::InternalError)
            ][v % 3]
        );
    }
    assert_eq!(
        values(&reader),
        (0..60).filter(|v| v % 3 == 0).collect::<Vec<_>>()
    );
}

#[tokio::test]
async fn a_refusal_that_records_something_stays_recorded() {
    let (_dir, writer, reader) = counter();
    let results = together(&writer, 10, |tx, v| {
        insert(tx, v)?;
        Ok::<Result<()>, Error>(Err(Error::malformed("refused, and written down")))
    });
    assert!(
        results
            .await
            .iter()
            .all(|result| matches!(result, Ok(Err(_))))
    );
    assert_eq!(values(&reader), (0..10).collect::<Vec<_>>());
}

#[tokio::test]
async fn a_job_that_ends_the_transaction_fails_alone_and_the_rest_of_its_group_runs_again() {
    let (_dir, writer, reader) = counter();
    let results = together(&writer, 40, |tx, v| {
        insert(tx, v)?;
        if v == 20 {
            // There is no room for this, and SQLite itself rolls everything back.
            tx.sql()
                .execute("INSERT INTO blob VALUES (zeroblob(1000000))", [])?;
        }
        Ok(())
    });
    for (v, result) in results.await.iter().enumerate() {
        assert_eq!(
            code(result),
            (v == 20).then_some(Code::StorageFailed),
            "{v}"
        );
    }
    assert_eq!(
        values(&reader),
        (0..40).filter(|v| *v != 20).collect::<Vec<_>>()
    );
}

#[tokio::test]
async fn a_job_that_ignores_the_end_of_the_transaction_leaves_nothing_half_done() {
    let (_dir, writer, reader) = counter();
    let results = together(&writer, 3, |tx, v| {
        if v == 1 {
            tx.sql()
                .execute("INSERT INTO blob VALUES (zeroblob(1000000))", [])
                .unwrap_err();
            let _ = insert(tx, 100);
        }
        insert(tx, v)
    });
    assert_eq!(
        results.await.iter().map(Result::is_ok).collect::<Vec<_>>(),
        [true, false, true]
    );
    assert_eq!(values(&reader), [0, 2]);
}

#[tokio::test]
async fn a_job_that_cannot_be_committed_fails_alone() {
    let (_dir, writer, reader) = counter();
    let results = together(&writer, 40, |tx, v| {
        if v % 20 == 0 {
            tx.sql().execute("INSERT INTO later VALUES (-1)", [])?;
        }
        insert(tx, v)
    });
    for (v, result) in results.await.iter().enumerate() {
        assert_eq!(
            code(result),
            (v % 20 == 0).then_some(Code::InternalError),
            "{v}"
        );
    }
    assert_eq!(
        values(&reader),
        (0..40).filter(|v| v % 20 != 0).collect::<Vec<_>>()
    );
}

#[tokio::test]
async fn while_no_transaction_can_begin_all_waiting_jobs_fail_at_once() {
    let (_dir, writer, other) = counter();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    let started = Instant::now();
    let results = together(&writer, 60, insert).await;
    assert!(
        results
            .iter()
            .all(|result| code(result) == Some(Code::StorageFailed))
    );
    assert!(
        started.elapsed() < PATIENCE * 30,
        "each waited for its own time-out"
    );
    other.execute_batch("ROLLBACK").unwrap();
    assert!(
        together(&writer, 60, insert)
            .await
            .iter()
            .all(Result::is_ok)
    );
    assert_eq!(values(&other), (0..60).collect::<Vec<_>>());
}

#[tokio::test]
async fn while_no_transaction_can_be_committed_all_waiting_jobs_fail_at_once() {
    // Without a write-ahead log, a reader keeps others from committing.
    let (_dir, writer, other) = counter_with("DELETE", |_| {});
    other.execute_batch("BEGIN; SELECT * FROM n").unwrap();
    let started = Instant::now();
    let results = together(&writer, 60, |tx, v| match v {
        30 => insert(tx, 1),
        v => insert(tx, v),
    });
    let results = results.await;
    assert!(
        results
            .iter()
            .all(|result| code(result) == Some(Code::StorageFailed)),
        "job 30 too: the transaction that it saw was not committed"
    );
    assert!(
        started.elapsed() < PATIENCE * 30,
        "each waited for its own time-out"
    );
    assert!(values(&other).is_empty());
    other.execute_batch("COMMIT").unwrap();
    assert!(
        together(&writer, 60, insert)
            .await
            .iter()
            .all(Result::is_ok)
    );
    assert_eq!(values(&other), (0..60).collect::<Vec<_>>());
}

#[tokio::test]
async fn waiting_jobs_are_committed_in_groups_of_bounded_size() {
    let (sizes, commits) = std::sync::mpsc::channel();
    let (_dir, writer, other) =
        counter_with("WAL", move |effects| sizes.send(effects.len()).unwrap());
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    let jobs = together(&writer, 600, |tx, v| {
        tx.effect(Effect::Left {
            session: SessionId(1),
            channel: ChannelId(1),
        });
        insert(tx, v)
    });
    // The jobs are polled first, so they all wait by then.
    let free = async { other.execute_batch("ROLLBACK").unwrap() };
    let (results, ()) = futures_util::future::join(jobs, free).await;
    assert!(results.iter().all(Result::is_ok));
    let sizes: Vec<_> = commits.try_iter().collect();
    assert!(
        sizes.iter().sum::<usize>() == 600 && sizes.iter().all(|size| *size <= GROUP),
        "{sizes:?}"
    );
    assert!(sizes.len() < 100, "{} commits are no groups", sizes.len());
}

#[tokio::test]
async fn a_network_that_writes_without_end_delays_only_itself_and_keeps_its_order() {
    let (_dir, writer, reader) = counter();
    let [attacker, sibling, stranger] =
        ["2001:db8:1:1::1", "2001:db8:1:2::1", "192.0.2.1"].map(|ip| ip.parse::<IpAddr>().unwrap());
    let (go, stay) = std::sync::mpsc::channel::<()>();
    let busy = limits::on_behalf_of(
        attacker,
        writer.run(move |_| stay.recv().map_err(Error::internal)),
    );
    // Without tokio's budget. Once it is used up, a task looks at some futures later.
    let flood = (1..=2000).map(|v| {
        tokio::task::unconstrained(limits::on_behalf_of(
            attacker,
            writer.run(move |tx| insert(tx, v)),
        ))
    });
    let mut flood = Box::pin(futures_util::future::join(
        busy,
        futures_util::future::join_all(flood),
    ));
    assert!(
        futures_util::future::poll_immediate(&mut flood)
            .await
            .is_none()
    );
    for (address, free) in [(attacker, false), (sibling, false), (stranger, true)] {
        assert_eq!(
            limits::on_behalf_of(address, async { writer.free_write_slot().is_some() }).await,
            free
        );
    }
    let mut other = Box::pin(limits::on_behalf_of(
        stranger,
        writer.run(|tx| insert(tx, 0)),
    ));
    assert!(
        futures_util::future::poll_immediate(&mut other)
            .await
            .is_none()
    );
    go.send(()).unwrap();
    let ((busy, flood), other) = futures_util::future::join(flood, other).await;
    assert!(
        busy.is_ok() && other.is_ok() && flood.iter().all(Result::is_ok),
        "no job is refused"
    );
    let mut order = reader.prepare("SELECT v FROM n ORDER BY rowid").unwrap();
    let mut order = order
        .query_map([], |row| row.get(0))
        .unwrap()
        .map(Result::unwrap)
        .collect::<Vec<i64>>();
    let position = order.iter().position(|v| *v == 0).unwrap();
    assert!(
        position < SLOTS.permits_of_one,
        "{position} of the attacker's jobs came first"
    );
    order.remove(position);
    assert!(order.is_sorted());
}

#[tokio::test]
async fn stopping_commits_accepted_jobs_and_refuses_the_rest() {
    let (_dir, writer, reader) = counter();
    let stop = async { writer.stop() };
    // The jobs are polled first, so they are in the queue when the writer stops.
    let (accepted, ()) = futures_util::future::join(together(&writer, 60, insert), stop).await;
    assert!(accepted.iter().all(Result::is_ok));
    assert_eq!(
        code(&writer.run(|tx| insert(tx, 60)).await),
        Some(Code::Overloaded)
    );
    assert_eq!(values(&reader), (0..60).collect::<Vec<_>>());
}
