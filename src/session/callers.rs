//! The caller map. It maps a secret's hash to its caller, and holds every live client and every
//! access token in memory.
//!
//! It is loaded at the start, changed only by commits, and never filled on a miss. An ended client
//! and the tokens of an ended grant are therefore out of the map before anyone is told of the end,
//! and nothing stale can come back. Expired tokens are refused by the clock and removed from time
//! to time.

use std::{
    collections::HashMap,
    sync::{
        Arc,
        atomic::{
            AtomicBool, AtomicU64,
            Ordering::{Acquire, Relaxed, Release},
        },
    },
    time::Duration,
};

use parking_lot::{Mutex, RwLock, RwLockReadGuard, RwLockWriteGuard};

use super::usage::{Devices, Sponsor, Usage};
use crate::{
    model::{
        AppId, Area, Authority, Caller, ClientId, ClientView, EndReason, EventId, GrantId, Granted,
        SessionId, Snapshot, Timestamp,
    },
    secret::SecretHash,
    store::{Access, AccessClient, Admission, Effect, client::Use},
};

/// A live client: who it is, and its use that has not been written to the store yet.
#[derive(Debug)]
pub struct LiveClient {
    /// The session, client and scope that it calls with.
    pub caller: Caller,
    /// When its lifetime ends, whether it is used or not.
    pub expires_at: Timestamp,
    /// The access token that it calls with. `None` for a cookie.
    token: Option<CallingToken>,
    /// Whether its holder is known to have received the secret.
    presented: AtomicBool,
    usage: Arc<Usage>,
    /// How many commits have changed something about its session. All clients of the session share
    /// it.
    changes: Arc<AtomicU64>,
    /// The last snapshot, and the value of `changes` when it was read.
    snapshot: Mutex<Option<(u64, Arc<Snapshot>)>>,
}

/// The access token that a client calls with.
#[derive(Debug)]
struct CallingToken {
    expires_at: Timestamp,
    /// Whether it was ended while its grant goes on.
    ended: AtomicBool,
    /// For an API key's bot: the device to which its use is credited.
    sponsor: Option<Sponsor>,
}

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

impl LiveClient {
    fn new(admission: &Admission, changes: Arc<AtomicU64>) -> Self {
        Self::with(admission, Arc::new(Usage::of(admission)), changes)
    }

    fn renewed(&self, admission: &Admission) -> Self {
        self.touch(admission.seen_at);
        admission
            .area
            .into_iter()
            .for_each(|area| self.used_from(area));
        Self::with(admission, self.usage.clone(), self.changes.clone())
    }

    fn with(admission: &Admission, usage: Arc<Usage>, changes: Arc<AtomicU64>) -> Self {
        let &Admission {
            caller,
            expires_at,
            presented,
            ..
        } = admission;
        let presented = AtomicBool::new(presented);
        Self {
            caller,
            expires_at,
            token: None,
            presented,
            usage,
            changes,
            snapshot: Mutex::default(),
        }
    }

    /// The same client, calling with an access token.
    fn by_token(
        &self,
        access: &Access,
        client_expires_at: Timestamp,
        sponsor: Option<Sponsor>,
    ) -> Self {
        Self {
            caller: Caller {
                authority: Authority::Grant(access.granted),
                ..self.caller
            },
            expires_at: client_expires_at,
            token: Some(CallingToken {
                expires_at: access.expires_at,
                ended: AtomicBool::default(),
                sponsor,
            }),
            presented: AtomicBool::new(true),
            usage: self.usage.clone(),
            changes: self.changes.clone(),
            snapshot: Mutex::default(),
        }
    }

    /// How many commits have changed something about its session so far.
    pub fn changes(&self) -> u64 {
        self.changes.load(Acquire)
    }

    /// The remembered snapshot, if nothing about the session has changed since and the client has
    /// not ended.
    pub fn remembered(&self) -> Option<Arc<Snapshot>> {
        if self.ended().is_some() {
            return None;
        }
        let remembered = self.snapshot.lock();
        remembered
            .as_ref()
            .filter(|(changes, _)| *changes == self.changes())
            .map(|(_, snapshot)| snapshot.clone())
    }

    /// Remembers a snapshot. `changes` is the count of changes before the snapshot was read.
    pub fn remember(&self, changes: u64, snapshot: Arc<Snapshot>) {
        *self.snapshot.lock() = Some((changes, snapshot));
    }

    /// Why the client may not call any more: it has ended, or it is due to by `due` although
    /// maintenance has not ended it yet. `idle` is how long a client may be unused.
    pub fn over(&self, due: Timestamp, idle: Duration) -> Option<EndReason> {
        let expired = || due >= self.expires_at || due >= self.seen_at().plus(idle);
        self.ended()
            .or_else(|| expired().then_some(EndReason::Expired))
    }

    /// Whether the access token that it calls with has expired by `due`. A stream that the token
    /// opened goes on; nothing else does.
    pub fn token_over(&self, due: Timestamp) -> bool {
        self.token
            .as_ref()
            .is_some_and(|token| due >= token.expires_at)
    }

