//! The words that a text may have, as one number. It shows for most texts, without reading them,
//! that they do not mention a nick.

use super::{
    limits::NICK_LIMIT,
    nick::{Nick, is_nick_char},
};

/// A Bloom filter of the words of a text that can be nicks, in any ASCII case. The store keeps it,
/// so the bits of a word must never change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Words(pub i64);

impl Words {
    /// The filter of a text's words.
    pub fn of(text: &str) -> Self {
        let words = text
            .as_bytes()
            .split(|byte| !is_nick_char(char::from(*byte)));
        let is_nick = |word: &&[u8]| match word {
            [b'0'..=b'9' | b'-', ..] | [] => false,
            word => word.len() <= NICK_LIMIT,
        };
        Self(
            words
                .filter(is_nick)
                .fold(0, |filter, word| filter | bits(word)),
        )
    }

    /// Whether the text may have the nick as a word. False means that it does not.
    pub fn may_have(self, nick: &Nick) -> bool {
        let bits = bits(nick.as_str().as_bytes());
        self.0 & bits == bits
    }
}

/// Two bits of 64 for a word, from its hash: FNV-1a, then the last steps of MurmurHash3, so that
/// short words differ as much as long ones.
fn bits(word: &[u8]) -> i64 {
    let fnv = |hash: u64, byte: &u8| {
        (hash ^ u64::from(byte.to_ascii_lowercase())).wrapping_mul(0x100_0000_01b3)
    };
    let mut hash = word.iter().fold(0xcbf2_9ce4_8422_2325, fnv);
    hash = (hash ^ (hash >> 33)).wrapping_mul(0xff51_afd7_ed55_8ccd);
    hash ^= hash >> 33;
    1 << (hash & 63) | 1 << (hash >> 6 & 63)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn nick(text: &str) -> Nick {
        Nick::parse(text).unwrap()
    }

    #[test]
    fn the_filter_of_a_text_never_changes() {
        let words = Words::of("well, Alice: 2 of them -- or [bob]?");
        assert_eq!(words, Words(1_729_424_074_892_905_632));
        for named in ["alice", "ALICE", "[bob]", "well", "of"] {
            assert!(words.may_have(&nick(named)), "{named}");
        }
    }

    #[test]
    fn the_filter_rules_out_most_nicks_that_a_text_lacks() {
        let words = Words::of("somebody says something that is about as long as what people say");
        let taken_for = (0..1000)
            .filter(|n| words.may_have(&nick(&format!("nick{n}"))))
            .count();
        assert!(taken_for < 150, "{taken_for} of 1000");
    }

    proptest! {
        #[test]
        fn the_filter_never_misses_a_mention(
            who in "[A-Za-z\\[-`{-}][-A-Za-z0-9\\[-`{-}]{0,31}",
            before in "[ -~é\u{1}\n]{0,40}",
            after in "[ -~é\u{1}\n]{0,40}",
        ) {
            let text = format!("{before} {} {after}", who.to_ascii_uppercase());
            for text in [text, format!("{before}{who}{after}")] {
                let who = nick(&who);
                prop_assert!(!who.is_named_in(&text) || Words::of(&text).may_have(&who), "{} in {:?}", who, text);
            }
        }
    }
}
