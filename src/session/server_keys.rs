//! The server's own keys as a running chat has them, and what the operator does with their file.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::{Arc, RwLock},
};

use tokio::sync::Mutex;

use crate::{
    error::{Error, Result},
    secret::KeyRing,
};

/// The keys, and the file that they are from.
pub struct ServerKeys {
    /// Without one, they are this process's alone: a subcommand's, which issues nothing by them.
    pub(super) file: Option<PathBuf>,
    /// Never held over an await.
    pub(super) ring: RwLock<Arc<KeyRing>>,
    /// Held by a rotation: two of them at once would lose one's keys.
    pub(super) rotating: Mutex<()>,
}

impl ServerKeys {
    pub fn new(file: Option<PathBuf>, ring: KeyRing) -> Self {
        Self {
            file,
            ring: RwLock::new(Arc::new(ring)),
            rotating: Mutex::default(),
        }
    }

    /// The keys as they are now.
    pub fn ring(&self) -> Arc<KeyRing> {
        self.ring.read().unwrap_or_else(|e| e.into_inner()).clone()
    }

    /// Refuses a key file that is not the one in use.
    pub(super) fn require(&self, file: &Path) -> Result<()> {
        let Some(own) = &self.file else { return Ok(()) };
        let resolved = |path: &Path| fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
        if resolved(own) == resolved(file) {
            return Ok(());
        }
        Err(Error::malformed(format!(
            "the running server's key file is {}: name that by --keys",
            own.display()
        )))
    }
}
