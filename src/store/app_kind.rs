//! The two kinds of apps, and what only one of them has.

use super::{engine::connection::Row, row};
use crate::{
    error::Result,
    model::{ChannelName, ClientId, RedirectUri, SessionId, Timestamp},
};

/// The two kinds of apps.
#[derive(Clone, Debug)]
pub enum AppKind {
    /// An API key: a session owns it.
    Key(ApiKey),
    /// The operator registered it.
    Registered(Registration),
}

/// What only an API key has.
#[derive(Clone, Debug)]
pub struct ApiKey {
    /// The session that owns it.
    pub session: SessionId,
    /// The device that created it.
    pub created_by: ClientId,
    /// The channels that it is confined to. `None`: all channels of the session.
    pub res: Option<Vec<ChannelName>>,
    /// When it expires. `None`: never.
    pub expires_at: Option<Timestamp>,
}

/// What only an app that the operator registered has.
#[derive(Clone, Debug)]
pub struct Registration {
    /// Whether it can keep a secret, and what it may do with one.
    pub client_type: ClientType,
    /// Whether it is registered for the device flow (RFC 8628).
    pub device: bool,
    /// The registered redirect URIs. An app with at least one is registered for the code flow.
    pub redirect_uris: Vec<RedirectUri>,
}

/// The client type of a registered app (RFC 6749 §2.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClientType {
    /// It runs on its users' machines and cannot keep a secret. Its access tokens always work
    /// alone.
    Public,
    /// It has a secret.
    Confidential {
        /// Whether it may introspect every access token and follow the ends of grants.
        resource_server: bool,
        /// Whether its access tokens work without the app's own token beside them.
        bearer_alone: bool,
    },
}

impl AppKind {
    /// Reads the columns of the table `app` that depend on the kind.
    pub(super) fn read(row: &Row) -> Result<Self> {
        Ok(match row.get("session_id")? {
            Some(session) => Self::Key(ApiKey {
                session,
                created_by: row.get("created_by")?,
                res: row::res(row)?,
                expires_at: row.get("expires_at")?,
            }),
            None => Self::Registered(Registration {
                client_type: ClientType::read(row)?,
                device: row.get("device")?,
                redirect_uris: row::redirect_uris(row)?,
            }),
        })
    }
}

impl ClientType {
    fn read(row: &Row) -> Result<Self> {
        Ok(if row.get("public")? {
            Self::Public
        } else {
            Self::Confidential {
                resource_server: row.get("resource_server")?,
                bearer_alone: row.get("bearer_alone")?,
            }
        })
    }

    /// Whether the app's access tokens work without the app's own token beside them.
    pub fn is_bearer_alone(self) -> bool {
        match self {
            Self::Public => true,
            Self::Confidential { bearer_alone, .. } => bearer_alone,
        }
    }

    /// Whether the app may introspect every access token and follow the ends of grants.
    pub fn is_resource_server(self) -> bool {
        match self {
            Self::Public => false,
            Self::Confidential {
                resource_server, ..
            } => resource_server,
        }
    }
}
