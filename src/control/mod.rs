//! The operator's control socket. It is a Unix socket beside the database, and only the database's
//! owner may use it. The operator's subcommands reach a running server through it.
//!
//! Each question and each answer is one line of JSON (`protocol`). Lists are read page by page. If
//! no server is running, the subcommand takes the database's lock and does the same work itself
//! (`subcommand`).

mod access;
mod answer;
mod control_socket;
mod protocol;
mod restore;
mod subcommand;
mod table;
mod views;

pub use control_socket::ControlSocket;
pub use subcommand::run_subcommand;
