//! Random secrets and their hashes. No other module names `rand`, `sha2` or `hmac`.
//!
//! A [`Secret`] is what its holder presents. A [`SecretHash`] is all that the database keeps of it.
//! They are different types, and `Debug` hides both. A [`KeyRing`] holds the server's own keys,
//! which are never in the database.

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

/// The purpose of a secret. Each kind is stored in a place of its own, so that no kind passes for
/// another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A client's secret, which is its cookie.
    Cookie,
    /// An access token.
    Access,
    /// A refresh token.
    Refresh,
    /// An app's secret: that of an API key or of an operator's app.
    Key,
    /// An authorization code.
    Code,
    /// A device code.
    Device,
}

impl Kind {
    /// The prefix of such secrets. It tells the finder of a leaked secret what it is.
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

/// A secret of 256 random bits: the prefix of its kind, then 43 characters of base64url (RFC 4648
/// §5).
///
/// Its memory is zeroed when it is dropped.
pub struct Secret(SecretString);

impl Secret {
    /// A new secret for a client. Fails with `internal_error` if the system gives no random
    /// numbers.
    pub fn generate() -> Result<Self> {
        Self::generate_as(Kind::Cookie)
    }

    /// A new secret of this kind, from the operating system's generator. Fails with
    /// `internal_error` if the system gives no random numbers.
    pub fn generate_as(kind: Kind) -> Result<Self> {
        Ok(Self::of_bits(kind, random()?))
    }

    fn of_bits(kind: Kind, bits: [u8; 32]) -> Self {
        Self(format!("{}{}", kind.prefix(), URL_SAFE_NO_PAD.encode(bits)).into())
    }

    /// The text for the secret's holder, which is shown once.
    pub fn reveal(&self) -> &str {
        self.0.expose_secret()
    }

    /// The hash under which the secret is stored and found.
    pub fn hash(&self) -> SecretHash {
        SecretHash::of(self.reveal())
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

/// The SHA-256 hash of a secret. A secret of 256 random bits needs no slow hash.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct SecretHash(pub [u8; 32]);

impl SecretHash {
    /// The hash of a secret, as a client presented it.
    pub fn of(presented: &str) -> Self {
        Self(sha256(presented.as_bytes()))
    }
}

impl SecretHash {
    /// The hash as hexadecimal digits, for use as a key of rate limits.
    pub fn hex(&self) -> String {
        self.0.iter().map(|byte| format!("{byte:02x}")).collect()
    }
}

impl fmt::Debug for SecretHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretHash(…)")
    }
}

/// A new public name for an app: `app_` and 128 random bits. Fails with `internal_error`.
pub fn app_name() -> Result<String> {
    Ok(format!("app_{}", URL_SAFE_NO_PAD.encode(random::<16>()?)))
}

/// The SHA-256 hash of some bytes (FIPS 180-4).
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
