//! Transactions, and what is counted and noted while they run.

use std::{
    cell::{Cell, RefCell},
    net::IpAddr,
    ops::Deref,
};

use rusqlite::Connection;

use super::{effect::Effect, size};
use crate::model::SessionId;

/// A transaction that can only read.
pub struct Read<'c> {
    pub(super) sql: &'c Connection,
}

#[cfg(test)]
impl<'c> Read<'c> {
    /// A reader for a test, outside any transaction.
    pub fn of(sql: &'c Connection) -> Self {
        Self { sql }
    }

    /// The connection, for statements that a test runs itself.
    pub fn sql(&self) -> &'c Connection {
        self.sql
    }
}

#[cfg(test)]
impl<'c> Write<'c> {
    /// A writer for a test, outside any transaction.
    pub fn of(sql: &'c Connection) -> Self {
        Self::new(sql)
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

impl<'c> Write<'c> {
    pub(super) fn new(sql: &'c Connection) -> Self {
        let (effects, added, author, requester) = Default::default();
        Self {
            read: Read { sql },
            effects,
            added,
            author,
            requester,
        }
    }

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
