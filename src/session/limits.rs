//! What sessions and clients may have.

use std::time::Duration;

/// What a session and a client may have, and for how long.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Clients of a session.
    pub max_clients: usize,
    /// Channels a session is on.
    pub max_channels: usize,
    /// Whether new channels are +H.
    pub channel_history: bool,
    /// Live sessions made from one network; without it, as many as they like.
    pub max_sessions: Option<i64>,
    /// Whether tries and what is made are limited at all.
    pub tries: bool,
    /// A client unused for this long leaves.
    pub client_idle: Duration,
    /// A client leaves after this long in any case.
    pub client_lifetime: Duration,
    /// How long events and tombstones are kept.
    pub retention: Duration,
    /// How long the audit log is kept.
    pub audit_retention: Duration,
}

#[cfg(test)]
impl Limits {
    /// What a test has where limits are not the point.
    pub fn for_test() -> Self {
        let day = Duration::from_hours(24);
        Self {
            max_clients: 16,
            max_channels: 100,
            channel_history: false,
            max_sessions: None,
            tries: false,
            client_idle: day,
            client_lifetime: day,
            retention: day,
            audit_retention: day,
        }
    }
}
