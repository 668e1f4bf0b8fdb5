//! The rules of the chat: synchronous functions over a transaction, the hub, and [`Chat`], which ties them to the store.
//!
//! A command goes one way: [`Chat::execute`] → one transaction (state and events) → commit → [`hub::Hub`] → answer.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use crate::{
    audit::Entry,
    error::{Code, Error, Result},
    model::{Caller, Timestamp},
    password::Hasher,
    secret::SecretHash,
    store::{self, Effect, Store},
};

mod act;
pub mod callers;
mod channel;
mod execute;
pub mod hub;
mod label;
mod login;
mod marks;
mod modes;
mod pass;
mod query;
pub mod queue;
mod session;
pub mod snapshot;
mod talk;
mod upkeep;

pub use act::Answer;
pub use login::{Login, already_in_session};
pub use session::Admitted;

/// What a session and a client may have, and for how long.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Clients of a session.
    pub max_clients: usize,
    /// Channels a session is on.
    pub max_channels: usize,
    /// A client unused for this long leaves.
    pub client_idle: Duration,
    /// A client leaves after this long in any case.
    pub client_lifetime: Duration,
    /// How long events and tombstones are kept.
    pub retention: Duration,
    /// How long the audit log is kept.
    pub audit_retention: Duration,
}

/// A running chat: its store, and what is kept in memory of it.
pub struct Chat {
    store: Store,
    /// Who a presented secret names; changed by commits alone.
    callers: Arc<callers::Callers>,
    /// Who listens, and to what; fed by commits alone.
    hub: Arc<hub::Hub>,
    hasher: Hasher,
    pub limits: Limits,
}

impl Chat {
    /// Opens the database at `path` and takes up the sessions in it.
    pub fn open(path: &Path, limits: Limits, hasher: Hasher) -> Result<Self> {
        let callers = Arc::new(callers::Callers::default());
        let hub = Arc::new(hub::Hub::default());
        let observe = {
            let (callers, hub) = (callers.clone(), hub.clone());
            move |effects: Vec<Effect>| {
                // The caller map first: whoever is told of an end is out of it already.
                effects.iter().for_each(|effect| callers.apply(effect));
                hub.apply(effects);
            }
        };
        let store = Store::open(path, Box::new(observe))?;
        store.read_now(|tx| {
            store::client::for_each_live(tx, |effect| callers.apply(&effect))?;
            store::session::for_each_membership(tx, |effect| hub.apply([effect]))?;
            hub.start_at(store::log::head(tx)?);
            Ok(())
        })?;
        Ok(Self { store, callers, hub, hasher, limits })
    }

    /// The live caller a presented secret names.
    pub async fn authenticate(&self, presented: &str, now: Timestamp) -> Result<Arc<callers::Live>> {
        let secret = SecretHash::of(presented);
        if let Some(live) = self.callers.get(secret) {
            return match live.over(now, self.limits.client_idle) {
                None => {
                    live.touch(now);
                    Ok(live)
                }
                Some(reason) => Err(Error::client_ended(reason)),
            };
        }
        // Not on the way of any live client: the store alone remembers why one that has left did so.
        Err(match self.store.read(move |tx| store::client::end_reason(tx, secret)).await? {
            Some(reason) => Error::client_ended(reason),
            None => unauthenticated(),
        })
    }

    /// Whether the store answers.
    pub async fn check(&self) -> Result<()> {
        self.store.write(|tx| store::log::head(tx).map(drop)).await
    }

    /// The public list: live channels and how many are on each.
    pub async fn channels(&self) -> Result<Vec<(store::channel::Channel, i64)>> {
        self.store.read(store::channel::all).await
    }

    /// The last lines of the audit log before one, ascending.
    pub async fn audit(&self, before: Option<i64>, limit: usize) -> Result<Vec<Entry>> {
        self.store.read(move |tx| store::audit::list(tx, before, limit)).await
    }

    /// Writes a consistent copy of the database to a new file.
    pub async fn backup(&self, to: PathBuf) -> Result<()> {
        self.store.backup(to).await
    }

    /// Live sessions, live clients and connections, for the metrics.
    pub async fn counts(&self) -> Result<(i64, usize, usize)> {
        let sessions = self.store.read(store::session::count).await?;
        Ok((sessions, self.callers.count(), self.hub.connections()))
    }

    /// Looks something up for a caller that is checked, on the same view, to be live still.
    async fn look<T: Send + 'static>(
        &self,
        caller: Caller,
        work: impl FnOnce(&store::Read) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        self.store
            .read(move |tx| {
                store::client::require_live(tx, caller.client)?;
                work(tx)
            })
            .await
    }

    /// Runs a change for a caller that is checked, in the same transaction, to be live still.
    async fn change<T: Send + 'static>(
        &self,
        caller: Caller,
        mut work: impl FnMut(&store::Write) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        self.store
            .write(move |tx| {
                store::client::require_live(tx, caller.client)?;
                work(tx)
            })
            .await
    }
}

/// Nobody is named by what was presented, if anything was.
pub fn unauthenticated() -> Error {
    Error::new(Code::Unauthenticated, "there is no session here yet: pick a nick, or log in")
}
