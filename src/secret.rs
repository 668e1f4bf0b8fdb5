//! Random secrets and their hashes: the only module that names `rand`, `sha2` and `hmac`.
//!
//! A [`Secret`] is what a holder presents, a [`SecretHash`] is all that is kept of it; the two are different types, and
//! neither prints itself. A [`UserCode`] is short enough to be typed, so its hash takes a key that is not kept.

use std::fmt;

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use hmac::{Hmac, KeyInit, Mac};
use rand::{TryRng, rngs::SysRng};
use sha2::{Digest, Sha256};

use crate::error::{Error, Result};

/// What a secret is for. Each kind is kept in a place of its own, so none passes for another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A client's, which travels as the cookie.
    Cookie,
    /// An access token.
    Access,
    /// A refresh token.
    Refresh,
    /// An app's: an API key's, or an operator's app's.
    Key,
    /// An authorization code.
    Code,
    /// A device code.
    Device,
}

impl Kind {
    /// What it begins with, so that whoever finds a lost one knows what it is.
    fn prefix(self) -> &'static str {
        match self {
            Self::Cookie => "",
            Self::Access => "rja_",
            Self::Refresh => "rjr_",
            Self::Key => "rjk_",
            Self::Code => "rjc_",
            Self::Device => "rjd_",
        }
    }
}

/// 256 random bits, written as 43 characters of base64url (RFC 4648 §5) after what their kind begins with.
pub struct Secret(String);

impl Secret {
    /// A client's new secret.
    pub fn generate() -> Result<Self> {
        Self::generate_as(Kind::Cookie)
    }

    /// A new secret from the operating system's generator.
    pub fn generate_as(kind: Kind) -> Result<Self> {
        Ok(Self(format!("{}{}", kind.prefix(), URL_SAFE_NO_PAD.encode(random::<32>()?))))
    }

    /// The text to hand to its holder, once.
    pub fn reveal(&self) -> &str {
        &self.0
    }

    pub fn hash(&self) -> SecretHash {
        SecretHash::of(&self.0)
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

/// SHA-256 of a presented secret. A secret of 256 random bits needs no slow hash.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct SecretHash(pub [u8; 32]);

impl SecretHash {
    pub fn of(presented: &str) -> Self {
        Self(sha256(presented.as_bytes()))
    }
}

impl fmt::Debug for SecretHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretHash(…)")
    }
}

/// The letters of user codes: without vowels, which would make words, and without letters that look alike (RFC 8628 §6.1).
const LETTERS: &[u8; 20] = b"BCDFGHJKLMNPQRSTVWXZ";
/// Letters of a user code.
const USER_CODE_LENGTH: usize = 8;

/// What a person types to let a device join: 34 random bits.
#[derive(Clone, PartialEq, Eq)]
pub struct UserCode(String);

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

    /// Reads one as it was typed: in any case, with anything between the letters that is none and no digit.
    pub fn parse(text: &str) -> Option<Self> {
        let letters = text.chars().filter(|c| c.is_alphanumeric()).map(|c| c.to_ascii_uppercase()).collect::<String>();
        let known = letters.bytes().all(|byte| LETTERS.contains(&byte));
        (known && letters.len() == USER_CODE_LENGTH).then_some(Self(letters))
    }

    /// The text to show to whoever is to type it, `XXXX-XXXX`.
    pub fn reveal(&self) -> String {
        let (one, other) = self.0.split_at(USER_CODE_LENGTH / 2);
        format!("{one}-{other}")
    }
}

/// The letter that a random byte stands for. The bytes past the last multiple of 20 stand for none, or the first letters
/// would be likelier.
fn letter(byte: u8) -> Option<char> {
    let byte = usize::from(byte);
    (byte < 256 - 256 % LETTERS.len()).then(|| char::from(LETTERS[byte % LETTERS.len()]))
}

impl fmt::Debug for UserCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("UserCode(…)")
    }
}

/// HMAC-SHA-256 (RFC 2104) of a user code: all that is kept of it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct UserCodeHash(pub [u8; 32]);

