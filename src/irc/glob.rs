//! Which texts fit a mask with `*` and `?`, ASCII case aside.
//!
//! A mask is whatever somebody sets, and every message to a channel is judged by all of the
//! channel's bans. So a text is prepared once, and then each mask costs one step for each of its
//! own bytes, whatever it is made of: the state is the set of places in the text that the mask so
//! far may end at, one bit each.

/// The places in a text are the bits of a number, and there is one more than it has bytes.
const LONGEST: usize = u128::BITS as usize - 1;

/// A text that masks are tried on.
pub struct Candidate {
    text: String,
    /// For each byte, in lower case, the places before which it stands.
    before: [u128; 256],
}

impl Candidate {
    pub fn new(text: impl Into<String>) -> Self {
        let text = text.into();
        let mut before = [0; 256];
        for (place, byte) in text.bytes().take(LONGEST).enumerate() {
            before[usize::from(byte.to_ascii_lowercase())] |= 1 << place;
        }
        Self { text, before }
    }

    /// Whether it fits a mask.
    pub fn fits(&self, mask: &str) -> bool {
        if self.text.len() > LONGEST {
            return search(mask.as_bytes(), self.text.as_bytes());
        }
        let all = u128::MAX >> (LONGEST - self.text.len());
        let mut ends: u128 = 1;
        for byte in mask.bytes() {
            ends = match byte {
                // From the first of the places on, all of them.
                b'*' => all & (u128::MAX << ends.trailing_zeros()),
                b'?' => all & (ends << 1),
                byte => (ends & self.before[usize::from(byte.to_ascii_lowercase())]) << 1,
            };
            if ends == 0 {
                return false;
            }
        }
        ends >> self.text.len() == 1
    }
}

/// Whether a text fits a mask.
pub fn fits(mask: &str, text: &str) -> bool {
    Candidate::new(text).fits(mask)
}

/// The same of a text of any length, in time bounded by the product of both lengths.
fn search(mask: &[u8], text: &[u8]) -> bool {
    let (mut m, mut t) = (0, 0);
    let mut retry: Option<(usize, usize)> = None;
    while t < text.len() {
        match mask.get(m) {
            Some(b'*') => {
                retry = Some((m, t));
                m += 1;
            }
            Some(c) if *c == b'?' || c.eq_ignore_ascii_case(&text[t]) => {
                m += 1;
                t += 1;
            }
            _ => match &mut retry {
                Some((star, from)) => {
                    *from += 1;
                    (m, t) = (*star + 1, *from);
                }
                None => return false,
            },
        }
    }
    mask[m..].iter().all(|c| *c == b'*')
}

#[cfg(test)]
mod tests {
    use proptest::{prelude::*, string::string_regex};

    use super::*;

    #[test]
    fn masks_are_matched() {
        assert!(
            fits("b?b*!*@*", "BOBBY!s7@rejoin.server")
                && !fits("bob!*@*", "bobby!s7@rejoin.server")
        );
        assert!(fits("*a*b*c", "xxaxxbxxcxxc") && !fits("*a*b*c", "xxaxxbxxcx"));
        assert!(
            fits("*", "")
                && fits("", "")
                && fits("**", "x")
                && !fits("?", "")
                && !fits("", "x")
                && !fits("a", "ab")
        );
        for length in [LONGEST - 1, LONGEST, LONGEST + 1, 10_000] {
            let (text, stars) = ("a".repeat(length), "*a".repeat(32));
            assert!(
                fits(&text, &text) && fits("*", &text) && fits(&stars, &text),
                "{length}"
            );
            assert!(
                !fits(&format!("{text}?"), &text) && !fits(&format!("{stars}b"), &text),
                "{length}"
            );
        }
    }

    proptest! {
        /// However a mask goes back and forth, it is judged like one place after the other.
        #[test]
        fn a_prepared_text_is_matched_as_one_that_is_searched(
            mask in string_regex("[aAb*?]{0,24}").unwrap(), text in string_regex("[abB]{0,16}").unwrap(),
        ) {
            prop_assert_eq!(fits(&mask, &text), search(mask.as_bytes(), text.as_bytes()));
        }

        #[test]
        fn a_mask_made_of_a_text_fits_it(text in "[a-z0-9!@.]{0,127}", places in any::<u128>()) {
            let wild = |place: usize, c| match places >> (place % 128) & 3 { 0 => '*', 1 => '?', _ => c };
            let mask: String = text.chars().enumerate().map(|(place, c)| wild(place, c)).collect();
            prop_assert!(fits(&mask, &text));
        }
    }
}
