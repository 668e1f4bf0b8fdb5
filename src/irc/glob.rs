//! Matching of masks with `*` and `?`, ignoring ASCII case.
//!
//! Users set masks freely, and every message to a channel is checked against all of the channel's
//! bans. A text is therefore prepared once, and each mask then costs one step for each of its
//! bytes, whatever it contains. The state is the set of positions in the text at which the mask so
//! far can end, one bit for each.

/// The longest text whose positions fit into the bits of a number. A text has one position more
/// than it has bytes.
const MAX_TEXT_BYTES: usize = u128::BITS as usize - 1;

/// A text, prepared for matching against masks.
pub struct Candidate {
    text: String,
    /// For each lower-case byte, its positions in the text.
    before: [u128; 256],
}

impl Candidate {
    /// Prepares a text.
    pub fn new(text: impl Into<String>) -> Self {
        let text = text.into();
        let mut before = [0; 256];
        for (place, byte) in text.bytes().take(MAX_TEXT_BYTES).enumerate() {
            before[usize::from(byte.to_ascii_lowercase())] |= 1 << place;
        }
        Self { text, before }
    }

    /// Whether the text matches the mask.
    pub fn fits(&self, mask: &str) -> bool {
        if self.text.len() > MAX_TEXT_BYTES {
            return search(mask.as_bytes(), self.text.as_bytes());
        }
        let all = u128::MAX >> (MAX_TEXT_BYTES - self.text.len());
        let mut ends: u128 = 1;
        for byte in mask.bytes() {
            ends = match byte {
                // A star matches any text, so every position from the first one on is possible.
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

/// Whether the text matches the mask. To try several masks on one text, use [`Candidate`].
pub fn fits(mask: &str, text: &str) -> bool {
    Candidate::new(text).fits(mask)
}

/// The same for a text of any length. The time is bounded by the product of both lengths.
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
        for length in [
            MAX_TEXT_BYTES - 1,
            MAX_TEXT_BYTES,
            MAX_TEXT_BYTES + 1,
            10_000,
        ] {
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
        /// A mask that makes the matcher go back and forth gives the same answer as [`search`].
        #[test]
        fn a_prepared_text_matches_like_a_plain_search(
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
