//! Readers that fail, that never end and that are many, and closing while they read.

use std::net::IpAddr;

use super::*;
use crate::{model::SessionId, store::engine::files};

#[tokio::test]
async fn a_reader_that_failed_is_not_used_again_but_one_that_refused_is() {
    let dir = tempfile::tempdir().unwrap();
    let lock = DatabaseLock::for_server(&dir.path().join("r.db")).unwrap();
    let store = Store::open(lock, None, Box::new(|_| {}), |_| Ok(()), Timestamp(0))
        .unwrap()
        .0;
    // A setting that stays with the connection.
    let leave = |error: Error| {
        store.read(|tx| {
            tx.sql().pragma_update(None, "cache_size", 77)?;
            Err::<(), _>(error)
        })
    };
    let found = || {
        store.read(|tx| {
            Ok(tx
                .sql()
                .pragma_query_value(None, "cache_size", |row| row.get::<_, i64>(0))?)
        })
    };
    leave(Error::malformed("refused")).await.unwrap_err();
    assert_eq!(found().await.unwrap(), 77);
    leave(Error::internal("failed")).await.unwrap_err();
    assert_ne!(found().await.unwrap(), 77);
}

/// A store with this many megabytes in it, and its path.
async fn store_of(megabytes: i64) -> (tempfile::TempDir, PathBuf, Arc<Store>) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("r.db");
    let store = Store::open(
        DatabaseLock::for_server(&path).unwrap(),
        None,
        Box::new(|_| {}),
        |_| Ok(()),
        Timestamp(0),
    )
    .unwrap()
    .0;
    let fill = move |tx: &Write| {
        tx.sql().execute_batch("CREATE TABLE filling (bytes)")?;
        (0..megabytes).try_for_each(|_| {
            tx.sql()
                .execute("INSERT INTO filling VALUES (randomblob(1 << 20))", [])
                .map(drop)
                .map_err(Error::from)
        })
    };
    store.write(fill).await.unwrap();
    (dir, path, Arc::new(store))
}

fn assert_one_file(path: &std::path::Path) {
    assert!(
        files::write_ahead_log(path)
            .iter()
            .all(|file| !file.exists()),
        "the write-ahead log is still there"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reader_without_end_is_interrupted_and_the_database_closed() {
    let (_dir, path, store) = store_of(1).await;
    let (begun, begin) = tokio::sync::oneshot::channel();
    let reading = tokio::spawn({
        let store = store.clone();
        async move {
            store
                .read(|tx| -> Result<()> {
                    begun.send(()).unwrap();
                    let endless =
                        "WITH RECURSIVE n(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n) SELECT count(*) FROM n";
                    // Each statement must be interrupted separately.
                    for _ in 0..5 {
                        tx.sql().query_row(endless, [], |row| row.get::<_, i64>(0)).unwrap_err();
                    }
                    Err(Error::internal("interrupted"))
                })
                .await
        }
    });
    begin.await.unwrap();
    store.close(Instant::now()).await;
    assert_one_file(&path);
    assert_eq!(
        reading.await.unwrap().unwrap_err().code,
        crate::error::Code::Overloaded
    );
    assert!(store.read(|_| Ok(())).await.is_err() && store.write(|_| Ok(())).await.is_err());
    DatabaseLock::for_subcommand(&path, "audit")
        .unwrap()
        .expect("the lock is free again");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_that_is_not_done_in_time_leaves_no_half_copy() {
    let (dir, path, store) = store_of(64).await;
    let copy = dir.path().join("copy.db");
    let copying = tokio::spawn({
        let (store, copy) = (store.clone(), copy.clone());
        async move { store.backup(copy).await }
    });
    while !copy.exists() {
        tokio::task::yield_now().await;
    }
    store.close(Instant::now()).await;
    assert_one_file(&path);
    match copying.await.unwrap() {
        Ok(()) => assert!(copy.metadata().unwrap().len() > 64 << 20),
        Err(_) => assert!(!copy.exists()),
    }
}

/// Starts `count` reads for one address, each in a task of its own. They go on until the sender
/// is dropped. Also returns the number of those that have begun.
fn endless(
    store: &Arc<Store>,
    address: IpAddr,
    count: usize,
) -> (std::sync::mpsc::Sender<()>, Arc<Mutex<usize>>) {
    let (end, ended) = std::sync::mpsc::channel::<()>();
    let (ended, begun) = (Arc::new(Mutex::new(ended)), Arc::new(Mutex::new(0)));
    for _ in 0..count {
        let (store, ended, begun) = (store.clone(), ended.clone(), begun.clone());
        tokio::spawn(limits::on_behalf_of(address, async move {
            store
                .read(move |_| {
                    *begun.lock() += 1;
                    // It fails once the sender is gone.
                    while ended.lock().try_recv()
                        != Err(std::sync::mpsc::TryRecvError::Disconnected)
                    {
                        std::thread::yield_now();
                    }
                    Ok(())
                })
                .await
        }));
    }
    (end, begun)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_network_that_reads_without_end_leaves_readers_to_others_and_fills_its_own_line_alone() {
    let (_dir, _, store) = store_of(0).await;
    let [attacker, sibling, stranger] =
        ["2001:db8:1:1::1", "2001:db8:1:2::1", "192.0.2.1"].map(|ip| ip.parse().unwrap());
    let Bounds {
        permits_of_one,
        waiting_of_one,
        ..
    } = readers();
    let (end, begun) = endless(&store, attacker, permits_of_one + waiting_of_one);
    while store.turns.busy() < permits_of_one + waiting_of_one || *begun.lock() < permits_of_one {
        tokio::task::yield_now().await;
    }
    for _ in 0..10 {
        limits::on_behalf_of(stranger, store.read(|_| Ok(())))
            .await
            .unwrap();
    }
    store.read(|_| Ok(())).await.unwrap();
    assert_eq!(*begun.lock(), permits_of_one);
    // The networks of one customer count as one.
    for address in [attacker, sibling] {
        let refused = limits::on_behalf_of(address, store.read(|_| Ok(())))
            .await
            .unwrap_err();
        assert_eq!(refused.code, Code::Overloaded);
    }
    // Another session there waits for its turn. It is not refused because of the session that
    // fills the queue.
    let neighbour = store.read_in(Some(SessionId(1)), |_| Ok(()));
    let mut neighbour = Box::pin(limits::on_behalf_of(attacker, neighbour));
    assert!(
        futures_util::future::poll_immediate(&mut neighbour)
            .await
            .is_none()
    );
    drop(end);
    neighbour.await.unwrap();
}
