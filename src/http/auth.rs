//! Who calls: extractors. A handler without one of them cannot name a caller.

use std::sync::Arc;

use axum::{
    extract::FromRequestParts,
    http::{HeaderMap, header, request::Parts},
};

use super::{Shared, cookie};
use crate::{
    chat::{self, callers::Live},
    error::{Code, Error, Result},
    model::{Scope, Timestamp},
    secret::SecretHash,
};

/// Who calls, by cookie or by access token, and the time of the request.
pub struct Authenticated {
    /// A grant without a session calls as no client.
    live: Option<Arc<Live>>,
    pub now: Timestamp,
}

impl Authenticated {
    /// The live client that calls, if it may do this: a handler has no other way to learn whom it serves.
    pub fn allowed(&self, needed: Scope) -> Result<&Arc<Live>> {
        let live = self.live.as_ref().filter(|live| live.caller.scope.allow(needed));
        // A client is what chat needs.
        let named = if needed == Scope::Any { Scope::ChatRead } else { needed };
        live.ok_or_else(|| Error::insufficient_scope(named))
    }

    async fn by_cookie(secret: SecretHash, app: &Shared) -> Result<Self> {
        let now = app.clock.now();
        Ok(Self { live: Some(app.chat.authenticate(secret, now, app.clock.due()).await?), now })
    }

    fn by_token(secret: SecretHash, app: &Shared) -> Result<Self> {
        let now = app.clock.now();
        Ok(Self { live: app.chat.authenticate_token(secret, now, app.clock.due())?.live, now })
    }
}

impl FromRequestParts<Shared> for Authenticated {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, app: &Shared) -> Result<Self> {
        match (cookie::presented(&parts.headers, &app.site)?, bearer(&parts.headers)?) {
            (Some(cookie), None) => Self::by_cookie(cookie, app).await,
            (None, Some(token)) => Self::by_token(token, app),
            (None, None) => Err(chat::unauthenticated()),
            // Of two credentials it would be anybody's guess which one is meant.
            (Some(_), Some(_)) => Err(Error::malformed("the request has both a cookie and a bearer token")),
        }
    }
}

/// Who calls by an access token; a cookie beside it does not matter.
pub struct ByToken(pub Authenticated);

impl FromRequestParts<Shared> for ByToken {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, app: &Shared) -> Result<Self> {
        let token = bearer(&parts.headers)?;
        let no_token = || Error::new(Code::Unauthenticated, "this wants an access token in Authorization");
        Authenticated::by_token(token.ok_or_else(no_token)?, app).map(Self)
    }
}

/// The live client whose cookie the request carries, where it may come without one. A token lets nobody in.
pub struct Present(pub Option<Arc<Live>>);

impl FromRequestParts<Shared> for Present {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, app: &Shared) -> Result<Self> {
        if cookie::presented(&parts.headers, &app.site)?.is_none() {
            return Ok(Self(None));
        }
        match Authenticated::from_request_parts(parts, app).await {
            Ok(caller) => Ok(Self(caller.live)),
            Err(error) if matches!(error.code, Code::Unauthenticated | Code::ClientEnded) => Ok(Self(None)),
            Err(error) => Err(error),
        }
    }
}

/// The hash of the access token a request presents (RFC 6750 §2.1); of a scheme the case does not matter (RFC 9110 §11.1).
/// Other schemes are none of ours: a proxy may have a password of its own.
pub fn bearer(headers: &HeaderMap) -> Result<Option<SecretHash>> {
    let mut found = None;
    for value in headers.get_all(header::AUTHORIZATION) {
        let value = String::from_utf8_lossy(value.as_bytes());
        let (scheme, token) = value.split_once(' ').unwrap_or((&value, ""));
        if scheme.eq_ignore_ascii_case("bearer") && found.replace(SecretHash::of(token.trim_matches(' '))).is_some() {
            return Err(Error::malformed("the request has more than one bearer token"));
        }
    }
    Ok(found)
}
