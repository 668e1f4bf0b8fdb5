//! An access token in the caller map.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering::Relaxed},
};

use super::live_client::LiveClient;
use crate::{
    model::{AppId, Granted, SessionId, Timestamp},
    store::TokenAdmission,
};

/// An access token: what it stands for, and how long it is valid.
#[derive(Clone, Debug)]
pub struct Token {
    /// The grant it was issued by, and what the token may do.
    pub granted: Granted,
    /// The app that holds the grant.
    pub app: AppId,
    /// As whom it calls. `None`: it is an app's own token.
    pub session: Option<TokenSession>,
    /// When it expires.
    pub expires_at: Timestamp,
    /// Whether it may call by itself. Otherwise it only works together with its app's own token.
    pub alone: bool,
    /// Whether its first use still has to be written to the store.
    unsettled: Arc<AtomicBool>,
}

/// The session as which an access token calls.
#[derive(Clone, Debug)]
pub struct TokenSession {
    /// The session.
    pub id: SessionId,
    /// The client that calls, limited to the token's scope. `None`: the grant has no queue.
    pub live: Option<Arc<LiveClient>>,
}

impl Token {
    /// A token that was just issued or loaded. `live` is the client that calls with it, if its
    /// grant has a client.
    pub(super) fn new(access: &TokenAdmission, live: Option<Arc<LiveClient>>) -> Self {
        let &TokenAdmission {
            granted,
            app,
            session,
            expires_at,
            alone,
            unsettled,
            ..
        } = access;
        Self {
            granted,
            app,
            session: session.map(|session| TokenSession {
                id: session.id,
                live,
            }),
            expires_at,
            alone,
            unsettled: Arc::new(AtomicBool::new(unsettled)),
        }
    }

    /// The client that calls with it, limited to its scope. Not every grant has a client.
    pub fn live(&self) -> Option<&Arc<LiveClient>> {
        self.session
            .as_ref()
            .and_then(|session| session.live.as_ref())
    }

    /// Whether its first use still has to be written to the store.
    pub fn is_unsettled(&self) -> bool {
        self.unsettled.load(Relaxed)
    }

    /// Notes that its first use has been written to the store.
    pub fn settle(&self) {
        self.unsettled.store(false, Relaxed);
    }
}
