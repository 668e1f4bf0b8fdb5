//! The rules of channels, messages and delivery.
//!
//! A command goes one way: [`Chat::execute`] → one transaction (state and events) → commit →
//! [`delivery::hub::Hub`] → answer.

pub mod channel_admin;
mod channel_key_guesses;
pub mod channel_list;
pub mod commands;
pub mod delivery;
mod lookalikes;
mod running;
mod snapshot;

pub use commands::Answer;
pub use running::{Chat, Observers};
