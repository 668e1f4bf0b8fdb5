//! The caller of a request.

use super::{
    ids::{ClientId, GrantId, SessionId},
    scope::Scopes,
};

/// The caller of a request: the session and client that the presented secret belongs to, and what
/// they may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Caller {
    /// The session.
    pub session: SessionId,
    /// The client.
    pub client: ClientId,
    /// What the caller may do.
    pub scope: Scopes,
    /// The grant that the caller acts by. `None` for a cookie.
    pub grant: Option<GrantId>,
    /// Whether the grant confines the caller to some of the session's channels.
    pub confined: bool,
}
