//! The operator's commands for the key file: rotate its keys, or accept another file.

use std::{path::PathBuf, sync::Arc, time::Duration};

use super::core::Core;
use crate::{
    error::{Error, Result},
    model::Moment,
    store::key_file,
};

/// How long the next key is in the file before it is used. Every node gets the file in this time.
const NOTICE: Duration = Duration::from_hours(24);

impl Core {
    /// Adds the next keys to the key file. They are used from a day later on, or immediately if
    /// `at_once` is set. Until then this database also accepts the previous file.
    ///
    /// It fails if the file is not the one in use, cannot be read, or is not the newest.
    pub async fn rotate_keys(
        &self,
        file: PathBuf,
        at_once: bool,
        Moment { due, .. }: Moment,
    ) -> Result<()> {
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
        // The database accepts the new file before the file exists, and forgets the old one only
        // after that. After a crash at any point, the database accepts the file that is there.
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
            *self.keys.ring.write() = Arc::new(ring);
        }
        tracing::info!(file = %file.display(), from = %from, "keys rotated");
        Ok(())
    }

    /// Makes this key file the database's, in place of a lost one. It fails with
    /// `malformed_request` while a server runs with other keys.
    pub async fn accept_keys(&self, file: PathBuf, Moment { due, .. }: Moment) -> Result<()> {
        self.keys.require(&file)?;
        let ring = key_file::read(&file).map_err(|unread| unread.into_error(&file))?;
        let known = ring.clone();
        let is_newest = self.store.read(move |tx| key_file::is_newest(tx, &known));
        if is_newest.await? {
            return Ok(());
        }
        if self.keys.file.is_some() {
            return Err(Error::malformed(
                "the running server uses other keys: stop it first",
            ));
        }
        self.store
            .write(move |tx| key_file::adopt(tx, &ring, due))
            .await
    }
}
