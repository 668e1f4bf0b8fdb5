//! Delivery: the hub, which pushes events, and a client's queue, which is polled or streamed.

pub mod hub;
pub mod poll_and_stream;
