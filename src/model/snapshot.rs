//! The snapshot: everything that a client needs to start.

use serde::Serialize;
use utoipa::ToSchema;

use super::{ClientView, EventId, SessionId, Timestamp, Unread};

/// The state of a session at one position of the log.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Snapshot {
    /// The caller's session.
    pub session: SessionView,
    /// The caller's client.
    pub client: ClientView,
    /// The channels of the session that the caller may see.
    pub channels: Vec<ChannelView>,
    /// The sessions with which direct messages were exchanged, at most 200. Sessions that this
    /// session has written to precede the others. Within each group, unread conversations precede
    /// read ones, and newer ones precede older ones.
    pub directs: Vec<DirectView>,
    /// The position of the log at this moment. The state includes all events up to it.
    #[schema(value_type = i64)]
    pub cursor: EventId,
    /// The position that this client has acknowledged.
    #[schema(value_type = i64)]
    pub acknowledged: EventId,
}

/// A session as its own clients see it.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct SessionView {
    /// The session's id.
    #[schema(value_type = i64)]
    pub id: SessionId,
    /// The session's nick.
    pub nick: String,
    /// Whether the session has a password.
    pub has_password: bool,
    /// The away message. `null` if the session is not away.
    pub away: Option<String>,
    /// When the session was created.
    #[schema(value_type = String, format = DateTime)]
    pub created_at: Timestamp,
}

/// A channel as one of its members sees it.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct ChannelView {
    /// The channel's name, with its `#`.
    pub name: String,
    /// Mode letters and their parameters, such as `+klnt key 50`.
    pub modes: String,
    /// The topic. `null` if none is set.
    pub topic: Option<TopicView>,
    /// The members, in the order of their nicks. A snapshot shows at most 10,000 members. Beyond
    /// that, its largest channels show only some: the session itself, operators, voiced members,
    /// and those who have been there longest.
    pub members: Vec<MemberView>,
    /// The number of members, if `members` does not have all of them.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub member_count: Option<i64>,
    /// The session's read marker.
    #[schema(value_type = i64)]
    pub read: EventId,
    /// The messages of other sessions after the read marker and since the session joined, up to
    /// the snapshot's cursor.
    pub unread: Unread,
}

/// The topic of a channel.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct TopicView {
    /// The text.
    pub text: String,
    /// The nick that set it.
    pub set_by: String,
    /// When it was set.
    #[schema(value_type = String, format = DateTime)]
    pub set_at: Timestamp,
}

/// A member of a channel.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct MemberView {
    /// The member's nick.
    pub nick: String,
    /// Whether the member is an operator of the channel.
    pub op: bool,
    /// Whether the member has a voice in the channel.
    pub voice: bool,
    /// Whether the member is away.
    pub away: bool,
}

/// A session with which direct messages were exchanged.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct DirectView {
    /// The other session's nick. If that session has ended, its last nick.
    pub nick: String,
    /// The other session's id.
    #[schema(value_type = i64)]
    pub session: SessionId,
    /// The session's read marker.
    #[schema(value_type = i64)]
    pub read: EventId,
    /// The other session's messages after the read marker, up to the snapshot's cursor.
    pub unread: Unread,
    /// Whether the other session has ended.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub ended: bool,
}
