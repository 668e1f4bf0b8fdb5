//! What is wrong with a text that a parser refuses.

use std::fmt;

use super::limits::NICK_LIMIT;

/// A text is not what it has to be. Its `Display` is a sentence for people, without a full stop.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Invalid {
    /// There is no nick.
    NoNick,
    /// A nick breaks the rules. The text, as an error may repeat it.
    Nick(String),
    /// No session can have this nick. The text, as an error may repeat it.
    UnknownNick(String),
    /// A channel's name breaks this rule.
    ChannelName {
        /// The text, as an error may repeat it.
        name: String,
        /// The rule, as a sentence.
        rule: &'static str,
    },
    /// No channel can have this name. The text, as an error may repeat it.
    UnknownChannel(String),
    /// A text is longer than it may be.
    TooLong {
        /// The text's role, such as `the name`.
        what: &'static str,
        /// The longest that it may be.
        limit: usize,
        /// What the limit counts: `bytes` or `characters`.
        unit: &'static str,
    },
    /// A text breaks the rules of its kind, as this sentence says.
    Malformed(String),
    /// A password may not become a session's, for the reason in this sentence.
    WeakPassword(String),
    /// A list of scopes is empty or has an unknown one, as this sentence says.
    Scope(&'static str),
}

impl Invalid {
    /// A text that breaks the rules of its kind.
    pub fn malformed(detail: impl Into<String>) -> Self {
        Self::Malformed(detail.into())
    }
}

impl fmt::Display for Invalid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoNick => f.write_str("no nickname given"),
            Self::Nick(_) => f.write_str(
                "a nick has 1 to 32 letters, digits or any of -[]\\`_^{|}, and begins with neither digit nor -",
            ),
            Self::UnknownNick(nick) => write!(f, "there is nobody called {nick} here"),
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

/// A refused name as an error may repeat it: at most as long as a nick, and without a space or a
/// control character, which would split or hide it. `*` stands for an empty one.
pub(super) fn shown(text: &str) -> String {
    let text: String = text
        .chars()
        .take(NICK_LIMIT)
        .map(|c| if c == ' ' || c.is_control() { '_' } else { c })
        .collect();
    if text.is_empty() { "*".into() } else { text }
}
