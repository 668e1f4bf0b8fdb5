//! Who calls: the live client that a secret names, and what an access token stands for.

use std::sync::Arc;

use super::{
    callers::{LiveClient, Token},
    core::Core,
};
use crate::{
    error::{Code, Error, Result},
    model::{Area, ClientId, Timestamp},
    secret::SecretHash,
    store::{self, client, token},
};

/// Secrets of no live client that are looked up in the store, of those that one request presents.
const ENDED_AMONG: usize = 4;

impl Core {
    /// The live caller a presented secret names, at a time by which some may be `due` to have left.
    pub async fn authenticate(
        &self,
        secret: SecretHash,
        now: Timestamp,
        due: Timestamp,
    ) -> Result<Arc<LiveClient>> {
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
            match Box::pin(self.store.read(move |tx| client::end_reason(tx, secret))).await? {
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
                if client::end_reason(tx, *secret)?.is_some() {
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
    ) -> Result<Token> {
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
    async fn note_presented(&self, live: &LiveClient, secret: SecretHash) {
        let client = live.caller.client;
        match self
            .store
            .write(move |tx| client::note_presented(tx, client, secret))
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
    async fn note_token_presented(&self, token: &Token, secret: SecretHash, now: Timestamp) {
        match self
            .store
            .write(move |tx| token::settle_parent(tx, secret, now))
            .await
        {
            Ok(()) => token.settle(),
            Err(error) if error.is_want_of_room() => {}
            Err(error) => {
                tracing::warn!(%error, grant = %token.grant, "a token's first use could not be written down")
            }
        }
    }
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
