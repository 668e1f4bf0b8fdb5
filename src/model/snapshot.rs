//! The snapshot as it is shown: all that a client needs to know at once.

use serde::Serialize;
use utoipa::ToSchema;

use super::{ClientView, EventId, SessionId, Timestamp, Unread};

/// The state of a session at one position of the log.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Snapshot {
    pub session: SessionView,
    pub client: ClientView,
    pub channels: Vec<ChannelView>,
    /// The sessions with which direct messages were exchanged, at most 200: those first to which
    /// this session has written, of these the unread, of these the newest.
    pub directs: Vec<DirectView>,
    /// The log's position at this moment: events up to it are in the state already.
    #[schema(value_type = i64)]
    pub cursor: EventId,
    /// This client's acknowledged position.
    #[schema(value_type = i64)]
    pub acknowledged: EventId,
}

#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct SessionView {
    #[schema(value_type = i64)]
    pub id: SessionId,
    pub nick: String,
    pub has_password: bool,
    /// The text one is away with.
    pub away: Option<String>,
    #[schema(value_type = String, format = DateTime)]
    pub created_at: Timestamp,
}

#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct ChannelView {
    pub name: String,
    /// Mode letters and their parameters, as `+klnt key 50`.
    pub modes: String,
    pub topic: Option<TopicView>,
    /// Those on it, in the order of their nicks. Where a snapshot would show more than 10,000
    /// people, its largest channels show some of theirs: the session itself, ops, voiced ones, and
    /// those who have been there longest.
    pub members: Vec<MemberView>,
    /// How many are on it, where `members` are not all of them.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub member_count: Option<i64>,
    /// The session's read mark.
    #[schema(value_type = i64)]
    pub read: EventId,
    /// What others said past it, up to the snapshot's cursor, in the present stay.
    pub unread: Unread,
}

#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct TopicView {
    pub text: String,
    pub set_by: String,
    #[schema(value_type = String, format = DateTime)]
    pub set_at: Timestamp,
}

#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct MemberView {
    pub nick: String,
    pub op: bool,
    pub voice: bool,
    pub away: bool,
}

#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct DirectView {
    /// Of a session that has ended, the last nick that it had.
    pub nick: String,
    #[schema(value_type = i64)]
    pub session: SessionId,
    /// The session's read mark.
    #[schema(value_type = i64)]
    pub read: EventId,
    /// What the other said past it, up to the snapshot's cursor.
    pub unread: Unread,
    /// Whether that session has ended.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub ended: bool,
}
