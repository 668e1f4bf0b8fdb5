//! Extractors of the caller. A handler without one of them cannot name a caller.

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
    model::{Area, Moment, Requirement, Scope},
    secret::SecretHash,
    session::{self, LiveClient, access_token::Token},
};

/// The header in which an app names the user for whom it acts. The app's own access token is in
/// Authorization.
pub const IDENTITY: HeaderName = HeaderName::from_static("rejoin-identity");

/// The caller, by cookie or by access token, and the time of the request.
pub struct Authenticated {
    /// The caller's client. `None` for a grant without a session.
    live: Option<Arc<LiveClient>>,
    /// The time of the request.
    pub at: Moment,
    /// Whether the request acknowledges events. Another site can make a browser navigate here with
    /// its cookie or, over plain http, load this address as an image. Such a request must change
    /// nothing.
    pub acknowledges: bool,
}

impl Authenticated {
    /// The client that calls, if its credential allows `needed`. A handler has no other way to
    /// learn who calls.
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
        at: Moment,
        server: &ServerState,
    ) -> Result<Self> {
        let live = server.core.authenticate(secret, at).await?;
        Ok(Self {
            live: Some(live),
            at,
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
    async fn of(parts: &mut Parts, server: &ServerState) -> Result<Self> {
        let at = Moment::from_request_parts(parts, server).await?;
        let headers = &parts.headers;
        match (
            cookie_of(headers, at, server).await?,
            bearer(headers)?,
            identity(headers)?,
        ) {
            (Some(cookie), None, None) => Self::by_cookie(cookie, headers, at, server).await,
            (None, Some(token), identity_token) => {
                let TokenCaller { token } =
                    TokenCaller::of(token, identity_token, at, server, |token| token.alone).await?;
                Ok(Self {
                    live: token.session.and_then(|session| session.live),
                    at,
                    acknowledges: true,
                })
            }
            (None, None, None) => Err(session::unauthenticated()),
            (None, None, Some(_)) => Err(app_token_missing()),
            // With two credentials it is unclear which one is meant.
            (Some(_), _, _) => Err(Error::malformed(
                "the request has both a cookie and an access token; send only one of them",
            )),
        }
    }
}

/// The access token of a request, whether or not it has a client. A cookie in the same request is
/// ignored.
pub struct TokenCaller {
    /// The access token: a user's, or the app's own.
    pub token: Token,
}

impl TokenCaller {
    /// The user's token: the one in Authorization if it `may` be used alone, or else the one in
    /// Rejoin-Identity, with the app's own in Authorization.
    async fn of(
        bearer: SecretHash,
        identity_token: Option<SecretHash>,
        at: Moment,
        server: &ServerState,
        may: impl FnOnce(&Token) -> bool,
    ) -> Result<Self> {
        let first = server.core.authenticate_token(bearer, at).await?;
        let token = match identity_token {
            Some(identity_token) => {
                let user = server
                    .core
                    .authenticate_token(identity_token, at)
                    .await
                    .map_err(invalid_identity)?;
                // An app's own token belongs to a grant without a session.
                if first.session.is_some() || user.session.is_none() || user.app != first.app {
                    return Err(identity_mismatch());
                }
                user
            }
            None if may(&first) => first,
            None => return Err(app_token_needed()),
        };
        token.live().into_iter().for_each(|live| live.touch(at.now));
        Ok(Self { token })
    }

    /// Notes the network that the token was used from.
    async fn note_network(self, parts: &mut Parts, server: &ServerState) -> Result<Self> {
        if let Some(live) = self.token.live() {
            live.used_from(area(parts, server).await?);
        }
        Ok(self)
    }

    /// Finds the token in the request's headers or in its form. Only one of them may have it (RFC
    /// 6750 §2).
    async fn from_headers_or_form(
        headers: &HeaderMap,
        in_form: Option<&str>,
        at: Moment,
        server: &ServerState,
    ) -> Result<Self> {
        let in_form = in_form.map(|token| presented_token(token.as_bytes()));
        match (bearer(headers)?.xor(in_form), identity(headers)?) {
            // OAuth libraries call userinfo with only the user's token.
            (Some(token), identity_token) => {
                Self::of(token, identity_token, at, server, |_| true).await
            }
            (None, _) if in_form.is_some() => Err(Error::malformed(
                "the request has an access token in two places; send it once",
            )),
            (None, Some(_)) => Err(app_token_missing()),
            (None, None) => Err(Error::new(
                Code::Unauthenticated,
                "this request requires an access token in Authorization",
            )),
        }
    }
}

/// The area that a request comes from, as devices see it.
async fn area(parts: &mut Parts, server: &ServerState) -> Result<Area> {
    Ok(Area::of(
        Address::from_request_parts(parts, server).await?.ip,
    ))
}

impl FromRequestParts<ServerState> for TokenCaller {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, server: &ServerState) -> Result<Self> {
        let at = Moment::from_request_parts(parts, server).await?;
        Self::from_headers_or_form(&parts.headers, None, at, server)
            .await?
            .note_network(parts, server)
            .await
    }
}

/// The same for a POST, whose token may also be the field `access_token` of a form (RFC 6750 §2.2).
pub struct PostedTokenCaller(pub TokenCaller);

impl FromRequest<ServerState> for PostedTokenCaller {
    type Rejection = Error;

    async fn from_request(request: Request, server: &ServerState) -> Result<Self> {
        let (mut parts, body) = request.into_parts();
        let (headers, address) = (
            parts.headers.clone(),
            Address::from_request_parts(&mut parts, server).await?,
        );
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
        let by = TokenCaller::from_headers_or_form(&headers, in_form, address.at, server).await?;
        by.token
            .live()
            .into_iter()
            .for_each(|live| live.used_from(Area::of(address.ip)));
        Ok(Self(by))
    }
}

fn app_token_missing() -> Error {
    Error::new(
        Code::Unauthenticated,
        "a request with Rejoin-Identity also requires the app's own access token in Authorization",
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
    let detail = "Authorization must have the app's own access token, and Rejoin-Identity an access \
                  token that a user gave the same app";
    Error::new(Code::IdentityMismatch, detail)
}

fn app_token_needed() -> Error {
    let detail = "this app's user tokens do not work alone: send the user's token in \
                  Rejoin-Identity, and the app's own access token in Authorization";
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
/// counts, so that a neighbouring application cannot lock a user out by planting a cookie.
///
/// Fails with `malformed_request` if several belong to live clients, because it is unclear which
/// one is meant.
async fn cookie_of(
    headers: &HeaderMap,
    at: Moment,
    server: &ServerState,
) -> Result<Option<SecretHash>> {
    let presented = cookie::presented(headers, &server.own_origins)?;
    if presented.len() < 2 {
        return Ok(presented.first().copied());
    }
    match server.core.live_among(&presented, at)[..] {
        [live] => Ok(Some(live)),
        [] => server.core.ended_among(presented).await,
        _ => Err(cookie::several()),
    }
}

/// The hash of the access token in Authorization (RFC 6750 §2.1). Other schemes are ignored,
/// because a proxy may use one for its own password. Fails with `malformed_request` if the header
/// appears twice.
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
        return Err(Error::malformed(
            "the request has more than one Rejoin-Identity header",
        ));
    }
    Ok(token)
}

/// The hash of a token (`b64token`, RFC 6750 §2.1). A malformed text hashes like the empty text,
/// which is no token.
fn presented_token(token: &[u8]) -> SecretHash {
    SecretHash::of(grammar::token68(token).unwrap_or_default())
}
