//! Limits: how often something may be tried, how much may be used, and who waits for whom when
//! something is scarce.
//!
//! - [`Counts`] is the interface of the counts that protect people: guesses, sessions, tokens. All
//!   nodes of a cluster will share them (one upsert for each key). Its keys are therefore plain text,
//!   and time is an argument. Nothing else knows where the counts are kept.
//! - [`Storage`] counts what networks add to the disk: how much within a rolling day, not how fast.
//! - [`Throttle`] is for the counts that protect this machine, such as commands. They stay in the
//!   memory of the process.
//! - [`fair`] shares what is scarce on this machine among networks. [`payer()`] is the network on
//!   whose behalf a task runs, and [`requester()`] is its address.
//! - [`LogTally`] bounds how many lines about the same thing are logged.
//!
//! [`Counts`] and [`Throttle`] give each key a burst that refills at a steady rate (the generic
//! cell rate algorithm), in bounded memory.

mod attempt;
mod attempts_under_way;
mod buckets;
mod counts;
pub mod fair;
mod log_tally;
mod payer;
mod rates;
mod storage;
mod throttle;
mod windows;

pub use attempt::Attempt;
pub use counts::{Charge, Counts, Refusal};
pub use log_tally::{Bounds, LogTally, Untold};
pub use payer::{on_behalf_of, payer, requester, step_for};
pub use rates::Rate;
pub use storage::{Author, Receipt, Refused, Storage};
pub use throttle::{Throttle, Wait};