    /// Whether its holder is known to have received the secret.
    pub fn presented(&self) -> bool {
        self.presented.load(Relaxed)
    }

    /// Notes that its holder has the secret.
    pub fn present(&self) {
        self.presented.store(true, Relaxed);
    }

    /// Why it has ended, if it has.
    pub fn ended(&self) -> Option<EndReason> {
        let token_ended = || {
            self.token
                .as_ref()?
                .ended
                .load(Acquire)
                .then_some(EndReason::Revoked)
        };
        self.usage.ended.get().copied().or_else(token_ended)
    }

    /// The position in the log up to which it has acknowledged its queue.
    pub fn cursor(&self) -> EventId {
        EventId(self.usage.cursor.load(Relaxed))
    }

    /// Whether its queue has begun.
    pub fn begun(&self) -> bool {
        self.usage.begun.load(Relaxed)
    }

    /// Notes that its queue has begun and is acknowledged up to `at`.
    pub fn begin(&self, at: EventId) {
        self.usage.begun.store(true, Relaxed);
        self.acknowledge(at);
    }

    /// When it was last used.
    pub fn seen_at(&self) -> Timestamp {
        Timestamp(self.usage.seen_at.load(Relaxed))
    }

    /// Moves the cursor forward. The cursor never goes back.
    pub fn acknowledge(&self, id: EventId) {
        if self.usage.cursor.fetch_max(id.0, Relaxed) < id.0 {
            self.usage.ahead.store(true, Relaxed);
        }
    }

    /// Its use so far, in the form in which it is stored.
    pub fn used(&self) -> Use {
        Use {
            cursor: self.cursor(),
            seen_at: self.seen_at(),
            area: self.usage.area(),
        }
    }

    /// Notes that `used` has been stored. Use that was noted since then remains to be stored.
    pub fn written(&self, used: Use) {
        self.usage.ahead.store(false, Relaxed);
        if self.used() != used {
            self.usage.ahead.store(true, Relaxed);
        }
    }

    /// Notes the network it is used from. The network of an API key's bot is the bot's own, not
    /// that of the device it works for.
    pub fn used_from(&self, area: Area) {
        self.usage.used_from(area);
    }

    /// Updates a view from the store with use that is only in memory.
    pub fn note_use(&self, view: &mut ClientView) {
        view.seen_at = view.seen_at.max(self.seen_at());
        if let (Some(address), Some(area)) = (&mut view.address, self.usage.area()) {
            address.last = area;
        }
    }

    /// Notes that it is in use. For an API key's bot this also counts as use of the device it works
    /// for.
    pub fn touch(&self, now: Timestamp) {
        self.usage.touch(now);
        if let Some(device) = self.sponsoring_device() {
            device.touch(now);
        }
    }

    /// The device to which its use is credited: itself, or for an API key's bot the device it works
    /// for.
    pub fn device(&self) -> ClientId {
        self.sponsoring_device()
            .map_or(self.caller.client, |device| device.client)
    }

    /// For an API key's bot: the device that it works for.
    fn sponsoring_device(&self) -> Option<Arc<Usage>> {
        self.token.as_ref()?.sponsor.as_ref()?.device()
    }
}

/// The caller map.
#[derive(Default)]
pub struct Callers {
    /// Never held over an await. Readers only look up and clone.
    map: RwLock<Map>,
}

#[derive(Default)]
struct Map {
    by_secret: HashMap<SecretHash, Arc<LiveClient>>,
    /// The secret of each live client.
    secrets: HashMap<ClientId, SecretHash>,
    tokens: HashMap<SecretHash, Token>,
    /// The secrets of each grant's access tokens.
    grants: HashMap<GrantId, Vec<SecretHash>>,
    sessions: HashMap<SessionId, Presence>,
}

/// What the map holds of a live session.
#[derive(Default)]
struct Presence {
    clients: usize,
    devices: Arc<Devices>,
    changes: Arc<AtomicU64>,
}

impl Callers {
    /// The live client with this secret.
    pub fn get(&self, secret: SecretHash) -> Option<Arc<LiveClient>> {
        self.read().by_secret.get(&secret).cloned()
    }

    /// The access token with this hash. It may have expired.
    pub fn token(&self, secret: SecretHash) -> Option<Token> {
        self.read().tokens.get(&secret).cloned()
    }

    /// The live client with this id.
    pub fn by_client(&self, client: ClientId) -> Option<Arc<LiveClient>> {
        self.read().live(client).cloned()
    }

    /// How many clients are live.
    pub fn count(&self) -> usize {
        self.read().secrets.len()
    }

