//! The check that a caller is still live.

use crate::{
    error::Result,
    model::{Caller, EndReason},
    store::{Read, app_grant, client},
};

/// Checks that a caller's client is still live, and its grant if it has one. Every transaction for
/// a caller starts with this check. It fails with the error that says why the client or the grant
/// has ended.
pub fn require_live(tx: &Read, caller: Caller) -> Result<()> {
    match client::ended(tx, caller.client)? {
        Some(reason) => Err(caller.ended(reason)),
        None => match caller.grant() {
            Some(grant) if !app_grant::is_live(tx, grant)? => Err(caller.ended(EndReason::Revoked)),
            _ => Ok(()),
        },
    }
}
