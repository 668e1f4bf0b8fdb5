//! Limits how many resource servers follow the ends of grants, and wakes them.

use std::{collections::HashMap, sync::Arc};

use parking_lot::Mutex;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};

use crate::{
    error::{Code, Error, Result},
    model::AppId,
    store::Effect,
};

/// The most streams that one app may hold at a time: one for each process of a resource server, and
/// some for connections that the network has lost.
const MAX_STREAMS_PER_APP: usize = 32;

/// Wakes the streams that follow the ends of grants, and counts them for each app.
#[derive(Default)]
pub struct RevocationFeed {
    /// Signals that there may be something to read. This is a hint: the store is the truth.
    wake: watch::Sender<()>,
    /// The free permits of each app that ever followed. The map stays small, because only apps that
    /// the operator registered follow. Never held over an await.
    permits: Mutex<HashMap<AppId, Arc<Semaphore>>>,
}

/// The permit of one stream. Dropping it gives the permit back.
pub struct Following {
    woken: watch::Receiver<()>,
    _permit: OwnedSemaphorePermit,
}

impl RevocationFeed {
    /// Wakes the streams if one of these committed effects ended a grant, a token or an app.
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

    /// Takes a permit for one more stream of an app. Fails with `throttled` if the app has
    /// `MAX_STREAMS_PER_APP` streams open.
    pub fn follow(&self, app: AppId) -> Result<Following> {
        let mut permits = self.permits.lock();
        let of_app = permits
            .entry(app)
            .or_insert_with(|| Arc::new(Semaphore::new(MAX_STREAMS_PER_APP)));
        let permit = of_app.clone().try_acquire_owned().map_err(|_| {
            let detail =
                format!("this app already has {MAX_STREAMS_PER_APP} streams open; close one first");
            Error::retry(Code::Throttled, 5, detail)
        })?;
        Ok(Following {
            woken: self.wake.subscribe(),
            _permit: permit,
        })
    }
}

impl Following {
    /// Forgets earlier wake-ups. A caller that reads the store after this call misses nothing.
    pub fn listen(&mut self) {
        self.woken.mark_unchanged();
    }

    /// Waits until something may have changed since the last [`Following::listen`].
    pub async fn woken(&mut self) -> Result<()> {
        self.woken.changed().await.map_err(Error::internal)
    }
}
