//! Connections that only read: a few that are used again and again, and those of backups.
//!
//! All of them must be closed before the writer's connection, because only then does SQLite fold
//! its write-ahead log into the database and remove it. A reader at work gets some time to finish,
//! and is interrupted after that.

use std::{
    collections::HashMap,
    ops::Deref,
    path::PathBuf,
    time::{Duration, Instant},
};

use parking_lot::{Condvar, Mutex, MutexGuard};
use rusqlite::{Connection, InterruptHandle};

use super::open;
use crate::{
    error::{Code, Error, Result},
    store::transaction::Read,
};

/// How long a reader may take to notice that it was interrupted.
const INTERRUPTED: Duration = Duration::from_secs(2);
/// The time between two interruptions. Each one ends only the statement that runs, and the work may
/// go on with its next statement.
const AGAIN: Duration = Duration::from_millis(20);

/// The readers of a database.
pub struct Readers {
    /// The path of the database.
    pub path: PathBuf,
    /// Locked to take or return a connection, never while one is used.
    state: Mutex<State>,
    returned: Condvar,
}

#[derive(Default)]
struct State {
    idle: Vec<Connection>,
    /// The connections in use, by the number of their lease.
    busy: HashMap<u64, InterruptHandle>,
    next: u64,
    closed: bool,
}

/// A connection in use. Dropping it closes the connection.
pub struct Lease<'r> {
    readers: &'r Readers,
    number: u64,
    connection: Option<Connection>,
}

impl Readers {
    /// Readers of the database at `path`. Connections are opened when they are needed.
    pub fn new(path: PathBuf) -> Self {
        Self {
            path,
            state: Mutex::default(),
            returned: Condvar::new(),
        }
    }

    /// Runs `work` in a read-only transaction. Fails with `overloaded` when the server is stopping.
    pub fn run<T>(&self, work: impl FnOnce(&Read) -> Result<T>) -> Result<T> {
        let lease = self.lease()?;
        let transaction = lease.unchecked_transaction()?;
        let result = work(&Read::new(&transaction));
        let ended = transaction.finish();
        let failed = result.as_ref().is_err_and(Error::is_failure);
        if failed && self.lock().closed {
            // The work was interrupted, or it met what is being closed.
            return Err(stopping());
        }
        // A connection that failed is closed, in case something is wrong with it.
        if ended.is_ok() && !failed {
            lease.give_back();
        }
        result
    }

    /// Takes an idle connection or opens one. Fails with `overloaded` when the server is stopping.
    pub fn lease(&self) -> Result<Lease<'_>> {
        let idle = {
            let mut state = self.lock();
            if state.closed {
                return Err(stopping());
            }
            state.idle.pop()
        };
        let connection = idle.map_or_else(|| open::reader(&self.path), Ok)?;
        let mut state = self.lock();
        if state.closed {
            return Err(stopping());
        }
        let number = state.next;
        state.next += 1;
        state.busy.insert(number, connection.get_interrupt_handle());
        Ok(Lease {
            readers: self,
            number,
            connection: Some(connection),
        })
    }

    /// Closes all connections: idle ones at once, busy ones when they are done. At `deadline` it
    /// interrupts those that are still busy. Returns whether all are closed.
    pub fn close(&self, deadline: Instant) -> bool {
        let mut state = self.lock();
        state.closed = true;
        state.idle.clear();
        while !state.busy.is_empty() {
            let now = Instant::now();
            if now >= deadline + INTERRUPTED {
                return false;
            }
            let wait = if now < deadline {
                deadline - now
            } else {
                state.busy.values().for_each(InterruptHandle::interrupt);
                AGAIN
            };
            self.returned.wait_for(&mut state, wait);
        }
        true
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock()
    }
}

impl Lease<'_> {
    /// Makes the connection idle, for others to use.
    fn give_back(mut self) {
        let mut state = self.readers.lock();
        if !state.closed {
            state.idle.extend(self.connection.take());
        }
    }
}

impl Deref for Lease<'_> {
    type Target = Connection;

    fn deref(&self) -> &Connection {
        self.connection
            .as_ref()
            .expect("it is there until it is given back")
    }
}

impl Drop for Lease<'_> {
    fn drop(&mut self) {
        // The connection is closed before it is counted as closed.
        drop(self.connection.take());
        self.readers.lock().busy.remove(&self.number);
        self.readers.returned.notify_all();
    }
}

fn stopping() -> Error {
    Error::retry(Code::Overloaded, 5, "the server is stopping")
}
