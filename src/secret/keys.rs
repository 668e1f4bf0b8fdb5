//! The server's own keys. They must be the same after a restart and on every node, and must not be
//! in the database.
//!
//! A [`KeyRing`] is the content of a key file. It has the key in use, older keys that something may
//! still depend on, and, after a rotation, the next key. Each purpose has a key of its own, which
//! HMAC derives from these under the label of the purpose. A new purpose, such as cloaks, takes a
//! new label. Other fields of the file, such as signing keys, are left as they are.

#[cfg(test)]
mod tests;
mod text;

use std::fmt;

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use hmac::{Hmac, KeyInit, Mac};
use secrecy::{ExposeSecret, SecretSlice};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use sha2::Sha256;

use super::{Kind, Secret, SecretHash, UserCode, UserCodeHash, random, sha256};
use crate::{
    error::{Error, Result},
    model::Timestamp,
};

/// The most keys of a ring. A user code that is typed is looked up under each of them.
pub const MAX_KEYS: usize = 10;

/// The name of a key. The database has it beside everything that depends on the key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyId(pub String);

/// The fingerprint of a ring. It does not reveal the keys. The database keeps the fingerprints of
/// the rings that belong to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fingerprint(pub [u8; 32]);

/// The pair of tokens that a refresh token is exchanged for.
#[derive(Debug)]
pub struct Pair {
    /// The access token.
    pub access: Secret,
    /// The refresh token.
    pub refresh: Secret,
}

/// The server's keys, and the lineage of the ring.
#[derive(Clone)]
pub struct KeyRing {
    /// The id that a ring shares with the rings that it is rotated to.
    lineage: String,
    /// How often the ring was rotated.
    generation: u32,
    /// The keys, oldest first. There is always one.
    keys: Vec<Key>,
    /// The other fields of the file.
    rest: Map<String, Value>,
}

#[derive(Clone)]
struct Key {
    id: KeyId,
    /// When the key comes into use.
    from: Timestamp,
    secret: SecretSlice<u8>,
    user_codes: Hmac<Sha256>,
    refresh: Hmac<Sha256>,
}

impl Key {
    fn new(id: KeyId, from: Timestamp, secret: [u8; 32]) -> Result<Self> {
        let derived = |purpose: &str| {
            let key = keyed(&secret)?
                .chain_update(purpose)
                .finalize()
                .into_bytes();
            keyed(&key)
        };
        Ok(Self {
            id,
            from,
            secret: secret.to_vec().into(),
            user_codes: derived("user codes")?,
            refresh: derived("refresh")?,
        })
    }

    fn generate(from: Timestamp) -> Result<Self> {
        Self::new(
            KeyId(URL_SAFE_NO_PAD.encode(random::<6>()?)),
            from,
            random()?,
        )
    }

    fn user_code(&self, code: &UserCode) -> UserCodeHash {
        UserCodeHash(
            self.user_codes
                .clone()
                .chain_update(&code.0)
                .finalize()
                .into_bytes()
                .into(),
        )
    }

    fn token(&self, kind: Kind, presented: &str) -> Secret {
        // No prefix contains a NUL byte, so it marks the end of the prefix.
        let mac = self
            .refresh
            .clone()
            .chain_update(kind.prefix())
            .chain_update([0])
            .chain_update(presented);
        Secret::of_bits(kind, mac.finalize().into_bytes().into())
    }
}

fn keyed(key: &[u8]) -> Result<Hmac<Sha256>> {
    Hmac::new_from_slice(key).map_err(Error::internal)
}

impl KeyRing {
    /// A ring with one new key, which is in use from the beginning. Fails with `internal_error`.
    pub fn generate() -> Result<Self> {
        let lineage = URL_SAFE_NO_PAD.encode(random::<12>()?);
        Ok(Self {
            lineage,
            generation: 0,
            keys: vec![Key::generate(Timestamp(0))?],
            rest: Map::new(),
        })
    }

    /// This ring with one more key, which comes into use at `from`. The key in use stays, and so do
    /// the keys that are `needed`. A key that was due to come into use later is dropped. Fails with
    /// `malformed_request` if more than [`MAX_KEYS`] keys would remain.
    pub fn rotated(
        &self,
        from: Timestamp,
        due: Timestamp,
        needed: impl Fn(&KeyId) -> bool,
    ) -> Result<Self> {
        let current = self.current_at(due);
        let stays = |(at, key): &(usize, &Key)| *at == current || needed(&key.id);
        let others = self.keys.iter().enumerate().filter(stays);
        // If the clock was set back, the older keys must still come before the new one.
        let others = others.map(|(_, key)| Key {
            from: key.from.min(from),
            ..key.clone()
        });
        let mut keys = others.collect::<Vec<_>>();
        keys.push(Key::generate(from)?);
        if keys.len() > MAX_KEYS {
            return Err(Error::malformed(format!(
                "the key file already has {MAX_KEYS} keys that are in use; rotate again in a few \
                 days"
            )));
        }
        Ok(Self {
            generation: self.generation + 1,
            keys,
            ..self.clone()
        })
    }

    /// The lineage, which the ring shares with the rings that it was or will be rotated to, and the
    /// ring's generation.
    pub fn descent(&self) -> (&str, u32) {
        (&self.lineage, self.generation)
    }

    /// When the newest key comes into use.
    pub fn newest_from(&self) -> Timestamp {
        self.keys.last().map_or(Timestamp(0), |key| key.from)
    }

    fn current_at(&self, due: Timestamp) -> usize {
        self.keys
            .iter()
            .rposition(|key| key.from <= due)
            .unwrap_or(0)
    }

    /// The name of the key that is in use.
    pub fn current(&self, due: Timestamp) -> &KeyId {
        &self.keys[self.current_at(due)].id
    }

    /// The hash of a user code under the key in use.
    pub fn hash(&self, code: &UserCode, due: Timestamp) -> UserCodeHash {
        self.keys[self.current_at(due)].user_code(code)
    }

    /// The hashes under which a user code may be stored, newest key first.
    pub fn hashes(&self, code: &UserCode) -> Vec<UserCodeHash> {
        self.keys
            .iter()
            .rev()
            .map(|key| key.user_code(code))
            .collect()
    }

    /// The pair of tokens that the refresh token `presented` is exchanged for under the key `by`.
    /// `None` if the ring has no such key. The pair cannot be derived from the database, which has
    /// neither the key nor the token.
    pub fn pair(&self, by: &KeyId, presented: &str) -> Option<Pair> {
        let key = self.keys.iter().find(|key| key.id == *by)?;
        Some(Pair {
            access: key.token(Kind::Access, presented),
            refresh: key.token(Kind::Refresh, presented),
        })
    }

    /// The fingerprint of the ring. It changes with every key that is added or dropped.
    pub fn fingerprint(&self) -> Fingerprint {
        let keys = self.keys.iter().flat_map(|key| {
            [
                key.id.0.as_bytes(),
                b"\0",
                key.secret.expose_secret(),
                b"\0",
            ]
            .concat()
        });
        let of = format!("rejoin key file {} {}\n", self.lineage, self.generation);
        Fingerprint(sha256(
            &of.into_bytes().into_iter().chain(keys).collect::<Vec<_>>(),
        ))
    }
}

impl fmt::Debug for KeyRing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("KeyRing(…)")
    }
}

impl Pair {
    /// The hashes of both, access token first.
    pub fn hashes(&self) -> (SecretHash, SecretHash) {
        (self.access.hash(), self.refresh.hash())
    }
}
