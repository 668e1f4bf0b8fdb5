//! The names of channels.

use std::fmt;

use serde::Serialize;

use super::{
    invalid::{Invalid, shown},
    limits::CHANNEL_LIMIT,
    text,
};

/// The name of a channel: `#` and 1 to 63 bytes of UTF-8 without space, comma or control character.
/// The name of a new channel must also pass [`ChannelName::check_new`].
#[derive(Clone, Debug, Serialize)]
#[serde(transparent)]
pub struct ChannelName(String);

impl ChannelName {
    /// Parses a name. Fails with [`Invalid::ChannelName`].
    pub fn parse(text: &str) -> Result<Self, Invalid> {
        let forbidden = |c: char| c == ' ' || c == ',' || c.is_control();
        if !text.starts_with('#')
            || text.len() < 2
            || text.len() > CHANNEL_LIMIT
            || text.contains(forbidden)
        {
            return Err(Invalid::ChannelName {
                name: shown(text),
                rule: "a channel name is # followed by 1 to 63 bytes, without spaces, commas or \
                       control characters",
            });
        }
        Ok(Self(text.to_owned()))
    }

    /// Parses the name of a channel that should exist. Fails with [`Invalid::UnknownChannel`],
    /// because no channel can have a malformed name.
    pub fn named(text: &str) -> Result<Self, Invalid> {
        Self::parse(text).map_err(|_| Invalid::UnknownChannel(shown(text)))
    }

    /// Checks the name of a new channel. It must be in NFC, have no invisible characters, and not
    /// begin with a mark that would join the `#`. Older channels with other names can still be
    /// found by them. Fails with [`Invalid::ChannelName`].
    pub fn check_new(&self) -> Result<(), Invalid> {
        let name = &self.0[1..];
        let rule = if text::nfc(name) != name {
            "a channel name must be in Unicode Normalization Form C (NFC)"
        } else if name.contains(text::shows_nothing) {
            "a channel name must not contain control, format or other invisible characters, or \
             separators"
        } else if text::begins_with_mark(name) {
            "a channel name must not begin with a combining mark"
        } else {
            return Ok(());
        };
        Err(Invalid::ChannelName {
            name: shown(&self.0),
            rule,
        })
    }

    /// Whether the name is ASCII only. Such a name has no look-alikes and is compared by its folded
    /// form alone.
    pub fn is_ascii(&self) -> bool {
        self.0.is_ascii()
    }

    /// A name from the store, which was checked before it was stored.
    pub fn stored(text: String) -> Self {
        Self(text)
    }

    /// The name as it was given, with its `#`.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The form in which channel names are compared: ASCII lower case.
    pub fn folded(&self) -> String {
        self.0.to_ascii_lowercase()
    }
}

impl fmt::Display for ChannelName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::{
        error::{Code, Error},
        model::test_names::name,
    };

    #[test]
    fn channel_names_are_hash_and_up_to_63_bytes() {
        for good in [
            "#a",
            "#rust",
            "#日本語",
            "##",
            &format!("#{}", "x".repeat(63)),
        ] {
            assert_eq!(ChannelName::parse(good).unwrap().as_str(), good);
        }
        for bad in [
            "",
            "#",
            "rust",
            "&local",
            "#a b",
            "#a,b",
            "#a\u{7}",
            "#a\n",
            &format!("#{}", "x".repeat(64)),
        ] {
            assert_eq!(
                Error::from(ChannelName::parse(bad).unwrap_err()).code,
                Code::BadChannelName,
                "{bad}"
            );
        }
    }

    #[test]
    fn a_new_channels_name_must_be_visible_in_full() {
        for good in [
            "#a",
            "#café",
            "#日本語",
            "##",
            "#a\u{301}\u{323}x",
            "#❤\u{fe0f}",
            "#हिन्दी",
            "#a-b_c",
            "#🦀",
        ] {
            assert_eq!(
                ChannelName::parse(&text::nfc(good)).unwrap().check_new(),
                Ok(()),
                "{good}"
            );
        }
        for bad in [
            "#cafe\u{301}",
            "#c\u{200b}",
            "#\u{a0}",
            "#a\u{3000}b",
            "#\u{3164}",
            "#\u{2800}",
            "#a\u{2028}b",
            "#a\u{ad}b",
            "#\u{202e}abc",
            "#a\u{2066}b",
            "#a\u{200d}b",
            "#\u{301}a",
            "#\u{fe0f}",
            "#\u{feff}a",
            "#\u{e0041}",
        ] {
            let refused = ChannelName::parse(bad)
                .unwrap()
                .check_new()
                .map_err(|invalid| Error::from(invalid).code);
            assert_eq!(refused, Err(Code::BadChannelName), "{bad:?}");
        }
    }

    proptest! {
        #[test]
        fn a_channels_name_is_what_the_contract_says(text in name()) {
            let rest = text.strip_prefix('#').filter(|rest| (1..=63).contains(&rest.len()));
            let control = |c: char| matches!(u32::from(c), 0..=0x1f | 0x7f..=0x9f);
            let good = rest.is_some_and(|rest| rest.chars().all(|c| c != ' ' && c != ',' && !control(c)));
            let expected = if good { Ok(text.clone()) } else { Err(Code::BadChannelName) };
            prop_assert_eq!(ChannelName::parse(&text).map(|name| name.to_string()).map_err(|invalid| Error::from(invalid).code), expected);
        }
    }
}
