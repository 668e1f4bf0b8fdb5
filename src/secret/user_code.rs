//! User codes (RFC 8628 §6.1). They are short enough to type, and therefore hashed with a key that
//! is not in the database.

use std::fmt;

use super::random;
use crate::error::Result;

/// The letters of user codes. There are no vowels, which would form words, and no letters that look
/// alike (RFC 8628 §6.1).
const LETTERS: &[u8; 20] = b"BCDFGHJKLMNPQRSTVWXZ";
/// The number of letters in a user code.
const USER_CODE_LENGTH: usize = 8;

/// The code that a user types to let a device join: 34 random bits.
#[derive(Clone, PartialEq, Eq)]
pub struct UserCode(pub(super) String);

impl UserCode {
    /// A new code from the operating system's generator. Every letter is equally likely. Fails with
    /// `internal_error`.
    pub fn generate() -> Result<Self> {
        let mut letters = String::new();
        while letters.len() < USER_CODE_LENGTH {
            let [byte] = random()?;
            letters.extend(letter(byte));
        }
        Ok(Self(letters))
    }

    /// Parses a code as a user typed it, in any case. Everything except letters and digits is
    /// ignored. `None` unless eight letters of user codes remain.
    pub fn parse(text: &str) -> Option<Self> {
        let letters = text
            .chars()
            .filter(|c| c.is_alphanumeric())
            .map(|c| c.to_ascii_uppercase())
            .collect::<String>();
        let known = letters.bytes().all(|byte| LETTERS.contains(&byte));
        (known && letters.len() == USER_CODE_LENGTH).then_some(Self(letters))
    }

    /// The text that the device shows: `XXXX-XXXX`.
    pub fn reveal(&self) -> String {
        let (one, other) = self.0.split_at(USER_CODE_LENGTH / 2);
        format!("{one}-{other}")
    }
}

/// The letter for a random byte. Bytes past the last multiple of 20 give none, because otherwise
/// the first letters would be more likely.
fn letter(byte: u8) -> Option<char> {
    let byte = usize::from(byte);
    (byte < 256 - 256 % LETTERS.len()).then(|| char::from(LETTERS[byte % LETTERS.len()]))
}

impl fmt::Debug for UserCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("UserCode(…)")
    }
}

/// The HMAC-SHA-256 (RFC 2104) of a user code, under a key that is not in the database. The
/// database keeps nothing else of the code. All user codes can be hashed within minutes, so a hash
/// without a key would reveal the code.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct UserCodeHash(pub [u8; 32]);

impl fmt::Debug for UserCodeHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("UserCodeHash(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_user_code_is_eight_letters_of_twenty_each_as_likely() {
        let letters = (0..=255).filter_map(letter).collect::<Vec<_>>();
        for letter in LETTERS {
            assert_eq!(
                letters
                    .iter()
                    .filter(|other| **other == char::from(*letter))
                    .count(),
                12
            );
        }
        assert_eq!(letters.len(), 240);
        let (code, other) = (UserCode::generate().unwrap(), UserCode::generate().unwrap());
        assert_ne!(code, other);
        let shown = code.reveal();
        assert_eq!((shown.len(), &shown[4..5]), (9, "-"));
        assert_eq!(UserCode::parse(&shown), Some(code));
    }

    #[test]
    fn a_user_code_is_read_however_it_was_typed() {
        let code = UserCode("BCDFWXZJ".into());
        assert_eq!(code.reveal(), "BCDF-WXZJ");
        for typed in [
            "BCDF-WXZJ",
            "bcdfwxzj",
            " bCdF wXzJ\n",
            "B.C.D.F–W_X/Z,J",
            "--bcdf--wxzj--",
            "BCDF\u{a0}WXZJ",
        ] {
            assert_eq!(UserCode::parse(typed), Some(code.clone()), "{typed:?}");
        }
        for bad in [
            "",
            "-",
            "BCDF-WXZ",
            "BCDF-WXZJJ",
            "BCDF-WXZA",
            "BCDF-WXZ1",
            "BCDF1WXZJ",
            "ＢＣＤＦ-ＷＸＺＪ",
            "ßCDF-WXZJ",
        ] {
            assert_eq!(UserCode::parse(bad), None, "{bad:?}");
        }
    }
}
