//! The unread part of a conversation.

use serde::Serialize;
use utoipa::ToSchema;

/// What is unread in a channel or a direct conversation: the messages of other sessions after this
/// session's read marker.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, ToSchema)]
pub struct Unread {
    /// The number of messages (PRIVMSG and NOTICE). Counting goes back from the newest message and
    /// stops at 100, which means 100 or more.
    pub count: u32,
    /// Whether one of the counted messages contains the session's current nick as a word, in any
    /// case.
    pub mention: bool,
}
