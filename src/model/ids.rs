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
    /// A session. Never reused.
    SessionId;
    /// A channel. Never reused: a channel made anew under an old name is another channel.
    ChannelId;
    /// Where events are addressed: a session's or a channel's id, which come from one sequence.
    TargetId;
    /// A client. Never reused.
    ClientId;
    /// An event's position in the log. Never reused; order is by id, never by time.
    EventId;
    /// An app: what OAuth calls a client. Never reused.
    AppId;
    /// A grant: what an app may do as a session. Never reused.
    GrantId;
    /// A position in the ends of grants, which are numbered in commit order. Never reused.
    GrantEndId;
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
