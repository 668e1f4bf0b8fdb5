//! The rules of the chat: synchronous functions over a transaction, the hub, and [`Chat`], which
//! ties them to the store.
//!
//! A command goes one way: [`Chat::execute`] → one transaction (state and events) → commit →
//! [`hub::Hub`] → answer.

use std::{
    path::PathBuf,
    sync::Arc,
    time::{Duration, Instant},
};

use tokio::sync::Mutex;

use crate::{
    audit::Entry,
    error::{Code, Error, Result},
    limits::{Counts, Storage},
    model::{Area, Caller, ClientId, Timestamp},
    password::Hasher,
    secret::SecretHash,
    session::{op_succession, require_live},
    store::{self, DatabaseLock, Effect, Place, Priority, Store},
};

mod act;
pub mod callers;
mod channel;
pub mod channel_admin;
mod channel_keys;
pub mod channel_list;
mod excerpts;
mod execute;
pub mod followers;
mod guesses;
pub mod hub;
mod keys;
mod label;
mod login;
mod lookalikes;
mod marks;
mod modes;
mod pass;
mod query;
pub mod queue;
pub mod registry;
mod remains;
pub mod replies;
pub mod restore;
mod session;
mod silence;
pub mod snapshot;
mod talk;
pub mod told;
mod upkeep;
mod usage;
mod warning;

pub use act::Answer;
pub(crate) use act::notice;
pub use login::{
    Login, admit_granted, already_in_session, announce_app, require_place, tell_of_theft,
};
pub(crate) use pass::require_unchanged;
pub use session::Admitted;

/// Secrets of no live client that are looked up in the store, of those that one request presents.
const ENDED_AMONG: usize = 4;
/// How long a check of the store holds.
const HEALTH: Duration = Duration::from_secs(1);

/// What a session and a client may have, and for how long.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Clients of a session.
    pub max_clients: usize,
    /// Channels a session is on.
    pub max_channels: usize,
    /// Whether new channels are +H.
    pub channel_history: bool,
    /// Live sessions made from one network; without it, as many as they like.
    pub max_sessions: Option<i64>,
    /// Whether tries and what is made are limited at all.
    pub tries: bool,
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
    pub(crate) store: Store,
    /// Who a presented secret names; changed by commits alone.
    callers: Arc<callers::Callers>,
    /// Who listens, and to what; fed by commits alone.
    hub: Arc<hub::Hub>,
    /// What the names of live channels look like; changed by commits alone.
    lookalikes: Arc<lookalikes::Lookalikes>,
    /// Who follows the ends of grants; woken by commits alone.
    pub(crate) followers: Arc<followers::Followers>,
    hasher: Hasher,
    /// The host under which people know this server: no password, among others.
    pub host: Option<String>,
    /// What people may try and make.
    pub tries: Arc<Counts>,
    /// What was told of refusals, and how many were not.
    pub(crate) told: Arc<told::Told>,
    /// What user codes are hashed with, and refresh tokens are exchanged by.
    pub(crate) keys: keys::Keys,
    /// What the last check of the store found, and when. Held while one is made: those who ask
    /// meanwhile share it.
    health: Mutex<Option<(Instant, Result<()>)>>,
    /// The public list of channels as it was read last; commits tell of its changes.
    channel_list: Arc<channel_list::Latest>,
    pub limits: Limits,
}

impl Chat {
    /// Opens a database and takes up the sessions in it. Without a key file, it is a subcommand's,
    /// which issues nothing.
    pub fn open(
        lock: DatabaseLock,
        key_file: Option<PathBuf>,
        limits: Limits,
        hasher: Hasher,
        now: Timestamp,
    ) -> Result<Self> {
        let callers = Arc::new(callers::Callers::default());
        let hub = Arc::new(hub::Hub::default());
        let followers = Arc::new(followers::Followers::default());
        let lookalikes = Arc::new(lookalikes::Lookalikes::default());
        let channel_list = Arc::new(channel_list::Latest::default());
        let observe = {
            let (callers, hub, followers) = (callers.clone(), hub.clone(), followers.clone());
            let (lookalikes, channel_list) = (lookalikes.clone(), channel_list.clone());
            move |effects: Vec<Effect>| {
                // The caller map first: whoever is told of an end is out of it already.
                effects.iter().for_each(|effect| callers.apply(effect));
                followers.apply(&effects);
                effects.iter().for_each(|effect| lookalikes.apply(effect));
                channel_list.apply(&effects);
                hub.apply(effects);
            }
        };
        let (store, ring) = Store::open(
            lock,
            key_file.as_deref(),
            Box::new(observe),
            |tx| op_succession::heal(tx, now),
            now,
        )?;
        store.read_now(|tx| {
            store::client::for_each_live(tx, |effect| callers.apply(&effect))?;
            store::token::for_each_access(tx, |effect| callers.apply(&effect))?;
            store::membership::for_each_live(tx, |effect| hub.apply([effect]))?;
            hub.start_at(store::log::head(tx)?);
            lookalikes.load(tx)
        })?;
        let keys = keys::Keys::new(key_file, ring);
        let tries = Arc::new(Counts::new(limits.tries));
        let (host, told, health) = Default::default();
        Ok(Self {
            store,
            callers,
            hub,
            lookalikes,
            followers,
            hasher,
            host,
            tries,
            told,
            keys,
            channel_list,
            health,
            limits,
        })
    }