    /// Applies one effect of a commit.
    pub fn apply(&self, effect: &Effect) {
        match effect {
            Effect::Admitted(admission) => self.write().admit(admission),
            Effect::ClientEnded {
                session,
                client,
                reason,
            } => self.write().end(*session, *client, *reason),
            Effect::TokenIssued(access) => self.write().issue(access),
            Effect::TokenEnded { secret } => self.write().end_token(*secret),
            Effect::GrantEnded { grant } => self.write().end_grant(*grant),
            Effect::Logged { targets, .. } => {
                let map = self.read();
                targets
                    .iter()
                    .for_each(|target| map.changed(SessionId(target.0)));
            }
            // The grants of an ended app have effects of their own.
            Effect::AppEnded | Effect::ChannelMade { .. } | Effect::ChannelEnded { .. } => {}
            // Their events are addressed to the channel, so the arm for `Logged` does not reach the
            // session.
            Effect::Joined { session, .. } | Effect::Left { session, .. } => {
                self.read().changed(*session)
            }
        }
    }

    /// Removes the tokens that have expired by `due`.
    pub fn forget_expired(&self, due: Timestamp) {
        let mut map = self.write();
        let Map { tokens, grants, .. } = &mut *map;
        tokens.retain(|_, token| due < token.expires_at);
        grants.retain(|_, secrets| {
            secrets.retain(|secret| tokens.contains_key(secret));
            !secrets.is_empty()
        });
    }

    /// The clients with use that has not been written to the store yet.
    pub fn ahead(&self) -> Vec<Arc<LiveClient>> {
        let map = self.read();
        map.by_secret
            .values()
            .filter(|live| live.usage.ahead.load(Relaxed))
            .cloned()
            .collect()
    }

    fn read(&self) -> RwLockReadGuard<'_, Map> {
        self.map.read()
    }

    fn write(&self) -> RwLockWriteGuard<'_, Map> {
        self.map.write()
    }
}

impl Map {
    fn admit(&mut self, admission: &Admission) {
        let &Admission { caller, secret, .. } = admission;
        let old = self
            .secrets
            .insert(caller.client, secret)
            .and_then(|old| self.by_secret.remove(&old));
        let live = match old {
            Some(old) => old.renewed(admission),
            None => {
                let presence = self.sessions.entry(caller.session).or_default();
                presence.clients += 1;
                let live = LiveClient::new(admission, presence.changes.clone());
                if caller.authority.is_device() {
                    presence.devices.add(live.usage.clone());
                }
                live
            }
        };
        self.by_secret.insert(secret, Arc::new(live));
    }

    fn end(&mut self, session: SessionId, client: ClientId, reason: EndReason) {
        let Some(live) = self
            .secrets
            .remove(&client)
            .and_then(|secret| self.by_secret.remove(&secret))
        else {
            return;
        };
        // A request that looked the client up earlier learns here that it has ended.
        let _ = live.usage.ended.set(reason);
        if let Some(presence) = self.sessions.get_mut(&session) {
            presence.clients -= 1;
            presence.devices.remove(client);
            if presence.clients == 0 {
                self.sessions.remove(&session);
            }
        }
    }

    fn issue(&mut self, access: &Access) {
        let &Access {
            secret,
            granted,
            app,
            session,
            alone,
            expires_at,
            unsettled,
            ..
        } = access;
        let session = session.map(|session| TokenSession {
            id: session.id,
            live: session
                .client
                .and_then(|client| self.calling(access, session.id, client)),
        });
        let unsettled = Arc::new(AtomicBool::new(unsettled));
        let token = Token {
            granted,
            app,
            session,
            expires_at,
            alone,
            unsettled,
        };
        let grant = granted.id;
        // A token that is issued again is in the list already.
        if self.tokens.insert(secret, token).is_none() {
            self.grants.entry(grant).or_default().push(secret);
        }
    }

    /// The client that calls with a new token. Its issue counts as use of the client.
    fn calling(
        &self,
        access: &Access,
        session: SessionId,
        client: AccessClient,
    ) -> Option<Arc<LiveClient>> {
        let sponsor =
            client
                .key_created_by
                .zip(self.sessions.get(&session))
                .map(|(creator, presence)| {
                    let creator = self.live(creator).map(|creator| creator.usage.clone());
                    Sponsor::new(creator, presence.devices.clone())
                });
        let live = self
            .live(client.id)?
            .by_token(access, client.expires_at, sponsor);
        live.touch(access.created_at);
        Some(Arc::new(live))
    }

    fn live(&self, client: ClientId) -> Option<&Arc<LiveClient>> {
        self.secrets
            .get(&client)
            .and_then(|secret| self.by_secret.get(secret))
    }

    fn end_token(&mut self, secret: SecretHash) {
        let ended = self.tokens.remove(&secret);
        let live = ended.as_ref().and_then(Token::live);
        if let Some(token) = live.and_then(|live| live.token.as_ref()) {
            token.ended.store(true, Release);
        }
    }

    fn end_grant(&mut self, grant: GrantId) {
        for secret in self.grants.remove(&grant).into_iter().flatten() {
            self.tokens.remove(&secret);
        }
    }

    fn changed(&self, session: SessionId) {
        if let Some(presence) = self.sessions.get(&session) {
            presence.changes.fetch_add(1, Release);
        }
    }
}
