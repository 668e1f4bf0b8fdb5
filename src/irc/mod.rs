//! IRC as a language: message syntax, verbs, the typed [`Command`], replies and their numerics.
//! Pure.

/// The typed [`Command`], and the table of verbs.
pub mod command;
/// Matching of masks with `*` and `?`.
pub mod glob;
/// The masks of bans and of SILENCE.
pub mod mask;
/// The message before it is parsed as a command, and its line form.
pub mod message;
/// Channel modes.
pub mod mode;
/// Parsers of parameters that several verbs have.
pub mod params;
/// Replies to the caller.
pub mod reply;
/// The parsed [`Request`].
pub mod request;
/// A row of the table of verbs.
pub mod verb;
/// The verbs, in families: commands, rows of the table, parsers, numerics.
pub mod verbs;

pub use command::{Change, Command, Query};
pub use message::Message;
pub use reply::Reply;
pub use request::Request;

#[cfg(test)]
mod properties;
