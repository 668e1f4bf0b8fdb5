//! The table of the limits that protect people: how much is allowed at once, and how fast it
//! refills.

use std::time::Duration;

use crate::{audit::Limit, model::NetworkWidth};

/// A burst that refills at a steady rate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    /// How much is allowed at once.
    pub burst: u32,
    /// The time in which one more is allowed.
    pub every: Duration,
}

impl Rate {
    /// The rate of a limit. `docs/limits.md` has the same numbers.
    pub fn of(limit: Limit) -> Self {
        let (burst, seconds) = match limit {
            Limit::Tokens | Limit::OwnTokens => {
                return Self {
                    burst: 1000,
                    every: Duration::from_millis(100),
                };
            }
            Limit::Address => (20, 15),
            Limit::Nick => (50, 30),
            Limit::NickAndAddress | Limit::Session => (10, 30),
            Limit::Passwords => (30, 30),
            Limit::Logins => (100, 30),
            Limit::NewSessions => (100, 10),
            Limit::Keys => (100, 60),
            Limit::Apps | Limit::FastPolls | Limit::Codes => (60, 10),
            Limit::DeviceCodes => (30, 20),
            Limit::UserCodes | Limit::ChannelKeys => (20, 15),
            Limit::SessionUserCodes | Limit::SessionChannelKeys => (10, 30),
            Limit::FurtherUserCodes => (60, 15),
            Limit::AllUserCodes => (1000, 1),
            Limit::Channel => (50, 30),
            // These are counted elsewhere, by `Throttle` and by `Storage`.
            Limit::Commands | Limit::Bytes | Limit::Storage => (u32::MAX, 0),
        };
        Self {
            burst,
            every: Duration::from_secs(seconds),
        }
    }

    /// The higher rate of a wider network.
    pub fn widened(self, width: NetworkWidth) -> Self {
        let factor = width.factor();
        Self {
            burst: self.burst.saturating_mul(factor),
            every: self.every / factor,
        }
    }
}
