//! The reasons why a parser refuses a text.

use std::fmt;

use super::limits::NICK_LIMIT;

/// The reason why a parser refuses a text. `Display` gives a sentence for people, without a full
/// stop.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Invalid {
    /// There is no nick.
    NoNick,
    /// A nick breaks the rules. Carries the text, in a form that an error may repeat.
    Nick(String),
    /// No session can have this nick. Carries the text, in a form that an error may repeat.
    UnknownNick(String),
    /// The name of a channel breaks a rule.
    ChannelName {
        /// The text, in a form that an error may repeat.
        name: String,
        /// The rule, as a sentence.
        rule: &'static str,
    },
    /// No channel can have this name. Carries the text, in a form that an error may repeat.
    UnknownChannel(String),
    /// A text is too long.
    TooLong {
        /// What the text is, such as `the name`.
        what: &'static str,
        /// The longest length that is allowed.
        limit: usize,
        /// What the limit counts: `bytes` or `characters`.
        unit: &'static str,
    },
    /// A text breaks the rules of its kind. Carries a sentence that says how.
    Malformed(String),
    /// A password is too weak for a session. Carries a sentence that says why.
    WeakPassword(String),
    /// A list of scopes is empty or has an unknown scope. Carries a sentence that says which.
    Scope(&'static str),
}

impl Invalid {
    /// The error for a text that breaks the rules of its kind.
    pub fn malformed(detail: impl Into<String>) -> Self {
        Self::Malformed(detail.into())
    }
}

impl fmt::Display for Invalid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoNick => f.write_str("no nickname given"),
            Self::Nick(_) => f.write_str(
                "a nick has 1 to 32 letters, digits or any of -[]\\`_^{|}, and does not begin with \
                 a digit or -",
            ),
            Self::UnknownNick(nick) => write!(f, "no user has the nick {nick}"),
            Self::ChannelName { rule, .. } | Self::Scope(rule) => f.write_str(rule),
            Self::UnknownChannel(_) => f.write_str("no such channel"),
            Self::TooLong { what, limit, unit } => {
                write!(f, "{what} is longer than {limit} {unit}")
            }
            Self::Malformed(detail) | Self::WeakPassword(detail) => f.write_str(detail),
        }
    }
}

impl std::error::Error for Invalid {}

/// A refused name in a form that an error may repeat. It is at most as long as a nick. Spaces and
/// control characters, which would split or hide it, become `_`. An empty name becomes `*`.
pub(super) fn shown(text: &str) -> String {
    let text: String = text
        .chars()
        .take(NICK_LIMIT)
        .map(|c| if c == ' ' || c.is_control() { '_' } else { c })
        .collect();
    if text.is_empty() { "*".into() } else { text }
}
