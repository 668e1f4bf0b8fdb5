//! The configured limits of sessions and clients.

use std::time::Duration;

/// What sessions and clients may have, and for how long.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Devices of a session, at most.
    pub max_clients: usize,
    /// Channels that a session may be on.
    pub max_channels: usize,
    /// Whether new channels get mode +H, an open history.
    pub channel_history: bool,
    /// Live sessions from one network, at most. `None`: no limit.
    pub max_sessions: Option<i64>,
    /// Whether rate limits apply at all.
    pub rate_limited: bool,
    /// How long a client may be unused before it leaves.
    pub client_idle: Duration,
    /// How long after its last login a client leaves, whether it is used or not.
    pub client_lifetime: Duration,
    /// How long events and tombstones are kept.
    pub retention: Duration,
    /// How long the audit log is kept.
    pub audit_retention: Duration,
}

#[cfg(test)]
impl Limits {
    /// Limits for tests that are about something else.
    pub fn for_test() -> Self {
        let day = Duration::from_hours(24);
        Self {
            max_clients: 16,
            max_channels: 100,
            channel_history: false,
            max_sessions: None,
            rate_limited: false,
            client_idle: day,
            client_lifetime: day,
            retention: day,
            audit_retention: day,
        }
    }
}
