//! Creating a session.

use std::net::IpAddr;

use crate::{
    audit::{Action, Subject},
    error::Result,
    model::{Nick, SessionId, Timestamp},
    store::{Write, audit, session, target},
};

/// Creates a session for a request from `address`; its first client follows in the same transaction.
/// It fails with `nickname_in_use`.
pub fn insert(tx: &Write, nick: &Nick, address: IpAddr, now: Timestamp) -> Result<SessionId> {
    let id = session::insert(tx, target::insert(tx)?, nick, address, now)?;
    let subject = Subject {
        session: Some(id),
        nick: Some(nick.to_string()),
        address: Some(address),
        ..Subject::default()
    };
    audit::record(tx, Action::SessionCreated, &subject, now)?;
    Ok(id)
}
