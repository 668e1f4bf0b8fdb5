//! How much of a conversation is unread.

use serde::Serialize;
use utoipa::ToSchema;

/// What a session has not read of a channel or an exchange of direct messages: what other sessions
/// said there past its read mark.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, ToSchema)]
pub struct Unread {
    /// How many messages, PRIVMSG and NOTICE; they are counted from the newest back and up to 100,
    /// which means 100 or more.
    pub count: u32,
    /// Whether in the text of one of those that were counted the session's present nick is a word,
    /// in whatever case.
    pub mention: bool,
}
