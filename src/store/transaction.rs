//! Transactions: how statements run in them, and what is counted and noted while they run.

use std::{
    cell::{Cell, RefCell},
    net::IpAddr,
    ops::Deref,
};

use super::{
    effect::Effect,
    engine::{
        connection::{Connection, Row, Statement},
        value::Value,
    },
    size,
};
use crate::{
    error::{Error, Result},
    model::SessionId,
};

/// A transaction that can only read.
pub struct Read<'c> {
    connection: Connection<'c>,
}

/// Statements that read. Their text is the same for every engine. They fail with `storage_failed`
/// if the machine does, and otherwise with `internal_error`.
impl<'c> Read<'c> {
    /// A reader on this connection.
    pub(super) fn new(connection: impl Into<Connection<'c>>) -> Self {
        let connection = connection.into();
        Self { connection }
    }

    /// Whether the engine is in this process, so that a statement costs no round trip.
    pub(super) fn is_local(&self) -> bool {
        self.connection.is_local()
    }

    /// Prepares a statement that runs many times. The functions below do so for one that runs once.
    pub(super) fn prepare(&self, sql: &str) -> Result<Statement<'c>> {
        self.connection.prepare(sql)
    }

    /// Reads the one row that must be there. Fails with `internal_error` if it is not.
    pub(super) fn one<T>(
        &self,
        sql: &str,
        params: &[Value],
        read: impl FnMut(&Row) -> Result<T>,
    ) -> Result<T> {
        self.prepare(sql)?.one(params, read)
    }

    /// Reads the first row. `None`: there is none.
    pub(super) fn optional<T>(
        &self,
        sql: &str,
        params: &[Value],
        read: impl FnMut(&Row) -> Result<T>,
    ) -> Result<Option<T>> {
        self.prepare(sql)?.optional(params, read)
    }

    /// Reads all rows.
    pub(super) fn all<T>(
        &self,
        sql: &str,
        params: &[Value],
        read: impl FnMut(&Row) -> Result<T>,
    ) -> Result<Vec<T>> {
        self.prepare(sql)?.all(params, read)
    }

    /// Reads rows until `look` returns something, and returns that. `None`: no row did.
    pub(super) fn find<T>(
        &self,
        sql: &str,
        params: &[Value],
        look: impl FnMut(&Row) -> Result<Option<T>>,
    ) -> Result<Option<T>> {
        self.prepare(sql)?.find(params, look)
    }

    /// Calls `each` for every row.
    pub(super) fn for_each(
        &self,
        sql: &str,
        params: &[Value],
        each: impl FnMut(&Row) -> Result<()>,
    ) -> Result<()> {
        self.prepare(sql)?.for_each(params, each)
    }

    /// Whether there is a row.
    pub(super) fn exists(&self, sql: &str, params: &[Value]) -> Result<bool> {
        self.prepare(sql)?.exists(params)
    }
}

/// A transaction that can read and write.
pub struct Write<'c> {
    read: Read<'c>,
    pub(super) effects: RefCell<Vec<Effect>>,
    /// The bytes that it has added to the disk.
    added: Cell<u64>,
    /// The session that is charged for those bytes.
    pub(super) author: Cell<Option<SessionId>>,
    /// The address that made the request. `None`: the work is the server's own, or the operator's.
    pub(super) requester: Cell<Option<IpAddr>>,
}

/// Statements that write. They fail like those that read.
impl<'c> Write<'c> {
    /// A writer on this connection.
    pub(super) fn new(connection: impl Into<Connection<'c>>) -> Self {
        let (effects, added, author, requester) = Default::default();
        Self {
            read: Read::new(connection),
            effects,
            added,
            author,
            requester,
        }
    }

    /// Runs a statement that returns no rows. Returns how many rows it has changed.
    pub(super) fn execute(&self, sql: &str, params: &[Value]) -> Result<usize> {
        self.prepare(sql)?.execute(params)
    }

    /// Writes something that changes nothing, to see whether the database can be written.
    pub(super) fn touch(&self) -> Result<()> {
        self.connection.touch()
    }

    /// Like [`Self::execute`]. Fails with `taken` if the statement violates a UNIQUE constraint.
    pub(super) fn execute_unique(
        &self,
        sql: &str,
        params: &[Value],
        taken: impl FnOnce() -> Error,
    ) -> Result<usize> {
        self.prepare(sql)?.execute_unique(params, taken)
    }

    /// Runs a statement once for each of these lists of parameters.
    pub(super) fn execute_each<'v, const N: usize>(
        &self,
        sql: &str,
        each: impl IntoIterator<Item = [Value<'v>; N]>,
    ) -> Result<()> {
        let mut statement = self.prepare(sql)?;
        each.into_iter()
            .try_for_each(|params| statement.execute(&params).map(drop))
    }
}

impl Write<'_> {
    /// Says on behalf of which session the transaction runs. That session is charged for what it
    /// adds.
    pub fn work_for(&self, session: SessionId) {
        self.author.set(Some(session));
    }

    /// The bytes that the transaction has added to the disk so far.
    pub fn added(&self) -> u64 {
        self.added.get()
    }

    /// Counts a row that is added: `values` are the bytes of its texts and hashes, `entries` its
    /// entries in indexes.
    pub(super) fn add_row(&self, values: usize, entries: usize) {
        self.added
            .set(self.added.get() + size::of_row(values, entries));
    }

    /// Counts a text that replaces another one in a row.
    pub(super) fn add_text(&self, text: &str) {
        self.added.set(self.added.get() + text.len() as u64);
    }

    /// Notes what changes in memory once the transaction is committed.
    pub fn effect(&self, effect: Effect) {
        self.effects.borrow_mut().push(effect);
    }
}

impl<'c> Deref for Write<'c> {
    type Target = Read<'c>;

    fn deref(&self) -> &Read<'c> {
        &self.read
    }
}

#[cfg(test)]
impl<'c> Read<'c> {
    /// A reader for a test, outside any transaction.
    pub fn of(connection: impl Into<Connection<'c>>) -> Self {
        Self::new(connection)
    }

    /// The connection, for statements that a test runs itself.
    pub fn sql(&self) -> &'c super::TestConnection {
        self.connection.sqlite()
    }
}

#[cfg(test)]
impl<'c> Write<'c> {
    /// A writer for a test, outside any transaction.
    pub fn of(connection: impl Into<Connection<'c>>) -> Self {
        Self::new(connection)
    }
}
