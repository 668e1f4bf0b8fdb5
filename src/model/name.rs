//! Names: nicks and channels, checked where they come in and compared by their folded form.

use std::fmt;

use serde::Serialize;

use super::{CHANNEL_LIMIT, CLIENT_NAME_LIMIT, NICK_LIMIT, text};
use crate::error::{Code, Error, Result};

/// A nick: 1 to 32 characters of RFC 2812 §2.3.1. Two nicks that fold alike are one.
#[derive(Clone, Debug, Serialize)]
#[serde(transparent)]
pub struct Nick(String);

impl Nick {
    pub fn parse(text: &str) -> Result<Self> {
        let start = |c: char| is_of_nicks(c) && !c.is_ascii_digit() && c != '-';
        if text.is_empty() {
            return Err(Error::new(Code::NoNicknameGiven, "no nickname given"));
        }
        if text.len() > NICK_LIMIT || !text.starts_with(start) || !text.chars().all(is_of_nicks) {
            let rules = "a nick has 1 to 32 letters, digits or any of -[]\\`_^{|}, and begins with neither digit nor -";
            return Err(Error::new(Code::ErroneousNickname, rules).about(shown(text)));
        }
        Ok(Self(text.to_owned()))
    }

    /// The nick of somebody who is spoken of: a word that can be no nick names nobody.
    pub fn named(text: &str) -> Result<Self> {
        Self::parse(text).map_err(|_| Error::no_such_nick(&shown(text)))
    }

    /// A nick that was checked before it was stored.
    pub fn stored(text: String) -> Self {
        Self(text)
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The form by which nicks are compared (ASCII case folding).
    pub fn folded(&self) -> String {
        self.0.to_ascii_lowercase()
    }

    /// Whether a text has it as a whole word, in any ASCII case. A word ends where a character
    /// stands that no nick can have.
    pub fn is_named_in(&self, text: &str) -> bool {
        let mut words = text
            .as_bytes()
            .split(|byte| !is_of_nicks(char::from(*byte)));
        words.any(|word| word.eq_ignore_ascii_case(self.0.as_bytes()))
    }
}

/// Whether nicks can have a character, if not as their first. RFC 2812's letters and specials are
/// one range of ASCII.
pub(super) fn is_of_nicks(c: char) -> bool {
    matches!(c, 'A'..='}' | '0'..='9' | '-')
}

impl fmt::Display for Nick {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A channel's name: `#` and up to 63 bytes of UTF-8 without space, comma or control character. A
/// channel that is made has a stricter one; see [`ChannelName::check_new`].
#[derive(Clone, Debug, Serialize)]
#[serde(transparent)]
pub struct ChannelName(String);

impl ChannelName {
    pub fn parse(text: &str) -> Result<Self> {
        let forbidden = |c: char| c == ' ' || c == ',' || c.is_control();
        if !text.starts_with('#')
            || text.len() < 2
            || text.len() > CHANNEL_LIMIT
            || text.contains(forbidden)
        {
            let rules =
                "a channel's name is # and 1 to 63 bytes without space, comma or control character";
            return Err(Error::new(Code::BadChannelName, rules).about(shown(text)));
        }
        Ok(Self(text.to_owned()))
    }

    /// Whether a channel may be made under this name: in NFC, with nothing invisible in it, and not
    /// beginning with a mark that would join the `#`. A channel that has another name from before
    /// is still found by it.
    pub fn check_new(&self) -> Result<()> {
        let name = &self.0[1..];
        let rules = if text::nfc(name) != name {
            "a channel's name is in Unicode's Normalization Form C"
        } else if name.contains(text::shows_nothing) {
            "a channel's name has no control, format or other invisible characters, and no separators"
        } else if text::begins_with_mark(name) {
            "a channel's name does not begin with a combining mark"
        } else {
            return Ok(());
        };
        Err(Error::new(Code::BadChannelName, rules).about(shown(&self.0)))
    }

    /// Whether it consists of ASCII alone: then it is compared by its folded form and by nothing
    /// else.
    pub fn is_ascii(&self) -> bool {
        self.0.is_ascii()
    }

