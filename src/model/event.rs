//! Events, and pages of them.

use super::{
    ids::{ClientId, EventId},
    timestamp::Timestamp,
};

/// One thing that happened, as an IRC message.
#[derive(Clone, Debug, PartialEq)]
pub struct Event {
    /// Its position in the log.
    pub id: EventId,
    /// When it happened.
    pub time: Timestamp,
    /// Who did it: a nick, or the server's name.
    pub source: String,
    /// The IRC command or numeric.
    pub command: String,
    /// The command's parameters.
    pub params: Vec<String>,
    /// The client whose command it came from, and the label it gave; the label is shown to that
    /// client alone.
    pub origin: Option<(ClientId, Option<String>)>,
    /// The name of the app through whose grant it came.
    pub app: Option<String>,
}

impl Event {
    /// The label as `client` may see it.
    pub fn label_for(&self, client: ClientId) -> Option<&str> {
        match &self.origin {
            Some((origin, label)) if *origin == client => label.as_deref(),
            _ => None,
        }
    }
}

/// A page of a queue.
#[derive(Clone, Debug, PartialEq)]
pub struct Page {
    /// The events, in the order of the log.
    pub events: Vec<Event>,
    /// How far the log was read, whether or not anything was the client's.
    pub next: EventId,
    /// Whether the page ended before what there is did.
    pub more: bool,
    /// The first and last id of a stretch in which retention removed events that were the client's.
    pub gap: Option<(EventId, EventId)>,
}
