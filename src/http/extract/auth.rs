//! Who calls: extractors. A handler without one of them cannot name a caller.

use std::sync::Arc;

use axum::{
    extract::{FromRequest, FromRequestParts, Request},
    http::{HeaderMap, HeaderName, request::Parts},
};

use crate::{
    error::{Code, Error, Result},
    http::{
        extract::{
            address::Address,
            body::{self, BodyKind},
            cookie,
            form_fields::FormFields,
            grammar::{self, Authorization},
        },
        middleware::csrf,
        state::ServerState,
    },
    model::{Area, Requirement, Scope, Timestamp},
    secret::SecretHash,
    session::{self, LiveClient, callers::Token},
};

/// Where an app names the user for whom it acts, beside credentials of its own.
pub const IDENTITY: HeaderName = HeaderName::from_static("rejoin-identity");

/// Who calls, by cookie or by access token, and the time of the request.
pub struct Authenticated {
    /// `None` for a grant without a session, which calls as no client.
    live: Option<Arc<LiveClient>>,
    /// The time of the request.
    pub now: Timestamp,
    /// Whether the request acknowledges events. Another site can lead a browser here with its cookie,
    /// or over plain http load this as an image; such a request must change nothing.
    pub acknowledges: bool,
}

impl Authenticated {
    /// The live client that calls, if it may do this: a handler has no other way to learn whom it
    /// serves.
    pub fn allowed(&self, needed: impl Into<Requirement>) -> Result<&Arc<LiveClient>> {
        let needed = needed.into();
        let Some(live) = &self.live else {
            return Err(Error::insufficient_scope(match needed {
                // Without a client there is nothing to chat as.
                Requirement::AnyClient => Scope::ChatRead,
                Requirement::Scope(scope) => scope,
            }));
        };
        live.caller.require(needed)?;
        Ok(live)
    }

    async fn by_cookie(
        secret: SecretHash,
        headers: &HeaderMap,
        server: &ServerState,
    ) -> Result<Self> {
        let now = server.clock.now();
        let live = server
            .core
            .authenticate(secret, now, server.clock.due())
            .await?;
        Ok(Self {
            live: Some(live),
            now,
            acknowledges: csrf::may_acknowledge(&server.own_origins, headers),
        })
    }
}

impl FromRequestParts<ServerState> for Authenticated {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, server: &ServerState) -> Result<Self> {
        let caller = Self::of(parts, server).await?;
        if let Some(live) = &caller.live {
            live.used_from(area(parts, server).await?);
        }
        Ok(caller)
    }
}

impl Authenticated {
    async fn of(parts: &Parts, server: &ServerState) -> Result<Self> {
        let headers = &parts.headers;
        match (
            cookie_of(headers, server).await?,
            bearer(headers)?,
            identity(headers)?,
        ) {
            (Some(cookie), None, None) => Self::by_cookie(cookie, headers, server).await,
            (None, Some(token), beside) => {
                let TokenCaller { token, now } =
                    TokenCaller::of(token, beside, server, |token| token.alone).await?;
                Ok(Self {
                    live: token.live,
                    now,
                    acknowledges: true,
                })
            }
            (None, None, None) => Err(session::unauthenticated()),
            (None, None, Some(_)) => Err(nobody_beside()),
            // With two credentials it is unclear which one is meant.
            (Some(_), _, _) => Err(Error::malformed(
                "the request has both a cookie and an access token",
            )),
        }
    }
}

/// The access token by which a request is made, whether or not it has a client. A cookie beside it
/// does not matter.
pub struct TokenCaller {
    /// The access token of the user, or the app's own.
    pub token: Token,
    /// The time of the request.
    pub now: Timestamp,
}

impl TokenCaller {
    /// The user's token: the one in Authorization if it `may` stand alone, or one beside the app's
    /// own.
    async fn of(
        bearer: SecretHash,
        beside: Option<SecretHash>,
        server: &ServerState,
        may: impl FnOnce(&Token) -> bool,
    ) -> Result<Self> {
        let (now, due) = (server.clock.now(), server.clock.due());
        let first = server.core.authenticate_token(bearer, now, due).await?;
        let token = match beside {
            Some(beside) => {
                let user = server
                    .core
                    .authenticate_token(beside, now, due)
                    .await
                    .map_err(invalid_identity)?;
                // An app's own token is the one that calls as no session.
                if first.session.is_some() || user.session.is_none() || user.app != first.app {
                    return Err(identity_mismatch());
                }
                user
            }
            None if may(&first) => first,
            None => return Err(app_token_needed()),
        };
        token.live.iter().for_each(|live| live.touch(now));
        Ok(Self { token, now })
    }

    /// Notes from where it came.
    async fn used_here(self, parts: &mut Parts, server: &ServerState) -> Result<Self> {
        if let Some(live) = &self.token.live {
            live.used_from(area(parts, server).await?);
        }
        Ok(self)
    }

