//! The engine: `connection` and `value` are what the row functions see of it, whichever it is. The
//! other files are SQLite: how its files are opened, locked and read at the same time, how its
//! statements run, and how the database deals with a full disk.

pub(super) mod backup;
pub(super) mod connection;
pub(super) mod error;
pub mod files;
pub(super) mod full_disk;
pub mod lock;
pub(super) mod open;
pub(super) mod readers;
mod reserve;
mod sqlite;
#[cfg(test)]
pub(super) mod test_database;
pub(super) mod transactions;
pub(super) mod value;
