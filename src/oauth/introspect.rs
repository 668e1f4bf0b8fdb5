//! Introspecting a token (RFC 7662).

use super::Proof;
use crate::{
    error::{Error, Result},
    model::{ChannelName, ClientId, Moment, Nick, SessionId},
    secret::SecretHash,
    session::Core,
    store::{
        app, app_grant, session,
        token::{self, Token, TokenFacts},
    },
};

/// What an active token stands for (RFC 7662 §2.2).
#[derive(Debug)]
pub struct Introspection {
    /// What the token has, whichever its kind.
    pub token: TokenFacts,
    /// The name of an access token in the reports of ends. `None` for a refresh token.
    pub kind: TokenKind,
    /// The name of the app that the token was issued to.
    pub client_id: String,
    /// The session that the token acts as, and its nick. `None` if the app acts for itself.
    pub user: Option<(SessionId, Nick)>,
    /// The channels that the grant is confined to. `None`: no restriction.
    pub res: Option<Vec<ChannelName>>,
}

/// The kind of an active token, and what only such a token tells.
#[derive(Debug)]
pub enum TokenKind {
    /// An access token.
    Access {
        /// The name under which the token's end is told: see [`token::jti`].
        jti: String,
    },
    /// A refresh token.
    Refresh,
}

impl TokenKind {
    fn of(token: &Token, presented: SecretHash) -> Self {
        match token {
            Token::Access(_) => Self::Access {
                jti: token::jti(presented),
            },
            Token::Refresh(_) => Self::Refresh,
        }
    }
}

/// Introspects a token for an app that can keep a secret: a token of its own, or, for a resource
/// server, any access token. Returns `None` if the token is not active or not visible to this app.
/// Fails with `malformed_request` if `named` is not the `client_id` of the app that asks.
pub async fn introspect(
    core: &Core,
    by: Proof,
    named: Option<String>,
    presented: SecretHash,
    at: Moment,
) -> Result<Option<Introspection>> {
    let Moment { now, due } = at;
    let found = core.store.read(move |tx| {
        let asking = by.introspects(tx, due)?;
        if named.is_some_and(|named| named != asking.client_id) {
            return Err(Error::malformed(
                "the client_id is not that of the access token's app",
            ));
        }
        let Some(token) = token::find(tx, presented)?.filter(|token| token.is_active(due)) else {
            return Ok(None);
        };
        let Some(grant) = app_grant::get(tx, token.facts().grant)? else {
            return Ok(None);
        };
        // A resource server is never presented a refresh token.
        let presentable = matches!(token, Token::Access(_)) && asking.is_resource_server();
        if grant.app != asking.id && !presentable {
            return Ok(None);
        }
        let session = grant.session().map(|id| session::get(tx, id)).transpose()?;
        let user = session.map(|session| (session.id, session.nick));
        let client_id = app::get(tx, grant.app)?.client_id;
        let unsettled = token::is_unsettled(tx, presented)?;
        Ok(Some((
            grant.client(),
            unsettled,
            Introspection {
                token: *token.facts(),
                kind: TokenKind::of(&token, presented),
                client_id,
                user,
                res: grant.res().map(<[_]>::to_vec),
            },
        )))
    });
    // An expired client may not call, even if maintenance has not ended it yet.
    let calls =
        |client: &Option<ClientId>| client.is_none_or(|client| !core.is_ended_or_due(client, at));
    let Some((_, unsettled, found)) = found.await?.filter(|(client, ..)| calls(client)) else {
        return Ok(None);
    };
    if unsettled {
        // The app has received this token, because it was presented. So its parent is settled.
        match core
            .store
            .write(move |tx| token::settle_parent(tx, presented, now))
            .await
        {
            // The store has no room. Introspection still answers; the next request tries again.
            Err(error) if error.is_want_of_room() => {}
            settled => settled?,
        }
    }
    Ok(Some(found))
}
