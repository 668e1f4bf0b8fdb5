//! Ids, each of a type of its own.

use std::fmt;

use serde::{Deserialize, Serialize};

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub i64);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
    )*};
}

ids! {
    /// The id of a session. Never reused.
    SessionId;
    /// The id of a channel. Never reused: a channel that is created again under an old name is
    /// another channel.
    ChannelId;
    /// What events are addressed to: the id of a session or a channel. Both come from one sequence.
    TargetId;
    /// The id of a client. Never reused.
    ClientId;
    /// The position of an event in the log. Never reused. Events are ordered by id, never by time.
    EventId;
    /// The id of an app, which OAuth calls a client. Never reused.
    AppId;
    /// The id of a grant, which says what an app may do as a session. Never reused.
    GrantId;
    /// The position of a revocation. Revocations are numbered in commit order. Never reused.
    RevocationId;
}

impl From<SessionId> for TargetId {
    fn from(id: SessionId) -> Self {
        Self(id.0)
    }
}

impl From<ChannelId> for TargetId {
    fn from(id: ChannelId) -> Self {
        Self(id.0)
    }
}
