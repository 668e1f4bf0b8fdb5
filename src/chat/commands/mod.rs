//! Carrying out commands: what they have in common, and one file for each family of verbs.

mod answer;
mod channel;
mod channel_excerpt;
mod client;
mod context;
mod execute;
mod families;
mod join;
mod label;
mod lookup;
mod message;
mod mode;
mod nick_and_away;
mod password;
mod read_marker;
pub mod replies;
mod silence;

pub use answer::Answer;
pub(super) use channel::not_in_channel;
pub use families::longest_answer;
