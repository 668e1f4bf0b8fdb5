//! What an app sends: a form, and the credentials beside it or in it (RFC 6749 §2.3.1, §3.2).

use std::collections::BTreeMap;

use axum::{
    extract::{FromRequest, Request},
    http::{HeaderMap, header},
};
use base64::{Engine, engine::general_purpose::STANDARD};

use super::refusal::Refusal;
use crate::{
    error::{Error, Result},
    http::{
        Shared,
        body::{self, Kind},
    },
    oauth::{Credentials, invalid_client},
};

/// Characters of a client_id that can be somebody's.
const CLIENT_ID_LIMIT: usize = 64;

/// A form, and the app it says it comes from.
pub struct AppForm {
    pub credentials: Credentials,
    params: BTreeMap<String, String>,
}

impl AppForm {
    /// A parameter; one without a value counts as left out (RFC 6749 §3.2).
    pub fn get(&self, name: &str) -> Option<&str> {
        self.params.get(name).map(String::as_str).filter(|value| !value.is_empty())
    }

    pub fn required(&self, name: &str) -> Result<&str> {
        self.get(name).ok_or_else(|| Error::malformed(format!("the parameter {name} is missing")))
    }
}

impl FromRequest<Shared> for AppForm {
    type Rejection = Refusal;

    async fn from_request(request: Request, app: &Shared) -> Result<Self, Refusal> {
        if request.uri().query().is_some() {
            // Queries are written into logs everywhere, and with them whatever secret they hold.
            return Err(Error::malformed("parameters belong into the body, never into the query").into());
        }
        if body::kind(request.headers()) != Kind::Form {
            let detail = "this wants a body with Content-Type: application/x-www-form-urlencoded";
            return Err(Error::malformed(detail).into());
        }
        let basic = basic(request.headers())?;
        let mut params = BTreeMap::new();
        for (name, value) in body::form::<Vec<(String, String)>>(request, app).await? {
            if params.insert(name, value).is_some() {
                return Err(Error::malformed("a parameter is there more than once").into());
            }
        }
        Ok(Self { credentials: credentials(basic, &mut params)?, params })
    }
}

/// The app's credentials, by one method and no other; one that can keep no secret sends its name alone.
fn credentials(basic: Option<(String, String)>, params: &mut BTreeMap<String, String>) -> Result<Credentials> {
    let mut take = |name: &str| params.remove(name).filter(|value| !value.is_empty());
    let (client_id, secret) = match (basic, take("client_id"), take("client_secret")) {
        (Some(_), _, Some(_)) => return Err(Error::malformed("the credentials are there by two methods")),
        (Some((id, _)), Some(other), None) if id != other => {
            return Err(Error::malformed("the credentials are of another client_id"));
        }
        (Some((id, secret)), _, None) => (id, Some(secret)),
        (None, Some(id), secret) => (id, secret),
        (None, None, _) => return Err(invalid_client()),
    };
    if client_id.len() > CLIENT_ID_LIMIT {
        return Err(invalid_client());
    }
    Ok(Credentials::presented(client_id, secret.as_deref()))
}

/// What HTTP Basic carries: both parts form-encoded, and so a colon is only between them (RFC 6749 §2.3.1, RFC 7617 §2).
pub fn basic(headers: &HeaderMap) -> Result<Option<(String, String)>> {
    let mut values = headers.get_all(header::AUTHORIZATION).iter();
    let Some(value) = values.next() else { return Ok(None) };
    if values.next().is_some() {
        return Err(Error::malformed("there is more than one Authorization"));
    }
    let read = || {
        let (scheme, encoded) = value.to_str().ok()?.split_once(' ')?;
        let pair = STANDARD.decode(encoded.trim_matches(' ')).ok().filter(|_| scheme.eq_ignore_ascii_case("basic"))?;
        let (id, secret) = std::str::from_utf8(&pair).ok()?.split_once(':')?;
        form_decoded(id).zip(form_decoded(secret))
    };
    read().map(Some).ok_or_else(invalid_client)
}

/// Text that was encoded as a form's value is (RFC 6749 appendix B).
fn form_decoded(text: &str) -> Option<String> {
    let mut bytes = text.bytes();
    let mut decoded = Vec::with_capacity(text.len());
    while let Some(byte) = bytes.next() {
        decoded.push(match byte {
            b'+' => b' ',
            b'%' => {
                let mut digit = || bytes.next().and_then(|digit| char::from(digit).to_digit(16));
                (digit()? * 16 + digit()?) as u8
            }
            byte => byte,
        });
    }
    String::from_utf8(decoded).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_form_encoded_is_decoded_and_nothing_else() {
        for (text, decoded) in [
            ("app_x", Some("app_x")),
            ("a%3Ab%25c+d", Some("a:b%c d")),
            ("%C3%a9", Some("é")),
            ("%", None),
            ("%4", None),
            ("%zz", None),
            ("%+1", None),
            ("%ff", None),
        ] {
            assert_eq!(form_decoded(text).as_deref(), decoded, "{text}");
        }
    }
}
