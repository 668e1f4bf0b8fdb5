//! Databases for tests of the code above the engine.

use std::path::Path;

use super::open;
use crate::{model::Timestamp, store::migrate};

/// A connection to a database for a test, which also runs statements of its own.
pub type TestConnection = rusqlite::Connection;

/// A database for a test, created at this path.
pub fn open_for_test(path: &Path) -> TestConnection {
    open::writer(path, Timestamp(0)).unwrap()
}

/// A database for a test, in memory, with nothing but the schema.
pub fn open_in_memory() -> TestConnection {
    let mut connection = TestConnection::open_in_memory().unwrap();
    let foreign_keys = connection.pragma_update(None, "foreign_keys", "on");
    foreign_keys.unwrap();
    migrate::run(&mut connection).unwrap();
    connection
}
