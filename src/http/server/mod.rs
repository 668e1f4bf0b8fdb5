//! Connections: the accept loop, the bytes of each connection, and the limits on both.

pub mod accept;
pub mod connection;
pub mod connection_limits;
pub mod response_limits;
pub mod response_permits;
