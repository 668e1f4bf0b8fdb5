//! New tokens for a refresh token (RFC 6749 §6), which works once.
//!
//! The server derives the new pair from the presented token with a key of its own. A client that
//! lost the answer, or two tabs that refresh at once, therefore get the same pair. Once the app
//! presents a token of the new pair, it no longer needs the old token. If the old token still comes
//! back, two parties have it, and the server cannot tell which of them is the app (RFC 9700 §4.14).

use super::{
    invalid_grant,
    mint::{Mint, Minted, Secrets},
    tokens::{self, Issued, TokenRequest},
};
use crate::{
    audit::Action,
    error::{Code, Error, Result},
    model::{EndReason, Scopes},
    secret::{KeyRing, SecretHash, keys::Pair},
    session::{Core, lifecycle, refusal_log::RefusalLog},
    store::{
        Write,
        app::App,
        app_grant::{self, Grant},
        audit,
        token::{self, Exchanged, RefreshToken, Token},
    },
};

/// Issues a new pair for a refresh token and supersedes that token in the same transaction. Fails
/// with `invalid_grant`, or with `invalid_scope` if the scope exceeds the token's.
pub async fn issue(
    core: &Core,
    request: TokenRequest,
    presented: &str,
    scope: Option<Scopes>,
) -> Result<Issued> {
    let (keys, record_limits, presented) = (
        core.keys.ring(),
        core.refusal_log.clone(),
        presented.to_owned(),
    );
    let hash = SecretHash::of(&presented);
    tokens::issue(core, request, move |tx, app, mint| {
        let token = token::find(tx, hash)?
            .and_then(Token::refresh)
            .ok_or_else(invalid_grant)?;
        let grant = app_grant::get(tx, token.facts.grant)?
            .filter(|grant| grant.app == app.id)
            .ok_or_else(invalid_grant)?;
        // The app has this token, so its parent is settled. An error would roll this note back.
        // From here on, the transaction succeeds with a refusal.
        token::settle_parent(tx, hash, mint.at.now)?;
        let (keys, record_limits, presented) = (&*keys, &*record_limits, presented.as_str());
        let exchange = Exchange {
            tx,
            app,
            mint,
            keys,
            record_limits,
            presented,
            hash,
            grant: &grant,
            token: &token,
        };
        match exchange.decide(scope) {
            Err(refusal) if !refusal.is_failure() => Ok(Err(refusal)),
            decided => decided.map(Ok),
        }
    })
    .await
}

/// A refresh token that is being exchanged.
struct Exchange<'a> {
    tx: &'a Write<'a>,
    app: &'a App,
    mint: &'a Mint,
    keys: &'a KeyRing,
    record_limits: &'a RefusalLog,
    presented: &'a str,
    hash: SecretHash,
    grant: &'a Grant,
    token: &'a RefreshToken,
}

impl Exchange<'_> {
    fn decide(&self, scope: Option<Scopes>) -> Result<Minted> {
        if let Some(Exchanged { settled: true, .. }) = self.token.exchanged {
            return self.end_both_holders().and_then(|()| Err(invalid_grant()));
        }
        let whole = self.token.facts.scope;
        let scope = scope.unwrap_or(whole);
        if !whole.covers(scope) {
            return Err(Error::new(
                Code::InvalidScope,
                "the scope exceeds that of the refresh token",
            ));
        }
        match &self.token.exchanged {
            // The pair cannot be derived again: the exchange is older than the keys, or its key is
            // lost.
            Some(Exchanged { by: None, .. }) => Err(invalid_grant()),
            Some(Exchanged { by: Some(by), .. }) => {
                let pair = self
                    .keys
                    .pair(by, self.presented)
                    .ok_or_else(invalid_grant)?;
                self.repeat(pair, scope)
            }
            None if self.token.is_active(self.mint.at.due) => self.begin(scope),
            None => Err(invalid_grant()),
        }
    }

    /// Exchanges the token for the first time.
    fn begin(&self, scope: Scopes) -> Result<Minted> {
        let &Self {
            tx,
            mint,
            token,
            grant,
            ..
        } = self;
        let by = self.keys.current(mint.at.due);
        let pair = self
            .keys
            .pair(by, self.presented)
            .ok_or_else(|| Error::internal("the key file does not contain the current key"))?;
        token::supersede(
            tx,
            self.hash,
            by,
            mint.refresh_expires_at(token.limit_at),
            mint.at.now,
        )?;
        // The log limits how many refreshes it records one by one. Otherwise an app could fill it.
        let refreshed = mint.refreshed(self.app, grant);
        if self.record_limits.records_refresh(&refreshed) {
            audit::record(
                tx,
                Action::GrantRefreshed,
                &mint.subject(self.app, grant),
                mint.at.now,
            )?;
        }
        let mint = mint.deriving(&pair, self.hash);
        let minted = mint.pair(tx, grant, scope, token.facts.scope, token.limit_at)?;
        token
            .code
            .map_or(Ok(()), |code| mint.descend_from(tx, code))?;
        Ok(Minted {
            secrets: Secrets::Derived {
                pair,
                refreshed: Some(refreshed),
            },
            ..minted
        })
    }

    /// Issues the same pair again. If its access token has expired, its lifetime starts anew.
    fn repeat(&self, pair: Pair, scope: Scopes) -> Result<Minted> {
        let &Self {
            tx, mint, grant, ..
        } = self;
        let (access, refresh) = pair.hashes();
        let next = token::find(tx, refresh)?
            .and_then(Token::refresh)
            .filter(|next| next.is_active(mint.at.due))
            .ok_or_else(invalid_grant)?;
        let known = token::find(tx, access)?;
        let scope = known.as_ref().map_or(scope, |access| access.facts().scope);
        let expires_at = match known.filter(|access| access.is_active(mint.at.due)) {
            Some(access) => access.facts().expires_at,
            None => {
                let mint = mint.deriving(&pair, self.hash);
                let minted = mint.access(tx, grant.id, scope, Some(next.limit_at))?;
                self.token
                    .code
                    .map_or(Ok(()), |code| mint.descend_from(tx, code))?;
                minted.expires_at
            }
        };
        Ok(Minted {
            scope,
            expires_at,
            client: grant.client(),
            secrets: Secrets::Derived {
                pair,
                refreshed: None,
            },
        })
    }

    /// Handles a stolen token: ends the grant, for the thief and for the app, and tells the
    /// session's devices.
    fn end_both_holders(&self) -> Result<()> {
        let &Self {
            tx,
            mint,
            app,
            grant,
            ..
        } = self;
        mint.report_reuse(tx, app, grant)?;
        lifecycle::end_grant(tx, grant.id, EndReason::Revoked, mint.at.now)
    }
}
