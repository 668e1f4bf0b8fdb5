//! A live client, and its use that has not been written to the store yet.

use std::{
    sync::{
        Arc,
        atomic::{
            AtomicBool, AtomicU64,
            Ordering::{Acquire, Relaxed, Release},
        },
    },
    time::Duration,
};

use parking_lot::Mutex;

use super::usage::{Sponsor, Usage};
use crate::{
    model::{
        Area, Authority, Caller, ClientId, ClientView, EndReason, EventId, Snapshot, Timestamp,
    },
    store::{Admission, TokenAdmission, client::Use},
};

/// A live client: who it is, and its use that has not been written to the store yet.
///
/// There is one for each credential that can call: for the client's own secret, and for each access
/// token of the client (`by_token`). They share the use.
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

impl LiveClient {
    /// A client that was just admitted or loaded.
    pub(super) fn new(admission: &Admission, changes: Arc<AtomicU64>) -> Self {
        Self::with(admission, Arc::new(Usage::of(admission)), changes)
    }

    /// The same client with a new secret.
    pub(super) fn renewed(&self, admission: &Admission) -> Self {
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
    pub(super) fn by_token(
        &self,
        access: &TokenAdmission,
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
    pub fn ended_or_due(&self, due: Timestamp, idle: Duration) -> Option<EndReason> {
        let expired = || due >= self.expires_at || due >= self.seen_at().plus(idle);
        self.ended()
            .or_else(|| expired().then_some(EndReason::Expired))
    }

    /// Whether the access token that it calls with has expired by `due`. A stream that the token
    /// opened goes on; nothing else does.
    pub fn token_expired(&self, due: Timestamp) -> bool {
        self.token
            .as_ref()
            .is_some_and(|token| due >= token.expires_at)
    }

    /// Whether its holder is known to have received the secret.
    pub fn is_presented(&self) -> bool {
        self.presented.load(Relaxed)
    }

    /// Notes that its holder has the secret.
    pub fn mark_presented(&self) {
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

    /// Notes why the client has ended. A request that looked the client up earlier finds the reason
    /// here.
    pub(super) fn end(&self, reason: EndReason) {
        let _ = self.usage.ended.set(reason);
    }

    /// Notes that the token it calls with was ended while its grant goes on.
    pub(super) fn end_token(&self) {
        if let Some(token) = &self.token {
            token.ended.store(true, Release);
        }
    }

    /// Its use, which all its tokens share.
    pub(super) fn usage(&self) -> &Arc<Usage> {
        &self.usage
    }

    /// Whether it has use that has not been written to the store yet.
    pub(super) fn is_ahead(&self) -> bool {
        self.usage.ahead.load(Relaxed)
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
