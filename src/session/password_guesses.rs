//! Rate limits on password guesses.
//!
//! The caller decides what a guess counts against. The guesses of a live device of the session (a
//! cookie, a key or an app's token) count against its session alone. Strangers therefore never
//! block a device, and a thief with many devices and addresses shares one count. The guesses of all
//! other callers count against the network, the session, and both together. Strangers who use up a
//! session's limit do not lock out callers from a network that one of its devices came from.
//!
//! Each guess is charged before it is hashed. Otherwise many guesses at once would all pass. A
//! right guess is refunded. A guess that is still being verified does not count as a failure yet.

use super::core::Core;
use crate::{
    audit::{Action, Limit, Subject},
    error::Result,
    limits::{Attempt, Charge},
    model::{Arrival, Caller, HashedPassword, Network, Nick, Password, SessionId},
    password::{Asker, Verdict},
    store::{self, session::Session},
};

impl Core {
    /// Charges a login to the session with this nick, if there is one. `current_caller` is the live
    /// client that asks, if any. It fails with `throttled`.
    pub(super) async fn begin_login(
        &self,
        nick: Option<&Nick>,
        found: Option<&Session>,
        current_caller: Option<Caller>,
        arrival: &Arrival,
    ) -> Result<Attempt> {
        let of_address = Subject {
            address: Some(arrival.address),
            ..Subject::default()
        };
        let of_session = found.map_or(of_address.clone(), |session| {
            session.subject(of_address.clone())
        });
        if let Some((own, caller)) = found.zip(current_caller)
            && own.id == caller.session
        {
            let subject = Subject {
                client: Some(caller.client),
                ..of_session
            };
            return self
                .begin(by_device(own.id), &subject, &subject, arrival)
                .await;
        }
        let network = arrival.network();
        let mut charges = Charge::of_network(Limit::Address, network);
        // A nick that no session has is counted the same way. Otherwise the difference would show
        // that it is free.
        let key = found
            .map(|session| session.id.to_string())
            .or_else(|| nick.map(Nick::folded));
        if let Some(key) = key {
            let by_both = |limit| Charge::of_network_and(limit, network, &key);
            let mut of_nick = by_both(Limit::NickAndAddress);
            of_nick.extend(by_both(Limit::Logins).into_iter().map(Charge::kept));
            if !self
                .came_from_before(found.map(|session| session.id), network)
                .await?
            {
                of_nick.push(Charge::new(Limit::Nick, key));
            }
            charges.extend(of_nick.into_iter().map(|charge| {
                if found.is_some() {
                    charge
                } else {
                    charge.unknown()
                }
            }));
        }
        self.begin(charges, &of_address, &of_session, arrival).await
    }

    /// Verifies a live client's guess at the password of its own session. A wrong guess is
    /// recorded. It fails with `throttled` or `overloaded`.
    pub(crate) async fn guess_password(
        &self,
        caller: Caller,
        guess: Password,
        stored: Option<HashedPassword>,
        arrival: &Arrival,
    ) -> Result<Verdict> {
        let subject = of_caller(caller, arrival);
        let charges = by_device(caller.session);
        let attempt = self.begin(charges, &subject, &subject, arrival).await?;
        let verdict = self
            .hasher
            .verify(asker_of(caller, arrival), guess, stored)
            .await;
        if let Ok(Verdict::Wrong) = verdict {
            self.record_refusal(Action::PasswordRefused, subject, arrival)
                .await?;
        } else {
            attempt.pass();
        }
        verdict
    }

    /// Charges a session's first password. It is no guess, but it costs a hash. It fails with
    /// `throttled`.
    pub(super) async fn first_password(&self, caller: Caller, arrival: &Arrival) -> Result<()> {
        let charge = Charge::new(Limit::Passwords, caller.session);
        let Err(refusal) = self.rate_limits.charge(&[charge], arrival.steady) else {
            return Ok(());
        };
        if refusal.first {
            self.throttled(refusal.limit, of_caller(caller, arrival), arrival)
                .await;
        }
        Err(refusal.into())
    }

    /// Charges an attempt. The first refusal of each key in an hour is recorded: with the network's
    /// subject if the network's limit is reached, and with the session's otherwise.
    async fn begin(
        &self,
        charges: Vec<Charge>,
        of_address: &Subject,
        of_session: &Subject,
        arrival: &Arrival,
    ) -> Result<Attempt> {
        match self.rate_limits.attempt(charges, arrival.steady).await {
            Ok(attempt) => Ok(attempt),
            Err(refusal) => {
                if refusal.first {
                    let subject = if refusal.limit == Limit::Address {
                        of_address
                    } else {
                        of_session
                    };
                    self.throttled(refusal.limit, subject.clone(), arrival)
                        .await;
                }
                Err(refusal.into())
            }
        }
    }

    /// Whether one of the session's latest 100 devices logged in from this network. Only live and
    /// expired devices count. A device that was removed or has logged out may have been a
    /// stranger's. Apps do not count, because strangers' programs run on the same networks.
    async fn came_from_before(&self, session: Option<SessionId>, network: Network) -> Result<bool> {
        let look = move |tx: &store::Read| {
            let addresses = session
                .map(|id| store::client::addresses(tx, id))
                .transpose()?
                .unwrap_or_default();
            Ok(addresses
                .into_iter()
                .any(|address| Network::of(address) == network))
        };
        self.store.read(look).await
    }
}

/// The charges for a password that a device of the session gives. Right passwords are not refunded
/// in full, because each takes time to hash.
fn by_device(session: SessionId) -> Vec<Charge> {
    vec![
        Charge::new(Limit::Session, session),
        Charge::new(Limit::Passwords, session).kept(),
    ]
}

/// The place of a live client in the line of passwords to hash: its network and its session.
pub(super) fn asker_of(caller: Caller, arrival: &Arrival) -> Asker {
    Asker {
        network: arrival.network(),
        session: Some(caller.session),
    }
}

/// The subject of audit lines about this caller.
fn of_caller(caller: Caller, arrival: &Arrival) -> Subject {
    Subject {
        session: Some(caller.session),
        client: Some(caller.client),
        address: Some(arrival.address),
        ..Subject::default()
    }
}