    /// The live caller a presented secret names, at a time by which some may be `due` to have left.
    pub async fn authenticate(
        &self,
        secret: SecretHash,
        now: Timestamp,
        due: Timestamp,
    ) -> Result<Arc<callers::Live>> {
        if let Some(live) = self.callers.get(secret) {
            if let Some(reason) = live.over(due, self.limits.client_idle) {
                return Err(Error::client_ended(reason));
            }
            live.touch(now);
            if !live.presented() {
                Box::pin(self.note_presented(&live, secret)).await;
            }
            return Ok(live);
        }
        // Not on the way of any live client: the store alone remembers why one that has left did
        // so.
        Err(
            match Box::pin(
                self.store
                    .read(move |tx| store::client::end_reason(tx, secret)),
            )
            .await?
            {
                Some(reason) => Error::client_ended(reason),
                None => unauthenticated(),
            },
        )
    }

    /// Those of some secrets that name live clients.
    pub fn live_among(&self, secrets: &[SecretHash], due: Timestamp) -> Vec<SecretHash> {
        let idle = self.limits.client_idle;
        let is_live = |secret: &SecretHash| {
            self.callers
                .get(*secret)
                .is_some_and(|live| live.over(due, idle).is_none())
        };
        secrets.iter().copied().filter(is_live).collect()
    }

    /// Of secrets that name no live client, one whose client has ended if there is one among the
    /// first, or the first.
    pub async fn ended_among(&self, secrets: Vec<SecretHash>) -> Result<Option<SecretHash>> {
        let look = move |tx: &store::Read| {
            for secret in secrets.iter().take(ENDED_AMONG) {
                if store::client::end_reason(tx, *secret)?.is_some() {
                    return Ok(Some(*secret));
                }
            }
            Ok(secrets.first().copied())
        };
        self.store.read(look).await
    }

    /// What a presented access token stands for, at a time by which some may be `due` to be over.
    /// It is not noted as use of its client: whether the token may call is not known here.
    pub async fn authenticate_token(
        &self,
        secret: SecretHash,
        now: Timestamp,
        due: Timestamp,
    ) -> Result<callers::Token> {
        let token = self.callers.token(secret).ok_or_else(invalid_token)?;
        // Also of one that has expired: its pair has arrived.
        if token.is_unsettled() {
            Box::pin(self.note_token_presented(&token, secret, now)).await;
        }
        if due >= token.expires_at {
            return Err(invalid_token());
        }
        if let Some(live) = &token.live
            && let Some(reason) = live.over(due, self.limits.client_idle)
        {
            return Err(live.caller.ended(reason));
        }
        Ok(token)
    }

    /// Whether a client has ended, or is due to.
    pub fn is_over(&self, client: ClientId, due: Timestamp) -> bool {
        self.callers
            .by_client(client)
            .is_none_or(|live| live.over(due, self.limits.client_idle).is_some())
    }

    /// Notes that a client is in use, though it did not call itself, and from where.
    pub fn touch(&self, client: ClientId, area: Area, now: Timestamp) {
        if let Some(live) = self.callers.by_client(client) {
            live.touch(now);
            live.used_from(area);
        }
    }

    /// Writes down at once that a client has its secret, or a crash could make it leave as one that
    /// never got it. If it fails, the client's next request tries again.
    async fn note_presented(&self, live: &callers::Live, secret: SecretHash) {
        let client = live.caller.client;
        match self
            .store
            .write(move |tx| store::client::note_presented(tx, client, secret))
            .await
        {
            Ok(()) => live.present(),
            // Failures of the disk are in the log, as many as there may be.
            Err(error) if error.is_want_of_room() => {}
            Err(error) => {
                tracing::warn!(%error, %client, "that a client has its secret could not be written down")
            }
        }
    }

    /// Writes down that a token was presented, before anything is done by it: its refresh token is
    /// not exchanged for the same again. If it fails, the next request tries again.
    async fn note_token_presented(
        &self,
        token: &callers::Token,
        secret: SecretHash,
        now: Timestamp,
    ) {
        match self
            .store
            .write(move |tx| store::token::settle_parent(tx, secret, now))
            .await
        {
            Ok(()) => token.settle(),
            Err(error) if error.is_want_of_room() => {}
            Err(error) => {
                tracing::warn!(%error, grant = %token.grant, "a token's first use could not be written down")
            }
        }
    }

    /// Whether the store writes and reads, as it was found to within the last second: anyone may
    /// ask, and to find out is a sync of the disk.
    pub async fn check(&self) -> Result<()> {
        let mut health = self.health.lock().await;
        match &*health {
            Some((at, found)) if at.elapsed() < HEALTH => found.clone(),
            _ => {
                let found = self.store.check().await;
                *health = Some((Instant::now(), found.clone()));
                found
            }
        }
    }

