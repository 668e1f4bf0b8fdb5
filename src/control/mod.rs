//! The operator's door: a socket beside the database, for its owner alone, by which subcommands
//! reach a running server.
//!
//! One JSON line asks, one answers, and so on: a list is asked for page by page. With no server
//! running a subcommand opens the database itself, lock and all, and does the same.

use std::{
    io,
    path::{Path, PathBuf},
};

use serde::Serialize;
use tokio::io::{AsyncWrite, AsyncWriteExt};

use crate::store::files;

mod answer;
mod door;
mod operate;
mod restore;
mod table;
mod views;

pub use door::Door;
pub use operate::operate;

/// The control socket of a database.
fn socket(database: &Path) -> PathBuf {
    files::beside(&files::resolve(database), "sock")
}

/// Writes one line.
async fn say(to: &mut (impl AsyncWrite + Unpin), what: &impl Serialize) -> io::Result<()> {
    let mut line = serde_json::to_string(what)?;
    line.push('\n');
    to.write_all(line.as_bytes()).await
}
