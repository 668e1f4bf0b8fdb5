//! Events and pages of events.

use super::{
    ids::{ClientId, EventId},
    timestamp::Timestamp,
};

/// One thing that happened, as an IRC message.
#[derive(Clone, Debug, PartialEq)]
pub struct Event {
    /// The event's position in the log.
    pub id: EventId,
    /// When it happened.
    pub time: Timestamp,
    /// The source: a nick, or the server's name.
    pub source: String,
    /// The IRC command or numeric.
    pub command: String,
    /// The command's parameters.
    pub params: Vec<String>,
    /// The client that sent the command, and the command's label. Only that client sees the label.
    pub origin: Option<(ClientId, Option<String>)>,
    /// The name of the app that acted, if the command came through a grant.
    pub app: Option<String>,
}

impl Event {
    /// The label, if `client` sent the command.
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
    /// The position up to which the log was read, whether or not its events were for the client.
    pub next: EventId,
    /// Whether there are more events after this page.
    pub more: bool,
    /// The first and the last id of a range from which retention removed events of the client.
    pub gap: Option<(EventId, EventId)>,
}
