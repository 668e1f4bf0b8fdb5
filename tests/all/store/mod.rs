//! The database: its file, its faults, and what survives a crash.

mod crash;
mod database_file;
mod early_deletion;
mod faults;
mod full_disk;
