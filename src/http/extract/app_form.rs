//! The requests of apps: a form, with the app's credentials in Authorization or in the form (RFC
//! 6749 §2.3.1, §3.2).

use axum::{
    extract::{FromRequest, Request},
    http::HeaderMap,
};
use base64::{Engine, engine::general_purpose::STANDARD};

use crate::{
    error::{Error, Result},
    http::{
        errors::oauth_error::Refusal,
        extract::{auth, form_fields::FormFields, grammar::Authorization},
        state::ServerState,
    },
    oauth::{Credentials, invalid_client},
    secret::SecretHash,
};

/// The only parameters that may be repeated (RFC 8707 §2, RFC 8693 §2.1). All others appear once
/// (RFC 6749 §3.2).
const REPEATABLE: [&str; 2] = ["resource", "audience"];
/// The longest client_id that an app can have, in bytes.
const CLIENT_ID_LIMIT: usize = 64;

/// A form, and the app that it claims to come from.
pub struct AppForm {
    /// The app's credentials, not verified yet.
    pub credentials: Credentials,
    params: FormFields,
}

impl AppForm {
    /// A parameter. `None` if it is missing or empty.
    pub fn get(&self, name: &str) -> Result<Option<&str>> {
        self.params.only(name)
    }

    /// A parameter that must be there. Fails with `malformed_request`.
    pub fn required(&self, name: &str) -> Result<&str> {
        self.params.required(name)
    }
}

impl FromRequest<ServerState> for AppForm {
    type Rejection = Refusal;

    async fn from_request(request: Request, server: &ServerState) -> Result<Self, Refusal> {
        let headers = request.headers().clone();
        let params = params(request, server).await?;
        Ok(Self {
            credentials: credentials(basic(&headers)?, &params)?,
            params,
        })
    }
}

/// The proof of an app, for endpoints that accept its credentials or an access token of its own.
pub enum Presented {
    /// The app's id and secret, not verified yet.
    Credentials(Credentials),
    /// The hash of an access token of its own.
    Token(SecretHash),
}

impl Presented {
    /// Reads the proof from the headers of a request.
    pub fn in_head(headers: &HeaderMap) -> Result<Self, Refusal> {
        if let Some(token) = auth::bearer(headers)? {
            return Ok(Self::Token(token));
        }
        let (client_id, secret) = basic(headers)?.ok_or_else(invalid_client)?;
        Ok(Self::Credentials(Credentials::presented(
            client_id,
            Some(&secret),
        )))
    }
}

/// A form about tokens, with the proof of the app that sends it (RFC 7662 §2.1).
pub struct AskingForm {
    /// The app's proof.
    pub by: Presented,
    params: FormFields,
}

impl AskingForm {
    /// A parameter that must be there. Fails with `malformed_request`.
    pub fn required(&self, name: &str) -> Result<&str> {
        self.params.required(name)
    }

    /// The `client_id` in the form, if the app presents an access token.
    pub fn named(&self) -> Result<Option<String>> {
        Ok(match self.by {
            Presented::Credentials(_) => None,
            Presented::Token(_) => self.params.only("client_id")?.map(str::to_owned),
        })
    }
}

impl FromRequest<ServerState> for AskingForm {
    type Rejection = Refusal;

    async fn from_request(request: Request, server: &ServerState) -> Result<Self, Refusal> {
        let Some(token) = auth::bearer(request.headers())? else {
            let AppForm {
                credentials,
                params,
            } = AppForm::from_request(request, server).await?;
            return Ok(Self {
                by: Presented::Credentials(credentials),
                params,
            });
        };
        let params = params(request, server).await?;
        if params.only("client_secret")?.is_some() {
            return Err(sent_twice().into());
        }
        Ok(Self {
            by: Presented::Token(token),
            params,
        })
    }
}

/// The parameters of a form. Each appears once.
async fn params(request: Request, server: &ServerState) -> Result<FormFields> {
    if request.uri().query().is_some() {
        // Many programs log queries, and so would log the secrets in them.
        return Err(Error::malformed(
            "the parameters must be in the body, and not in the query",
        ));
    }
    let params = FormFields::from_request(request, server).await?;
    params.refuse_repeated(&REPEATABLE)?;
    Ok(params)
}

/// The error `malformed_request`: the app's credentials are sent by two methods (RFC 6749 §2.3).
fn sent_twice() -> Error {
    Error::malformed("the request has an app's credentials in two places; send them once")
}

/// The app's credentials, sent by one method only. A public app sends only its id.
fn credentials(basic: Option<(String, String)>, params: &FormFields) -> Result<Credentials> {
    let take = |name: &str| params.only(name).map(|value| value.map(str::to_owned));
    let (client_id, secret) = match (basic, take("client_id")?, take("client_secret")?) {
        (Some(_), _, Some(_)) => {
            return Err(sent_twice());
        }
        (Some((id, _)), Some(other), None) if id != other => {
            return Err(Error::malformed(
                "the client_id in the body differs from that in Authorization",
            ));
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

/// The credentials in HTTP Basic. Both parts are form-encoded, so the only colon is between them
/// (RFC 6749 §2.3.1, RFC 7617 §2).
///
/// Read by hand, because axum-extra's `TypedHeader` takes the first of several headers. The
/// contract requires a refusal.
fn basic(headers: &HeaderMap) -> Result<Option<(String, String)>> {
    let Some(authorization) = Authorization::of(headers)? else {
        return Ok(None);
    };
    let read = || {
        let pair = STANDARD.decode(authorization.scheme("basic")??).ok()?;
        let (id, secret) = std::str::from_utf8(&pair).ok()?.split_once(':')?;
        form_decoded(id).zip(form_decoded(secret))
    };
    read().map(Some).ok_or_else(invalid_client)
}

/// Decodes a text that was encoded like a form's value (RFC 6749 appendix B). `None`: it was not.
///
/// By hand, because `form_urlencoded` lets a percent sign without two digits stand for itself and
/// reads U+FFFD for what is not UTF-8. So several texts would be the same secret.
fn form_decoded(text: &str) -> Option<String> {
    let mut bytes = text.bytes();
    let mut decoded = Vec::with_capacity(text.len());
    while let Some(byte) = bytes.next() {
        decoded.push(match byte {
            b'+' => b' ',
            b'%' => {
                let mut digit = || {
                    bytes
                        .next()
                        .and_then(|digit| char::from(digit).to_digit(16))
                };
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
    fn only_form_encoded_text_is_decoded() {
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
