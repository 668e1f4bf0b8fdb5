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
        atomic::{AtomicU64, Ordering::Release},
    },
};

use parking_lot::{RwLock, RwLockReadGuard, RwLockWriteGuard};

use super::{
    access_token::Token,
    live_client::LiveClient,
    usage::{Devices, Sponsor},
};
use crate::{
    model::{ClientId, EndReason, GrantId, SessionId, Timestamp},
    secret::SecretHash,
    store::{AccessClient, Admission, Effect, TokenAdmission},
};

/// The caller map.
#[derive(Default)]
pub struct CallerMap {
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

impl CallerMap {
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
            .filter(|live| live.is_ahead())
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
                    presence.devices.add(live.usage().clone());
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
        live.end(reason);
        if let Some(presence) = self.sessions.get_mut(&session) {
            presence.clients -= 1;
            presence.devices.remove(client);
            if presence.clients == 0 {
                self.sessions.remove(&session);
            }
        }
    }

    fn issue(&mut self, access: &TokenAdmission) {
        let live = access.session.and_then(|session| {
            let client = session.client?;
            self.calling(access, session.id, client)
        });
        let (secret, grant) = (access.secret, access.granted.id);
        // A token that is issued again is in the list already.
        if self
            .tokens
            .insert(secret, Token::new(access, live))
            .is_none()
        {
            self.grants.entry(grant).or_default().push(secret);
        }
    }

    /// The client that calls with a new token. Its issue counts as use of the client.
    fn calling(
        &self,
        access: &TokenAdmission,
        session: SessionId,
        client: AccessClient,
    ) -> Option<Arc<LiveClient>> {
        let sponsor =
            client
                .key_created_by
                .zip(self.sessions.get(&session))
                .map(|(creator, presence)| {
                    let creator = self.live(creator).map(|creator| creator.usage().clone());
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
        if let Some(live) = ended.as_ref().and_then(Token::live) {
            live.end_token();
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
