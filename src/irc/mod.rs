//! IRC as a language: message syntax, the typed [`Command`], replies and their numerics. Pure.

/// The typed [`Command`].
pub mod command;
/// Matching of masks with `*` and `?`.
pub mod glob;
/// The message before it is parsed as a command, and its line form.
pub mod message;
/// Channel modes and masks.
pub mod mode;
/// The parsers of each verb's parameters.
pub mod params;
/// Replies and their numerics.
pub mod reply;
/// The parsed [`Request`].
pub mod request;
/// The table of verbs.
pub mod verb;

pub use command::{Change, Command, Query};
pub use message::Message;
pub use reply::Reply;
pub use request::Request;
pub use verb::Verb;

#[cfg(test)]
mod properties;
