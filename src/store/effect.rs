//! What commits mean for what is kept in memory.

use std::sync::Arc;

use crate::{
    model::{
        AppId, Area, Caller, ChannelId, ChannelName, ClientId, EndReason, Event, EventId, GrantId,
        Scopes, SessionId, TargetId, Timestamp,
    },
    secret::SecretHash,
};

/// What a commit means for what is kept in memory. Effects reach the observer in the order of the
/// commits, after the commit and before anyone is answered.
#[derive(Clone, Debug)]
pub enum Effect {
    /// An event is in the log.
    Logged {
        event: Arc<Event>,
        targets: Vec<TargetId>,
    },
    /// A client exists from now on, or has a new secret and a new lifetime; the old secret is dead.
    Admitted(Admission),
    ClientEnded {
        session: SessionId,
        client: ClientId,
        reason: EndReason,
    },
    /// An access token works from now on.
    TokenIssued(Access),
    /// This access token works no more; its grant goes on.
    TokenEnded {
        secret: SecretHash,
    },
    /// No token of this grant works any more.
    GrantEnded {
        grant: GrantId,
    },
    /// The credentials of an app work no more.
    AppEnded,
    Joined {
        session: SessionId,
        channel: ChannelId,
    },
    Left {
        session: SessionId,
        channel: ChannelId,
    },
    ChannelMade {
        channel: ChannelId,
        name: ChannelName,
    },
    ChannelEnded {
        channel: ChannelId,
    },
}

/// A live client as the caller map holds it.
#[derive(Clone, Copy, Debug)]
pub struct Admission {
    pub caller: Caller,
    /// Whether it is a device; an API key's bot is none.
    pub is_device: bool,
    pub secret: SecretHash,
    pub cursor: EventId,
    /// Whether its queue has begun.
    pub begun: bool,
    /// Whether its secret was ever presented.
    pub presented: bool,
    pub seen_at: Timestamp,
    /// From where it comes, if that is known.
    pub area: Option<Area>,
    pub expires_at: Timestamp,
}

/// An access token as the caller map holds it.
#[derive(Clone, Copy, Debug)]
pub struct Access {
    pub secret: SecretHash,
    pub grant: GrantId,
    pub app: AppId,
    /// The session as which it calls; none: it is an app's own.
    pub session: Option<SessionId>,
    /// The client as which it calls; none: its grant has no queue.
    pub client: Option<ClientId>,
    /// Whether it calls by itself; else only beside its app's own.
    pub alone: bool,
    /// The end of that client's lifetime.
    pub client_expires_at: Timestamp,
    /// Of an API key: the device's client that made it, whose use this one's is.
    pub maker: Option<ClientId>,
    /// What it allows, which may be less than its grant does.
    pub scope: Scopes,
    pub created_at: Timestamp,
    pub expires_at: Timestamp,
    /// Whether its first use is to be noted: until then its refresh token is exchanged for the same
    /// pair again.
    pub unsettled: bool,
}

/// Called on the writer thread with the effects of each commit. It must not block.
pub type Observer = Box<dyn Fn(Vec<Effect>) + Send>;
