//! What the operator does with the server's key file.

use std::{path::PathBuf, sync::Arc, time::Duration};

use super::core::Core;
use crate::{
    error::{Error, Result},
    model::Timestamp,
    store::key_file,
};

/// How long the next key is in the file before it is used, so that every node has it by then.
const NOTICE: Duration = Duration::from_hours(24);

impl Core {
    /// Adds the next key to the key file. It comes into use in a day, or at once; until then the
    /// file before is this database's, too.
    pub async fn rotate_keys(&self, file: PathBuf, at_once: bool, due: Timestamp) -> Result<()> {
        let _rotating = self.keys.rotating.lock().await;
        self.keys.require(&file)?;
        let before = key_file::read(&file).map_err(|unread| unread.into_error(&file))?;
        let (known, named) = (before.clone(), file.clone());
        let needed = self.store.read(move |tx| {
            key_file::require_newest(tx, &named, &known)?;
            key_file::needed(tx)
        });
        let needed = needed.await?;
        let from = if at_once { due } else { due.plus(NOTICE) };
        let ring = before.rotated(from, due, |id| needed.contains(id))?;
        // The database knows the new file before it is there, and forgets the one before after
        // that: whenever a crash comes, the file that is there is one that it knows.
        let next = ring.clone();
        self.store
            .write(move |tx| key_file::accept(tx, &next))
            .await?;
        key_file::replace(&file, &ring)?;
        let next = ring.clone();
        self.store
            .write(move |tx| key_file::settle(tx, &next, Some((&before, next.newest_from()))))
            .await?;
        if self.keys.file.is_some() {
            *self.keys.ring.write().unwrap_or_else(|e| e.into_inner()) = Arc::new(ring);
        }
        tracing::info!(file = %file.display(), from = %from, "keys rotated");
        Ok(())
    }

    /// Makes a key file the database's, in place of one that is lost.
    pub async fn accept_keys(&self, file: PathBuf, due: Timestamp) -> Result<()> {
        self.keys.require(&file)?;
        let ring = key_file::read(&file).map_err(|unread| unread.into_error(&file))?;
        let known = ring.clone();
        let is_newest = self.store.read(move |tx| key_file::is_newest(tx, &known));
        if is_newest.await? {
            return Ok(());
        }
        if self.keys.file.is_some() {
            return Err(Error::malformed(
                "a server runs with other keys: stop it first",
            ));
        }
        self.store
            .write(move |tx| key_file::adopt(tx, &ring, due))
            .await
    }
}
