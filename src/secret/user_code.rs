//! User codes: short enough to be typed, and so hashed with a key that is not kept (RFC 8628 §6.1).

use std::fmt;

use super::random;
use crate::error::Result;

/// The letters of user codes: without vowels, which would make words, and without letters that look
/// alike (RFC 8628 §6.1).
const LETTERS: &[u8; 20] = b"BCDFGHJKLMNPQRSTVWXZ";
/// Letters of a user code.
const USER_CODE_LENGTH: usize = 8;

/// What a person types to let a device join: 34 random bits.
#[derive(Clone, PartialEq, Eq)]
pub struct UserCode(pub(super) String);

impl UserCode {
    /// A new one from the operating system's generator, every letter as likely as any other.
    pub fn generate() -> Result<Self> {
        let mut letters = String::new();
        while letters.len() < USER_CODE_LENGTH {
            let [byte] = random()?;
            letters.extend(letter(byte));
        }
        Ok(Self(letters))
    }

    /// Reads one as it was typed: in any case, with anything between the letters that is none and
    /// no digit.
    pub fn parse(text: &str) -> Option<Self> {
        let letters = text
            .chars()
            .filter(|c| c.is_alphanumeric())
            .map(|c| c.to_ascii_uppercase())
            .collect::<String>();
        let known = letters.bytes().all(|byte| LETTERS.contains(&byte));
        (known && letters.len() == USER_CODE_LENGTH).then_some(Self(letters))
    }

    /// The text to show to whoever is to type it, `XXXX-XXXX`.
    pub fn reveal(&self) -> String {
        let (one, other) = self.0.split_at(USER_CODE_LENGTH / 2);
        format!("{one}-{other}")
    }
}

/// The letter that a random byte stands for. The bytes past the last multiple of 20 stand for none,
/// or the first letters would be likelier.
fn letter(byte: u8) -> Option<char> {
    let byte = usize::from(byte);
    (byte < 256 - 256 % LETTERS.len()).then(|| char::from(LETTERS[byte % LETTERS.len()]))
}

impl fmt::Debug for UserCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("UserCode(…)")
    }
}

/// HMAC-SHA-256 (RFC 2104) of a user code, under a key that is not in the database: all that is
/// kept of it. All user codes can be hashed within minutes, so hashes without a key would give them
/// away.
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
