//! What the tests are written with: servers that start and stop for real, and people as values.

pub mod browser;
mod person;
mod process;
mod server;

pub use person::{Device, Problem, Stream, checked, commands, params};
pub use process::Process;
pub use server::TestServer;
