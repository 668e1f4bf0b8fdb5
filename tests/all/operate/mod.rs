//! What an operator does and sees: subcommands, the log, keys, backups and stops.

mod admin;
mod audit_log;
mod channel_subcommand;
mod control_socket;
mod database_lock;
mod key_file;
mod log_secrets;
mod proxies;
mod restore;
mod shutdown;
mod subcommands;
