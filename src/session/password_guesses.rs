//! Guesses at passwords, and what they are held to.
//!
//! Whoever guesses is counted by what they hold. A live device of a session (a cookie, a key, an
//! app's token) is counted by its session alone, so strangers never hinder it, and however many
//! devices and addresses a thief has, the session has one count. Everybody else is counted by
//! network, by session and by both; strangers who use up what is allowed for a session do not lock
//! out those who come from where one of its devices came from.
//!
//! Each guess is charged before it is hashed, or many at once would all pass. What was no failure
//! gets it back, and one that is under way is no failure yet.

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
    /// Begins a login to the session that was found by this nick, if there is one. `present` is the
    /// live client that asks.
    pub(super) async fn begin_login(
        &self,
        nick: Option<&Nick>,
        found: Option<&Session>,
        present: Option<Caller>,
        arrival: &Arrival,
    ) -> Result<Attempt> {
        let of_address = Subject {
            address: Some(arrival.address),
            ..Subject::default()
        };
        let of_session = found.map_or(of_address.clone(), |session| {
            session.subject(of_address.clone())
        });
        if let Some((own, caller)) = found.zip(present)
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
        // What is nobody's nick counts like one that is somebody's, or the difference would tell.
        let key = found
            .map(|session| session.id.to_string())
            .or_else(|| nick.map(Nick::folded));
        if let Some(key) = key {
            let by_both = |limit| Charge::of_network_and(limit, network, &key);
            let mut of_nick = by_both(Limit::NickAndAddress);
            of_nick.extend(by_both(Limit::Logins).into_iter().map(Charge::kept));
            if !self.knows(found.map(|session| session.id), network).await? {
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

    /// Judges a guess of a live client's at the password of its own session. A wrong one is
    /// recorded.
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
            .verify(device_of(caller, arrival), guess, stored)
            .await;
        if let Ok(Verdict::Wrong) = verdict {
            self.record_refusal(Action::PasswordRefused, subject, arrival)
                .await?;
        } else {
            attempt.pass();
        }
        verdict
    }

    /// Lets a live client give its session a first password. It is no guess, and yet it is hashed.
    pub(super) async fn first_password(&self, caller: Caller, arrival: &Arrival) -> Result<()> {
        let charge = Charge::new(Limit::Passwords, caller.session);
        let Err(refusal) = self.tries.charge(&[charge], arrival.steady) else {
            return Ok(());
        };
        if refusal.first {
            self.throttled(refusal.limit, of_caller(caller, arrival), arrival)
                .await;
        }
        Err(refusal.into())
    }

    /// Begins an attempt. The first refusal of a key in an hour is recorded: of a network as what
    /// it is, of a session as that session's.
    async fn begin(
        &self,
        charges: Vec<Charge>,
        of_address: &Subject,
        of_session: &Subject,
        arrival: &Arrival,
    ) -> Result<Attempt> {
        match self.tries.attempt(charges, arrival.steady).await {
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

    /// Whether a client of this session came from this network; of clients that were removed nobody
    /// knows who they were.
    async fn knows(&self, session: Option<SessionId>, network: Network) -> Result<bool> {
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

/// What a password counts for that a device of a session gives for it. Right ones cost, too: each
/// takes time to hash.
fn by_device(session: SessionId) -> Vec<Charge> {
    vec![
        Charge::new(Limit::Session, session),
        Charge::new(Limit::Passwords, session).kept(),
    ]
}

/// A live client, as it waits for its session's passwords to be hashed.
pub(super) fn device_of(caller: Caller, arrival: &Arrival) -> Asker {
    Asker {
        network: arrival.network(),
        session: Some(caller.session),
    }
}

fn of_caller(caller: Caller, arrival: &Arrival) -> Subject {
    Subject {
        session: Some(caller.session),
        client: Some(caller.client),
        address: Some(arrival.address),
        ..Subject::default()
    }
}
