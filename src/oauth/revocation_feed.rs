//! Resource servers that follow the ends of grants: how many there may be, and what wakes them.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
};

use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};

use crate::{
    error::{Code, Error, Result},
    model::AppId,
    store::Effect,
};

/// Streams of one app at one time: the processes of a resource server, and room for some that the
/// network has lost.
const MAX_STREAMS_PER_APP: usize = 32;

#[derive(Default)]
pub struct RevocationFeed {
    /// Says that there may be something to read. It is a hint: the store is the truth.
    wake: watch::Sender<()>,
    /// The places of each app that ever followed; the operator registers few. Never held over an
    /// await.
    places: Mutex<HashMap<AppId, Arc<Semaphore>>>,
}

/// One stream's place; it is given up when dropped.
pub struct Following {
    woken: watch::Receiver<()>,
    _place: OwnedSemaphorePermit,
}

impl RevocationFeed {
    /// Takes the effects of one commit.
    pub fn apply(&self, effects: &[Effect]) {
        if effects.iter().any(|effect| {
            matches!(
                effect,
                Effect::GrantEnded { .. } | Effect::TokenEnded { .. } | Effect::AppEnded
            )
        }) {
            self.wake.send_replace(());
        }
    }

    /// A place for one more stream of an app, unless it has as many as it may have.
    pub fn follow(&self, app: AppId) -> Result<Following> {
        let mut places = self.places.lock().unwrap_or_else(|e| e.into_inner());
        let places = places
            .entry(app)
            .or_insert_with(|| Arc::new(Semaphore::new(MAX_STREAMS_PER_APP)));
        let place = places.clone().try_acquire_owned().map_err(|_| {
            let detail = format!(
                "this app has {MAX_STREAMS_PER_APP} streams open already: end one of them first"
            );
            Error::retry(Code::Throttled, 5, detail)
        })?;
        Ok(Following {
            woken: self.wake.subscribe(),
            _place: place,
        })
    }
}

impl Following {
    /// Forgets what it was woken by: whoever reads the store after this misses nothing.
    pub fn listen(&mut self) {
        self.woken.mark_unchanged();
    }

    /// Waits until there may be something that was not there at the last [`Following::listen`].
    pub async fn woken(&mut self) -> Result<()> {
        self.woken.changed().await.map_err(Error::internal)
    }
}
