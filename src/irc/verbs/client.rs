//! ACK, PING and QUIT: commands about the client itself.

use crate::{
    error::Result,
    irc::{
        params::{event_id, reason, within},
        verb::{ChangeInfo, Verb},
    },
    model::{EventId, REASON_LIMIT, Requirement},
};

/// The family's commands that change nothing.
#[derive(Clone, Debug)]
pub enum Query {
    /// ACK: acknowledge the client's queue up to an event.
    Ack(EventId),
    /// PING: the token to answer with PONG.
    Ping(String),
}

/// The family's commands that change something.
#[derive(Clone, Debug)]
pub enum Change {
    /// QUIT: the client leaves, with an optional reason.
    Quit(Option<String>),
}

impl ChangeInfo for Change {
    fn size(&self) -> (usize, usize) {
        match self {
            Self::Quit(_) => (0, 0),
        }
    }

    fn only_removes(&self, _answer_is_kept: bool) -> bool {
        match self {
            Self::Quit(_) => true,
        }
    }
}

/// The family's rows in the table of verbs.
pub const fn verbs<C: From<Query> + From<Change>>() -> &'static [Verb<C>] {
    const {
        &[
            Verb::new("ACK", Requirement::AnyClient, ack)
                .min_params(1)
                .syntax("ACK <id>")
                .help("confirms that this client has received all events up to this id"),
            Verb::new("PING", Requirement::AnyClient, ping)
                .min_params(1)
                .syntax("PING <token>")
                .help("gets a PONG with the same token"),
            Verb::new("QUIT", Requirement::AnyClient, quit)
                .syntax("QUIT [<reason>]")
                .help("logs this client out; the session ends with its last client"),
        ]
    }
}

/// `ACK <id>`.
fn ack<C: From<Query>>(params: &[String]) -> Result<C> {
    event_id(&params[0]).map(|id| Query::Ack(id).into())
}

/// `PING <token>`.
fn ping<C: From<Query>>(params: &[String]) -> Result<C> {
    within(params[0].clone(), REASON_LIMIT, "the token").map(|token| Query::Ping(token).into())
}

/// `QUIT [<reason>]`.
fn quit<C: From<Change>>(params: &[String]) -> Result<C> {
    reason(params.first()).map(|text| Change::Quit(text).into())
}