    /// By the token that a request has in its headers or in its form, by one method and no other
    /// (RFC 6750 §2).
    async fn named(
        headers: &HeaderMap,
        in_form: Option<&str>,
        server: &ServerState,
    ) -> Result<Self> {
        let in_form = in_form.map(|token| presented_token(token.as_bytes()));
        match (bearer(headers)?.xor(in_form), identity(headers)?) {
            // OAuth libraries ask who the user is with the user's token alone.
            (Some(token), beside) => Self::of(token, beside, server, |_| true).await,
            (None, _) if in_form.is_some() => {
                Err(Error::malformed("the access token is there by two methods"))
            }
            (None, Some(_)) => Err(nobody_beside()),
            (None, None) => Err(Error::new(
                Code::Unauthenticated,
                "this wants an access token in Authorization",
            )),
        }
    }
}

/// The network that a request comes from.
async fn area(parts: &mut Parts, server: &ServerState) -> Result<Area> {
    Ok(Area::of(
        Address::from_request_parts(parts, server).await?.ip,
    ))
}

impl FromRequestParts<ServerState> for TokenCaller {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, server: &ServerState) -> Result<Self> {
        Self::named(&parts.headers, None, server)
            .await?
            .used_here(parts, server)
            .await
    }
}

/// The same by POST, where the token may be the field `access_token` of a form instead (RFC 6750
/// §2.2).
pub struct PostedTokenCaller(pub TokenCaller);

impl FromRequest<ServerState> for PostedTokenCaller {
    type Rejection = Error;

    async fn from_request(request: Request, server: &ServerState) -> Result<Self> {
        let (mut parts, body) = request.into_parts();
        let (headers, area) = (parts.headers.clone(), area(&mut parts, server).await?);
        let request = Request::from_parts(parts, body);
        let form = match body::kind(&headers) {
            BodyKind::Form => Some(FormFields::from_request(request, server).await?),
            _ => None,
        };
        let in_form = form
            .as_ref()
            .map(|form| form.only("access_token"))
            .transpose()?
            .flatten();
        let by = TokenCaller::named(&headers, in_form, server).await?;
        by.token.live.iter().for_each(|live| live.used_from(area));
        Ok(Self(by))
    }
}

fn nobody_beside() -> Error {
    Error::new(
        Code::Unauthenticated,
        "Rejoin-Identity stands beside the app's own access token in Authorization",
    )
}

fn invalid_identity(error: Error) -> Error {
    let detail = "the user's access token in Rejoin-Identity is unknown, expired or revoked".into();
    Error {
        code: Code::InvalidIdentity,
        detail,
        ..error
    }
}

fn identity_mismatch() -> Error {
    let detail = "Authorization wants the app's own access token, and Rejoin-Identity one of the same app's user";
    Error::new(Code::IdentityMismatch, detail)
}

fn app_token_needed() -> Error {
    let detail = "a user's token of this app goes into Rejoin-Identity, with the app's own access token in Authorization";
    Error::new(Code::AppTokenNeeded, detail)
}

/// The live client whose cookie the request carries, or `None`: for pages that also work without a
/// caller. An access token does not count.
pub struct OptionalCaller(pub Option<Arc<LiveClient>>);

impl FromRequestParts<ServerState> for OptionalCaller {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, server: &ServerState) -> Result<Self> {
        if cookie::presented(&parts.headers, &server.own_origins)?.is_empty() {
            return Ok(Self(None));
        }
        match Authenticated::from_request_parts(parts, server).await {
            Ok(caller) => Ok(Self(caller.live)),
            Err(error) if matches!(error.code, Code::Unauthenticated | Code::ClientEnded) => {
                Ok(Self(None))
            }
            Err(error) => Err(error),
        }
    }
}

/// The hash of the secret in the cookie. If there are several cookies, the one of a live client
/// counts, so that a cookie planted by a neighbouring application locks nobody out.
///
/// Fails with `malformed_request` if several are of live clients: nobody can tell which is meant.
async fn cookie_of(headers: &HeaderMap, server: &ServerState) -> Result<Option<SecretHash>> {
    let presented = cookie::presented(headers, &server.own_origins)?;
    if presented.len() < 2 {
        return Ok(presented.first().copied());
    }
    match server.core.live_among(&presented, server.clock.due())[..] {
        [live] => Ok(Some(live)),
        [] => server.core.ended_among(presented).await,
        _ => Err(cookie::several()),
    }
}

/// The hash of the access token in Authorization (RFC 6750 §2.1). Other schemes are ignored: a proxy
/// may have a password of its own. Fails with `malformed_request` if the header is there twice.
pub fn bearer(headers: &HeaderMap) -> Result<Option<SecretHash>> {
    let token =
        Authorization::of(headers)?.and_then(|authorization| authorization.scheme("bearer"));
    Ok(token.map(|token| presented_token(token.unwrap_or_default().as_bytes())))
}

/// The hash of the access token of the user for whom an app acts.
fn identity(headers: &HeaderMap) -> Result<Option<SecretHash>> {
    let mut values = headers.get_all(IDENTITY).iter();
    let token = values
        .next()
        .map(|value| presented_token(grammar::trim(value.as_bytes())));
    if values.next().is_some() {
        return Err(Error::malformed("there is more than one Rejoin-Identity"));
    }
    Ok(token)
}

/// The hash of a token (`b64token`, RFC 6750 §2.1). A text that is not well-formed hashes like the
/// empty text, which no token is.
fn presented_token(token: &[u8]) -> SecretHash {
    SecretHash::of(grammar::token68(token).unwrap_or_default())
}