    /// A name that was checked before it was stored.
    pub fn stored(text: String) -> Self {
        Self(text)
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The form by which channel names are compared (ASCII case folding).
    pub fn folded(&self) -> String {
        self.0.to_ascii_lowercase()
    }
}

impl fmt::Display for ChannelName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A refused name as an error may repeat it: never longer than a good one, never with a space that
/// would split it.
fn shown(text: &str) -> String {
    let text: String = text
        .chars()
        .take(NICK_LIMIT)
        .map(|c| if c == ' ' || c.is_control() { '_' } else { c })
        .collect();
    if text.is_empty() { "*".into() } else { text }
}

/// A name of a client or an app, as it is shown to people: in NFC, trimmed, within its limit,
/// without invisible characters and such as move or disguise what stands beside them. It may be
/// empty, and is not blank otherwise.
pub fn checked_name(given: &str) -> Result<String> {
    let name = text::nfc(given);
    let name = name.trim_matches(' ');
    if name.chars().count() > CLIENT_NAME_LIMIT {
        return Err(Error::too_long("the name", CLIENT_NAME_LIMIT, "characters"));
    }
    if name.contains(text::shows_nothing) || text::begins_with_mark(name) {
        let rules = "a name has no control, format or other invisible characters, no separators but the plain space, and \
                     begins with no combining mark";
        return Err(Error::malformed(rules));
    }
    Ok(name.to_owned())
}

/// The same, where there must be one.
pub fn required_name(given: &str) -> Result<String> {
    let name = checked_name(given)?;
    if name.is_empty() {
        Err(Error::malformed("a name is needed"))
    } else {
        Ok(name)
    }
}

/// What a message is sent to: IRC's msgtarget.
#[derive(Clone, Debug)]
pub enum Target {
    Channel(ChannelName),
    Nick(Nick),
}

impl Target {
    pub fn parse(text: &str) -> Result<Self> {
        if text.starts_with('#') {
            return ChannelName::parse(text).map(Self::Channel);
        }
        Nick::named(text).map(Self::Nick)
    }

    /// The target that is spoken of: a name that nothing can have names nothing.
    pub fn named(text: &str) -> Result<Self> {
        Self::parse(text).map_err(|error| match error.code {
            Code::BadChannelName => Error {
                code: Code::NoSuchChannel,
                detail: "no such channel".into(),
                ..error
            },
            _ => error,
        })
    }

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

impl Error {
    pub fn no_such_nick(nick: &str) -> Self {
        Self::new(
            Code::NoSuchNick,
            format!("there is nobody called {nick} here"),
        )
        .about(nick)
    }

    pub fn no_such_channel(name: &ChannelName) -> Self {
        Self::new(Code::NoSuchChannel, "no such channel").about(name)
    }

    pub fn not_on_channel(name: &ChannelName) -> Self {
        Self::new(Code::NotOnChannel, "you are not on that channel").about(name)
    }
}

#[cfg(test)]
mod tests {
    use proptest::{prelude::*, sample::select};

