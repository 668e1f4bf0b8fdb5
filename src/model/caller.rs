//! Who calls.

use super::{
    ids::{ClientId, GrantId, SessionId},
    scope::Scopes,
};

/// Who calls: the session and client that a presented secret names, and what it may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Caller {
    /// The session.
    pub session: SessionId,
    /// The client of the session that calls.
    pub client: ClientId,
    /// What it may do.
    pub scope: Scopes,
    /// What it acts by; a cookie is by no grant.
    pub grant: Option<GrantId>,
    /// Whether that confines it to some of the session's channels.
    pub confined: bool,
}
