//! Apps, grants and tokens: who gets which token, and what becomes of it (RFC 6749, 7009, 7662).
//!
//! An API key is an app that a session owns. Its first token makes its one grant, and the grant's one client; later tokens
//! join them. Whatever ends the key, the grant, the client or the session ends the others with it, in the same transaction:
//! that cascade is the store's ([`crate::store::grant::end`]).

use crate::{
    chat::Chat,
    error::{Code, Error, Result},
    model::Timestamp,
    secret::SecretHash,
    store::app::{self, App, AppSecret},
};

pub mod grants;
pub mod keys;
pub mod tokens;

/// What an app proves itself with.
#[derive(Clone, Debug)]
pub struct Credentials {
    pub client_id: String,
    pub secret: SecretHash,
}

/// The live app that these are the credentials of.
pub async fn authenticate(chat: &Chat, credentials: Credentials, due: Timestamp) -> Result<App> {
    let found = chat.store.read(move |tx| find(tx, &credentials, due)).await?;
    found.map(|(app, _)| app).filter(|app| !app.over(due)).ok_or_else(invalid_client)
}

/// The app whose secret this is, perhaps one that is over, and the secret, which is not.
fn find(tx: &crate::store::Read, credentials: &Credentials, due: Timestamp) -> Result<Option<(App, AppSecret)>> {
    let found = app::by_secret(tx, &credentials.client_id, credentials.secret)?;
    Ok(found.filter(|(_, secret)| secret.valid_until.is_none_or(|end| due < end)))
}

/// RFC 6749 §5.2: unknown, without credentials, with wrong ones or several, and those that are over: one answer.
pub fn invalid_client() -> Error {
    Error::new(Code::InvalidClient, "there is no live app with this client_id and this secret")
}
