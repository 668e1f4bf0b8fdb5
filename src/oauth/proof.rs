//! What an app proves itself with where it asks about tokens: its credentials, or an access token
//! of its own.

use super::{Credentials, find, invalid_client};
use crate::{
    error::{Code, Error, Result},
    model::{GrantId, Timestamp},
    session::invalid_token,
    store::{
        Read,
        app::{self, App},
        grant,
    },
};

#[derive(Clone, Debug)]
pub enum Proof {
    Credentials(Credentials),
    /// An access token of this grant, which was live when it was presented.
    Token(GrantId),
}

impl From<&Credentials> for Proof {
    fn from(credentials: &Credentials) -> Self {
        Self::Credentials(credentials.clone())
    }
}

/// Who stands behind a proof.
pub(super) enum Holder {
    /// An app that can keep a secret, by credentials or a token of its own.
    App(Box<App>),
    /// A public app, which can prove nothing.
    Public,
    /// A program by a token that a session gave it. It proves nothing of the app.
    User,
}

impl Proof {
    /// Who stands behind it, while it holds.
    pub(super) fn holder(&self, tx: &Read, due: Timestamp) -> Result<Holder> {
        let app = match self {
            Self::Credentials(credentials) => find(tx, credentials, due)?
                .map(|(app, _)| app)
                .ok_or_else(invalid_client)?,
            Self::Token(grant) => {
                let grant = grant::get(tx, *grant)?.ok_or_else(invalid_token)?;
                if grant.session.is_some() {
                    return Ok(Holder::User);
                }
                app::get(tx, grant.app)?
            }
        };
        match app {
            app if app.over(due) => Err(invalid_client()),
            app if app.public => Ok(Holder::Public),
            app => Ok(Holder::App(Box::new(app))),
        }
    }

    /// The app that may introspect by this (RFC 7662 §2.1, §2.3).
    pub(super) fn introspects(&self, tx: &Read, due: Timestamp) -> Result<App> {
        match self.holder(tx, due)? {
            Holder::App(app) => Ok(*app),
            Holder::Public => Err(invalid_client()),
            Holder::User => {
                let detail = "this takes an access token that the app has for itself, not one that a session gave it";
                Err(Error::new(Code::InvalidToken, detail))
            }
        }
    }

    /// The app that may follow the ends of grants by this.
    pub(super) fn follows(&self, tx: &Read, due: Timestamp) -> Result<App> {
        match self.holder(tx, due)? {
            Holder::App(app) if app.resource_server => Ok(*app),
            _ => Err(Error::new(
                Code::ResourceServerNeeded,
                "this is for resource servers, by credentials or an access token of their own",
            )),
        }
    }
}
