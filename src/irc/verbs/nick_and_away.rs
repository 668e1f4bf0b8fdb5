//! NICK and AWAY: the name and state of a session that others see.

use crate::{
    error::Result,
    irc::{
        params::reason,
        reply::numerics,
        verb::{ChangeInfo, Verb},
    },
    model::{Nick, Requirement, Scope},
};

numerics! {
    RPL_AWAY "301"
    RPL_UNAWAY "305"
    RPL_NOWAWAY "306"
}

/// The family's commands that change something.
#[derive(Clone, Debug)]
pub enum Change {
    /// NICK: the session's new nick.
    Nick(Nick),
    /// AWAY: the away message. `None`: the session is back.
    Away(Option<String>),
}

impl ChangeInfo for Change {
    fn size(&self) -> (usize, usize) {
        match self {
            Self::Nick(_) => (1, 0),
            Self::Away(Some(text)) => (1, text.len()),
            Self::Away(None) => (0, 0),
        }
    }

    fn only_removes(&self, _answer_is_kept: bool) -> bool {
        match self {
            Self::Nick(_) => false,
            Self::Away(text) => text.is_none(),
        }
    }
}

/// The family's rows in the table of verbs.
pub const fn verbs<C: From<Change>>() -> &'static [Verb<C>] {
    const {
        &[
            Verb::new("NICK", Requirement::Scope(Scope::SessionManage), nick)
                .syntax("NICK <nick>")
                .help("renames the session"),
            Verb::new("AWAY", Requirement::Scope(Scope::ChatWrite), away)
                .syntax("AWAY [<text>]")
                .help("marks the session as away, or, without a text, as back"),
        ]
    }
}

/// `NICK <nick>`.
fn nick<C: From<Change>>(params: &[String]) -> Result<C> {
    let nick = Nick::parse(params.first().map_or("", String::as_str))?;
    Ok(Change::Nick(nick).into())
}

/// `AWAY [<text>]`.
fn away<C: From<Change>>(params: &[String]) -> Result<C> {
    reason(params.first()).map(|text| Change::Away(text).into())
}
