//! Delivery: the hub, which pushes, and a client's queue, which is read or followed.

pub mod hub;
pub mod queue;
