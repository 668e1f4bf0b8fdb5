//! The clients of a session: let in, checked.

use crate::{
    audit::{Action, Subject},
    error::Result,
    model::{Caller, ClientId, EndReason, SessionId, Timestamp},
    store::{
        Read, Write, audit,
        client::{self, NewClient},
        grant, log,
    },
};

/// Lets a client into a session. Its queue begins here, until its first snapshot moves the beginning.
pub fn insert(tx: &Write, session: SessionId, new: &NewClient, now: Timestamp) -> Result<ClientId> {
    let id = client::insert(tx, session, new, log::head(tx)?, now)?;
    let subject = Subject {
        session: Some(session),
        client: Some(id),
        ..Subject::default()
    };
    audit::record(tx, Action::ClientCreated, &subject, now)?;
    Ok(id)
}

/// Checks that a caller's client is still live, and its grant if it has one. Every write does this
/// first. It fails with the error that says why the client has ended.
pub fn require_live(tx: &Read, caller: Caller) -> Result<()> {
    match client::ended(tx, caller.client)? {
        Some(reason) => Err(caller.ended(reason)),
        None => match caller.grant {
            Some(grant) if !grant::is_live(tx, grant)? => Err(caller.ended(EndReason::Revoked)),
            _ => Ok(()),
        },
    }
}
