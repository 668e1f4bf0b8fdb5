//! Refusals that depend on the caller.

use super::{Code, Error, Result};
use crate::model::{Caller, EndReason, Scope};

impl Caller {
    /// Checks that the caller has a scope. Fails with `insufficient_scope`. A caller that is
    /// confined to channels never has `session:manage`.
    pub fn require(self, needed: Scope) -> Result<()> {
        match self.scope.allow(needed) {
            true if self.confined && needed == Scope::SessionManage => Err(Error::confined()),
            true => Ok(()),
            false => Err(Error::insufficient_scope(needed)),
        }
    }

    /// The refusal of a caller whose client has left: `client_ended` for a cookie, and
    /// `invalid_token` for a token (RFC 6750 §3.1).
    pub fn ended(self, reason: EndReason) -> Error {
        let ended = Error::client_ended(reason);
        if self.grant.is_some() {
            Error {
                code: Code::InvalidToken,
                ..ended
            }
        } else {
            ended
        }
    }
}
