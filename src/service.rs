//! A running Rejoin: the core, and what is built on it, opened together.
//!
//! After each commit the writer passes the commit's effects on in this order, and answers its
//! callers only then: the caller map, the revocation feed, the names that look alike, the public
//! list of channels, the hub. So an ended client is out of the caller map before anybody is told of
//! the end.

use std::{path::PathBuf, sync::Arc};

use crate::{
    chat::{self, Chat},
    error::Result,
    limits::Storage,
    model::Timestamp,
    oauth::RevocationFeed,
    password::Hasher,
    session::{Core, Limits},
    store::{DatabaseLock, Effect},
};

/// A running Rejoin.
#[derive(Clone)]
pub struct Service {
    /// What chat and oauth share.
    pub core: Arc<Core>,
    /// The rules of channels, messages and delivery.
    pub chat: Arc<Chat>,
    /// Wakes resource servers that follow revocations.
    pub revocation_feed: Arc<RevocationFeed>,
}

/// The operator's settings.
pub struct Settings {
    /// What sessions and clients may have.
    pub limits: Limits,
    /// How much each network may add to the disk. `None`: no limit.
    pub storage: Option<Storage>,
    /// The server's public host name. It is refused as a password.
    pub host: Option<String>,
}

impl Service {
    /// Opens a database and loads its sessions. Without a key file the service serves an operator's
    /// subcommand, which issues nothing. It fails if the database or the key file cannot be opened.
    pub fn open(
        lock: DatabaseLock,
        key_file: Option<PathBuf>,
        settings: Settings,
        hasher: Hasher,
        now: Timestamp,
    ) -> Result<Self> {
        let observers = chat::Observers::default();
        let revocation_feed = Arc::new(RevocationFeed::default());
        let observe = {
            let (observers, feed) = (observers.clone(), revocation_feed.clone());
            move |effects: Vec<Effect>| {
                feed.apply(&effects);
                observers.apply(effects);
            }
        };
        let mut core = Core::open(lock, key_file, settings.limits, hasher, observe, now)?;
        core.host = settings.host;
        if let Some(storage) = settings.storage {
            core.limit_storage(storage);
        }
        let core = Arc::new(core);
        Ok(Self {
            chat: Arc::new(Chat::on(core.clone(), observers)?),
            core,
            revocation_feed,
        })
    }
}
