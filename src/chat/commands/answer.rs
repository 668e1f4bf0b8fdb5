//! What a command is answered.

use serde::Serialize;
use utoipa::ToSchema;

use crate::{irc::Reply, model::EventId};

/// What a command is answered: replies for the caller alone, and the ids of the events it made.
#[derive(Clone, Debug, Default, PartialEq, Serialize, ToSchema)]
pub struct Answer {
    pub replies: Vec<Reply>,
    /// Ids of the events that were made.
    #[schema(value_type = Vec<i64>)]
    pub ids: Vec<EventId>,
    /// Bytes that the command added to the disk. It is told to nobody.
    #[serde(skip)]
    #[schema(ignore)]
    pub added: u64,
    /// Channels that are still to be shown among the replies. An answer that is told has none.
    #[serde(skip)]
    #[schema(ignore)]
    pub excerpts: Vec<Excerpt>,
}

/// A channel that is to be shown in an answer, before the reply with this index.
#[derive(Clone, Debug, PartialEq)]
pub struct Excerpt {
    pub before: usize,
    pub channel: String,
}
