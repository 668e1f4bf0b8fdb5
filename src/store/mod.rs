//! The database: all SQL, in one dialect.
//!
//! [`Store::write`] runs a closure in a transaction on the one writer thread. [`Store::read`] runs
//! one on a read-only connection. There is one file of row functions per table. Such a file writes
//! its own table alone (`log` writes the three of the log: `event`, `address` and `log`;
//! `client_lifetime` writes the table of `client`), and reads at most from others;
//! [`crate::session`] combines them. `queue`, `history`, `joined`, `unread`, `approval`,
//! `retention` and `unreadable` go through several tables and belong to none. Functions that take a
//! [`Read`] only read. Functions that take a [`Write`] change rows, and note what changes in memory
//! as an [`Effect`].
//!
//! Every statement is one text that SQLite and PostgreSQL both take. Flags are written as truth
//! values (`NOT key`, `begun = TRUE`), and parameters are numbered (`?1`).
//!
//! `engine::sqlite` is SQLite: its connections, its lock, and the room on the disk. `rusqlite` is
//! named there, and in `migrate` and `restore`, which work on SQLite's files themselves.

pub mod app;
pub mod app_grant;
mod app_kind;
pub mod app_secret;
pub mod approval;
pub mod audit;
pub mod authorization_code;
pub mod ban;
pub mod channel;
pub mod channel_history;
pub mod client;
pub mod client_lifetime;
pub mod conversation;
mod database;
pub mod device_code;
mod effect;
mod engine;
pub mod history;
pub mod invite;
pub mod joined;
pub mod key_file;
pub mod label;
pub mod log;
pub mod membership;
mod migrate;
pub mod queue;
pub mod read_marker;
pub mod restore;
pub mod retention;
pub mod revocation;
mod row;
pub mod session;
pub mod session_mask;
pub mod silence;
mod size;
pub mod sweep;
pub mod target;
pub mod texts;
pub mod token;
mod transaction;
pub mod unread;
pub mod unreadable;
mod within;
mod write_cost;
mod writer;

pub use database::Store;
pub use effect::{AccessClient, AccessSession, Admission, Effect, Observer, TokenAdmission};
pub use engine::{
    files,
    sqlite::lock::{self, DatabaseLock},
};
pub use transaction::{Read, Write};
pub use write_cost::Priority;
pub use writer::WriteSlot;

#[cfg(test)]
pub use engine::sqlite::test_database::{TestConnection, open_for_test, open_in_memory};
