//! Sessions and their clients: made, renamed, listed, left, ended.

use std::net::IpAddr;

use super::{
    Chat,
    act::{Act, notice},
    callers::Live,
    remains,
};
use crate::{
    error::{Code, Error, Result},
    model::{ClientId, ClientView, EndReason, Network, Nick, Scope, Timestamp},
    secret::Secret,
    session::{
        audience, insert_client, insert_session, lifecycle, lifecycle::QuitMessage, op_succession,
    },
    store::{
        Priority, Read,
        client::{self, NewClient},
        membership,
        session::{self, Session},
    },
};

/// A client let in, and the secret to hand to it once.
#[derive(Debug)]
pub struct Admitted {
    pub secret: Secret,
    pub session: Session,
    pub client: ClientView,
}

impl Chat {
    /// Makes a session and its first client.
    pub async fn create(
        &self,
        nick: Nick,
        client_name: String,
        address: IpAddr,
        now: Timestamp,
    ) -> Result<Admitted> {
        let secret = Secret::generate()?;
        let new = self.new_client(client_name, &secret, address, now);
        let max = self.limits.max_sessions;
        let (session, client) = self
            .store
            .write_as(Priority::Ordinary, move |tx| {
                if let Some(max) = max {
                    require_room(tx, Network::of(address), max)?;
                }
                let session = insert_session(tx, &nick, address, now)?;
                let client = insert_client(tx, session, &new, now)?;
                Ok((session::get(tx, session)?, client::own_view(tx, client)?))
            })
            .await?;
        Ok(Admitted {
            secret,
            session,
            client,
        })
    }

    /// This session's clients, with their use up to now.
    pub async fn clients(&self, live: &Live) -> Result<Vec<ClientView>> {
        let caller = live.caller;
        let mut clients = self
            .look(caller, move |tx| client::live_of(tx, caller.session))
            .await?;
        self.note_use(&mut clients);
        for client in &mut clients {
            client.current = client.id == caller.client;
            client.show_to(caller);
        }
        Ok(clients)
    }

    /// Adds to clients from the store what the memory knows of their use.
    pub(super) fn note_use(&self, clients: &mut [ClientView]) {
        for client in clients {
            if let Some(live) = self.callers.by_client(client.id) {
                live.note_use(client);
            }
        }
    }

