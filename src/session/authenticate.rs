//! Authentication: from a presented secret to its live client, and from an access token to what it
//! stands for. A client that has ended leaves a tombstone, by which its secret is still answered
//! with the reason. Expired tokens are refused here too.

use std::sync::Arc;

use super::{access_token::Token, core::Core, live_client::LiveClient};
use crate::{
    error::{Code, Error, Result},
    model::{Area, ClientId, Moment, Timestamp},
    secret::SecretHash,
    store::{self, client, token},
};

/// How many of one request's unknown secrets are looked up in the store, at most.
const ENDED_AMONG: usize = 4;

impl Core {
    /// The live client that a presented secret belongs to. A client that is due to leave
    /// counts as ended.
    ///
    /// It fails with `client_ended` and the reason if the client has ended, and with
    /// `unauthenticated` if the secret is unknown.
    pub async fn authenticate(
        &self,
        secret: SecretHash,
        Moment { now, due }: Moment,
    ) -> Result<Arc<LiveClient>> {
        if let Some(live) = self.callers.get(secret) {
            if let Some(reason) = live.ended_or_due(due, self.limits.client_idle) {
                return Err(Error::client_ended(reason));
            }
            live.touch(now);
            if !live.is_presented() {
                Box::pin(self.note_presented(&live, secret)).await;
            }
            return Ok(live);
        }
        // Live clients never get here. Only the store remembers why a client has left.
        Err(
            match Box::pin(
                self.store
                    .read(move |tx| client::reason_in_tombstone(tx, secret)),
            )
            .await?
            {
                Some(reason) => Error::client_ended(reason),
                None => unauthenticated(),
            },
        )
    }

    /// The secrets among these that belong to live clients.
    pub fn live_among(
        &self,
        secrets: &[SecretHash],
        Moment { due, .. }: Moment,
    ) -> Vec<SecretHash> {
        let idle = self.limits.client_idle;
        let is_live = |secret: &SecretHash| {
            self.callers
                .get(*secret)
                .is_some_and(|live| live.ended_or_due(due, idle).is_none())
        };
        secrets.iter().copied().filter(is_live).collect()
    }

    /// One of these secrets, none of which belongs to a live client: the first whose client has
    /// ended, looking at the first few only, or else the very first. `None` if there are no
    /// secrets.
    pub async fn ended_among(&self, secrets: Vec<SecretHash>) -> Result<Option<SecretHash>> {
        let look = move |tx: &store::Read| {
            for secret in secrets.iter().take(ENDED_AMONG) {
                if client::reason_in_tombstone(tx, *secret)?.is_some() {
                    return Ok(Some(*secret));
                }
            }
            Ok(secrets.first().copied())
        };
        self.store.read(look).await
    }

    /// What a presented access token stands for. A token or client that is due to end counts
    /// as ended.
    ///
    /// This does not count as use of the client, because it is not known yet whether the token may
    /// call.
    ///
    /// It fails with `invalid_token` if the token is unknown or expired, and with the reason if its
    /// client has ended.
    pub async fn authenticate_token(
        &self,
        secret: SecretHash,
        Moment { now, due }: Moment,
    ) -> Result<Token> {
        let token = self.callers.token(secret).ok_or_else(invalid_token)?;
        // An expired token settles too: its use proves that the client received the pair.
        if token.is_unsettled() {
            Box::pin(self.note_token_presented(&token, secret, now)).await;
        }
        if due >= token.expires_at {
            return Err(invalid_token());
        }
        if let Some(live) = token.live()
            && let Some(reason) = live.ended_or_due(due, self.limits.client_idle)
        {
            return Err(live.caller.ended(reason));
        }
        Ok(token)
    }

    /// Whether a client has ended, or is due to leave.
    pub fn is_ended_or_due(&self, client: ClientId, Moment { due, .. }: Moment) -> bool {
        self.callers
            .by_client(client)
            .is_none_or(|live| live.ended_or_due(due, self.limits.client_idle).is_some())
    }

    /// Notes that a client is in use and from where, when it did not make the request itself.
    pub fn touch(&self, client: ClientId, area: Area, now: Timestamp) {
        if let Some(live) = self.callers.by_client(client) {
            live.touch(now);
            live.used_from(area);
        }
    }

    /// Records at once that a client has received its secret. Otherwise, after a crash, it would
    /// expire as a client that never got it. If the write fails, the client's next request tries
    /// again.
    async fn note_presented(&self, live: &LiveClient, secret: SecretHash) {
        let client = live.caller.client;
        match self
            .store
            .write(move |tx| client::note_presented(tx, client, secret))
            .await
        {
            Ok(()) => live.mark_presented(),
            // A full disk is logged elsewhere already.
            Err(error) if error.is_want_of_room() => {}
            Err(error) => {
                tracing::warn!(%error, %client, "could not record that a client has used its new secret; the next request tries again")
            }
        }
    }

    /// Records that a token was presented, before it is used for anything. From then on the refresh
    /// token it came from is not exchanged for the same pair again. If the write fails, the next
    /// request tries again.
    async fn note_token_presented(&self, token: &Token, secret: SecretHash, now: Timestamp) {
        match self
            .store
            .write(move |tx| token::settle_parent(tx, secret, now))
            .await
        {
            Ok(()) => token.settle(),
            Err(error) if error.is_want_of_room() => {}
            Err(error) => {
                tracing::warn!(%error, grant = %token.granted.id, "could not record the first use of a token; the next request tries again")
            }
        }
    }
}

/// The `unauthenticated` error: the request carries no credential that identifies a session.
pub fn unauthenticated() -> Error {
    Error::new(
        Code::Unauthenticated,
        "this request has no valid cookie or access token: create a session, or log in",
    )
}

/// The `invalid_token` error: the request carries no valid access token (RFC 6750 §3.1).
pub fn invalid_token() -> Error {
    Error::new(
        Code::InvalidToken,
        "this access token is unknown, expired or revoked",
    )
}
