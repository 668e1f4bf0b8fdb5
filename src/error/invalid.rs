//! Errors for texts that a parser refuses, and for names that do not exist.

use super::{Code, Error};
use crate::model::{ChannelName, Invalid};

impl From<Invalid> for Error {
    fn from(invalid: Invalid) -> Self {
        let (code, about) = match &invalid {
            Invalid::NoNick => (Code::NoNicknameGiven, None),
            Invalid::Nick(nick) => (Code::ErroneousNickname, Some(nick)),
            Invalid::UnknownNick(nick) => (Code::NoSuchNick, Some(nick)),
            Invalid::ChannelName { name, .. } => (Code::BadChannelName, Some(name)),
            Invalid::UnknownChannel(name) => (Code::NoSuchChannel, Some(name)),
            Invalid::TooLong { .. } => (Code::InputTooLong, None),
            Invalid::Malformed(_) => (Code::MalformedRequest, None),
            Invalid::WeakPassword(_) => (Code::WeakPassword, None),
            Invalid::Scope(_) => (Code::InvalidScope, None),
        };
        let error = Self::new(code, invalid.to_string());
        match about {
            Some(about) => error.about(about),
            None => error,
        }
    }
}

impl Error {
    /// The error `no_such_nick`: no live session has this nick.
    pub fn no_such_nick(nick: &str) -> Self {
        Invalid::UnknownNick(nick.to_owned()).into()
    }

    /// The error `no_such_channel`: the channel does not exist, or the caller may not know of it.
    pub fn no_such_channel(name: &ChannelName) -> Self {
        Invalid::UnknownChannel(name.to_string()).into()
    }

    /// The error `not_on_channel`: the caller's session is not on this channel.
    pub fn not_on_channel(name: &ChannelName) -> Self {
        Self::new(Code::NotOnChannel, "you are not on that channel").about(name)
    }
}
