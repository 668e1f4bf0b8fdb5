//! The engine of the database. The row functions see only `connection` and `value`, for any engine.
//! [`sqlite`] is the only engine.

pub(super) mod connection;
pub mod files;
pub mod sqlite;
pub(super) mod value;
