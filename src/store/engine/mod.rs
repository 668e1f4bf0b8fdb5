//! SQLite: how its files are opened, locked, read at the same time, and kept from filling the disk.

pub(super) mod backup;
pub(super) mod error;
pub mod files;
pub mod lock;
pub(super) mod open;
pub(super) mod readers;
mod reserve;
pub(super) mod room;
