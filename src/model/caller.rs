//! The caller of a request.

use super::{
    ids::{ClientId, GrantId, SessionId},
    scope::Scopes,
};

/// The caller of a request: the session and client that the presented secret belongs to, and the
/// authority of the client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Caller {
    /// The session.
    pub session: SessionId,
    /// The client.
    pub client: ClientId,
    /// The client's authority.
    pub authority: Authority,
}

/// The authority by which a client acts as its session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Authority {
    /// A cookie of its own. It may do everything.
    Cookie,
    /// A grant. The secret of such a client is never given out: it calls with access tokens.
    Grant(Granted),
}

/// The rights of a client that acts by a grant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Granted {
    /// The grant.
    pub id: GrantId,
    /// What the client may do. With an access token this may be less than the grant allows.
    pub scope: Scopes,
    /// Whether the grant is confined to some of the session's channels.
    pub confined: bool,
    /// Whether the grant is an API key's. The client is then the key's bot, which is not a device.
    pub is_key: bool,
}

impl Caller {
    /// What the caller may do.
    pub fn scope(self) -> Scopes {
        match self.authority {
            Authority::Cookie => Scopes::ALL,
            Authority::Grant(granted) => granted.scope,
        }
    }

    /// The grant that the caller acts by. `None`: it acts by its cookie.
    pub fn grant(self) -> Option<GrantId> {
        self.authority.granted().map(|granted| granted.id)
    }

    /// Whether the caller is confined to some of the session's channels.
    pub fn is_confined(self) -> bool {
        self.authority
            .granted()
            .is_some_and(|granted| granted.confined)
    }
}

impl Authority {
    /// The grant and what it allows. `None` for a cookie.
    pub fn granted(self) -> Option<Granted> {
        match self {
            Self::Cookie => None,
            Self::Grant(granted) => Some(granted),
        }
    }

    /// Whether the client is a device, which keeps its session alive. An API key's bot is not.
    pub fn is_device(self) -> bool {
        !self.granted().is_some_and(|granted| granted.is_key)
    }
}
