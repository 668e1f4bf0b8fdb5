//! Random secrets and their hashes: the only module that names `rand`, `sha2` and `hmac`.
//!
//! A [`Secret`] is what a holder presents, a [`SecretHash`] is all that the database keeps of it;
//! the two are different types, and neither prints itself. A [`KeyRing`] holds the server's own
//! keys, which the database never has.

use std::fmt;

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use rand::{TryRng, rngs::SysRng};
use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};

use crate::error::{Error, Result};

pub mod keys;
mod user_code;

pub use keys::{KeyId, KeyRing};
pub use user_code::{UserCode, UserCodeHash};

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

/// 256 random bits, written as 43 characters of base64url (RFC 4648 §5) after what their kind
/// begins with.
///
/// Its memory is zeroed when it is dropped.
pub struct Secret(SecretString);

impl Secret {
    /// A client's new secret. Fails with `internal_error` if the system gives no random numbers.
    pub fn generate() -> Result<Self> {
        Self::generate_as(Kind::Cookie)
    }

    /// A new secret from the operating system's generator. Fails with `internal_error`.
    pub fn generate_as(kind: Kind) -> Result<Self> {
        Ok(Self::of_bits(kind, random()?))
    }

    fn of_bits(kind: Kind, bits: [u8; 32]) -> Self {
        Self(format!("{}{}", kind.prefix(), URL_SAFE_NO_PAD.encode(bits)).into())
    }

    /// The text to hand to its holder, once.
    pub fn reveal(&self) -> &str {
        self.0.expose_secret()
    }

    /// The hash by which it is stored and found.
    pub fn hash(&self) -> SecretHash {
        SecretHash::of(self.reveal())
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
    /// The hash of a secret as it was presented.
    pub fn of(presented: &str) -> Self {
        Self(sha256(presented.as_bytes()))
    }
}

impl SecretHash {
    /// As text, to count by.
    pub fn hex(&self) -> String {
        self.0.iter().map(|byte| format!("{byte:02x}")).collect()
    }
}

impl fmt::Debug for SecretHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretHash(…)")
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

/// Random bytes from the operating system's generator. Fails with `internal_error`.
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
        assert!(
            Secret::generate_as(Kind::Key)
                .unwrap()
                .reveal()
                .starts_with("rjk_")
        );
        let shown = format!("{one:?} {:?}", one.hash());
        assert_eq!(shown, "Secret(…) SecretHash(…)");
    }
}
