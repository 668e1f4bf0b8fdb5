//! The writer's transactions: each runs a group of jobs, every job in a savepoint of its own.
//!
//! Some errors (a full disk) make SQLite end the transaction, savepoints and all. If a job
//! overlooks such an error, each further statement would be committed separately. Therefore only
//! the COMMIT of the group may commit.

use std::path::PathBuf;

use rusqlite::Connection;

use super::{super::connection, full_disk::Room, open, statement::touch};
use crate::{
    error::{Code, Error, Result},
    model::Timestamp,
    store::write_cost::Priority,
};

/// The writer's connection, and the transaction that it is in.
pub struct Transactions {
    connection: Connection,
    path: PathBuf,
    /// The room on the disk.
    pub room: Room,
}

impl Transactions {
    /// Opens the database at `path`, and creates or upgrades it where needed. On a full disk it
    /// uses the reserve. Fails with `storage_failed` if that does not help, and with
    /// `internal_error` if the database is not usable.
    pub fn open(path: PathBuf, now: Timestamp) -> Result<Self> {
        let mut room = Room::of(&path);
        loop {
            match open::writer(&path, now) {
                Err(error)
                    if error.code == Code::StorageFailed && room.make_room(Priority::Essential) => {
                }
                opened => return Ok(Self::new(opened?, path, room)),
            }
        }
    }

    /// The transactions of the database at `path`.
    pub(in crate::store) fn new(connection: Connection, path: PathBuf, room: Room) -> Self {
        Self {
            connection,
            path,
            room,
        }
    }

    /// The connection, for the statements of jobs.
    pub fn connection(&self) -> connection::Connection<'_> {
        (&self.connection).into()
    }

    /// Runs `work` in a transaction of its own, and undoes it if it fails.
    pub fn alone<T>(
        &self,
        work: impl FnOnce(connection::Connection<'_>) -> Result<T>,
    ) -> Result<T> {
        let transaction = self.connection.unchecked_transaction()?;
        let done = work((&transaction).into())?;
        transaction.commit()?;
        Ok(done)
    }

    /// Checks once in a while whether there is room on the disk.
    pub fn review_room(&mut self) {
        self.room.review(&self.connection);
    }

    /// Begins a transaction. Fails with `storage_failed` or `internal_error`.
    pub fn begin(&mut self) -> Result<()> {
        self.connection.execute_batch("BEGIN IMMEDIATE")?;
        self.refuse_commits(true);
        Ok(())
    }

    /// Begins a job. Fails if the transaction has ended.
    pub fn begin_job(&self) -> Result<()> {
        self.run("SAVEPOINT job")
    }

    /// Ends a job, and undoes it unless `keep`. Fails if the transaction has ended.
    pub fn end_job(&self, keep: bool) -> Result<()> {
        if !keep {
            self.run("ROLLBACK TO job")?;
        }
        self.run("RELEASE job")
    }

    /// Commits. If that fails, nothing took effect. Fails with `storage_failed` or
    /// `internal_error`.
    pub fn commit(&mut self) -> Result<()> {
        self.refuse_commits(false);
        self.connection.execute_batch("COMMIT").map_err(|error| {
            self.roll_back();
            self.bury();
            error.into()
        })
    }

    /// Undoes the transaction, if there still is one.
    pub fn roll_back(&self) {
        if !self.connection.is_autocommit() {
            // This fails only if there is nothing left to roll back.
            let _ = self.connection.execute_batch("ROLLBACK");
        }
    }

    /// Closes the database.
    pub fn close(mut self) {
        open::close(self.connection, &self.path, &mut self.room);
    }

    /// Writes over what a failed COMMIT may have left at the end of the write-ahead log. If only
    /// the sync of the log failed, the transaction is there whole, and after a crash the next
    /// server would take it for committed.
    fn bury(&self) {
        if let Err(error) = touch(&self.connection) {
            // Creating the error logs it, at the rate at which failures are logged.
            drop(Error::from(error));
        }
    }

    fn refuse_commits(&mut self, refuse: bool) {
        // This fails only if the connection is closed.
        let _ = self.connection.commit_hook(refuse.then_some(|| true));
    }

    /// Runs a statement that every job needs and that is therefore kept prepared.
    fn run(&self, sql: &str) -> Result<()> {
        self.connection.prepare_cached(sql)?.execute([])?;
        Ok(())
    }
}
