//! The server's own keys, as a running process holds them.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::Arc,
};

use parking_lot::RwLock;
use tokio::sync::Mutex;

use crate::{
    error::{Error, Result},
    secret::KeyRing,
};

/// The keys, and the file they come from.
pub struct ServerKeys {
    /// The key file. `None` in an operator's subcommand, which issues nothing with its keys.
    pub(super) file: Option<PathBuf>,
    /// Never held over an await.
    pub(super) ring: RwLock<Arc<KeyRing>>,
    /// Held during a rotation. Two rotations at once would lose the keys of one.
    pub(super) rotating: Mutex<()>,
}

impl ServerKeys {
    /// Keys that were read from `file`, or made for this process alone.
    pub fn new(file: Option<PathBuf>, ring: KeyRing) -> Self {
        Self {
            file,
            ring: RwLock::new(Arc::new(ring)),
            rotating: Mutex::default(),
        }
    }

    /// The current keys.
    pub fn ring(&self) -> Arc<KeyRing> {
        self.ring.read().clone()
    }

    /// Fails with `malformed_request` if this key file is not the one in use.
    pub(super) fn require(&self, file: &Path) -> Result<()> {
        let Some(own) = &self.file else { return Ok(()) };
        let resolved = |path: &Path| fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
        if resolved(own) == resolved(file) {
            return Ok(());
        }
        Err(Error::malformed(format!(
            "the running server uses the key file {}: name that file with --keys",
            own.display()
        )))
    }
}
