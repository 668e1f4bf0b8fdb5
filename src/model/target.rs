//! Targets of messages.

use std::fmt;

use super::{channel_name::ChannelName, invalid::Invalid, nick::Nick};

/// The target of a message: IRC's msgtarget.
#[derive(Clone, Debug)]
pub enum Target {
    /// A channel.
    Channel(ChannelName),
    /// The session with this nick.
    Nick(Nick),
}

impl Target {
    /// Parses a target. A text that begins with `#` is the name of a channel. Fails with
    /// [`Invalid::ChannelName`] or [`Invalid::UnknownNick`].
    pub fn parse(text: &str) -> Result<Self, Invalid> {
        if text.starts_with('#') {
            return ChannelName::parse(text).map(Self::Channel);
        }
        Nick::named(text).map(Self::Nick)
    }

    /// Parses a target that should exist. Fails with [`Invalid::UnknownChannel`] or
    /// [`Invalid::UnknownNick`], because nothing can have a malformed name.
    pub fn named(text: &str) -> Result<Self, Invalid> {
        if text.starts_with('#') {
            return ChannelName::named(text).map(Self::Channel);
        }
        Nick::named(text).map(Self::Nick)
    }

    /// The form in which targets are compared: ASCII lower case.
    pub fn folded(&self) -> String {
        match self {
            Self::Channel(name) => name.folded(),
            Self::Nick(nick) => nick.folded(),
        }
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Channel(name) => name.fmt(f),
            Self::Nick(nick) => nick.fmt(f),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::{
        error::{Code, Error},
        model::{NICK_LIMIT, test_names::name},
    };

    fn code<T: ToString>(parsed: Result<T, Invalid>) -> Result<String, Code> {
        parsed
            .map(|name| name.to_string())
            .map_err(|invalid| Error::from(invalid).code)
    }

    proptest! {
        #[test]
        fn a_target_is_a_channel_or_a_nick(text in name()) {
            let expected = match text.starts_with('#') {
                true => code(ChannelName::parse(&text)),
                false => Nick::parse(&text).map(|nick| nick.to_string()).map_err(|_| Code::NoSuchNick),
            };
            prop_assert_eq!(code(Target::parse(&text)), expected);
        }

        #[test]
        fn an_error_repeats_a_name_as_one_short_word(text in name()) {
            let errors = [Nick::parse(&text).err(), ChannelName::parse(&text).err(), Target::parse(&text).err()];
            for word in errors.into_iter().flatten().flat_map(|invalid| Error::from(invalid).context) {
                prop_assert!((1..=NICK_LIMIT).contains(&word.chars().count()), "{:?}", word);
                prop_assert!(!word.contains(|c: char| c == ' ' || c.is_control()), "{:?}", word);
            }
        }

        #[test]
        fn names_fold_alike_if_they_differ_in_ascii_case_alone(text in name(), cases in any::<u64>()) {
            let Ok(target) = Target::parse(&text) else { return Ok(()) };
            let folded = target.folded();
            prop_assert_eq!(folded.len(), text.len());
            prop_assert_eq!(&Target::parse(&folded).unwrap().folded(), &folded, "folding twice is folding once");
            let turned = |(n, c): (usize, char)| match cases.rotate_right(n as u32) & 1 {
                0 => c.to_ascii_lowercase(),
                _ => c.to_ascii_uppercase(),
            };
            // Unicode and RFC 1459 would treat the last two as equal.
            for other in [text.chars().enumerate().map(turned).collect(), text.to_uppercase(), text.replace('[', "{")] {
                if let Ok(other) = Target::parse(&other) {
                    prop_assert_eq!(other.folded() == folded, other.to_string().eq_ignore_ascii_case(&text));
                }
            }
        }
    }
}
