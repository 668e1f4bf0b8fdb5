//! IRC as a language: message syntax, the typed [`Command`], replies and their numerics. Pure.

pub mod command;
pub mod glob;
pub mod message;
pub mod mode;
pub mod params;
pub mod reply;
pub mod request;
pub mod verb;

pub use command::{Change, Command, Query};
pub use message::Message;
pub use reply::Reply;
pub use request::Request;
pub use verb::Verb;

#[cfg(test)]
mod properties;
