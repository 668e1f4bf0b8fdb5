//! Limits: how often something may be tried, how much may be used, and who waits for whom when
//! something is scarce.
//!
//! - [`Counts`] is the one interface of the counts that protect people: guesses, sessions, tokens.
//!   Every node of a cluster will share them (one upsert for each key), so its keys are plain text,
//!   and time is an argument. Nothing else knows where the counts are kept.
//! - [`Storage`] is the same for what networks add to the disk: how much within a rolling day, and
//!   not how fast.
//! - [`Throttle`] is for the counts that protect this machine, such as commands: they stay in the
//!   memory of the process.
//! - [`fair`] shares out what is scarce on this machine by network; [`payer()`] is the network that
//!   a task works for, and [`requester()`] the address.
//!
//! Both, but for storage, hold each key to a burst that refills at a steady rate (the generic cell
//! rate algorithm), in bounded memory.

mod attempt;
mod buckets;
mod counts;
pub mod fair;
mod flights;
mod payer;
mod rates;
mod storage;
mod tally;
mod throttle;
mod windows;

pub use attempt::Attempt;
pub use counts::{Charge, Counts, Refusal};
pub use payer::{on_behalf_of, payer, requester, step_for};
pub use rates::Rate;
pub use storage::{Author, Receipt, Refused, Storage};
pub use tally::{Bounds, Tally, Untold};
pub use throttle::{Throttle, Wait};