    use super::*;
    use crate::model::SERVER_NAME;

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
                Nick::parse(bad).unwrap_err().code,
                Code::ErroneousNickname,
                "{bad}"
            );
        }
        assert_eq!(Nick::parse("").unwrap_err().code, Code::NoNicknameGiven);
        assert_eq!(Nick::parse("ALICE[]").unwrap().folded(), "alice[]");
        assert!(
            Nick::parse(SERVER_NAME).is_err(),
            "nobody can pass for the server"
        );
    }

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
                ChannelName::parse(bad).unwrap_err().code,
                Code::BadChannelName,
                "{bad}"
            );
        }
    }

    #[test]
    fn a_shown_name_neither_hides_nor_moves_anything() {
        for (given, name) in [
            ("", ""),
            ("  my phone ", "my phone"),
            ("cafe\u{301}", "caf\u{e9}"),
            ("\u{2764}\u{fe0f} phone", "\u{2764}\u{fe0f} phone"),
            ("🦀", "🦀"),
        ] {
            assert_eq!(checked_name(given), Ok(name.into()));
        }
        for given in [
            "\t",
            "a\u{202e}b",
            "a\u{200b}b",
            "a\u{2028}b",
            "a\u{a0}b",
            "\u{3164}",
            "\u{301}a",
            "\u{2800}",
        ] {
            assert_eq!(
                checked_name(given).unwrap_err().code,
                Code::MalformedRequest,
                "{given:?}"
            );
        }
        assert_eq!(checked_name(&"é".repeat(64)).unwrap().chars().count(), 64);
        assert_eq!(
            checked_name(&"é".repeat(65)).unwrap_err().code,
            Code::InputTooLong
        );
        assert_eq!(required_name(" ").unwrap_err().code, Code::MalformedRequest);
    }

    #[test]
    fn a_channel_is_made_under_a_name_that_shows_all_of_itself() {
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
                .map_err(|error| error.code);
            assert_eq!(refused, Err(Code::BadChannelName), "{bad:?}");
        }
    }

    #[test]
    fn a_nick_is_named_by_a_whole_word_in_any_ascii_case() {
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

    /// Names, and what is one only almost.
    fn name() -> impl Strategy<Value = String> {
        let marks = select(vec![
            "#", "[", "]", "{", "}", "~", "^", "-", "0", "9", " ", ",", "\u{7}", "\u{85}", "é",
            "語", "I", "ı",
        ]);
        let piece = prop_oneof![4 => "[a-zA-Z]", 2 => marks.prop_map(str::to_owned), 1 => any::<char>().prop_map(String::from)];
        let mixed = prop::collection::vec(piece, 0..12).prop_map(|pieces| pieces.concat());
        let long = (
            select(vec!["a", "#a", "#é"]),
            prop_oneof![28..34_usize, 58..66_usize],
        )
            .prop_map(|(start, more)| format!("{start}{}", "x".repeat(more)));
        let nick = "[A-Z\\[-`a-z{-}][-A-Z\\[-`a-z{-}0-9]{0,33}";
        prop_oneof![3 => mixed.clone(), 3 => mixed.prop_map(|name| format!("#{name}")), 2 => long, 1 => nick]
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
            prop_assert_eq!(Nick::parse(&text).map(|nick| nick.to_string()).map_err(|e| e.code), expected);
        }

        #[test]
        fn a_channels_name_is_what_the_contract_says(text in name()) {
            let rest = text.strip_prefix('#').filter(|rest| (1..=63).contains(&rest.len()));
            let control = |c: char| matches!(u32::from(c), 0..=0x1f | 0x7f..=0x9f);
            let good = rest.is_some_and(|rest| rest.chars().all(|c| c != ' ' && c != ',' && !control(c)));
            let expected = if good { Ok(text.clone()) } else { Err(Code::BadChannelName) };
            prop_assert_eq!(ChannelName::parse(&text).map(|name| name.to_string()).map_err(|e| e.code), expected);
        }

        #[test]
        fn a_target_is_a_channel_or_a_nick(text in name()) {
            let expected = match text.starts_with('#') {
                true => ChannelName::parse(&text).map(|name| name.to_string()).map_err(|e| e.code),
                false => Nick::parse(&text).map(|nick| nick.to_string()).map_err(|_| Code::NoSuchNick),
            };
            prop_assert_eq!(Target::parse(&text).map(|target| target.to_string()).map_err(|e| e.code), expected);
        }

        #[test]
        fn what_an_error_repeats_of_a_name_is_one_short_word(text in name()) {
            let errors = [Nick::parse(&text).err(), ChannelName::parse(&text).err(), Target::parse(&text).err()];
            for word in errors.into_iter().flatten().flat_map(|error| error.context) {
                prop_assert!((1..=NICK_LIMIT).contains(&word.chars().count()), "{:?}", word);
                prop_assert!(!word.contains(|c: char| c == ' ' || c.is_control()), "{:?}", word);
            }
        }

        #[test]
        fn a_nick_is_named_where_no_character_of_nicks_stands_beside_it(
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
            // The last two are what Unicode and RFC 1459 would call the same.
            for other in [text.chars().enumerate().map(turned).collect(), text.to_uppercase(), text.replace('[', "{")] {
                if let Ok(other) = Target::parse(&other) {
                    prop_assert_eq!(other.folded() == folded, other.to_string().eq_ignore_ascii_case(&text));
                }
            }
        }
    }
}
