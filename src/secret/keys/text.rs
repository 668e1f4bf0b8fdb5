//! The text of a key file: JSON with a checksum.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use secrecy::ExposeSecret;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::{Key, KeyId, KeyRing, MAX_KEYS};
use crate::{
    error::{Error, Result},
    model::Timestamp,
    secret::sha256,
};

/// The format of key files that this program writes and reads.
const FORMAT: u32 = 1;
/// A key file, as JSON. Fields that this program does not know are kept.
#[derive(Serialize, Deserialize)]
struct File {
    rejoin_keys: u32,
    lineage: String,
    generation: u32,
    keys: Vec<StoredKey>,
    /// The checksum of everything else, by which a damaged file is recognised.
    #[serde(default)]
    checksum: String,
    #[serde(flatten)]
    rest: Map<String, Value>,
}

#[derive(Serialize, Deserialize)]
struct StoredKey {
    id: KeyId,
    /// Milliseconds since the Unix epoch.
    from: i64,
    /// 256 bits in base64url.
    secret: String,
}

impl KeyRing {
    /// The text of a key file. Fails with `internal_error`.
    pub fn to_text(&self) -> Result<String> {
        let keys = self.keys.iter().map(|key| StoredKey {
            id: key.id.clone(),
            from: key.from.0,
            secret: URL_SAFE_NO_PAD.encode(key.secret.expose_secret()),
        });
        let mut file = File {
            rejoin_keys: FORMAT,
            lineage: self.lineage.clone(),
            generation: self.generation,
            keys: keys.collect(),
            checksum: String::new(),
            rest: self.rest.clone(),
        };
        file.checksum = file.sum()?;
        serde_json::to_string_pretty(&file)
            .map(|text| text + "\n")
            .map_err(Error::internal)
    }

    /// Parses the text of a key file. The error says what is wrong, such as `is damaged`, and
    /// quotes nothing from the file.
    pub fn parse(text: &str) -> Result<Self, String> {
        let damaged = || "is damaged".to_owned();
        let form = serde_json::from_str::<Value>(text)
            .map_err(|_| "is damaged, or is not a key file".to_owned())?;
        match form.get("rejoin_keys").and_then(Value::as_u64) {
            Some(format) if format == u64::from(FORMAT) => {}
            Some(format) if format > u64::from(FORMAT) => {
                return Err("was written by a newer version of rejoin".into());
            }
            _ => return Err("is not a key file".into()),
        }
        let mut file: File = serde_json::from_value(form).map_err(|_| damaged())?;
        let sum = std::mem::take(&mut file.checksum);
        if file.sum().map_err(|_| damaged())? != sum
            || file.keys.is_empty()
            || file.keys.len() > MAX_KEYS
        {
            return Err(damaged());
        }
        let key = |stored: StoredKey| {
            let secret: [u8; 32] = URL_SAFE_NO_PAD
                .decode(&stored.secret)
                .ok()?
                .try_into()
                .ok()?;
            Key::new(stored.id, Timestamp(stored.from), secret).ok()
        };
        let keys = file
            .keys
            .into_iter()
            .map(key)
            .collect::<Option<Vec<_>>>()
            .ok_or_else(damaged)?;
        Ok(Self {
            lineage: file.lineage,
            generation: file.generation,
            keys,
            rest: file.rest,
        })
    }
}

impl File {
    /// The checksum of everything except the checksum.
    fn sum(&self) -> Result<String> {
        let all = (
            self.rejoin_keys,
            &self.lineage,
            self.generation,
            &self.keys,
            &self.rest,
        );
        let text = serde_json::to_string(&all).map_err(Error::internal)?;
        Ok(URL_SAFE_NO_PAD.encode(&sha256(text.as_bytes())[..16]))
    }
}
