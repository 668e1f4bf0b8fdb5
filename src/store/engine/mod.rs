//! SQLite: how its files are opened, locked and read at the same time, and how the database deals
//! with a full disk.

pub(super) mod backup;
pub(super) mod error;
pub mod files;
pub(super) mod full_disk;
pub mod lock;
pub(super) mod open;
pub(super) mod readers;
mod reserve;
