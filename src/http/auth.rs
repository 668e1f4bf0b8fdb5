//! Who calls: extractors. A handler without one of them cannot name a caller.

use std::sync::Arc;

use axum::{
    extract::FromRequestParts,
    http::{HeaderMap, HeaderValue, header, request::Parts},
};

use super::{Shared, cookie};
use crate::{
    chat::{self, callers::Live},
    error::{Code, Error, Result},
    model::Timestamp,
};

/// The live client whose cookie the request carries, and the time of the request.
pub struct Authenticated {
    pub live: Arc<Live>,
    pub now: Timestamp,
}

impl FromRequestParts<Shared> for Authenticated {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, app: &Shared) -> Result<Self> {
        let now = app.clock.now();
        let secret = cookie::presented(&parts.headers, &app.site)?.ok_or_else(chat::unauthenticated)?;
        // Of two credentials it would be anybody's guess which one is meant.
        if has_bearer_token(&parts.headers) {
            return Err(Error::malformed("the request has both a cookie and a bearer token"));
        }
        Ok(Self { live: app.chat.authenticate(secret, now, app.clock.due()).await?, now })
    }
}

/// The live client whose cookie the request carries, where it may come without one.
pub struct Present(pub Option<Arc<Live>>);

impl FromRequestParts<Shared> for Present {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, app: &Shared) -> Result<Self> {
        match Authenticated::from_request_parts(parts, app).await {
            Ok(caller) => Ok(Self(Some(caller.live))),
            Err(error) if matches!(error.code, Code::Unauthenticated | Code::ClientEnded) => Ok(Self(None)),
            Err(error) => Err(error),
        }
    }
}

/// RFC 6750 §2.1; of a scheme the case does not matter (RFC 9110 §11.1).
fn has_bearer_token(headers: &HeaderMap) -> bool {
    let scheme =
        |value: &HeaderValue| value.as_bytes().split(|byte| *byte == b' ').next().map(<[u8]>::to_ascii_lowercase);
    headers.get_all(header::AUTHORIZATION).iter().any(|value| scheme(value).as_deref() == Some(b"bearer"))
}
