//! The answer to a command.

use serde::Serialize;
use utoipa::ToSchema;

use crate::{irc::Reply, model::EventId};

/// The answer to a command: replies for the caller alone, and the ids of the events it caused.
#[derive(Clone, Debug, Default, PartialEq, Serialize, ToSchema)]
pub struct Answer {
    /// Replies for the caller alone, in order.
    pub replies: Vec<Reply>,
    /// Ids of the events that the command caused.
    #[schema(value_type = Vec<i64>)]
    pub ids: Vec<EventId>,
    /// Bytes that the command added to the disk. They are not sent.
    #[serde(skip)]
    #[schema(ignore)]
    pub added: u64,
    /// Channels that still have to be shown among the replies. An answer that is sent has none.
    #[serde(skip)]
    #[schema(ignore)]
    pub excerpts: Vec<Excerpt>,
}

/// A channel that still has to be shown in an answer.
#[derive(Clone, Debug, PartialEq)]
pub struct Excerpt {
    /// The index of the reply before which it is shown.
    pub before: usize,
    /// The channel's name.
    pub channel: String,
}
