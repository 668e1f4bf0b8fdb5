//! The rules of channels, messages and delivery.
//!
//! A command goes one way: [`Chat::execute`] → one transaction (state and events) → commit →
//! [`hub::Hub`] → answer.

mod act;
mod channel;
pub mod channel_admin;
mod channel_keys;
pub mod channel_list;
mod excerpts;
mod execute;
pub mod hub;
mod label;
mod lookalikes;
mod marks;
mod modes;
mod pass;
mod query;
pub mod queue;
pub mod replies;
mod running;
mod session;
mod silence;
pub mod snapshot;
mod talk;

pub use act::Answer;
pub use running::{Chat, Observers};
