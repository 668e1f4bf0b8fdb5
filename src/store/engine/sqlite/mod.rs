//! SQLite: how its files are opened, locked and read at the same time, how its statements run, and
//! how the database deals with a full disk.

pub(in crate::store) mod backup;
pub(in crate::store) mod error;
pub(in crate::store) mod full_disk;
pub mod lock;
pub(in crate::store) mod open;
pub(in crate::store) mod readers;
mod reserve;
mod statement;
#[cfg(test)]
pub(in crate::store) mod test_database;
pub(in crate::store) mod transactions;

pub use statement::{Statement, touch, value};
