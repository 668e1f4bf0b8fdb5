//! Replies to the caller. Numerics, their names and their parameters follow modern IRC
//! (modern.ircdocs.horse).

use std::fmt;

use serde::Serialize;
use utoipa::ToSchema;

use crate::{
    error::Error,
    model::{Nick, SERVER_NAME},
};

/// The numerics of a family of verbs, each with its name.
macro_rules! numerics {
    ($($name:ident $value:literal)*) => {
        $(
            #[doc = concat!("The numeric ", $value, ".")]
            pub const $name: &str = $value;
        )*

        /// Every numeric of the family's replies with its name. The table of `error` has the
        /// numerics of errors.
        pub const NUMERICS: &[(&str, &str)] = &[$((stringify!($name), $value),)*];
    };
}

/// The numeric that marks an answer as incomplete. IRC2 defines it. It refuses nothing, so it is
/// not in the table of errors.
pub const ERR_TOOMANYMATCHES: &str = "416";

pub(super) use numerics;

/// One line of an answer, for the caller alone.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct Reply {
    /// The server's name.
    pub source: String,
    /// The numeric or the command.
    pub command: String,
    /// The parameters.
    pub params: Vec<String>,
}

impl Reply {
    /// A reply with a numeric. Its first parameter is the caller's nick.
    pub fn numeric(numeric: &str, nick: &Nick, params: &[&dyn fmt::Display]) -> Self {
        let params = std::iter::once(nick.to_string())
            .chain(params.iter().map(|p| p.to_string()))
            .collect();
        Self {
            source: SERVER_NAME.into(),
            command: numeric.into(),
            params,
        }
    }

    /// A reply that is a command: PONG, MARKREAD, NOTE.
    pub fn command(command: &str, params: &[&dyn fmt::Display]) -> Self {
        let params = params.iter().map(|p| p.to_string()).collect();
        Self {
            source: SERVER_NAME.into(),
            command: command.into(),
            params,
        }
    }

    /// A refusal, as a numeric. An error for which IRC has no numeric becomes IRCv3's standard
    /// reply FAIL.
    pub fn error(error: &Error, verb: &str, nick: &Nick) -> Self {
        let mut params = match error.code.numeric() {
            Some(_) => vec![nick.to_string()],
            None => vec![verb.to_owned(), error.code.name().to_ascii_uppercase()],
        };
        params.extend(error.context.iter().cloned());
        params.push(error.detail.clone());
        let command = error.code.numeric().unwrap_or("FAIL").to_owned();
        Self {
            source: SERVER_NAME.into(),
            command,
            params,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Code;

    #[test]
    fn an_error_is_a_numeric_with_nick_context_and_sentence() {
        let alice = Nick::parse("alice").unwrap();
        let error = Error::new(Code::NoSuchChannel, "no such channel").about("#x");
        let reply = Reply::error(&error, "JOIN", &alice);
        assert_eq!(
            (reply.command.as_str(), reply.params),
            (
                "403",
                ["alice", "#x", "no such channel"].map(String::from).into()
            )
        );
        let reply = Reply::error(&Error::new(Code::InvalidCursor, "no"), "ACK", &alice);
        assert_eq!(
            (reply.command.as_str(), reply.params),
            (
                "FAIL",
                ["ACK", "INVALID_CURSOR", "no"].map(String::from).into()
            )
        );
    }
}
