//! Nicks.

use std::fmt;

use serde::Serialize;

use super::{
    invalid::{Invalid, shown},
    limits::NICK_LIMIT,
};

/// A nick: 1 to 32 characters of RFC 2812 §2.3.1, of which the first is no digit and no `-`. Nicks
/// with the same folded form are the same nick. RFC 2812 allows 9 characters, and folds `[]\~` into
/// `{}|^` too.
#[derive(Clone, Debug, Serialize)]
#[serde(transparent)]
pub struct Nick(String);

impl Nick {
    /// Parses a nick. Fails with [`Invalid::NoNick`] or [`Invalid::Nick`].
    pub fn parse(text: &str) -> Result<Self, Invalid> {
        let start = |c: char| is_nick_char(c) && !c.is_ascii_digit() && c != '-';
        if text.is_empty() {
            return Err(Invalid::NoNick);
        }
        if text.len() > NICK_LIMIT || !text.starts_with(start) || !text.chars().all(is_nick_char) {
            return Err(Invalid::Nick(shown(text)));
        }
        Ok(Self(text.to_owned()))
    }

    /// Parses the nick of a session that should exist. Fails with [`Invalid::UnknownNick`], because
    /// no session can have a malformed nick.
    pub fn named(text: &str) -> Result<Self, Invalid> {
        Self::parse(text).map_err(|_| Invalid::UnknownNick(shown(text)))
    }

    /// A nick from the store, which was checked before it was stored.
    pub fn stored(text: String) -> Self {
        Self(text)
    }

    /// The nick as it was given.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The form in which nicks are compared: ASCII lower case.
    pub fn folded(&self) -> String {
        self.0.to_ascii_lowercase()
    }

    /// Whether the text has the nick as a whole word, in any ASCII case. A word ends at a character
    /// that no nick can have.
    pub fn is_named_in(&self, text: &str) -> bool {
        let mut words = text
            .as_bytes()
            .split(|byte| !is_nick_char(char::from(*byte)));
        words.any(|word| word.eq_ignore_ascii_case(self.0.as_bytes()))
    }
}

/// Whether a nick can have the character, perhaps not in the first place. The letters and specials
/// of RFC 2812 are one range of ASCII.
pub(super) fn is_nick_char(c: char) -> bool {
    matches!(c, 'A'..='}' | '0'..='9' | '-')
}

impl fmt::Display for Nick {
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
        model::{SERVER_NAME, test_names::name},
    };

    #[test]
    fn nicks_are_those_of_rfc_2812() {
        for good in [
            "a",
            "alice",
            "[bot]",
            "_x-1",
            "a2345678901234567890123456789012",
            "`^{|}\\",
        ] {
            assert_eq!(Nick::parse(good).unwrap().as_str(), good);
        }
        for bad in [
            "0",
            "1a",
            "-a",
            " ",
            "a b",
            "é",
            "a.b",
            "a#b",
            "a!b",
            &"a".repeat(33),
            &"a".repeat(10_000),
        ] {
            assert_eq!(
                Error::from(Nick::parse(bad).unwrap_err()).code,
                Code::ErroneousNickname,
                "{bad}"
            );
        }
        assert_eq!(
            Error::from(Nick::parse("").unwrap_err()).code,
            Code::NoNicknameGiven
        );
        assert_eq!(Nick::parse("ALICE[]").unwrap().folded(), "alice[]");
        assert!(
            Nick::parse(SERVER_NAME).is_err(),
            "no session can pass for the server"
        );
    }

    #[test]
    fn a_nick_is_mentioned_by_a_whole_word_in_any_ascii_case() {
        let alice = Nick::parse("alice").unwrap();
        for text in [
            "alice",
            "ALICE: hi",
            "hi @Alice!",
            "alice's",
            "(alice)",
            "é alice,bob",
            "\u{1}ACTION greets alice\u{1}",
        ] {
            assert!(alice.is_named_in(text), "{text}");
        }
        for text in [
            "", "malice", "alice2", "alice-", "_alice", "[alice]", "al ice", "bob", "alıce",
            "élice",
        ] {
            assert!(!alice.is_named_in(text), "{text}");
        }
        let marks = Nick::parse("[a|b]").unwrap();
        assert!(
            marks.is_named_in("so, [A|B]?")
                && !marks.is_named_in("{a|b}")
                && !marks.is_named_in("a|b")
        );
    }

    proptest! {
        #[test]
        fn a_nick_is_what_the_contract_says(text in name()) {
            // RFC 2812 §2.3.1: letter and special, then also digit and "-"; 32 of them.
            let first = |b: u8| matches!(b, b'A'..=b'Z' | b'a'..=b'z' | 0x5b..=0x60 | 0x7b..=0x7d);
            let rest = |b: u8| first(b) || matches!(b, b'0'..=b'9' | b'-');
            let (start, end) = text.as_bytes().split_at(text.len().min(1));
            let good = text.len() <= 32 && start.iter().all(|b| first(*b)) && end.iter().all(|b| rest(*b));
            let expected = match text.as_str() {
                "" => Err(Code::NoNicknameGiven),
                text if good => Ok(text.to_owned()),
                _ => Err(Code::ErroneousNickname),
            };
            prop_assert_eq!(Nick::parse(&text).map(|nick| nick.to_string()).map_err(|invalid| Error::from(invalid).code), expected);
        }

        #[test]
        fn a_nick_is_mentioned_where_no_nick_character_touches_it(
            nick in "[ab\\[]{1,2}",
            text in "[abAB\\[{ é.1-]{0,12}",
        ) {
            let text: Vec<char> = text.chars().collect();
            let wanted: Vec<char> = nick.chars().collect();
            let beside = |place: Option<usize>| place.and_then(|place| text.get(place)).is_none_or(|c| " é.".contains(*c));
            let found = (0..text.len()).any(|start| {
                let end = start + wanted.len();
                let word = text.get(start..end).unwrap_or_default();
                word.len() == wanted.len()
                    && word.iter().zip(&wanted).all(|(a, b)| a.to_ascii_lowercase() == *b)
                    && beside(start.checked_sub(1))
                    && beside(Some(end))
            });
            let text = String::from_iter(&text);
            prop_assert_eq!(Nick::parse(&nick).unwrap().is_named_in(&text), found, "{:?} in {:?}", nick, text);
        }
    }
}
