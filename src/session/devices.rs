//! The devices of a session: adding, listing, renaming and removing them.

use std::net::IpAddr;

use super::{
    core::Core,
    lifecycle::{self},
    live_client::LiveClient,
    notice::notice,
    remaining_access,
};
use crate::{
    audit::{Action, Subject},
    error::{Code, Error, Result},
    model::{Authority, ClientId, ClientView, EndReason, SessionId, Timestamp},
    secret::Secret,
    store::{
        Priority, Write, audit,
        client::{self, NewClient},
        log, session,
    },
};

impl Core {
    /// The devices of the caller's session, with their latest use.
    pub async fn devices(&self, live: &LiveClient) -> Result<Vec<ClientView>> {
        let caller = live.caller;
        let mut clients = self
            .read_as(caller, move |tx| client::devices_of(tx, caller.session))
            .await?;
        self.note_use(&mut clients);
        for client in &mut clients {
            client.current = client.id == caller.client;
            client.show_to(caller);
        }
        Ok(clients)
    }

    /// Updates views from the store with use that is only in memory.
    pub(super) fn note_use(&self, clients: &mut [ClientView]) {
        for client in clients {
            if let Some(live) = self.callers.by_client(client.id) {
                live.note_use(client);
            }
        }
    }

    /// Renames a device of the caller's session. A NOTICE tells the session's clients, because they
    /// show the name. It fails with `not_found`.
    pub async fn rename_device(
        &self,
        live: &LiveClient,
        id: ClientId,
        name: String,
        now: Timestamp,
    ) -> Result<ClientView> {
        let caller = live.caller;
        let renamed = self
            .write_as(caller, Priority::Ordinary, move |tx| {
                let devices = client::devices_of(tx, caller.session)?;
                let device = devices
                    .into_iter()
                    .find(|device| device.id == id)
                    .ok_or_else(no_such_client)?;
                if device.name != name {
                    client::rename(tx, id, &name)?;
                    let text = format!("The device {} was renamed to {name}.", device.name);
                    notice(tx, &session::get(tx, caller.session)?, text, None, now)?;
                }
                Ok(ClientView {
                    name: name.clone(),
                    current: id == caller.client,
                    ..device
                })
            })
            .await?;
        let mut clients = [renamed];
        self.note_use(&mut clients);
        let [mut renamed] = clients;
        renamed.show_to(caller);
        Ok(renamed)
    }

    /// Ends the caller's client.
    pub async fn logout(&self, live: &LiveClient, now: Timestamp) -> Result<()> {
        let caller = live.caller;
        self.write_as(caller, Priority::Essential, move |tx| {
            lifecycle::end_client(
                tx,
                caller.session,
                caller.client,
                EndReason::LoggedOut,
                None,
                now,
            )
            .map(drop)
        })
        .await
    }

    /// Removes one device of the caller's session. It fails with `not_found`.
    pub async fn remove_device(
        &self,
        live: &LiveClient,
        id: ClientId,
        now: Timestamp,
    ) -> Result<()> {
        let caller = live.caller;
        self.write_as(caller, Priority::Essential, move |tx| {
            if !client::devices_of(tx, caller.session)?
                .iter()
                .any(|client| client.id == id)
            {
                return Err(no_such_client());
            }
            lifecycle::end_client(tx, caller.session, id, EndReason::Removed, None, now).map(drop)
        })
        .await
    }

    /// Removes every device but the caller's, and returns how many were removed. If the caller is
    /// an API key's bot, the device to which its use is credited stays.
    ///
    /// The session is told what remains only if a device was removed. A call that removes none
    /// writes no event, however often it is repeated.
    pub async fn remove_other_devices(&self, live: &LiveClient, now: Timestamp) -> Result<usize> {
        let (caller, device) = (live.caller, live.device());
        self.write_as(caller, Priority::Essential, move |tx| {
            let devices = client::devices_of(tx, caller.session)?;
            // The device that the caller map names may have left meanwhile.
            let last_used = || {
                devices
                    .iter()
                    .max_by_key(|one| (one.seen_at, one.id))
                    .map(|one| one.id)
            };
            let stays = devices
                .iter()
                .map(|one| one.id)
                .find(|id| *id == device)
                .or_else(last_used);
            let others = devices.iter().filter(|one| Some(one.id) != stays);
            let left = others.map(|other| {
                lifecycle::end_client(tx, caller.session, other.id, EndReason::Removed, None, now)
            });
            let left = left.collect::<Result<Vec<_>>>()?.len();
            // The caller's own approvals are voided too, because a copied cookie is the same
            // client.
            lifecycle::void_approvals(tx, caller.session, None)?;
            if left > 0 {
                remaining_access::tell(tx, caller.session, now)?;
            }
            Ok(left)
        })
        .await
    }

    /// Ends the caller's session with all its clients.
    pub async fn end_session(&self, live: &LiveClient, now: Timestamp) -> Result<()> {
        let caller = live.caller;
        self.write_as(caller, Priority::Essential, move |tx| {
            lifecycle::end_session(tx, caller.session, EndReason::SessionEnded, None, now).map(drop)
        })
        .await
    }

    /// A cookie's client with the configured lifetime, for a request from `address`.
    pub(super) fn new_client(
        &self,
        name: String,
        secret: &Secret,
        address: IpAddr,
        now: Timestamp,
    ) -> NewClient {
        NewClient {
            name,
            secret: secret.hash(),
            expires_at: now.plus(self.limits.client_lifetime),
            address,
            authority: Authority::Cookie,
        }
    }
}

/// The error `not_found`: the session has no live client with this id.
pub fn no_such_client() -> Error {
    Error::new(Code::NotFound, "this session has no such client")
}

/// Adds a client to a session. Its queue begins at the head of the log; the client's first snapshot
/// moves that beginning forward.
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
