//! The server's own keys. They must be the same after a restart and on every node, and must not be
//! in the database.
//!
//! A [`KeyRing`] is the content of a key file. It has the key in use, older keys that something may
//! still depend on, and, after a rotation, the next key. Each purpose has a key of its own, which
//! HMAC derives from these under the label of the purpose. A new purpose, such as cloaks, takes a
//! new label. Other fields of the file, such as signing keys, are left as they are.

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

#[cfg(test)]
mod tests {
    use super::*;

    const AT: Timestamp = Timestamp(1000);

    fn code() -> UserCode {
        UserCode::parse("BCDF-WXZJ").unwrap()
    }

    fn rotated(ring: &KeyRing, from: i64) -> KeyRing {
        ring.rotated(Timestamp(from), Timestamp(from), |_| true)
            .unwrap()
    }

    #[test]
    fn a_ring_is_the_same_after_it_was_written_and_read_and_hides_itself() {
        let ring = rotated(&KeyRing::generate().unwrap(), 500);
        let text = ring.to_text().unwrap();
        let read = KeyRing::parse(&text).unwrap();
        assert_eq!(read.to_text().unwrap(), text);
        assert_eq!(
            (read.fingerprint(), read.hash(&code(), AT)),
            (ring.fingerprint(), ring.hash(&code(), AT))
        );
        assert_eq!(
            format!("{ring:?} {:?}", ring.hash(&code(), AT)),
            "KeyRing(…) UserCodeHash(…)"
        );
        assert_ne!(
            KeyRing::generate().unwrap().fingerprint(),
            KeyRing::generate().unwrap().fingerprint()
        );
    }

    /// Fields that a later version adds to the file survive this version.
    #[test]
    fn what_else_is_in_the_file_stays_there() {
        let mut ring = KeyRing::generate().unwrap();
        ring.rest
            .insert("signing".into(), serde_json::json!([{"kid": "1"}]));
        let read = KeyRing::parse(&ring.to_text().unwrap()).unwrap();
        assert!(
            rotated(&read, 5)
                .to_text()
                .unwrap()
                .contains("\"kid\": \"1\"")
        );
    }

    #[test]
    fn a_damaged_file_is_known_for_one_wherever_it_is_damaged() {
        let text = KeyRing::generate().unwrap().to_text().unwrap();
        for at in 0..text.len() - 1 {
            assert!(KeyRing::parse(&text[..at]).is_err(), "cut off after {at}");
            let mut other = text.clone().into_bytes();
            other[at] = if other[at] == b'7' { b'8' } else { b'7' };
            assert!(
                KeyRing::parse(std::str::from_utf8(&other).unwrap()).is_err(),
                "another byte at {at}"
            );
        }
        let newer = text.replace("\"rejoin_keys\": 1", "\"rejoin_keys\": 2");
        assert!(
            KeyRing::parse(&newer)
                .unwrap_err()
                .contains("newer version of rejoin")
        );
        for other in ["", "{}", "[]", "null", "{\"keys\":[]}"] {
            assert!(KeyRing::parse(other).is_err(), "{other}");
        }
    }

    #[test]
    fn the_next_key_comes_into_use_in_its_time_and_the_ones_before_stay_while_they_are_needed() {
        let one = KeyRing::generate().unwrap();
        let two = one
            .rotated(Timestamp(900), Timestamp(800), |_| false)
            .unwrap();
        assert_eq!(two.hash(&code(), Timestamp(899)), one.hash(&code(), AT));
        assert_ne!(two.hash(&code(), Timestamp(900)), one.hash(&code(), AT));
        assert!(
            two.hashes(&code()).contains(&one.hash(&code(), AT)),
            "a code of before is still found"
        );
        let first = one.current(AT).clone();
        assert!(two.pair(&first, "rjr_x").is_some());
        let three = two
            .rotated(Timestamp(1000), Timestamp(950), |_| false)
            .unwrap();
        assert!(
            three.pair(&first, "rjr_x").is_none(),
            "nothing depends on it any more"
        );
        let kept = two
            .rotated(Timestamp(1000), Timestamp(950), |id| *id == first)
            .unwrap();
        assert!(kept.pair(&first, "rjr_x").is_some());
        let mut many = one;
        for n in 1..MAX_KEYS {
            many = rotated(&many, n as i64);
        }
        assert!(many.rotated(AT, AT, |_| true).is_err());
    }

    #[test]
    fn a_pair_is_the_keys_and_the_tokens_alone_and_its_halves_tell_nothing_of_each_other() {
        let (ring, other) = (KeyRing::generate().unwrap(), KeyRing::generate().unwrap());
        let pair = |ring: &KeyRing, token: &str| ring.pair(ring.current(AT), token).unwrap();
        let first = pair(&ring, "rjr_one");
        assert_eq!(first.hashes(), pair(&ring, "rjr_one").hashes());
        assert_ne!(first.hashes(), pair(&ring, "rjr_two").hashes());
        assert_ne!(first.hashes(), pair(&other, "rjr_one").hashes());
        assert!(
            first.access.reveal().starts_with("rja_") && first.refresh.reveal().starts_with("rjr_")
        );
        assert_ne!(first.access.reveal()[4..], first.refresh.reveal()[4..]);
        assert_eq!(first.access.reveal().len(), 47);
    }

    /// The example is from RFC 4231 §4.3.
    #[test]
    fn the_hash_is_hmac_sha_256() {
        let hash = keyed(b"Jefe")
            .unwrap()
            .chain_update("what do ya want for nothing?")
            .finalize()
            .into_bytes();
        let hex = hash
            .iter()
            .fold(String::new(), |text, byte| format!("{text}{byte:02x}"));
        assert_eq!(
            hex,
            "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"
        );
    }
}
