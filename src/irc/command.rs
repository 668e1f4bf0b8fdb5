//! The typed [`Command`]: what a client asks for.

use super::mode::{Change, Mask};
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
    Pass {
        new: Password,
        current: Option<Password>,
    },
    Nick(Nick),
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
        text: Option<String>,
    },
    /// Without channels: all of one's own.
    Names(TargetResults<ChannelName>),
    /// Without channels: every one.
    List(TargetResults<ChannelName>),
    Who(String),
    Whois(Nick),
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
    Mode {
        channel: ChannelName,
        changes: Vec<Change>,
    },
    UserMode {
        nick: Nick,
        changes: Option<String>,
    },
    MarkRead {
        target: Target,
        id: Option<EventId>,
        to: Option<SessionId>,
    },
    /// A mask to add or to remove; without one: all of one's own.
    Silence(Option<(Mask, bool)>),
    Ack(EventId),
    Ping(String),
    Quit(Option<String>),
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
            Self::Privmsg { targets, to, .. } | Self::Notice { targets, to, .. }
                if one_nick(targets) =>
            {
                *to = session
            }
            Self::MarkRead {
                target: Target::Nick(_),
                to,
                ..
            } => *to = session,
            _ => {
                return Err(Error::malformed(
                    "`to` goes with PRIVMSG, NOTICE and MARKREAD of one nick",
                ));
            }
        }
        Ok(self)
    }

    /// Whether it changes nothing, as it was written. Some verbs both ask and change.
    pub fn asks(&self) -> bool {
        match self {
            Self::Names(_)
            | Self::List(_)
            | Self::Who(_)
            | Self::Whois(_)
            | Self::UserMode { .. } => true,
            Self::Ack(_) | Self::Ping(_) => true,
            Self::Topic { text, .. } => text.is_none(),
            Self::Mode { changes, .. } => changes.iter().all(Change::asks),
            Self::MarkRead { id, .. } => id.is_none(),
            Self::Silence(change) => change.is_none(),
            _ => false,
        }
    }

    /// How many events it may make, and how many bytes of its text are in each.
    pub fn size(&self) -> (usize, usize) {
        match self {
            _ if self.asks() => (0, 0),
            Self::Privmsg { targets, text, .. } | Self::Notice { targets, text, .. } => {
                (targets.len(), text.len())
            }
            Self::Join(channels) => (channels.len(), 0),
            Self::Part { channels, reason } => {
                (channels.len(), reason.as_ref().map_or(0, String::len))
            }
            Self::Kick { nicks, reason, .. } => {
                (nicks.len(), reason.as_ref().map_or(0, String::len))
            }
            Self::Topic {
                text: Some(text), ..
            }
            | Self::Away(Some(text)) => (1, text.len()),
            Self::Nick(_) | Self::Invite { .. } | Self::Mode { .. } | Self::MarkRead { .. } => {
                (1, 0)
            }
            _ => (0, 0),
        }
    }

    /// How many targets it names, or changes: what one asks the server to do so many times over.
    pub fn targets(&self) -> usize {
        match self {
            Self::Privmsg { targets, .. } | Self::Notice { targets, .. } => targets.len(),
            Self::Join(channels) => channels.len(),
            Self::Part { channels, .. } | Self::Names(channels) | Self::List(channels) => {
                channels.len()
            }
            Self::Kick { nicks, .. } => nicks.len(),
            Self::Mode { changes, .. } => changes.len(),
            _ => 1,
        }
    }
}
