//! The typed [`Command`]: what a client asks for.

use super::mode::{Mask, ModeChange};
use crate::{
    error::{Error, Result},
    model::{ChannelName, EventId, Nick, Password, SessionId, Target},
};

/// The most targets that one command may name.
pub const MAX_TARGETS: usize = 20;

/// The targets of a command. Each one is valid or refused by itself.
pub type TargetResults<T> = Vec<Result<T>>;

/// A client's command, checked as far as possible without the store. `Debug` output hides
/// passwords.
#[derive(Clone, Debug)]
pub enum Command {
    /// A command that changes nothing.
    Query(Query),
    /// A command that changes something, in one transaction.
    Change(Change),
    /// PASS: set the session's password. The password is hashed before the transaction.
    Pass {
        /// The new password.
        new: Password,
        /// The current password, which is needed if one is set.
        current: Option<Password>,
    },
}

/// A command that changes nothing. It runs on a read-only connection.
#[derive(Clone, Debug)]
pub enum Query {
    /// NAMES: the members of channels. No channels means all of the caller's own.
    Names(TargetResults<ChannelName>),
    /// LIST: channels with their topics and numbers of members. No channels means every channel.
    List(TargetResults<ChannelName>),
    /// WHO: the members of a channel, or the sessions whose nick matches a mask.
    Who(String),
    /// WHOIS: one session.
    Whois(Nick),
    /// TOPIC without a text: a channel's topic.
    Topic(ChannelName),
    /// MODE without changes: a channel's modes.
    Modes(ChannelName),
    /// MODE `b` without a mask: a channel's bans.
    Bans(ChannelName),
    /// MODE of a nick. The server has no user modes, so the reply is empty and changes are refused.
    UserModes {
        /// The nick.
        nick: Nick,
        /// The changes that were asked for, as text.
        changes: Option<String>,
    },
    /// MARKREAD without an id: the session's read marker for a target.
    ReadMarker {
        /// The channel or nick.
        target: Target,
        /// The session that is meant. `None`: the one that has the nick now.
        to: Option<SessionId>,
    },
    /// SILENCE without a mask: the session's silence list.
    Silences,
    /// ACK: acknowledge the client's queue up to an event.
    Ack(EventId),
    /// PING: the token to answer with PONG.
    Ping(String),
}

/// A command that changes something.
#[derive(Clone, Debug)]
pub enum Change {
    /// NICK: the session's new nick.
    Nick(Nick),
    /// JOIN: channels, each with its key if one was given.
    Join(TargetResults<(ChannelName, Option<String>)>),
    /// PART: leave channels.
    Part {
        /// The channels.
        channels: TargetResults<ChannelName>,
        /// The reason, for the other members.
        reason: Option<String>,
    },
    /// PRIVMSG: send a message.
    Privmsg {
        /// The channels and nicks.
        targets: TargetResults<Target>,
        /// The text.
        text: String,
        /// The session that is meant. `None`: the one that has the nick now.
        to: Option<SessionId>,
    },
    /// NOTICE: send a message that is never answered, not even with an error.
    Notice {
        /// The channels and nicks.
        targets: TargetResults<Target>,
        /// The text.
        text: String,
        /// The session that is meant. `None`: the one that has the nick now.
        to: Option<SessionId>,
    },
    /// TOPIC: set or clear a channel's topic.
    Topic {
        /// The channel.
        channel: ChannelName,
        /// The topic. Empty clears it.
        text: String,
    },
    /// AWAY: the away message. `None`: the session is back.
    Away(Option<String>),
    /// KICK: remove sessions from a channel.
    Kick {
        /// The channel.
        channel: ChannelName,
        /// The nicks of the sessions.
        nicks: TargetResults<Nick>,
        /// The reason, for everybody on the channel.
        reason: Option<String>,
    },
    /// INVITE: invite a session to a channel.
    Invite {
        /// The session's nick.
        nick: Nick,
        /// The channel.
        channel: ChannelName,
    },
    /// MODE: change a channel's modes. At least one of the changes is no query.
    Modes {
        /// The channel.
        channel: ChannelName,
        /// The changes, in the order they were given.
        changes: Vec<ModeChange>,
    },
    /// MARKREAD: move the session's read marker forward.
    MarkRead {
        /// The channel or nick.
        target: Target,
        /// The event up to which the target is read.
        id: EventId,
        /// The session that is meant. `None`: the one that has the nick now.
        to: Option<SessionId>,
    },
    /// SILENCE: a mask, and whether it is added (true) or removed.
    Silence(Mask, bool),
    /// QUIT: the client leaves, with an optional reason.
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
    /// Addresses the command to the session `to`, whichever session has the nick now. Fails with
    /// `malformed_request` unless the command is PRIVMSG, NOTICE or MARKREAD of one nick.
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

    /// The most events that the command can create, and the bytes of text in each.
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

    /// How many targets or changes the command names. The server does its work once for each.
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
