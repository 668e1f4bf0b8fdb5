//! The typed [`Command`]: what a client asks for. And the one table of verbs.

use super::{
    verb::{ChangeInfo, Verb},
    verbs::{
        channel, client, lookup,
        message::{self, not_addressable},
        mode, nick_and_away,
        password::{self, Pass},
    },
};
use crate::{error::Result, model::SessionId};

/// A client's command, checked as far as possible without the store. `Debug` output hides
/// passwords.
#[derive(Clone, Debug)]
pub enum Command {
    /// A command that changes nothing.
    Query(Query),
    /// A command that changes something, in one transaction.
    Change(Change),
    /// PASS: set the session's password. The password is hashed before the transaction.
    Pass(Pass),
}

/// A command that changes nothing, by its family. It runs on a read-only connection.
#[derive(Clone, Debug)]
#[expect(missing_docs, reason = "a family's module says what its commands are")]
pub enum Query {
    Channel(channel::Query),
    Client(client::Query),
    Lookup(lookup::Query),
    Message(message::Query),
    Mode(mode::Query),
}

/// A command that changes something, by its family.
#[derive(Clone, Debug)]
#[expect(missing_docs, reason = "a family's module says what its commands are")]
pub enum Change {
    Channel(channel::Change),
    Client(client::Change),
    Message(message::Change),
    Mode(mode::Change),
    NickAndAway(nick_and_away::Change),
}

/// The families' rows, which are the table of verbs.
const FAMILIES: &[&[Verb<Command>]] = &[
    password::verbs(),
    nick_and_away::verbs(),
    channel::verbs(),
    message::verbs(),
    lookup::verbs(),
    mode::verbs(),
    client::verbs(),
];

/// The table of verbs.
pub fn verbs() -> impl Iterator<Item = &'static Verb<Command>> {
    FAMILIES.iter().copied().flatten()
}

/// Finds the row of a verb, ignoring ASCII case.
pub fn find_verb(name: &str) -> Option<&'static Verb<Command>> {
    verbs().find(|verb| verb.name.eq_ignore_ascii_case(name))
}

macro_rules! command_from {
    ($kind:ident: $($variant:ident $family:ident),*) => {
        $(impl From<$family::$kind> for Command {
            fn from(command: $family::$kind) -> Self {
                Self::$kind($kind::$variant(command))
            }
        })*
    };
}

command_from!(Query: Channel channel, Client client, Lookup lookup, Message message, Mode mode);
command_from!(
    Change: Channel channel, Client client, Message message, Mode mode, NickAndAway nick_and_away
);

impl From<Pass> for Command {
    fn from(pass: Pass) -> Self {
        Self::Pass(pass)
    }
}

impl Command {
    /// Addresses the command to the session `to`, whichever session has the nick now. Fails with
    /// `malformed_request` unless the command is PRIVMSG, NOTICE or MARKREAD of one nick.
    pub(super) fn addressed(mut self, to: Option<SessionId>) -> Result<Self> {
        let Some(to) = to else {
            return Ok(self);
        };
        let addressed = match &mut self {
            Self::Change(Change::Message(change)) => change.address_to(to),
            Self::Query(Query::Message(query)) => query.address_to(to),
            _ => false,
        };
        addressed.then_some(self).ok_or_else(not_addressable)
    }

    /// The most events that the command can create, and the bytes of text in each.
    pub fn size(&self) -> (usize, usize) {
        match self {
            Self::Change(change) => change.info().size(),
            Self::Query(_) | Self::Pass(_) => (0, 0),
        }
    }

    /// How many targets or changes of modes the command names. The server does its work once for
    /// each.
    pub fn targets(&self) -> usize {
        match self {
            Self::Change(change) => change.info().targets(),
            Self::Query(Query::Lookup(query)) => query.targets(),
            Self::Query(_) | Self::Pass(_) => 1,
        }
    }
}

impl Change {
    /// What the change tells about itself.
    pub fn info(&self) -> &dyn ChangeInfo {
        match self {
            Self::Channel(change) => change,
            Self::Client(change) => change,
            Self::Message(change) => change,
            Self::Mode(change) => change,
            Self::NickAndAway(change) => change,
        }
    }

    /// Whether the client leaves with it.
    pub fn is_quit(&self) -> bool {
        matches!(self, Self::Client(client::Change::Quit(_)))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn the_table_has_every_verb_once() {
        let mut names = HashSet::new();
        for verb in verbs() {
            assert!(
                names.insert(verb.name)
                    && verb.syntax.starts_with(verb.name)
                    && !verb.help.is_empty()
            );
        }
    }

    #[test]
    fn numerics_have_three_digits_and_appear_once() {
        let families = [
            channel::NUMERICS,
            lookup::NUMERICS,
            message::NUMERICS,
            mode::NUMERICS,
            nick_and_away::NUMERICS,
        ];
        let mut seen = HashSet::new();
        for (name, value) in families.concat() {
            assert!(name.starts_with("RPL_") && value.len() == 3 && value.parse::<u16>().is_ok());
            assert!(seen.insert(value), "{value} stands twice");
        }
    }
}
