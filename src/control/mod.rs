//! The operator's control socket: a Unix socket beside the database, for the database's owner alone,
//! by which subcommands reach a running server.
//!
//! Each question and each answer is one line of JSON (`protocol`). A list is asked for page by
//! page. If no server is running, a subcommand takes the database's lock and does the same work
//! itself (`subcommand`).

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
