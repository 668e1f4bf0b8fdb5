//! Transactions, and what is counted and noted while they run.

use std::{
    cell::{Cell, RefCell},
    net::IpAddr,
    ops::Deref,
};

use rusqlite::Connection;

use super::{effect::Effect, size};
use crate::model::SessionId;

/// A transaction that reads.
pub struct Read<'c> {
    pub(super) sql: &'c Connection,
}

#[cfg(test)]
impl<'c> Read<'c> {
    /// What a test reads, outside any transaction.
    pub fn of(sql: &'c Connection) -> Self {
        Self { sql }
    }

    /// The connection, for what a test looks at or puts there by itself.
    pub fn sql(&self) -> &'c Connection {
        self.sql
    }
}

#[cfg(test)]
impl<'c> Write<'c> {
    /// What a test does, outside any transaction.
    pub fn of(sql: &'c Connection) -> Self {
        Self::new(sql)
    }
}

/// A transaction that writes.
pub struct Write<'c> {
    read: Read<'c>,
    pub(super) effects: RefCell<Vec<Effect>>,
    /// Bytes that it has added to the disk.
    added: Cell<u64>,
    /// The session that is charged for them.
    pub(super) author: Cell<Option<SessionId>>,
    /// The address whose request this is. `None`: the server's own work, or the operator's.
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

    /// Says for which session this is done, and so which one is charged for what it adds.
    pub fn work_for(&self, session: SessionId) {
        self.author.set(Some(session));
    }

    /// Bytes that this has added to the disk so far.
    pub fn added(&self) -> u64 {
        self.added.get()
    }

    /// Counts a row that is added: how many bytes its texts and hashes take, and how many entries
    /// in indexes it has.
    pub(super) fn add_row(&self, values: usize, entries: usize) {
        self.added
            .set(self.added.get() + size::of_row(values, entries));
    }

    /// Counts a text that a row is given in the place of another.
    pub(super) fn add_text(&self, text: &str) {
        self.added.set(self.added.get() + text.len() as u64);
    }

    /// Notes what follows from the commit in memory.
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