    /// The last lines of the audit log before one, ascending.
    pub async fn audit(&self, before: Option<i64>, limit: usize) -> Result<Vec<Entry>> {
        self.store
            .read(move |tx| store::audit::list(tx, before, limit))
            .await
    }

    /// The same of the caller's own session.
    pub async fn own_audit(
        &self,
        live: &callers::Live,
        before: i64,
        limit: usize,
    ) -> Result<Vec<Entry>> {
        let caller = live.caller;
        self.look(caller, move |tx| {
            store::audit::of_session(tx, caller.session, before, limit)
        })
        .await
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

    /// Whether the disk is full, and how many bytes of the reserve are left.
    pub fn room(&self) -> (bool, u64) {
        (self.store.room.is_full(), self.store.room.reserve())
    }

    /// Passwords that are being hashed, or wait for it.
    pub fn passwords(&self) -> usize {
        self.hasher.busy_with()
    }

    /// Looks something up for a caller that is checked, on the same view, to be live still.
    pub(crate) async fn look<T: Send + 'static>(
        &self,
        caller: Caller,
        work: impl FnOnce(&store::Read) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        self.store
            .read_in(Some(caller.session), move |tx| {
                require_live(tx, caller)?;
                work(tx)
            })
            .await
    }

    /// Waits for a place in the line of all that changes something.
    pub async fn place(&self, caller: Caller) -> Result<Place> {
        self.store.place(Some(caller.session)).await
    }

    /// A place in that line, if there is one at once.
    pub fn free_place(&self) -> Option<Place> {
        self.store.free_place()
    }

    /// Runs a change for a caller that is checked, in the same transaction, to be live still. It is
    /// essential: it ends something, or serves somebody who reads, and neither a limit of what may
    /// be added nor a full disk refuses it.
    pub(crate) async fn change<T: Send + 'static>(
        &self,
        caller: Caller,
        work: impl FnMut(&store::Write) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        self.change_as(Priority::Essential, caller, work).await
    }

    /// The same for a change that adds something and may be refused for that.
    pub(crate) async fn change_ordinary<T: Send + 'static>(
        &self,
        caller: Caller,
        work: impl FnMut(&store::Write) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        self.change_as(Priority::Ordinary, caller, work).await
    }

    /// The same for a change that may be refused as its priority says.
    pub(crate) async fn change_as<T: Send + 'static>(
        &self,
        priority: Priority,
        caller: Caller,
        work: impl FnMut(&store::Write) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        change(self.place(caller).await?, priority, caller, work).await
    }

    /// Limits from now on what each network adds to the disk.
    pub fn limit_storage(&self, storage: Storage) {
        self.store.limit(storage);
    }
}

/// Runs a change in its place, for a caller that is checked, in the same transaction, to be live
/// still.
async fn change<T: Send + 'static>(
    place: Place,
    priority: Priority,
    caller: Caller,
    mut work: impl FnMut(&store::Write) -> Result<T> + Send + 'static,
) -> Result<T> {
    place
        .take(priority, move |tx| {
            require_live(tx, caller)?;
            tx.work_for(caller.session);
            work(tx)
        })
        .await
}

/// Nobody is named by what was presented, if anything was.
pub fn unauthenticated() -> Error {
    Error::new(
        Code::Unauthenticated,
        "there is no session here yet: pick a nick, or log in",
    )
}

/// No token that works was presented (RFC 6750 §3.1).
pub fn invalid_token() -> Error {
    Error::new(
        Code::InvalidToken,
        "this access token is unknown, expired or revoked",
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        irc::Message,
        model::{Arrival, Nick},
    };

    /// Whoever was let in a moment before it left comes too late for a change, and for a look.
    #[tokio::test]
    async fn who_calls_is_checked_again_in_the_transaction() {
        let dir = tempfile::tempdir().unwrap();
        let day = Duration::from_hours(24);
        let limits = Limits {
            max_clients: 16,
            max_channels: 100,
            channel_history: false,
            max_sessions: None,
            tries: false,
            client_idle: day,
            client_lifetime: day,
            retention: day,
            audit_retention: day,
        };
        let lock = DatabaseLock::for_server(&dir.path().join("c.db")).unwrap();
        let chat = Chat::open(lock, None, limits, Hasher::start(1).unwrap(), Timestamp(0)).unwrap();
        let (nick, now) = (Nick::parse("alice").unwrap(), Timestamp(0));
        let arrival = Arrival {
            address: [127, 0, 0, 1].into(),
            now,
            steady: Duration::ZERO,
        };
        let secret = chat
            .create(nick, "laptop".into(), arrival.address, now)
            .await
            .unwrap()
            .secret;
        let live = chat.authenticate(secret.hash(), now, now).await.unwrap();
        chat.logout(&live, now).await.unwrap();
        for line in ["JOIN #rust", "WHOIS alice", "PASS :correct horse battery"] {
            let late = chat
                .execute(&live, Message::parse_line(line).unwrap(), arrival, None)
                .await
                .unwrap_err();
            assert_eq!(late.code, Code::ClientEnded, "{line}");
        }
        assert_eq!(
            chat.snapshot(&live, true).await.unwrap_err().code,
            Code::ClientEnded
        );
    }
}
