//! Refusals that depend on the caller.

use super::{Code, Error, Result};
use crate::model::{Authority, Caller, EndReason, Requirement, Scope};

impl Caller {
    /// Checks that the caller has what is needed. Fails with `insufficient_scope`. A caller that is
    /// confined to channels never has `session:manage`.
    pub fn require(self, needed: Requirement) -> Result<()> {
        let Requirement::Scope(scope) = needed else {
            return Ok(());
        };
        match self.scope().allow(scope) {
            true if self.is_confined() && scope == Scope::SessionManage => Err(Error::confined()),
            true => Ok(()),
            false => Err(Error::insufficient_scope(scope)),
        }
    }

    /// The refusal of a caller whose client has left: `client_ended` for a cookie, and
    /// `invalid_token` for a token (RFC 6750 §3.1).
    pub fn ended(self, reason: EndReason) -> Error {
        let ended = Error::client_ended(reason);
        match self.authority {
            Authority::Cookie => ended,
            Authority::Grant(_) => Error {
                code: Code::InvalidToken,
                ..ended
            },
        }
    }
}
