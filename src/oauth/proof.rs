//! How an app identifies itself when it asks about tokens: by its credentials, or by an access
//! token of its own. And whether its request can succeed at all.

use super::credentials::{Credentials, find, invalid_client};
use crate::{
    error::{Code, Error, Result},
    model::{GrantId, Moment, Timestamp},
    secret::SecretHash,
    session::{Core, invalid_token},
    store::{
        Read,
        app::{self, App},
        app_grant, authorization_code, device_code, token,
    },
};

/// How an app identifies itself when it introspects, or follows the ends of grants.
#[derive(Clone, Debug)]
pub enum Proof {
    /// The app's name and, unless it is public, its secret.
    Credentials(Credentials),
    /// An access token of this grant. The token was live when it was presented.
    Token(GrantId),
}

impl From<&Credentials> for Proof {
    fn from(credentials: &Credentials) -> Self {
        Self::Credentials(credentials.clone())
    }
}

/// The party that a proof stands for.
pub(super) enum Holder {
    /// An app that can keep a secret, identified by its credentials or its own token.
    App(Box<App>),
    /// A public app, which has no secret and proves nothing.
    Public,
    /// A program with a token that a session granted. Such a token does not identify the app.
    User,
}

impl Proof {
    /// The party that this proof stands for. Fails with `invalid_client` or `invalid_token` once
    /// the proof is no longer valid.
    pub(super) fn holder(&self, tx: &Read, due: Timestamp) -> Result<Holder> {
        let app = match self {
            Self::Credentials(credentials) => find(tx, credentials, due)?
                .map(|(app, _)| app)
                .ok_or_else(invalid_client)?,
            Self::Token(grant) => {
                let grant = app_grant::get(tx, *grant)?.ok_or_else(invalid_token)?;
                if grant.session().is_some() {
                    return Ok(Holder::User);
                }
                app::get(tx, grant.app)?
            }
        };
        match app {
            app if app.is_ended_or_due(due) => Err(invalid_client()),
            app if app.is_public() => Ok(Holder::Public),
            app => Ok(Holder::App(Box::new(app))),
        }
    }

    /// The app that may introspect with this proof (RFC 7662 §2.1, §2.3). Fails with
    /// `invalid_client` for a public app, and with `invalid_token` for a token that a session
    /// granted.
    pub(super) fn introspects(&self, tx: &Read, due: Timestamp) -> Result<App> {
        match self.holder(tx, due)? {
            Holder::App(app) => Ok(*app),
            Holder::Public => Err(invalid_client()),
            Holder::User => {
                let detail = "introspection requires an access token of the app itself, not one \
                              that a session granted";
                Err(Error::new(Code::InvalidToken, detail))
            }
        }
    }

    /// The resource server that may follow the ends of grants with this proof. Fails with
    /// `resource_server_needed` for everybody else.
    pub(super) fn follows(&self, tx: &Read, due: Timestamp) -> Result<App> {
        match self.holder(tx, due)? {
            Holder::App(app) if app.is_resource_server() => Ok(*app),
            _ => Err(Error::new(
                Code::ResourceServerNeeded,
                "only a resource server may follow the ends of grants, with its credentials or an \
                 access token of its own",
            )),
        }
    }
}

/// What an app presents beside its credentials.
#[derive(Clone, Copy, Debug)]
pub enum Shown {
    /// Nothing. The request is one for which a public app's name is enough.
    Name,
    /// Nothing. The request is one for which a public app's name is not enough.
    Nothing,
    /// The hash of a token or of a code.
    Secret(SecretHash),
}

/// Whether the app's request can succeed at all. That is so if its secret is right, or if it is
/// public and shows an existing token or code of its own. The check changes nothing.
pub async fn may_succeed(
    core: &Core,
    proof: Proof,
    shown: Shown,
    Moment { due, .. }: Moment,
) -> Result<bool> {
    let credentials = match proof {
        Proof::Credentials(credentials) => credentials,
        // The token was checked when it was presented.
        Proof::Token(_) => return Ok(true),
    };
    let look = move |tx: &Read| {
        let Some((app, secret)) =
            find(tx, &credentials, due)?.filter(|(app, _)| !app.is_ended_or_due(due))
        else {
            return Ok(false);
        };
        match shown {
            _ if secret.is_some() => Ok(true),
            Shown::Name => Ok(true),
            Shown::Nothing => Ok(false),
            Shown::Secret(shown) => {
                if let Some(token) = token::find(tx, shown)? {
                    return Ok(app_grant::get(tx, token.facts().grant)?
                        .is_some_and(|grant| grant.app == app.id));
                }
                let code = authorization_code::find(tx, shown)?.map(|code| code.app);
                let device = device_code::find(tx, shown)?.map(|code| code.app);
                Ok(code.or(device) == Some(app.id))
            }
        }
    };
    core.store.read(look).await
}
