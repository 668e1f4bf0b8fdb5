//! Effects: what a commit changes in memory.

use std::sync::Arc;

use crate::{
    model::{
        AppId, Area, Caller, ChannelId, ChannelName, ClientId, EndReason, Event, EventId, GrantId,
        Granted, SessionId, TargetId, Timestamp,
    },
    secret::SecretHash,
};

/// What a commit changes in memory (caller map, hub). Effects reach the observer in the order of
/// the commits, after the commit and before its callers are answered.
#[derive(Clone, Debug)]
pub enum Effect {
    /// An event is in the log.
    Logged {
        /// The event.
        event: Arc<Event>,
        /// Its targets.
        targets: Vec<TargetId>,
    },
    /// A client exists from now on, or has a new secret and a new lifetime. An old secret is dead.
    Admitted(Admission),
    /// A client has left.
    ClientEnded {
        /// Its session.
        session: SessionId,
        /// The client.
        client: ClientId,
        /// Why it left.
        reason: EndReason,
    },
    /// An access token works from now on.
    TokenIssued(TokenAdmission),
    /// This access token no longer works. Its grant goes on.
    TokenEnded {
        /// The hash of the token.
        secret: SecretHash,
    },
    /// No token of this grant works any more.
    GrantEnded {
        /// The grant.
        grant: GrantId,
    },
    /// The credentials of some app no longer work.
    AppEnded,
    /// A session has joined a channel.
    Joined {
        /// The session.
        session: SessionId,
        /// The channel.
        channel: ChannelId,
    },
    /// A session has left a channel.
    Left {
        /// The session.
        session: SessionId,
        /// The channel.
        channel: ChannelId,
    },
    /// A channel was created.
    ChannelMade {
        /// The channel.
        channel: ChannelId,
        /// Its name.
        name: ChannelName,
    },
    /// A channel has ended.
    ChannelEnded {
        /// The channel.
        channel: ChannelId,
    },
}

/// The part of a live client that the caller map keeps.
#[derive(Clone, Copy, Debug)]
pub struct Admission {
    /// Who calls with the secret.
    pub caller: Caller,
    /// The hash of its secret.
    pub secret: SecretHash,
    /// How far it has acknowledged its queue.
    pub cursor: EventId,
    /// Whether its queue has begun.
    pub begun: bool,
    /// Whether its secret was ever presented.
    pub presented: bool,
    /// When it was last used.
    pub seen_at: Timestamp,
    /// Where it was last used from, if known.
    pub area: Option<Area>,
    /// When it expires.
    pub expires_at: Timestamp,
}

/// The part of an access token that the caller map keeps.
#[derive(Clone, Copy, Debug)]
pub struct TokenAdmission {
    /// The hash of the token.
    pub secret: SecretHash,
    /// The grant that issued it, and what the token allows.
    pub granted: Granted,
    /// The app of the grant.
    pub app: AppId,
    /// As whom it calls. `None`: it is an app's own token.
    pub session: Option<AccessSession>,
    /// Whether it works alone. Otherwise the app's own credentials must come with it.
    pub alone: bool,
    /// When it was issued.
    pub created_at: Timestamp,
    /// When it expires.
    pub expires_at: Timestamp,
    /// Whether its first use must be recorded. Until then its refresh token can be exchanged for
    /// the same pair again.
    pub unsettled: bool,
}

/// The session as which an access token calls.
#[derive(Clone, Copy, Debug)]
pub struct AccessSession {
    /// The session.
    pub id: SessionId,
    /// The client as which the token calls. `None`: its grant has no queue.
    pub client: Option<AccessClient>,
}

/// The client as which an access token calls.
#[derive(Clone, Copy, Debug)]
pub struct AccessClient {
    /// The client.
    pub id: ClientId,
    /// When the client expires.
    pub expires_at: Timestamp,
    /// For an API key's bot: the device that created the key. A use of the token counts as a use of
    /// that device.
    pub key_created_by: Option<ClientId>,
}

/// Called on the writer thread with the effects of each commit. It must not block.
pub type Observer = Box<dyn Fn(Vec<Effect>) + Send>;