impl fmt::Debug for UserCodeHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("UserCodeHash(…)")
    }
}

/// What user codes are hashed with: 256 random bits that are in memory alone. All user codes can be hashed within minutes, so
/// whoever stole a database with hashes that need no key would have those in it.
#[derive(Clone)]
pub struct UserCodeKey(Hmac<Sha256>);

impl UserCodeKey {
    pub fn generate() -> Result<Self> {
        Hmac::new_from_slice(&random::<32>()?).map(Self).map_err(Error::internal)
    }

    pub fn hash(&self, code: &UserCode) -> UserCodeHash {
        UserCodeHash(self.0.clone().chain_update(&code.0).finalize().into_bytes().into())
    }
}

impl fmt::Debug for UserCodeKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("UserCodeKey(…)")
    }
}

/// A new name for an app, as everyone may see it: `app_` and 128 random bits.
pub fn app_name() -> Result<String> {
    Ok(format!("app_{}", URL_SAFE_NO_PAD.encode(random::<16>()?)))
}

/// SHA-256 (FIPS 180-4).
pub fn sha256(bytes: &[u8]) -> [u8; 32] {
    Sha256::digest(bytes).into()
}

/// Random bytes from the operating system's generator.
pub fn random<const N: usize>() -> Result<[u8; N]> {
    let mut bytes = [0; N];
    SysRng.try_fill_bytes(&mut bytes).map_err(Error::internal)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_has_256_bits_and_hides_itself() {
        let (one, other) = (Secret::generate().unwrap(), Secret::generate().unwrap());
        assert_eq!(one.reveal().len(), 43);
        assert_ne!(one.reveal(), other.reveal());
        assert_eq!(one.hash(), SecretHash::of(one.reveal()));
        assert!(Secret::generate_as(Kind::Key).unwrap().reveal().starts_with("rjk_"));
        let shown = format!("{one:?} {:?}", one.hash());
        assert_eq!(shown, "Secret(…) SecretHash(…)");
    }

    #[test]
    fn a_user_code_is_eight_letters_of_twenty_each_as_likely() {
        let letters = (0..=255).filter_map(letter).collect::<Vec<_>>();
        for letter in LETTERS {
            assert_eq!(letters.iter().filter(|other| **other == char::from(*letter)).count(), 12);
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
        for typed in ["BCDF-WXZJ", "bcdfwxzj", " bCdF wXzJ\n", "B.C.D.F–W_X/Z,J", "--bcdf--wxzj--", "BCDF\u{a0}WXZJ"]
        {
            assert_eq!(UserCode::parse(typed), Some(code.clone()), "{typed:?}");
        }
        for bad in
            ["", "-", "BCDF-WXZ", "BCDF-WXZJJ", "BCDF-WXZA", "BCDF-WXZ1", "BCDF1WXZJ", "ＢＣＤＦ-ＷＸＺＪ", "ßCDF-WXZJ"]
        {
            assert_eq!(UserCode::parse(bad), None, "{bad:?}");
        }
    }

    #[test]
    fn a_user_codes_hash_takes_the_key_and_all_of_it_hides_itself() {
        let (code, other) = (UserCode("BCDFWXZJ".into()), UserCode("BCDFWXZK".into()));
        let key = UserCodeKey::generate().unwrap();
        assert_eq!(key.hash(&code), key.clone().hash(&code));
        assert_ne!(key.hash(&code), key.hash(&other));
        assert_ne!(key.hash(&code), UserCodeKey::generate().unwrap().hash(&code));
        let shown = format!("{code:?} {key:?} {:?}", key.hash(&code));
        assert_eq!(shown, "UserCode(…) UserCodeKey(…) UserCodeHash(…)");
    }

    /// RFC 4231 §4.3.
    #[test]
    fn the_hash_is_hmac_sha_256() {
        let key = UserCodeKey(Hmac::new_from_slice(b"Jefe").unwrap());
        let hash = key.hash(&UserCode("what do ya want for nothing?".into())).0;
        let hex = hash.iter().fold(String::new(), |text, byte| format!("{text}{byte:02x}"));
        assert_eq!(hex, "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
    }
}
