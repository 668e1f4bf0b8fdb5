//! The engine: `connection` and `value` are what the row functions see of it, whichever it is.
//! [`sqlite`] is the one that there is.

pub(super) mod connection;
pub mod files;
pub mod sqlite;
pub(super) mod value;
