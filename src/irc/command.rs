//! The typed [`Command`]: what a client asks for.

use super::mode::{Mask, ModeChange};
use crate::{
    error::{Error, Result},
    model::{ChannelName, EventId, Nick, Password, SessionId, Target},
};

/// Targets of one command, at most.
pub const MAX_TARGETS: usize = 20;

/// The targets of a command, each good or refused by itself.
pub type TargetResults<T> = Vec<Result<T>>;

/// What a client asks for, checked as far as it can be without the store. It prints itself without
/// passwords.
#[derive(Clone, Debug)]
pub enum Command {
    /// It changes nothing.
    Query(Query),
    /// It changes something, in one transaction.
    Change(Change),
    /// It sets the session's password, which is hashed before its transaction.
    Pass {
        new: Password,
        current: Option<Password>,
    },
}

/// What changes nothing, and so runs on a reading connection.
#[derive(Clone, Debug)]
pub enum Query {
    /// Who is on channels. Without channels: all of one's own.
    Names(TargetResults<ChannelName>),
    /// Channels, with their members and topics. Without channels: every one.
    List(TargetResults<ChannelName>),
    Who(String),
    Whois(Nick),
    Topic(ChannelName),
    Modes(ChannelName),
    Bans(ChannelName),
    UserModes {
        nick: Nick,
        changes: Option<String>,
    },
    ReadMarker {
        target: Target,
        to: Option<SessionId>,
    },
    Silences,
    Ack(EventId),
    Ping(String),
}

/// What changes something.
#[derive(Clone, Debug)]
pub enum Change {
    Nick(Nick),
    /// Channels, each with its key.
    Join(TargetResults<(ChannelName, Option<String>)>),
    Part {
        channels: TargetResults<ChannelName>,
        reason: Option<String>,
    },
    Privmsg {
        targets: TargetResults<Target>,
        text: String,
        to: Option<SessionId>,
    },
    Notice {
        targets: TargetResults<Target>,
        text: String,
        to: Option<SessionId>,
    },
    Topic {
        channel: ChannelName,
        text: String,
    },
    Away(Option<String>),
    Kick {
        channel: ChannelName,
        nicks: TargetResults<Nick>,
        reason: Option<String>,
    },
    Invite {
        nick: Nick,
        channel: ChannelName,
    },
    /// At least one of the changes is none that only shows something.
    Modes {
        channel: ChannelName,
        changes: Vec<ModeChange>,
    },
    MarkRead {
        target: Target,
        id: EventId,
        to: Option<SessionId>,
    },
    /// A mask to add, or to remove.
    Silence(Mask, bool),
    Quit(Option<String>),
}

impl From<Query> for Command {
    fn from(query: Query) -> Self {
        Self::Query(query)
    }
}

impl From<Change> for Command {
    fn from(change: Change) -> Self {
        Self::Change(change)
    }
}

impl Command {
    /// The command, meant for the session `to` in place of whichever has the nick.
    pub(super) fn addressed(mut self, session: Option<SessionId>) -> Result<Self> {
        if session.is_none() {
            return Ok(self);
        }
        let one_nick = |targets: &TargetResults<Target>| {
            matches!(targets.as_slice(), [Ok(Target::Nick(_)) | Err(_)] | [])
        };
        match &mut self {
            Self::Change(
                Change::Privmsg { targets, to, .. } | Change::Notice { targets, to, .. },
            ) if one_nick(targets) => *to = session,
            Self::Change(Change::MarkRead {
                target: Target::Nick(_),
                to,
                ..
            })
            | Self::Query(Query::ReadMarker {
                target: Target::Nick(_),
                to,
            }) => *to = session,
            _ => {
                return Err(Error::malformed(
                    "`to` goes with PRIVMSG, NOTICE and MARKREAD of one nick",
                ));
            }
        }
        Ok(self)
    }

    /// How many events it may make, and how many bytes of its text are in each.
    pub fn size(&self) -> (usize, usize) {
        let Self::Change(change) = self else {
            return (0, 0);
        };
        let bytes = |text: &Option<String>| text.as_ref().map_or(0, String::len);
        match change {
            Change::Privmsg { targets, text, .. } | Change::Notice { targets, text, .. } => {
                (targets.len(), text.len())
            }
            Change::Join(channels) => (channels.len(), 0),
            Change::Part { channels, reason } => (channels.len(), bytes(reason)),
            Change::Kick { nicks, reason, .. } => (nicks.len(), bytes(reason)),
            Change::Topic { text, .. } | Change::Away(Some(text)) => (1, text.len()),
            Change::Nick(_)
            | Change::Invite { .. }
            | Change::Modes { .. }
            | Change::MarkRead { .. } => (1, 0),
            Change::Away(None) | Change::Silence(..) | Change::Quit(_) => (0, 0),
        }
    }

    /// How many targets it names, or changes: what one asks the server to do so many times over.
    pub fn targets(&self) -> usize {
        match self {
            Self::Query(Query::Names(channels) | Query::List(channels)) => channels.len(),
            Self::Change(change) => match change {
                Change::Privmsg { targets, .. } | Change::Notice { targets, .. } => targets.len(),
                Change::Join(channels) => channels.len(),
                Change::Part { channels, .. } => channels.len(),
                Change::Kick { nicks, .. } => nicks.len(),
                Change::Modes { changes, .. } => changes.len(),
                _ => 1,
            },
            _ => 1,
        }
    }
}
