//! What a caller is refused.

use super::{Code, Error, Result};
use crate::model::{Caller, EndReason, Scope};

impl Caller {
    /// Refuses what it may not do. Whatever manages the session goes beyond any channels of it.
    pub fn require(self, needed: Scope) -> Result<()> {
        match self.scope.allow(needed) {
            true if self.confined && needed == Scope::SessionManage => Err(Error::confined()),
            true => Ok(()),
            false => Err(Error::insufficient_scope(needed)),
        }
    }

    /// The refusal of a caller whose client has left: of a cookie that is one thing, of a token
    /// another (RFC 6750 §3.1).
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