    /// Gives a device of the caller's session another name. The others hear of it: a name is part
    /// of what they show.
    pub async fn rename_client(
        &self,
        live: &Live,
        id: ClientId,
        name: String,
        now: Timestamp,
    ) -> Result<ClientView> {
        let caller = live.caller;
        let renamed = self
            .change_ordinary(caller, move |tx| {
                let devices = client::live_of(tx, caller.session)?;
                let device = devices
                    .into_iter()
                    .find(|device| device.id == id)
                    .ok_or_else(no_such_client)?;
                if device.name != name {
                    client::rename(tx, id, &name)?;
                    let text = format!("The device {} is now called {name}.", device.name);
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

    /// The caller's client leaves.
    pub async fn logout(&self, live: &Live, now: Timestamp) -> Result<()> {
        let caller = live.caller;
        self.change(caller, move |tx| {
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

    /// One client of the caller's session leaves.
    pub async fn remove_client(&self, live: &Live, id: ClientId, now: Timestamp) -> Result<()> {
        let caller = live.caller;
        self.change(caller, move |tx| {
            if !client::live_of(tx, caller.session)?
                .iter()
                .any(|client| client.id == id)
            {
                return Err(no_such_client());
            }
            lifecycle::end_client(tx, caller.session, id, EndReason::Removed, None, now).map(drop)
        })
        .await
    }

    /// Every device but the caller's leaves. Where an API key's bot calls, the device stays as
    /// whose use its own counts. How many have left.
    ///
    /// Only where any has left, the session is told what remains: what changes nothing writes
    /// nothing, however often it is asked for.
    pub async fn remove_other_clients(&self, live: &Live, now: Timestamp) -> Result<usize> {
        let (caller, device) = (live.caller, live.device());
        self.change(caller, move |tx| {
            let devices = client::live_of(tx, caller.session)?;
            // The one that memory knows of may have left meanwhile.
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
            // The caller's own approvals too, because a copied cookie is the same client.
            lifecycle::void_approvals(tx, caller.session, None)?;
            if left > 0 {
                remains::tell(tx, caller.session, now)?;
            }
            Ok(left)
        })
        .await
    }

    /// The session ends for every client.
    pub async fn end_session(&self, live: &Live, now: Timestamp) -> Result<()> {
        let caller = live.caller;
        self.change(caller, move |tx| {
            lifecycle::end_session(tx, caller.session, EndReason::SessionEnded, None, now).map(drop)
        })
        .await
    }

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
            grant: None,
        }
    }
}

/// Refuses one more session where a network, or a wider one around it, has as many live ones as it
/// may have.
fn require_room(tx: &Read, network: Network, max: i64) -> Result<()> {
    for network in network.and_wider() {
        let max = max.saturating_mul(network.width().factor().into());
        if session::count_from(tx, network, max)? >= max {
            let detail = format!("there are {max} sessions from your network already ({network})");
            return Err(Error::new(Code::TooManySessions, detail));
        }
    }
    Ok(())
}

fn no_such_client() -> Error {
    Error::new(Code::NotFound, "this session has no such client")
}

/// NICK: one event to all who are to know the session's nick.
pub fn rename(act: &mut Act, nick: Nick) -> Result<()> {
    if nick.as_str() == act.nick().as_str() {
        return Ok(());
    }
    act.visibility.require_unrestricted()?;
    session::rename(act.tx, &act.session, &nick)?;
    let targets = audience::of(act.tx, &act.session)?;
    act.emit("NICK", &[&nick], &targets)?;
    // A ban that no longer matches is no longer in the way of being op.
    for channel in membership::channels_of(act.tx, act.caller.session)? {
        op_succession::consider(act.tx, channel, act.caller.session, act.now)?;
    }
    Ok(())
}

/// QUIT: this client leaves; others hear of it only if it was the last.
pub fn quit(act: &mut Act, reason: Option<&str>) -> Result<()> {
    let caller = act.caller;
    // All channels of the session hear them, so who may not speak to those leaves without a word.
    let may_speak = caller.scope.allow(Scope::ChatWrite) && !caller.confined;
    let words = reason.filter(|_| may_speak).map(|text| QuitMessage {
        text,
        app: act.app().map(str::to_owned),
    });
    let ended = lifecycle::end_client(
        act.tx,
        caller.session,
        caller.client,
        EndReason::Quit,
        words,
        act.now,
    )?;
    act.answer.ids.extend(ended);
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::{chat::Limits, password::Hasher, store::DatabaseLock};

    /// What is left of the limit of a wider network, whatever narrower ones in it are still free.
    #[tokio::test]
    async fn live_sessions_are_counted_by_network_and_by_the_wider_ones_around_it() {
        let dir = tempfile::tempdir().unwrap();
        let day = Duration::from_hours(24);
        let limits = Limits {
            max_clients: 16,
            max_channels: 100,
            max_sessions: Some(2),
            tries: false,
            client_idle: day,
            client_lifetime: day,
            retention: day,
            audit_retention: day,
            channel_history: false,
        };
        let lock = DatabaseLock::for_server(&dir.path().join("c.db")).unwrap();
        let chat = Chat::open(lock, None, limits, Hasher::start(1).unwrap(), Timestamp(0)).unwrap();
        let mut made = 0;
        let mut create = async |address: String| {
            made += 1;
            let nick = Nick::parse(&format!("s{made}")).unwrap();
            chat.create(
                nick,
                "laptop".into(),
                address.parse().unwrap(),
                Timestamp(0),
            )
            .await
        };
        let mut fill = async |prefix: &str, networks: std::ops::Range<u32>| {
            let mut passed = 0;
            for n in networks {
                for host in 1..4 {
                    match create(format!("{prefix}{n:x}::{host}")).await {
                        Ok(_) => passed += 1,
                        Err(refusal) => assert_eq!(refusal.code, Code::TooManySessions),
                    }
                }
            }
            passed
        };
        assert_eq!(fill("2001:db8:1:", 0..1).await, 2, "of a /64");
        assert_eq!(fill("2001:db8:1:", 1..6).await, 4, "6 of a /56");
        assert_eq!(fill("2001:db8:1:", 0x100..0x108).await, 6, "of another /56");
        assert_eq!(fill("2001:db8:1:", 0x200..0x205).await, 6);
        assert_eq!(fill("2001:db8:1:", 0x300..0x305).await, 2, "20 of a /48");
        assert_eq!(
            fill("2001:db8:2:", 0..1).await,
            2,
            "another network has its own"
        );
        for (address, passes) in [
            ("192.0.2.1", true),
            ("192.0.2.1", true),
            ("192.0.2.1", false),
            ("192.0.2.2", true),
        ] {
            assert_eq!(
                create(address.to_owned()).await.is_ok(),
                passes,
                "{address}"
            );
        }
        // One that ends makes room.
        let gone = chat
            .create(
                Nick::parse("gone").unwrap(),
                "x".into(),
                [192, 0, 2, 3].into(),
                Timestamp(0),
            )
            .await
            .unwrap();
        let live = chat
            .authenticate(gone.secret.hash(), Timestamp(0), Timestamp(0))
            .await
            .unwrap();
        create("192.0.2.3".to_owned()).await.unwrap();
        create("192.0.2.3".to_owned()).await.unwrap_err();
        chat.end_session(&live, Timestamp(0)).await.unwrap();
        create("192.0.2.3".to_owned()).await.unwrap();
    }
}
