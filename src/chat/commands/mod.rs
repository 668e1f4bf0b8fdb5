//! Carrying out commands: what they have in common, and one file for each kind.

mod answer;
mod channel;
mod channel_excerpt;
mod context;
mod execute;
mod label;
mod message;
mod mode;
mod nick_and_quit;
mod password;
mod query;
mod read_marker;
pub mod replies;
mod silence;

pub use answer::Answer;
pub(super) use channel::not_in_channel;
